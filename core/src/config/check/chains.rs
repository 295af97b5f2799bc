//! Checks of `handlers.then`: the handler that is named is there, serves the same reference point, and no chain bites its tail
//! or is longer than reports should have to go.

use std::collections::HashMap;

use super::{Checker, EntryPlaces};
use crate::config::{HandlerConfig, limits::HANDLER_CHAIN, problem::Problem, reader::resembling};

impl Checker<'_> {
    /// All chains. `written`: names of handlers that stand in the files, also of those that cannot be used: what is wrong with
    /// these was said.
    pub(super) fn chains(&self, handlers: &[HandlerConfig], places: &HashMap<String, EntryPlaces>, written: &[String]) {
        for handler in handlers {
            let place = places.get(&handler.name).and_then(|places| places.then);
            let (Some(then), Some(place)) = (&handler.then, place) else { continue };
            let problem = match find(handlers, then) {
                Some(next) if next.reference_point != handler.reference_point => Some(
                    Problem::error(place, format!("`{then}` reads the reports of {}", next.reference_point))
                        .label(format!("and `{}` those of {}", handler.name, handler.reference_point))
                        .help(format!("the standard handler of {0} is `{0}-standard`", handler.reference_point)),
                ),
                Some(_) => {
                    Self::followed(handlers, handler).map(|(message, help)| Problem::error(place, message).help(help))
                }
                None if written.contains(then) => None,
                None => Some(unknown(
                    handlers,
                    handler,
                    then,
                    Problem::error(place, format!("no handler is called `{then}`")),
                )),
            };
            problem.into_iter().for_each(|problem| self.found.add(problem));
        }
    }

    /// What is wrong with the chain that begins at a handler, and what to do. A loop is told once: at the first of its handlers.
    fn followed(handlers: &[HandlerConfig], first: &HandlerConfig) -> Option<(String, String)> {
        let mut chain = vec![first];
        while let Some(next) = chain.last().and_then(|last| find(handlers, last.then.as_ref()?)) {
            if chain.iter().any(|one| one.name == next.name) {
                let of_loop = |one: &&HandlerConfig| chain.iter().any(|other| other.name == one.name);
                let is_told = next.name == first.name
                    && handlers.iter().find(of_loop).is_some_and(|leader| leader.name == first.name);
                let help = "leave `then` out at the one that is to be the last".to_owned();
                return is_told
                    .then(|| (format!("reports would go round for ever: {}, {}", names(&chain), next.name), help));
            }
            chain.push(next);
        }
        (chain.len() > HANDLER_CHAIN).then(|| {
            let message = format!("reports would go through {} handlers: {}", chain.len(), names(&chain));
            (message, format!("at most {HANDLER_CHAIN} may stand one after the other; join some of them in one plugin"))
        })
    }
}

fn find<'a>(handlers: &'a [HandlerConfig], name: &str) -> Option<&'a HandlerConfig> {
    handlers.iter().find(|one| one.name == name)
}

fn names(chain: &[&HandlerConfig]) -> String {
    chain.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn unknown(handlers: &[HandlerConfig], handler: &HandlerConfig, then: &str, problem: Problem) -> Problem {
    let point = handler.reference_point;
    let of_point: Vec<&str> = handlers
        .iter()
        .filter(|one| one.reference_point == point && one.name != handler.name)
        .map(|one| one.name.as_str())
        .collect();
    match resembling(then, &of_point) {
        _ if then.starts_with("builtin:") => problem
            .help(format!("`then` takes the name of a handler: the standard one of {point} is `{point}-standard`")),
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help(format!("name one of those of {point}: {}", of_point.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{load::examine_text, problem::Problem, source::SourceText};

    /// What is wrong with these handlers of Mq (`then` by name) beside what else is wrong with the file.
    fn wrong(handlers: &[(&str, &str)]) -> Vec<Problem> {
        let entry = |(name, then): &(&str, &str)| {
            let then = if then.is_empty() { String::new() } else { format!("then = \"{then}\"\n") };
            format!("[[handlers]]\nname = \"{name}\"\nreference_point = \"mq\"\nplugin = \"builtin:mq\"\n{then}")
        };
        let text = format!("[manager]\nid = \"m\"\ndomain = \"d\"\n{}", handlers.iter().map(entry).collect::<String>());
        let source = SourceText { name: "m.toml".into(), folder: ".".into(), text };
        let problems = examine_text(source, &[]).problems;
        let about = |problem: &Problem| ["handler", "reports"].iter().any(|word| problem.message.contains(word));
        problems.list.into_iter().filter(about).collect()
    }

    fn told(handlers: &[(&str, &str)]) -> Vec<(String, String)> {
        wrong(handlers).into_iter().map(|problem| (problem.message, problem.help.unwrap_or_default())).collect()
    }

    fn both(message: &str, help: &str) -> Vec<(String, String)> {
        vec![(message.to_owned(), help.to_owned())]
    }

    #[test]
    fn a_chain_that_ends_is_right() {
        assert_eq!(told(&[("a", "b"), ("b", "mq-standard"), ("c", "b")]), []);
    }

    #[test]
    fn who_is_not_there_is_told_with_who_was_meant() {
        assert_eq!(
            told(&[("acme", "mq-standrad")]),
            both("no handler is called `mq-standrad`", "did you mean \"mq-standard\"?")
        );
        let by_plugin = told(&[("acme", "builtin:mq")]);
        assert_eq!(
            by_plugin,
            both(
                "no handler is called `builtin:mq`",
                "`then` takes the name of a handler: the standard one of mq is `mq-standard`"
            )
        );
        let none = told(&[("acme", "x"), ("other", "")]);
        assert_eq!(none, both("no handler is called `x`", "name one of those of mq: other, mq-standard"));
        let elsewhere = told(&[("acme", "mk-standard")]);
        assert_eq!(
            elsewhere,
            both("`mk-standard` reads the reports of mk", "the standard handler of mq is `mq-standard`")
        );
    }

    #[test]
    fn a_loop_is_told_once_and_where_it_is() {
        let help = "leave `then` out at the one that is to be the last";
        assert_eq!(told(&[("a", "a")]), both("reports would go round for ever: a, a", help));
        let three = [("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")];
        assert_eq!(told(&three), both("reports would go round for ever: a, b, c, a", help));
        assert!(wrong(&three).iter().all(|problem| problem.place.is_some()));
    }

    #[test]
    fn chains_have_a_length() {
        let four = [("a", "b"), ("b", "c"), ("c", "mq-standard")];
        assert_eq!(told(&four), []);
        let five = [("z", "a"), ("a", "b"), ("b", "c"), ("c", "mq-standard")];
        let [(message, _)] = &told(&five)[..] else { panic!("{:?}", told(&five)) };
        assert_eq!(message, "reports would go through 5 handlers: z, a, b, c, mq-standard");
    }
}
