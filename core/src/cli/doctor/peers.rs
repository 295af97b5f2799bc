//! What is the matter with peers: sessions, and how fresh what is known of other domains is.

use super::{Finding, Grade, named};
use crate::api::views::{DomainView, PeerView};

/// One finding a kind of trouble; one that all is well; none where there are no peers.
pub(super) fn of_peers(peers: &[PeerView], domains: &[DomainView]) -> Vec<Finding> {
    let about = "peers";
    let seen = |peer: &PeerView| peer.freshness.clone().unwrap_or_else(|| "unheard".to_owned());
    let label = |peer: &&PeerView| format!("{} (domain {}, {})", peer.id, peer.domain, seen(peer));
    let mut findings = Vec::new();
    let (withdrawn, away): (Vec<&PeerView>, Vec<&PeerView>) =
        peers.iter().filter(|peer| !peer.connected).partition(|peer| peer.freshness.as_deref() == Some("withdrawn"));
    if let Some(first) = away.first() {
        let advice = match (&first.failed_dials, &first.address) {
            (Some(failed), _) => {
                format!("of {} the last dial says: {}; `qkdnm peer show {}`", first.id, failed.why, first.id)
            }
            (None, Some(address)) => format!(
                "is {} up, and {address} reached from here? A refused certificate is told in the logs of both managers; \
                 `qkdnm peer show {}`",
                first.id, first.id
            ),
            (None, None) => format!(
                "{} dials us: is it up, and does it have our address? A refused certificate is told in the logs of both \
                 managers; `qkdnm peer show {}`",
                first.id, first.id
            ),
        };
        let grade = if away.len() == peers.len() { Grade::Wrong } else { Grade::Attention };
        let says = format!("no session with {}", named(away.iter().map(label)));
        findings.push(Finding::new(grade, about, says, advice));
    }
    if !withdrawn.is_empty() {
        let says = format!("left in good order, which raises no alarm: {}", named(withdrawn.iter().map(label)));
        let advice = "its operator stopped it; nothing is to be done here, but to take it out of [[peers]] if it does not \
                      come back";
        findings.push(Finding::new(Grade::Attention, about, says, advice));
    }
    let silent: Vec<&PeerView> = peers.iter().filter(|peer| peer.connected && peer.tells_us == Some(false)).collect();
    if !silent.is_empty() {
        let says = format!("connected, and tells nothing of its domain: {}", named(silent.iter().map(label)));
        let advice = "the manager at the other end has no [federation], or is none that exchanges documents";
        findings.push(Finding::new(Grade::Attention, about, says, advice));
    }
    let is_old = |domain: &&DomainView| matches!(domain.freshness.as_str(), "stale" | "unreachable" | "excluded");
    let old: Vec<&DomainView> = domains.iter().filter(|domain| !domain.own).filter(is_old).collect();
    if !old.is_empty() {
        let known = |domain: &DomainView| domain.known_through.as_ref().map(|known| format!(", {}", known.text));
        let names = old
            .iter()
            .map(|domain| format!("{} ({}{})", domain.domain, domain.freshness, known(domain).unwrap_or_default()));
        let says = format!("what is known of a domain is old: {}", named(names));
        let advice = "`qkdnm domain list` has the ages, and by which way each was heard";
        findings.push(Finding::new(Grade::Attention, "domains", says, advice));
    }
    let disputed: Vec<&DomainView> = domains.iter().filter(|domain| domain.disputed).collect();
    if !disputed.is_empty() {
        let says = format!(
            "signed two different documents as one: {}",
            named(disputed.iter().map(|domain| domain.domain.clone()))
        );
        let advice = "its key is used twice, by a copy of its manager or by somebody else: tell its operator";
        findings.push(Finding::new(Grade::Wrong, "domains", says, advice));
    }
    if findings.is_empty() && !peers.is_empty() {
        let with = if peers.len() == 1 { "the one peer" } else { "all peers" };
        findings
            .push(Finding::good(about, format!("a session with {with}: {}", named(peers.iter().map(|p| label(&p))))));
    }
    findings
}

/// What the operators of each peer may ask of ours; none where there are no peers.
pub(super) fn of_permissions(peers: &[PeerView]) -> Option<Finding> {
    let (some, none): (Vec<&PeerView>, Vec<&PeerView>) = peers.iter().partition(|peer| !peer.may_ask.is_empty());
    let mut says = Vec::new();
    if !some.is_empty() {
        let one = |peer: &&PeerView| format!("{} may ask for {}", peer.id, peer.may_ask.join(", "));
        says.push(named(some.iter().map(one)));
    }
    if !none.is_empty() {
        says.push(format!("{} may ask for nothing", named(none.iter().map(|peer| peer.id.clone()))));
    }
    (!says.is_empty()).then(|| Finding::good("requests", says.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: &str, connected: bool, freshness: &str) -> PeerView {
        serde_json::from_value(serde_json::json!({
            "id": id, "domain": "west", "keyGeneration": 1, "minEpoch": 0, "address": "192.0.2.9:7107", "connected": connected, "since": null, "dialled": null,
            "mayAsk": if id == "m-1" { vec!["maintenance", "incident"] } else { Vec::new() },
            "failedDials": if connected { serde_json::Value::Null } else { serde_json::json!({
                "since": "2026-01-01T00:00:00Z", "at": "2026-01-01T00:01:00Z", "times": 7, "why": "no such name",
            }) },
            "peerAddress": null, "tellsUs": null, "roundTripMs": null, "sent": 0, "answered": 0, "freshness": freshness,
            "heardBeforeMs": null, "relays": true, "dropped": 0,
        }))
        .unwrap()
    }

    #[test]
    fn a_peer_that_is_away_one_that_left_and_one_that_is_there_are_told_apart() {
        let (here, away, left) =
            (peer("m-1", true, "fresh"), peer("m-2", false, "stale"), peer("m-3", false, "withdrawn"));
        assert_eq!(of_peers(&[], &[]), []);
        assert!(of_permissions(&[]).is_none());
        let told = of_permissions(&[here.clone(), away.clone()]).unwrap().says;
        assert_eq!(told, "m-1 may ask for maintenance, incident; m-2 may ask for nothing");
        let good = of_peers(std::slice::from_ref(&here), &[]);
        assert_eq!((good.len(), good[0].grade), (1, Grade::Good));
        let found = of_peers(&[here, away.clone(), left], &[]);
        let says: Vec<&str> = found.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "no session with m-2 (domain west, stale)",
                "left in good order, which raises no alarm: m-3 (domain west, withdrawn)"
            ]
        );
        assert!(found[0].advice.contains("no such name") && found[0].advice.contains("peer show m-2"), "{found:?}");
        assert!(found.iter().all(|finding| finding.grade == Grade::Attention));
        assert_eq!(of_peers(&[away], &[])[0].grade, Grade::Wrong, "nobody is there");
    }
}
