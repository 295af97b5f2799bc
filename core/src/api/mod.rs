//! The HTTP API of the manager: JSON over HTTP/1.1 for people, scripts, dashboards and Prometheus.
//!
//! [`Backend`] is the door to the manager: published views for reading, commands for writing. [`ApiServer`] binds first
//! and serves later. Everybody who reaches the listener may read; writing needs a bearer token of the configuration
//! ([`auth`]). Every error is a problem document ([`problem`], RFC 9457); lists come in pages ([`page`]).
//!
//! This folder alone knows HTTP. It holds no state of the network, decides nothing about alarms or reports, and never
//! waits for a shard except where somebody asked for an answer of a component.
//!
//! | path | what |
//! |---|---|
//! | `GET /api/v1/components` | components, filtered |
//! | `GET /api/v1/components/{reference-point}/{id}` | one, with its last values |
//! | `POST /api/v1/components/{reference-point}/{id}/request` | asks it for a status report (Q.QKDN_Mk 7.2) |
//! | `GET /api/v1/alarms`, `/alarms/{id}`, `/alarms/summary` | alarms (RFC 8632) |
//! | `POST /api/v1/alarms/{id}/acknowledge`, `close`, `reopen` | the operator's view of an alarm |
//! | `GET /api/v1/reports?component=mk/km-1` | stored reports of a component |
//! | `POST /api/v1/configuration/reload` | takes the files over, whole or not at all; `GET`: whether they are in force |
//! | `GET /api/v1/policies`, `/handlers`, `/health` | plugins as configured, the manager itself |
//! | `GET /api/v1/exporters`, `/exporters/{name}` | where alarms are sent to |
//! | `POST /api/v1/exporters/{name}/retry`, `test` | parked events again, a test event |
//! | `GET /metrics`, `/livez`, `/readyz` | Prometheus and probes |

pub mod auth;
pub mod backend;
pub mod host_check;
pub mod metrics_text;
pub mod page;
pub mod problem;
pub mod unit;
pub mod views;

mod connection;
mod dashboard;
pub mod event_log;
pub mod exporter_desk;
mod params;
mod router;
mod server;
mod v1;

#[cfg(test)]
pub(crate) mod fake_backend;
#[cfg(test)]
mod fake_exporters;
#[cfg(test)]
mod tests;

pub use backend::{Answer, Backend};
pub use exporter_desk::ExporterDesk;
pub use page::{Page, PageRequest};
pub use server::{ApiError, ApiServer};
