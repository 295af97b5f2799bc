//! Tests of connections over loopback, with real certificates.

mod causes;
mod dialling;
mod files;
mod handshakes;
mod identities;
