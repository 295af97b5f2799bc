//! The border of the domain: exchange policies in their order, what becomes of a call that fails, and what each remembers.
//!
//! In: what may be told to an audience, or what another domain told. Out: what passes. A policy that fails lets nothing pass, is
//! left alone for a while when it goes on failing, and an alarm says so. What may be told at all is not known here: behind the
//! border stands the filter of `federation/section`, on the way out and on the way in.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use arc_swap::ArcSwap;
use serde_json::Value;

use super::Membership;
use crate::{
    clock::Clock,
    config::Config,
    federation::{
        protocol::{Audience, OriginId, Roster},
        section::Sections,
    },
    manager::alarms::AlarmDesk,
    model::AlarmKey,
    plugin::{Direction, ExchangeInstance, LoadedExchange, Passage, PluginFailure},
    shard::{AlarmRequest, alarms::own_report, handling::Pause},
};

/// Policies in their order.
#[derive(Clone, Debug, Default)]
struct Chain {
    policies: Vec<Arc<LoadedExchange>>,
    /// One of the list that is not among those that are loaded: then nothing passes.
    missing: Option<String>,
}

impl Chain {
    fn new(paths: &[PathBuf], config: &Config, loaded: &[Arc<LoadedExchange>]) -> Self {
        let mut chain = Self::default();
        for path in paths {
            let place = config.exchange.iter().position(|one| one.path == *path);
            match place.and_then(|place| loaded.get(place)) {
                Some(policy) => chain.policies.push(Arc::clone(policy)),
                None => chain.missing = Some(path.display().to_string()),
            }
        }
        chain
    }

    /// With another behind it; who stands in both asks once.
    fn then(&self, other: &Self) -> Self {
        let mut chain = self.clone();
        let stands = |policy: &Arc<LoadedExchange>| self.policies.iter().any(|known| Arc::ptr_eq(known, policy));
        chain.policies.extend(other.policies.iter().filter(|policy| !stands(policy)).cloned());
        chain.missing = chain.missing.or_else(|| other.missing.clone());
        chain
    }
}

/// Which policies stand where, and what links may be called: as the configuration has it.
#[derive(Debug, Default)]
pub struct Rules {
    /// What more than one domain hears.
    export: Chain,
    /// What is shown of every domain.
    import: Chain,
    /// Of peers: what they hear, and what is shown of them.
    peers: BTreeMap<OriginId, (Chain, Chain)>,
    /// Names of links and what they may be called instead, by the domain at the other end.
    aliases: BTreeMap<OriginId, BTreeMap<String, String>>,
    /// Who may say what: some things are for some to say.
    pub(super) roster: Roster,
}

impl Rules {
    /// Of a configuration and the policies that were loaded for it.
    #[must_use]
    pub fn new(config: &Config, loaded: &[Arc<LoadedExchange>], membership: &Membership) -> Self {
        let chain = |paths: &[PathBuf]| Chain::new(paths, config, loaded);
        let federation = config.federation.as_ref();
        let peers = config
            .peers
            .iter()
            .map(|peer| (OriginId::from(peer.origin.domain.as_str()), (chain(&peer.export), chain(&peer.import))));
        Self {
            export: federation.map(|one| chain(&one.export)).unwrap_or_default(),
            import: federation.map(|one| chain(&one.import)).unwrap_or_default(),
            peers: peers.collect(),
            aliases: membership.aliases.clone(),
            roster: membership.roster.clone(),
        }
    }

    fn export_to(&self, audience: &Audience) -> Chain {
        match audience {
            Audience::Adjacent(domain) => self.peers.get(domain).map(|(export, _)| export.clone()).unwrap_or_default(),
            _ => self.export.clone(),
        }
    }

    fn import_of(&self, domain: &OriginId) -> Chain {
        self.peers.get(domain).map_or_else(|| self.import.clone(), |(_, import)| self.import.then(import))
    }

    fn aliases_for(&self, audience: &Audience) -> Vec<(String, String)> {
        let known: Vec<_> = match audience {
            Audience::Adjacent(domain) => self.aliases.get(domain).into_iter().flatten().collect(),
            // Both ends of a link make one alias of its name, so that others know it for one.
            Audience::Federation | Audience::Area(_) | Audience::Aggregator => {
                self.aliases.values().flatten().collect()
            }
        };
        known.into_iter().map(|(name, alias)| (name.clone(), alias.clone())).collect()
    }

    /// The name of a link with a domain that is called by an alias.
    fn name_of(&self, domain: &OriginId, alias: &str) -> Option<&str> {
        let known = self.aliases.get(domain)?;
        known.iter().find(|(_, known)| *known == alias).map(|(name, _)| name.as_str())
    }
}

/// The border: what stands there now.
pub struct Border {
    rules: ArcSwap<Rules>,
    clock: Clock,
    desk: AlarmDesk,
    /// The component of alarms about the manager itself.
    manager: String,
}

