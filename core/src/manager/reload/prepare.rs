//! Everything about a reload that can fail, done before anything is changed: files read and checked, compared with what is
//! in force, plugins loaded, certificates read, addresses bound. Every problem is found, not only the first.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    Reloader,
    files::{Contents, FileSet, tls_files},
    plugin::fails_more,
};
use crate::{
    api::{auth::Tokens, views::RehearsalView},
    clock::wall_time,
    config::{
        Change, Config, Examined, InterfaceConfig, Loaded, Problems,
        change::Setting,
        load,
        origin::Document,
        problem::{Level, Problem},
    },
    federation::keys::OwnKey,
    manager::{
        doors::Bound,
        federation::{
            Membership,
            membership::{membership, trust_sources},
        },
        in_force::{InForce, in_use},
        live::Interface,
        plugin_versions::Versions,
        plugins,
    },
    net::{InterfaceTrust, PreparedTrust, TrustWarning},
    plugin::PluginHost,
};

/// An interface of the new configuration.
pub(super) struct PreparedInterface {
    pub(super) config: InterfaceConfig,
    pub(super) trust: Trust,
    pub(super) bound: Vec<Bound>,
}

/// Its trust.
pub(super) enum Trust {
    /// Of an interface that is served: `None`, if nothing about it is different.
    Known(Interface, Option<PreparedTrust>),
    /// Of one that is not.
    New(Arc<InterfaceTrust>),
}

/// A reload that cannot fail any more.
pub(super) struct Prepared {
    pub(super) in_force: Arc<InForce>,
    pub(super) change: Change,
    pub(super) warnings: Problems,
    pub(super) interfaces: Vec<PreparedInterface>,
    pub(super) tokens: Tokens,
    pub(super) host: Arc<PluginHost>,
    pub(super) membership: Option<(Membership, OwnKey)>,
    pub(super) files: (FileSet, Contents),
    /// To be shown.
    pub(super) document: Document,
    /// What is different with other versions of plugins.
    pub(super) rehearsal: Option<RehearsalView>,
}

/// Why it is refused.
pub(super) struct Refused {
    pub(super) problems: Problems,
    pub(super) needs_restart: Vec<Setting>,
    /// What was looked at, so that the same is not tried again by itself.
    pub(super) files: (FileSet, Contents),
    /// What is different with other versions of plugins.
    pub(super) rehearsal: Option<RehearsalView>,
}

/// What was read, with the problems so far.
struct Read {
    loaded: Loaded,
    config: Config,
    change: Change,
    problems: Vec<Problem>,
    plugins: Option<plugins::Plugins>,
    rehearsal: Option<RehearsalView>,
    host: Arc<PluginHost>,
    tokens: Option<Tokens>,
    trusts: Vec<(InterfaceConfig, Option<Trust>)>,
    membership: Option<(Membership, OwnKey)>,
    files: (FileSet, Contents),
}

impl Reloader {
    /// Does everything that can fail.
    pub(super) async fn prepare(self: &Arc<Self>, main: &Path) -> Result<Box<Prepared>, Box<Refused>> {
        let (itself, path) = (Arc::clone(self), main.to_path_buf());
        let read = tokio::task::spawn_blocking(move || itself.read(&path)).await;
        let Ok(read) = read else {
            // A panic was logged with its place.
            let problem = Problem::nowhere("reading the configuration broke off; the log says where");
            return Err(self.refused(vec![problem], main));
        };
        let mut read = read?;
        let mut interfaces = Vec::new();
        for (config, trust) in std::mem::take(&mut read.trusts) {
            match self.parts.doors.bind(&config).await {
                Ok(bound) => interfaces.extend(trust.map(|trust| PreparedInterface { config, trust, bound })),
                Err(errors) => {
                    let (point, place) = (config.reference_point, |key| {
                        read.loaded.place_of(&["interfaces", config.reference_point.as_str(), key])
                    });
                    tracing::debug!(interface = %point, problems = errors.len(), "Addresses cannot be bound.");
                    read.problems.extend(errors.iter().map(|error| at(place("listen"), error.to_string())));
                }
            }
        }
        let Read { loaded, config, change, problems, plugins, rehearsal, host, tokens, membership, files, .. } = read;
        let document = super::shown(&loaded);
        let problems = Problems::new(loaded.sources, problems);
        let (Some(plugins), Some(tokens), 0) = (plugins, tokens, problems.count(Level::Error)) else {
            return Err(Box::new(Refused { problems, needs_restart: change.needs_restart, files, rehearsal }));
        };
        let generation = self.parts.current.get().generation + 1;
        let in_force = Arc::new(InForce::new(generation, self.parts.contexts.clock.now(), config, plugins));
        Ok(Box::new(Prepared {
            in_force,
            change,
            warnings: problems,
            interfaces,
            tokens,
            host,
            membership,
            files,
            document,
            rehearsal,
        }))
    }

