//! The federation at work: one thread that runs the protocol's state machine, the connections with peers that it speaks
//! over, and the storage behind it.
//!
//! ```text
//!   connections --letters--> driver: protocol node --> storage, then messages to connections
//!   committed changes -----> domain picture: what there is to say, to whom --> border: what passes
//!   what is held --> rolling: what an aggregator adds up --> domain picture
//!   what is held --> border --> desk: what is shown
//! ```
//!
//! A report of a peer is answered like any other; what it says of domains comes here. Nothing here decides what is
//! believed (`federation/protocol`) or what may be said (`federation/section`).

pub mod announced;
mod behind;
pub mod books;
pub mod border;
mod complaints;
mod crossing;
mod desk;
mod dials;
mod driver;
mod mailbox;
mod measured;
pub mod membership;
pub mod missed;
pub mod picture;
mod ports;
pub mod requests_desk;
mod rolling;
mod rollups;
pub mod shown;
mod sightings;
pub mod speaking;
mod tell;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use self::{
    driver::Core,
    mailbox::{Letter, Order},
};
use crate::{
    config::limits::RETRY_OVERLOADED_MS,
    connection::{PeerConnection, PeerDesk, PeerMessage},
    federation::{
        keys::OwnKey,
        messages,
        protocol::{Audience, Draft, Neighbour, OriginId, Roster},
        request::{Terms, wire},
    },
    manager::live::Connections,
    model::{ComponentRef, ReasonCode, Refusal},
    storage::{JournalPosition, follow::Follower, record::BatchRecord},
    telemetry::metrics::Metrics,
};

pub use desk::Desk;
pub use driver::{Parts, start};
pub use tell::Teller;

/// Who takes part, and how peers are reached: as the configuration has it.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// All origins.
    pub roster: Roster,
    /// Peers by their domains.
    pub peers: BTreeMap<OriginId, Peer>,
    /// Names of links and what they may be called instead, by the domain at the other end.
    pub aliases: BTreeMap<OriginId, BTreeMap<String, String>>,
    /// What peers may ask for, and our links with them.
    pub terms: BTreeMap<OriginId, Terms>,
}

/// A configured peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its manager.
    pub manager: ComponentRef,
    /// Where it is dialled; absent: it dials us.
    pub address: Option<String>,
}

impl Membership {
    /// As the protocol has them.
    fn neighbours(&self) -> BTreeMap<OriginId, Neighbour> {
        self.peers.iter().map(|(domain, peer)| (domain.clone(), Neighbour { dial: peer.address.is_some() })).collect()
    }

    /// The domain that a manager speaks for.
    fn domain_of(&self, managers: &[ComponentRef]) -> Option<OriginId> {
        self.peers.iter().find(|(_, peer)| managers.contains(&peer.manager)).map(|(domain, _)| domain.clone())
    }
}

/// Who speaks for the domain.
pub trait Speaker: Send {
    /// What it says now, to each audience; an aggregator also of what it has heard.
    fn drafts(&mut self, heard: Vec<rolling::Heard>) -> BTreeMap<Audience, Draft>;

    /// What is to be remembered of services over a restart, by name; `None`: not again yet. The last time, always.
    fn to_remember(&mut self, is_end: bool) -> Option<Vec<(String, String)>>;
}

/// What is said to managers that know nothing of the federation's messages: objects of section 4, as a JSON array.
pub type PlainSpeaker = Box<dyn Fn() -> String + Send>;