impl Border {
    /// With these rules.
    #[must_use]
    pub fn new(rules: Rules, clock: Clock, desk: AlarmDesk, manager: String) -> Arc<Self> {
        Arc::new(Self { rules: ArcSwap::from_pointee(rules), clock, desk, manager })
    }

    /// Goes by others from now on.
    pub fn set(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// The name of a link with a domain, which may be called by an alias.
    pub(super) fn link_name(&self, domain: &OriginId, told: &str) -> String {
        self.rules.load().name_of(domain, told).unwrap_or(told).to_owned()
    }

    fn key(&self, policy: &str, way: Direction) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: format!("plugin {policy}"),
            alarm_type_id: "plugin-failed".to_owned(),
            alarm_type_qualifier: way.as_str().to_owned(),
        }
    }

    fn failed(&self, policy: &str, closed: &Closed) {
        tracing::warn!(policy, way = closed.way.as_str(), failure = %closed.failure, "An exchange policy failed; nothing passes it.");
        let consequence = match closed.way {
            Direction::Export => format!("audience {} is told no sections", closed.whom),
            Direction::Import => format!("nothing is shown of what domain {} told", closed.whom),
        };
        // The log has all of it.
        let (failure, mut lines) = (closed.failure.kind(), closed.failure.detail().lines());
        let first = lines.next().unwrap_or_default();
        let text = format!("exchange policy {policy} failed; {consequence} until it works again ({failure}: {first})");
        let repairs = [
            "See the plugin's log lines for what it failed on.",
            "Correct the policy or replace its plugin, and reload; or take it out of `export` or `import` if all of it may pass.",
        ];
        let report = Some(own_report("plugin-failed", text, &repairs));
        self.desk.put(AlarmRequest { key: self.key(policy, closed.way), report, text: String::new() });
    }

    fn works_again(&self, policy: &str, way: Direction) {
        let text = format!("exchange policy {policy} answers again");
        self.desk.put(AlarmRequest { key: self.key(policy, way), report: None, text });
    }
}

/// Why nothing passes.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    /// The policy that failed.
    pub(super) policy: String,
    way: Direction,
    whom: String,
    failure: PluginFailure,
}

/// A policy at work for one audience.
struct Post {
    loaded: Arc<LoadedExchange>,
    /// Of its own, on the way out.
    own: Option<ExchangeInstance>,
    memory: String,
    pause: Pause,
}

/// One way across the border. On the way out each audience has instances of its own, so that no policy can tell one what it saw of
/// another; what is shown here is shown to the same people.
pub struct Gate {
    border: Arc<Border>,
    way: Direction,
    posts: BTreeMap<(OriginId, Audience, String), Post>,
    /// On the way in: one of each policy.
    shared: BTreeMap<String, ExchangeInstance>,
    /// Policies whose alarm is raised, with the posts that fail.
    failing: BTreeMap<String, BTreeSet<(OriginId, Audience)>>,
}

impl Gate {
    /// This way.
    #[must_use]
    pub fn new(border: Arc<Border>, way: Direction) -> Self {
        Self { border, way, posts: BTreeMap::new(), shared: BTreeMap::new(), failing: BTreeMap::new() }
    }

    /// What of our sections an audience is told; nothing if a policy fails.
    pub fn export(&mut self, own: &OriginId, audience: &Audience, sections: Sections) -> Sections {
        let rules = self.border.rules();
        let passed = self.pass(&rules.export_to(audience), (own, audience), rules.aliases_for(audience), sections);
        passed.unwrap_or_default()
    }

    /// What links with an audience may be called instead.
    #[must_use]
    pub fn aliases(&self, audience: &Audience) -> Vec<(String, String)> {
        self.border.rules().aliases_for(audience)
    }

    /// What of another domain's sections is shown.
    pub(super) fn import(
        &mut self,
        domain: &OriginId,
        audience: &Audience,
        sections: Sections,
    ) -> Result<Sections, Closed> {
        let rules = self.border.rules();
        self.pass(&rules.import_of(domain), (domain, audience), Vec::new(), sections)
    }

    fn pass(
        &mut self,
        chain: &Chain,
        (domain, audience): (&OriginId, &Audience),
        aliases: Vec<(String, String)>,
        mut sections: Sections,
    ) -> Result<Sections, Closed> {
        self.dismiss(&chain.policies, domain, audience);
        if let Some(missing) = &chain.missing {
            let failure = PluginFailure::BadQuestion("it is not loaded".to_owned());
            return Err(self.closed(missing, (domain, audience), failure));
        }
        self.absolve(&chain.policies, domain, audience);
        for loaded in &chain.policies {
            // Where nothing is told, no policy is asked: one that remembers might answer what is disclosed no more.
            if sections.is_empty() {
                break;
            }
            let written = |(name, content): &(Arc<str>, Value)| (name.to_string(), content.to_string());
            let passage = Passage {
                now: u64::try_from(self.border.clock.now().0).unwrap_or(0),
                direction: self.way,
                domain: domain.to_string(),
                audience: audience.to_string(),
                sections: sections.iter().map(written).collect(),
                aliases: aliases.clone(),
                memory: String::new(),
            };
            let passed = self.ask(loaded, (domain, audience), passage)?;
            sections = passed.into_iter().map(|(name, content)| (name.into(), content)).collect();
        }
        Ok(sections)
    }