    fn refused(&self, problems: Vec<Problem>, main: &Path) -> Box<Refused> {
        let problems = Problems::new(Default::default(), problems);
        let set = self.file_set().unwrap_or_else(|| FileSet::only(main));
        let contents = set.contents();
        Box::new(Refused { problems, needs_restart: Vec::new(), files: (set, contents), rehearsal: None })
    }

    /// Reads and checks; an error only where there is nothing to go on with.
    fn read(&self, main: &Path) -> Result<Read, Box<Refused>> {
        let known = self.file_set().unwrap_or_else(|| FileSet::only(main));
        let before = known.contents();
        let Examined { problems, loaded } = load::examine(main);
        let Some(loaded) = loaded else {
            let files = (known, before);
            return Err(Box::new(Refused { problems, needs_restart: Vec::new(), files, rehearsal: None }));
        };
        let set = FileSet::of(main, &loaded);
        let contents = set.contents();
        let was = self.parts.current.get();
        let config = in_use(loaded.config.clone());
        let mut change = Change::between(&was.config, &config);
        let in_force = self.contents();
        change.files = different(&in_force, &contents, &set);
        let mut problems = problems.list;
        problems.extend(change.needs_restart.iter().map(|setting| restart_problem(&loaded, setting)));
        let same_limits = was.config.plugins == config.plugins;
        let host = self.host();
        let host = if same_limits { host } else { host.with_limits(&config.plugins) };
        let before = Some(plugins::Before { plugins: &was.plugins, only: None, same_limits });
        let plugins = plugins::load(&config.handlers, &config.policies, &host, &self.parts.contexts.symbols, before);
        let before = same_limits.then_some((was.config.exchange.as_slice(), &was.plugins));
        let exchange = plugins::load_exchange(&config.exchange, &host, before);
        let plugins = match (plugins, exchange) {
            (Ok(plugins), Ok(exchange)) => Ok(plugins::Plugins { exchange, ..plugins }),
            (plugins, exchange) => Err(plugins.err().into_iter().chain(exchange.err()).flatten().collect::<Vec<_>>()),
        };
        let plugins = plugins.map_err(|errors| {
            let complaints: Vec<_> =
                errors.iter().flat_map(|problem| problem.error.complaints(problem.kind, &problem.name)).collect();
            problems.extend(loaded.complaints(&complaints));
        });
        let plugins = plugins.ok().map(|mut plugins| {
            plugins.versions = Versions::after(&was.plugins, &plugins, &self.parts.contexts.metrics);
            plugins
        });
        let is_sound = problems.iter().all(|problem| problem.level != Level::Error);
        let rehearsal = plugins.as_ref().filter(|_| is_sound).and_then(|next| self.rehearse(&was, next));
        problems.extend(rehearsal.as_ref().and_then(fails_more));
        let tokens = Tokens::new(&config.api.tokens);
        let tokens = tokens.map_err(|error| problems.push(Problem::nowhere(error.to_string())));
        let membership = membership(&config);
        let membership = membership.map_err(|errors| {
            // A file that is not there was named already.
            let there = errors.iter().filter(|error| error.path.exists());
            problems.extend(there.map(|error| Problem::nowhere(error.to_string())));
        });
        let mut trusts = Vec::new();
        for interface in &config.interfaces {
            let trust = self.trust(interface, &config, (&was.config, &in_force), &contents, &loaded, &mut problems);
            trusts.push((interface.clone(), trust));
        }
        Ok(Read {
            config,
            change,
            problems,
            plugins,
            rehearsal,
            host,
            tokens: tokens.ok(),
            trusts,
            membership: membership.unwrap_or_default(),
            files: (set, contents),
            loaded,
        })
    }

