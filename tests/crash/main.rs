//! Nothing acknowledged is lost: `kill -9` at every stage of storage, under pipelined load on several connections, with
//! a checker that knows what was sent and what was acknowledged.
//!
//! One data folder goes through all rounds, so that damage would add up. Each round draws from its seed how the process
//! dies (at a fault point in storage, or from outside after some acknowledgements) and what fails before. After each
//! restart the checker asks the manager what it has. `QKDNM_CRASH_ROUNDS` and `QKDNM_CRASH_SEED` change number and seed;
//! a failure prints the seed of its round.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod checker;
mod load;
mod rounds;
