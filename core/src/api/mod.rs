//! The HTTP API of the manager: JSON over HTTP/1.1 for people, scripts, dashboards and Prometheus.
//!
//! [`Backend`] is the door to the manager: published views for reading, commands for writing. [`ApiServer`] binds first
//! and serves later. On a loopback address everybody may read; elsewhere, and for writing, a bearer token of the
//! configuration is needed ([`auth`]). Every error is a problem document ([`problem`], RFC 9457); lists come in pages ([`page`]).
//!
//! This folder alone knows HTTP. It holds no state of the network, decides nothing about alarms or reports, and never
//! waits for a shard except where somebody asked for an answer of a component.
//!
//! Paths, parameters and answers are described by the endpoints themselves ([`openapi`]); `core/openapi.json` is the
//! result. [`views`] has the documents, `router` the paths.

pub mod auth;
pub mod backend;
pub mod host_check;
pub mod metrics_text;
pub mod page;
pub mod problem;
pub mod unit;
pub mod views;

mod connection;
pub mod csv;
mod dashboard;
pub mod enrolment_desk;
pub mod event_log;
pub mod exporter_desk;
pub mod federation_desk;
mod listing;
pub mod openapi;
mod params;
pub mod peer_request_desk;
mod router;
mod server;
mod v1;

#[cfg(test)]
pub(crate) mod fake_backend;
#[cfg(test)]
mod fake_components;
#[cfg(test)]
mod fake_enrolment;
#[cfg(test)]
mod fake_exporters;
#[cfg(test)]
mod fake_federation;
#[cfg(test)]
pub(crate) mod fake_manager;
#[cfg(test)]
mod fake_peer_requests;
#[cfg(test)]
mod tests;

pub use backend::{Answer, Backend};
pub use enrolment_desk::EnrolmentDesk;
pub use exporter_desk::ExporterDesk;
pub use federation_desk::{FederationDesk, NoFederation};
pub use page::{Page, PageRequest};
pub use peer_request_desk::PeerRequestDesk;
pub use server::{ApiError, ApiServer};
