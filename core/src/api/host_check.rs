//! Which `Host` a request may name. A listener on a loopback address is open to whoever runs a program on this machine,
//! and a web page in its browser is such a program: it can have its own name resolve to 127.0.0.1 and then read the API
//! as if it were its own site (DNS rebinding). The name stands in the `Host` header, so there only names and addresses
//! that mean this machine are let through. On other addresses the manager cannot know its names and checks nothing.

use std::net::{IpAddr, SocketAddr};

/// The check for one listener.
#[derive(Clone, Debug)]
pub struct HostCheck {
    loopback: bool,
}

impl HostCheck {
    /// For a listener on this address.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self { loopback: listen.ip().to_canonical().is_loopback() }
    }

    /// Whether a request for this host, with or without a port, may be served.
    #[must_use]
    pub fn permits(&self, host: Option<&str>) -> bool {
        !self.loopback || host.is_some_and(is_this_machine)
    }
}

fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':').unwrap_or(rest)),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let named = name.eq_ignore_ascii_case("localhost");
    let loopback = name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    // A tunnel may end at another port than ours, so the port only has to be one.
    (named || loopback) && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_listener_serves_this_machine_only() {
        let check = HostCheck::new("127.0.0.1:7100".parse().unwrap());
        for host in
            ["localhost", "LOCALHOST:7100", "127.0.0.1:7100", "127.0.0.2", "[::1]:7100", "[::1]", "localhost:8000"]
        {
            assert!(check.permits(Some(host)), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example:7100", "192.0.2.1:7100", "[::1", "localhost:x", "::1:x"]
        {
            assert!(!check.permits(Some(host)), "{host}");
        }
        assert!(!check.permits(None));
    }

    #[test]
    fn other_listeners_have_names_that_only_their_users_know() {
        let check = HostCheck::new("0.0.0.0:7100".parse().unwrap());
        assert!(check.permits(Some("manager.example:7100")));
        assert!(check.permits(None));
    }
}
