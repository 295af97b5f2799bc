//! How many files a process may have open: a connection is one.

/// Files beside the connections: standard streams, certificates, the runtime's own.
const BESIDE: u64 = 64;

/// Raises the soft limit as far as so many connections need and the hard limit lets it. The error is for people.
#[cfg(unix)]
pub fn make_room(connections: usize) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = connections as u64 + BESIDE;
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let most = now.maximum.unwrap_or(u64::MAX);
    let wanted = Rlimit { current: Some(needed.min(most)), maximum: now.maximum };
    let raised = setrlimit(Resource::Nofile, wanted);
    if most < needed || raised.is_err() {
        return Err(format!(
            "{connections} connections need {needed} open files, and this process may have {}; raise the limit \
             (`ulimit -n`), here and where the manager runs",
            if raised.is_ok() { most.min(needed) } else { now.current.unwrap_or(0) }
        ));
    }
    Ok(())
}

/// Nothing is known of limits here.
#[cfg(not(unix))]
pub fn make_room(_connections: usize) -> Result<(), String> {
    Ok(())
}