    /// The trust of an interface, read if anything about it is different.
    fn trust(
        &self,
        interface: &InterfaceConfig,
        config: &Config,
        (was, was_contents): (&Config, &Contents),
        contents: &Contents,
        loaded: &Loaded,
        problems: &mut Vec<Problem>,
    ) -> Option<Trust> {
        let point = interface.reference_point;
        let known = self.parts.connections.interface(point);
        let of = |config: &Config| {
            let listed = config.components.iter().filter(|component| component.component.reference_point == point);
            let mut listed: Vec<_> = listed.map(|one| (one.component.clone(), one.identity.clone())).collect();
            listed.sort_by(|a, b| a.0.cmp(&b.0));
            listed
        };
        let anchors = |config: &Config| -> Vec<_> {
            config
                .peers
                .iter()
                .map(|peer| (peer.id.clone(), peer.trust_anchors.clone(), peer.revocation_lists.clone()))
                .collect()
        };
        let before = was.interfaces.iter().find(|other| other.reference_point == point);
        let same = before.is_some_and(|before| before.tls == interface.tls)
            && of(was) == of(config)
            && anchors(was) == anchors(config)
            && config
                .peers
                .iter()
                .flat_map(|peer| peer.trust_anchors.iter().chain(&peer.revocation_lists))
                .all(|file| was_contents.get(file) == contents.get(file))
            && tls_files(&interface.tls).all(|file| was_contents.get(file) == contents.get(file));
        let peers = trust_sources(config, point);
        let result = match known {
            Some(known) if same => return Some(Trust::Known(known, None)),
            Some(known) => {
                let prepared = known.trust.prepare(&interface.tls, &peers, &config.components);
                prepared.map(|(prepared, warnings)| (Trust::Known(known, Some(prepared)), warnings))
            }
            None => InterfaceTrust::load(point, &interface.tls, &peers, &config.components, Arc::new(wall_time))
                .map(|(trust, warnings)| (Trust::New(Arc::new(trust)), warnings)),
        };
        match result {
            Ok((trust, warnings)) => {
                problems.extend(warnings.into_iter().map(|TrustWarning(text)| Problem {
                    level: Level::Warning,
                    ..Problem::nowhere(format!("interface {point}: {text}"))
                }));
                Some(trust)
            }
            // A file that is not there was named already.
            Err(_) if !tls_files(&interface.tls).all(|file| file.exists()) => None,
            Err(error) => {
                for problem in &error.problems {
                    let own = loaded.place_of(&["interfaces", point.as_str(), problem.key()]);
                    let place = own.or_else(|| loaded.place_of(&["tls", problem.key()]));
                    problems.push(at(place, format!("interface {point}: {problem}")));
                }
                None
            }
        }
    }
}

fn at(place: Option<crate::config::source::Place>, message: String) -> Problem {
    place.map_or_else(|| Problem::nowhere(message.clone()), |place| Problem::error(place, message.clone()))
}

fn restart_problem(loaded: &Loaded, setting: &Setting) -> Problem {
    let path: Vec<&str> = setting.key.split('.').collect();
    let problem = at(loaded.place_of(&path), setting.sentence());
    problem.help("restart the manager to take all of it over, or put the value back and reload the rest")
}

/// Files beside the texts whose content is another one.
fn different(was: &Contents, is: &Contents, set: &FileSet) -> Vec<String> {
    let was: BTreeMap<_, _> = was.iter().collect();
    let changed =
        is.iter().filter(|(path, content)| !set.is_text(path) && was.get(path).is_some_and(|before| before != content));
    changed.map(|(path, _)| path.display().to_string()).collect()
}