    /// Posts of this audience that are not in the chain any more go, with what they remember.
    fn dismiss(&mut self, chain: &[Arc<LoadedExchange>], domain: &OriginId, audience: &Audience) {
        let stays =
            |name: &str, post: &Post| chain.iter().any(|one| one.name() == name && Arc::ptr_eq(&post.loaded, one));
        let gone: Vec<_> = self
            .posts
            .iter()
            .filter(|((of, to, name), post)| of == domain && to == audience && !stays(name, post))
            .map(|(place, _)| place.clone())
            .collect();
        for place in gone {
            self.posts.remove(&place);
            self.recovered(&place.2, (domain, audience));
        }
    }

    /// Policies that failed here and stand here no longer do not fail any more.
    fn absolve(&mut self, chain: &[Arc<LoadedExchange>], domain: &OriginId, audience: &Audience) {
        let place = (domain.clone(), audience.clone());
        let stands = |name: &str| chain.iter().any(|one| one.name() == name);
        let failed = self.failing.iter().filter(|(name, places)| places.contains(&place) && !stands(name));
        let gone: Vec<String> = failed.map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|name| self.recovered(name, (domain, audience)));
    }

    /// Posts of audiences that are told nothing any more go.
    pub fn keep_only(&mut self, is_there: impl Fn(&OriginId, &Audience) -> bool) {
        let gone: Vec<_> =
            self.posts.keys().filter(|(domain, audience, _)| !is_there(domain, audience)).cloned().collect();
        for place in gone {
            self.posts.remove(&place);
            self.recovered(&place.2, (&place.0, &place.1));
        }
        let posts = &self.posts;
        self.shared.retain(|name, _| posts.keys().any(|(_, _, known)| known == name));
    }

    fn ask(
        &mut self,
        loaded: &Arc<LoadedExchange>,
        (domain, audience): (&OriginId, &Audience),
        mut passage: Passage,
    ) -> Result<Vec<(String, Value)>, Closed> {
        let place = (domain.clone(), audience.clone(), loaded.name().to_owned());
        let new = || Post {
            loaded: Arc::clone(loaded),
            own: (self.way == Direction::Export).then(|| loaded.instance()),
            memory: String::new(),
            pause: Pause::default(),
        };
        let post = self.posts.entry(place).or_insert_with(new);
        let shared = self.shared.entry(loaded.name().to_owned());
        let instance = match &mut post.own {
            Some(own) => own,
            None => shared.and_modify(|known| known.renew(loaded)).or_insert_with(|| loaded.instance()),
        };
        let now = self.border.clock.now();
        passage.memory = std::mem::take(&mut post.memory);
        let answer = match post.pause.check(now) {
            Ok(()) => instance.pass(&passage),
            Err(paused) => Err(paused),
        };
        match answer {
            Ok(narrowed) => {
                post.memory = narrowed.memory;
                if post.pause.succeeded() {
                    self.recovered(loaded.name(), (domain, audience));
                }
                Ok(narrowed.sections)
            }
            Err(failure) => {
                if !matches!(failure, PluginFailure::Paused(_)) {
                    post.pause.failed(now);
                }
                Err(self.closed(loaded.name(), (domain, audience), failure))
            }
        }
    }

    /// Nothing passes a policy; told when it is the first time.
    fn closed(&mut self, policy: &str, (domain, audience): (&OriginId, &Audience), failure: PluginFailure) -> Closed {
        let whom = match self.way {
            Direction::Export => audience.to_string(),
            Direction::Import => domain.to_string(),
        };
        let closed = Closed { policy: policy.to_owned(), way: self.way, whom, failure };
        let failing = self.failing.entry(policy.to_owned()).or_default();
        if failing.is_empty() {
            self.border.failed(policy, &closed);
        }
        failing.insert((domain.clone(), audience.clone()));
        closed
    }

    /// A policy does not fail here any more: it works, or stands here no longer.
    fn recovered(&mut self, policy: &str, (domain, audience): (&OriginId, &Audience)) {
        let Some(failing) = self.failing.get_mut(policy) else { return };
        failing.remove(&(domain.clone(), audience.clone()));
        if failing.is_empty() {
            self.failing.remove(policy);
            self.border.works_again(policy, self.way);
        }
    }
}
