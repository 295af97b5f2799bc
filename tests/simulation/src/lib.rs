//! The federation protocol attacked in simulated networks. A seed draws managers, their graph, clocks, liars and faults;
//! after every step the invariants of `core/src/federation/ALGORITHM.md` are checked against what was really signed.
//!
//! Two processes with one identity are among the faults (`Fault::Twin`); a standby with a lease is not, as the protocol has none.
//!
//! It knows the protocol's state machine and nothing else of the manager: no sockets, no TLS, no JSON of messages.

pub mod byzantine;
pub mod check;
pub mod company;
pub mod conduct;
pub mod federation;
pub mod graph;
pub mod history;
pub mod keys;
pub mod machine;
pub mod measure;
pub mod network;
pub mod pinned;
pub mod quiet;
pub mod random;
pub mod run;
pub mod scenario;
pub mod wire;
pub mod withdrawn;
pub mod world;
