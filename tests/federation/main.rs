//! Managers of several domains over Mx: real processes, real TLS, an authority of its own for each domain.

mod cluster;
mod demonstration;
mod hostile;
mod plain;
mod seeing;
