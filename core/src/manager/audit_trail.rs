//! The audit trail for the API: entries from the end of its files backwards.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use crate::{
    api::{
        Page, PageRequest,
        views::{AuditEntryView, AuditFilter},
    },
    config::limits::AUDIT_ENTRY_BYTES,
    telemetry::audit::{chain::Link, files},
};

/// Entries that meet the filter, the newest first. Reads files: not for a shard's or connection's thread.
pub(super) fn entries(
    data_dir: &Path,
    filter: &AuditFilter,
    page: &PageRequest<u64>,
) -> io::Result<Page<AuditEntryView>> {
    let mut found: Vec<AuditEntryView> = Vec::new();
    // One more than asked for, to know whether there is a next page.
    let most = page.limit + 1;
    for path in files(data_dir).iter().rev() {
        let mut newest = match of_file(path, filter, page.after, most - found.len()) {
            // Rotated away since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        newest.make_contiguous().reverse();
        found.extend(newest);
        if found.len() >= most {
            break;
        }
    }
    Ok(Page::take(found, page.limit, |last| last.number.to_string()))
}

/// The last entries of a file that match, in the order of the file. Lines that a crash cut short are passed over.
fn of_file(
    path: &Path,
    filter: &AuditFilter,
    before: Option<u64>,
    most: usize,
) -> io::Result<VecDeque<AuditEntryView>> {
    let (mut reader, mut line, mut found) = (BufReader::new(File::open(path)?), Vec::new(), VecDeque::new());
    loop {
        line.clear();
        // The trail's own writer keeps lines below this; a longer one is not one of its own.
        let read = io::Read::take(&mut reader, 2 * AUDIT_ENTRY_BYTES as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(found);
        }
        let Ok(link) = serde_json::from_slice::<Link>(&line) else { continue };
        let entry = shown(link);
        if before.is_none_or(|before| entry.number < before) && filter.matches(&entry) {
            found.push_back(entry);
            if found.len() > most {
                found.pop_front();
            }
        }
    }
}

fn shown(link: Link) -> AuditEntryView {
    let Link { number, previous, entry } = link;
    AuditEntryView {
        number,
        time: entry.time,
        kind: entry.kind,
        who: entry.who,
        what: entry.what,
        detail: entry.detail,
        previous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Timestamp,
        telemetry::audit::{AuditEntry, FILE, chain::Head},
    };

    /// Entries 1 to 9 in three files, the oldest with a line cut short at its end.
    fn trail() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut head = Head::default();
        for (name, numbers) in [(".2", 1..4), (".1", 4..7), ("", 7..10)] {
            let mut text = Vec::new();
            for number in numbers {
                let kind = if number % 2 == 0 { "operator" } else { "refused" };
                let entry = AuditEntry::of_manager(Timestamp(number), kind, "x", serde_json::Value::Null);
                let line = head.link(entry).unwrap();
                head = Head::after(u64::try_from(number).unwrap(), &line);
                text.extend(line);
                text.push(b'\n');
            }
            if name == ".2" {
                text.extend(b"{\"number\":");
            }
            std::fs::write(folder.path().join(format!("{FILE}{name}")), text).unwrap();
        }
        folder
    }

    #[test]
    fn entries_come_newest_first_over_all_files_in_pages() {
        let folder = trail();
        let page = |filter: &AuditFilter, after, limit| {
            let page = entries(folder.path(), filter, &PageRequest { after, limit }).unwrap();
            (page.items.iter().map(|entry| entry.number).collect::<Vec<_>>(), page.next)
        };
        let all = AuditFilter::default();
        assert_eq!(page(&all, None, 100), ((1..=9).rev().collect(), None));
        assert_eq!(page(&all, None, 4), (vec![9, 8, 7, 6], Some("6".to_owned())));
        assert_eq!(page(&all, Some(6), 5), (vec![5, 4, 3, 2, 1], None));
        let operator = AuditFilter { kind: Some("operator".into()), ..AuditFilter::default() };
        assert_eq!(page(&operator, None, 3), (vec![8, 6, 4], Some("4".to_owned())));
        let from = AuditFilter { from: Some(Timestamp(3)), to: Some(Timestamp(6)), ..AuditFilter::default() };
        assert_eq!(page(&from, None, 3), (vec![5, 4, 3], None));
        let empty = tempfile::tempdir().unwrap();
        assert!(entries(empty.path(), &all, &PageRequest { after: None, limit: 1 }).unwrap().items.is_empty());
    }
}
