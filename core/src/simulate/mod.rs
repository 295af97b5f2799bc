//! QKD networks that are not there: components of every reference point whose figures follow from each other as in a real one.
//!
//! [`description`] reads what a network is and expands it to its components; [`world`] is the network as it is at a moment, with
//! faults, and says what each component would report; [`physics`] is what light does. All three are pure. [`client`] carries
//! reports to a manager as a real component does, over TLS and the status protocol; [`running`] joins everything, with a
//! client for each component; [`devices`] are those that do not report and have to be asked;
//! [`site`] makes a folder for such a network and its manager. Nothing here knows of the manager's
//! insides.

pub mod client;
pub mod description;
pub mod devices;
pub mod message;
pub mod physics;
pub mod running;
pub mod site;
pub mod subscriptions;
pub mod trigger;
pub mod world;

pub use client::{Client, ClientConfig, ClientError, Counts};
