//! The endpoints of `/api/v1`, one resource a file: read the request, ask the backend, show the answer.

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod collectors;
pub(crate) mod components;
pub(crate) mod configuration;
pub(crate) mod domains;
pub(crate) mod enrolment;
pub(crate) mod events;
pub(crate) mod exporters;
pub(crate) mod federation;
pub(crate) mod history;
pub(crate) mod manager;
pub(crate) mod network;
pub(crate) mod peer_requests;
pub(crate) mod plugins;
pub(crate) mod reports;
pub(crate) mod resources;
pub(crate) mod subscriptions;
