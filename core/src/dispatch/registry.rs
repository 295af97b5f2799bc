//! The components that this manager knows, found by reference and by symbol.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::{
    config::limits::RESOURCES_PER_COMPONENT,
    connection::ManagerRequest,
    model::{Catalogue, ComponentRef, Symbol, SymbolTable, Timestamp},
    state::{LastValues, Network},
};

/// What the configuration says of a component, and which handler and policies follow from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentCard {
    /// Vendor, or empty.
    pub vendor: String,
    /// Model, or empty.
    pub model: String,
    /// Version, or empty.
    pub version: String,
    /// Site, or empty.
    pub site: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether it stands in `[[components]]`.
    pub listed: bool,
    /// Silence for longer raises an alarm; absent: silence raises nothing.
    pub expected_interval: Option<std::time::Duration>,
    /// Position of its handler in the manager's list.
    pub handler: usize,
    /// For each policy in the manager's list, whether it sees this component.
    pub policies: Vec<bool>,
}

/// A component's state as last committed, for readers.
#[derive(Clone, Debug, Default)]
pub struct ComponentView {
    /// When the manager last accepted a report.
    pub last_report: Option<Timestamp>,
    /// Incarnation and highest sequence number accepted.
    pub sequence: Option<(u64, u64)>,
    /// Numbers that are missing and may still come.
    pub outstanding: u64,
    /// Numbers that never came.
    pub gaps: u64,
    /// Reports accepted.
    pub reports: u64,
    /// Of those, with something kept as text.
    pub kept: u64,
    /// Last values.
    pub values: Arc<LastValues>,
    /// Inventory and topology.
    pub network: Arc<Network>,
}

/// A live connection of a component, for requests and for people.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Tells connections apart.
    pub id: u64,
    /// Address of the other side.
    pub peer: std::net::SocketAddr,
    /// Since when.
    pub since: Timestamp,
    /// Negotiated group, such as `X25519MLKEM768`.
    pub key_exchange: String,
    /// Where requests to the component are handed in.
    pub requests: mpsc::Sender<ManagerRequest>,
}

/// One component.
#[derive(Debug)]
pub struct ComponentEntry {
    /// Which.
    pub component: ComponentRef,
    /// Symbol of its text form.
    pub symbol: Symbol,
    /// Shard that owns its state.
    pub shard: usize,
    /// What the configuration says; replaced at reload.
    pub card: ArcSwap<ComponentCard>,
    /// State as last committed.
    pub view: ArcSwapOption<ComponentView>,
    /// What it says that the catalogue does not have.
    pub unfamiliar: super::Unfamiliar,
    resources: Mutex<HashSet<u32>>,
    connections: Mutex<Vec<Connected>>,
    last_policy_request: AtomicI64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ComponentEntry {
    /// The symbol of one of its resources, given now if there is room for another; `None` at the limit.
    pub fn resource(&self, text: &str, symbols: &SymbolTable) -> Option<Symbol> {
        let mut known = locked(&self.resources);
        if let Some(symbol) = symbols.find(text)
            && known.contains(&symbol.0)
        {
            return Some(symbol);
        }
        if known.len() >= RESOURCES_PER_COMPONENT {
            return None;
        }
        let symbol = symbols.intern(text);
        known.insert(symbol.0);
        Some(symbol)
    }

    /// Resources known from before a restart.
    pub fn restore_resources(&self, symbols: impl Iterator<Item = u32>) {
        locked(&self.resources).extend(symbols.filter(|&symbol| symbol != 0));
    }

    /// Adds a connection; the newest gets the manager's requests.
    pub fn connected(&self, connection: Connected) {
        locked(&self.connections).push(connection);
    }

    /// Removes a connection.
    pub fn disconnected(&self, id: u64) {
        locked(&self.connections).retain(|connection| connection.id != id);
    }

    /// Live connections, newest last.
    #[must_use]
    pub fn connections(&self) -> Vec<Connected> {
        locked(&self.connections).clone()
    }

    /// The newest connection that still takes requests. One that is closing takes none.
    #[must_use]
    pub fn newest_open(&self) -> Option<Connected> {
        locked(&self.connections).iter().rev().find(|connection| !connection.requests.is_closed()).cloned()
    }

    /// Whether a policy may request a report now; if so, notes that it did.
    pub fn policy_request_due(&self, now: Timestamp, interval: std::time::Duration) -> bool {
        let last = self.last_policy_request.load(Ordering::Relaxed);
        let least = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let due = last == 0 || now.0.saturating_sub(last) >= least;
        if due {
            self.last_policy_request.store(now.0, Ordering::Relaxed);
        }
        due
    }
}

/// All components known.
#[derive(Debug)]
pub struct Registry {
    by_component: DashMap<ComponentRef, Arc<ComponentEntry>>,
    by_symbol: DashMap<u32, Arc<ComponentEntry>>,
    symbols: Arc<SymbolTable>,
    shards: usize,
}

/// The shard that owns a component: by its text, so that it does not depend on the order of appearance.
#[must_use]
pub fn shard_of(component: &str, shards: usize) -> usize {
    let hash = xxhash_rust::xxh3::xxh3_64(component.as_bytes());
    usize::try_from(hash % shards.max(1) as u64).unwrap_or(0)
}

impl Registry {
    /// An empty registry for this many shards.
    #[must_use]
    pub fn new(symbols: Arc<SymbolTable>, shards: usize) -> Self {
        Catalogue::get().intern(&symbols);
        Self { by_component: DashMap::new(), by_symbol: DashMap::new(), symbols, shards }
    }

    /// The entry of a component that is known.
    #[must_use]
    pub fn find(&self, component: &ComponentRef) -> Option<Arc<ComponentEntry>> {
        self.by_component.get(component).map(|entry| Arc::clone(&entry))
    }

    /// The entry behind a symbol.
    #[must_use]
    pub fn by_symbol(&self, symbol: u32) -> Option<Arc<ComponentEntry>> {
        self.by_symbol.get(&symbol).map(|entry| Arc::clone(&entry))
    }

    /// The entry of a component, made now with this card if there is none.
    pub fn admit(&self, component: &ComponentRef, card: impl FnOnce() -> ComponentCard) -> Arc<ComponentEntry> {
        if let Some(entry) = self.find(component) {
            return entry;
        }
        let entry = Arc::clone(
            self.by_component
                .entry(component.clone())
                .or_insert_with(|| {
                    let text = component.to_string();
                    Arc::new(ComponentEntry {
                        symbol: self.symbols.intern(&text),
                        shard: shard_of(&text, self.shards),
                        component: component.clone(),
                        card: ArcSwap::from_pointee(card()),
                        view: ArcSwapOption::empty(),
                        unfamiliar: super::Unfamiliar::default(),
                        resources: Mutex::default(),
                        connections: Mutex::default(),
                        last_policy_request: AtomicI64::new(0),
                    })
                })
                .value(),
        );
        self.by_symbol.insert(entry.symbol.0, Arc::clone(&entry));
        entry
    }

    /// How many components are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_component.len()
    }

    /// All entries, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ComponentEntry>> {
        self.by_component.iter().map(|entry| Arc::clone(entry.value())).collect()
    }
}
