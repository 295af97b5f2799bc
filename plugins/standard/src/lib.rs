//! The standard handlers: status reports as PROTOCOL section 4 has them, checked against the catalogue.
//!
//! In: a batch of decoded reports, with inventory, topology, alarm, usage and event objects as JSON text. Out: a refusal
//! for each report that says something the catalogue or the protocol excludes, with the path of the first such place; and
//! the components' own alarms. Samples are in normal form already and pass as they are; names, words of unknown lists and
//! objects that the catalogue does not have are kept by the manager and not looked at here, and a value is accepted on
//! any reference point. The check of a good batch is one table look-up a sample and allocates nothing.
//!
//! There is a guest for each reference point, a few lines of code, so that any of them can be replaced or improved alone.

mod alarm;
mod event;
mod fields;
mod inventory;
mod json;
mod limits;
mod time;
mod topology;
mod usage;

use std::marker::PhantomData;

use qkdn_plugin::handler::{Fault, Handled, Needs, Object, Reports};
use qkdn_plugin::{Description, Handler, Problem, Symbol};
use serde::Deserialize;

use fields::Fields;
use limits::Limits;

/// The standard handler of reference point `P`.
pub struct StandardHandler<P> {
    limits: Limits,
    point: PhantomData<P>,
}

/// A reference point that has a standard handler.
pub trait Point: 'static {
    /// Its name in configurations: `mk`.
    const NAME: &'static str;
    /// The handler's name: `mk-standard`.
    const PLUGIN: &'static str;
    /// One sentence for an operator.
    const SUMMARY: &'static str;
}

/// A standard handler has nothing to configure.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

macro_rules! points {
    ($($point:ident $name:literal $plugin:literal $what:literal;)*) => {$(
        #[doc = concat!("Reference point ", stringify!($point), ": ", $what, ".")]
        pub struct $point;

        impl Point for $point {
            const NAME: &'static str = $name;
            const PLUGIN: &'static str = $plugin;
            const SUMMARY: &'static str =
                concat!("Status reports of ", $what, " (", stringify!($point), "), checked against the catalogue.");
        }
    )*};
}

points! {
    Mq "mq" "mq-standard" "QKD modules";
    Mops "mops" "mops-standard" "optical switches and splitters";
    Mqrp "mqrp" "mqrp-standard" "quantum relay points";
    Mk "mk" "mk-standard" "key managers";
    Mc "mc" "mc-standard" "QKDN controllers";
    Mu "mu" "mu-standard" "user network managers";
    Mx "mx" "mx-standard" "peer QKDN managers";
}

impl<P: Point> Handler for StandardHandler<P> {
    type Config = NoConfig;

    fn describe() -> Description {
        Description::new(P::PLUGIN, env!("CARGO_PKG_VERSION"), P::SUMMARY, Description::NO_CONFIG)
    }

    fn configure(reference_point: &str, _: NoConfig) -> Result<Self, Vec<Problem>> {
        if reference_point != P::NAME {
            let message = format!(
                "this is the standard handler of {}; reference point {reference_point} has its own, `builtin:{reference_point}`",
                P::NAME
            );
            return Err(vec![Problem::new("", message)]);
        }
        Ok(Self { limits: Limits::default(), point: PhantomData })
    }

    fn needs(&self) -> Needs {
        Needs { names: limits::wanted_names(), raw: false, objects: OBJECTS.iter().map(|&kind| kind.into()).collect() }
    }

    fn bind(&mut self, names: &[Symbol]) {
        self.limits = Limits::new(names);
    }

    fn handle(&self, reports: &Reports) -> Handled {
        let mut handled = Handled::default();
        for Fault { report, path, message } in &reports.faults {
            handled.refuse(*report, format!("{path}: {message}"));
        }
        self.limits.check(reports, &mut handled);
        for object in &reports.objects {
            check_object(object, &mut handled);
        }
        if !handled.refusals.is_empty() {
            let Handled { refusals, alarms, .. } = &mut handled;
            alarms.retain(|alarm| refusals.iter().all(|refusal| refusal.report != alarm.report));
        }
        handled
    }
}

fn check_object(object: &Object, handled: &mut Handled) {
    if handled.refuses(object.report) {
        return;
    }
    let path = format!("extension[{}]", object.index);
    let parsed: Result<json::Object<'_>, _> = serde_json::from_str(&object.text);
    let checked = match &parsed {
        Err(error) => Err(format!("{path}: no JSON object: {error}")),
        Ok(keys) => {
            let fields = Fields::new(path, keys);
            fields.check_common().and_then(|()| match object.kind.as_str() {
                "inventory" => inventory::check(&fields),
                "topology" => topology::check(&fields),
                "usage" => usage::check(&fields),
                "event" => event::check(&fields),
                "alarm"
                    if handled.alarms.iter().rev().take_while(|alarm| alarm.report == object.report).count()
                        >= alarm::MOST_ALARMS =>
                {
                    Err(fields.problem_here(&format!("more than {} alarms in one report", alarm::MOST_ALARMS)))
                }
                "alarm" => alarm::read(&fields, object.report).map(|alarm| handled.alarms.push(alarm)),
                _ => Ok(()),
            })
        }
    };
    if let Err(reason) = checked {
        handled.refuse(object.report, reason);
    }
}

/// Types of objects that are checked as JSON text.
const OBJECTS: [&str; 5] = ["inventory", "topology", "alarm", "usage", "event"];

#[cfg(test)]
mod tests;