/// The federation, for the rest of the manager.
pub struct Federation {
    metrics: Arc<Metrics>,
    core: Arc<Mutex<Core>>,
    mailbox: Arc<mailbox::Mailbox>,
    connections: std::sync::OnceLock<std::sync::Weak<Connections>>,
    runtime: tokio::runtime::Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
    border: Arc<border::Border>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long it may take at a stop until connections have taken what peers are told last.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Federation {
    /// Dials are made by these connections from now on.
    pub fn dial_by(&self, connections: &Arc<Connections>) {
        // Set once, when the doors open.
        let _ = self.connections.set(Arc::downgrade(connections));
        self.mailbox.put(Letter::Look);
    }

    /// Goes by another configuration from now on.
    pub fn configure(&self, membership: Membership, key: OwnKey, rules: border::Rules) {
        self.border.set(rules);
        self.mailbox.put(Letter::Configured(Box::new(membership), Box::new(key)));
    }

    /// What stands between our domain and others.
    #[must_use]
    pub const fn border(&self) -> &Arc<border::Border> {
        &self.border
    }

    /// Hands an operator's wish to the federation's thread; false if it takes no more.
    fn order(&self, order: Order) -> bool {
        self.mailbox.put(Letter::Order(Box::new(order)))
    }

    /// Ends it.
    pub fn stop(&self) {
        self.mailbox.put(Letter::Stop);
        let thread = locked(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("The federation's thread ended by a panic.");
        }
        // Whoever still waits for an answer gets none.
        drop(self.mailbox.take(Duration::ZERO));
        // That we leave is still on its way to the connections, which are closed next.
        let patience = Instant::now() + LAST_WORDS;
        while Instant::now() < patience
            && locked(&self.core).sessions.values().any(|open| open.connection.outlet.is_owed())
        {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Dials a peer; the outcome comes as a letter.
    fn dial(&self, domain: OriginId, peer: Peer) {
        let connections = self.connections.get().and_then(std::sync::Weak::upgrade);
        let (Some(connections), Some(address)) = (connections, peer.address) else {
            self.mailbox.put(Letter::DialFailed(domain, None));
            return;
        };
        let mailbox = Arc::clone(&self.mailbox);
        self.runtime.spawn(async move {
            if let Err(error) = connections.dial_peer(&peer.manager, &address).await {
                tracing::debug!(peer = %peer.manager, address, error, "Dialling a peer failed.");
                mailbox.put(Letter::DialFailed(domain, Some(error)));
            }
        });
    }

    fn hand_in(&self, letter: Letter) -> Result<(), Refusal> {
        if self.mailbox.put(letter) {
            return Ok(());
        }
        self.metrics.federation.overloaded.increment();
        let sentence = "the manager has more messages of peers waiting than it takes; send again later";
        Err(Refusal::retry(ReasonCode::Overloaded, sentence, RETRY_OVERLOADED_MS))
    }
}

impl PeerDesk for Federation {
    fn opened(&self, connection: PeerConnection) {
        self.mailbox.put(Letter::Opened(connection));
    }

    fn closed(&self, outlet: u64) {
        self.mailbox.put(Letter::Closed(outlet));
    }

    fn take(&self, outlet: u64, _: &ComponentRef, message: PeerMessage) -> Result<(), Refusal> {
        let wrong = |error: messages::FormError| Refusal::new(ReasonCode::Rejected, error.to_string());
        let letter = match message {
            PeerMessage::Told(objects) => {
                let items = messages::read(&objects).map_err(wrong)?;
                let said = wire::read(&objects).map_err(wrong)?;
                if !said.is_empty() {
                    self.hand_in(Letter::Said { outlet, said })?;
                }
                Letter::Told { outlet, items }
            }
            PeerMessage::Asked { message_id, extension } => {
                Letter::Asked { outlet, message_id, question: messages::read_question(&extension).map_err(wrong)? }
            }
            PeerMessage::Answered { message_id, response, objects } => {
                let items = messages::read(&objects).map_err(wrong)?;
                Letter::Answered { outlet, message_id, response, items }
            }
        };
        self.hand_in(letter)
    }

    fn subscribes(&self, outlet: u64, _: &ComponentRef, message_id: &str, extension: &str) -> bool {
        let Some(wishes) = messages::read_subscription(extension) else { return false };
        // One that finds no room is not answered, and asked again.
        self.mailbox.put(Letter::Subscribes { outlet, message_id: message_id.to_owned(), wishes });
        true
    }
}

/// Where letters for the federation are put, also before it runs.
#[derive(Clone, Default)]
pub struct Post(Arc<mailbox::Mailbox>);

impl Follower for Post {
    fn committed(&self, _: JournalPosition, record: &Arc<BatchRecord>) {
        if !record.effects.alarms.is_empty() {
            self.0.put(Letter::Look);
        }
    }
}
