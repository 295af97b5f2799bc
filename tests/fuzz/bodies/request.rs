//! No object that a peer may send does harm: what is read of it can be written again and is then read as the same, and nothing but
//! words of the closed lists and plain names is in it.

use std::collections::BTreeSet;

use qkdn_manager::federation::request::{Said, wire};

/// One input: objects, a line each.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn check(input: &str) {
    let objects: Vec<&str> = input.split('\n').collect();
    let Ok(said) = wire::read(&objects) else { return };
    for one in said {
        let names: BTreeSet<String> = match &one {
            Said::Request { asked, .. } => asked.links().iter().cloned().collect(),
            Said::Outcome { .. } | Said::Withdrawal { .. } => BTreeSet::new(),
        };
        let links = names.iter().map(String::as_str).collect();
        let written = wire::leaving(&one, &links).expect("what has its form may leave").to_string();
        assert!(written.len() < 8_192, "{written}");
        assert_eq!(wire::read(&[written]), Ok(vec![one]));
    }
}
