//! The feed over a real journal: every batch once and in order, however slow the follower and wherever it starts.

use std::{sync::Arc, time::Duration};

use super::{
    JournalPosition,
    faults::Faults,
    feed::{Fed, Feed, Follower},
    testing::{Told, commit, report, start},
};
use crate::config::limits::FEED_QUEUE;

/// The next batches, as positions and the numbers of their reports; gaps as negative numbers.
fn take(follower: &mut Follower, most: usize) -> Vec<(JournalPosition, u64)> {
    let mut taken = Vec::new();
    while taken.len() < most {
        match follower.next(Duration::ZERO).unwrap() {
            Fed::Batch(position, record) => taken.push((position, record.input.reports[0].sequence)),
            Fed::Nothing | Fed::Stopped => break,
            Fed::Gap(to) => panic!("a gap up to {to}"),
        }
    }
    taken
}

#[test]
fn a_follower_gets_everything_once_from_the_queue_and_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), &Faults::default());
    let symbols = Arc::clone(&running.recovered.symbols);
    let feed = Feed::new();
    let mut quick = feed.follow(folder.path(), JournalPosition(0), JournalPosition(0));
    let mut slow = feed.follow(folder.path(), JournalPosition(0), JournalPosition(0));
    let mut sent = Vec::new();
    let mut of_quick = Vec::new();
    for sequence in 1..=(FEED_QUEUE as u64 * 2 + 7) {
        let record = report(&symbols, 0, "mk/a", sequence, sequence as f64);
        let Told::Committed(position) = commit(&running.journal, &record) else { panic!("it commits") };
        feed.publish(position, &Arc::new(record));
        sent.push((position, sequence));
        if sequence % 5 == 0 {
            of_quick.extend(take(&mut quick, usize::MAX));
        }
    }
    of_quick.extend(take(&mut quick, usize::MAX));
    assert_eq!(of_quick, sent);
    let half = take(&mut slow, sent.len() / 2);
    let (at, committed) = (slow.position(), sent.last().unwrap().0);
    assert_eq!(half, sent[..sent.len() / 2]);
    assert_eq!(take(&mut slow, usize::MAX), sent[sent.len() / 2..]);
    // One that comes later, from where another stood.
    let again = Feed::new();
    let mut late = again.follow(folder.path(), at, committed);
    let record = report(&symbols, 0, "mk/a", 5_000, 1.0);
    let Told::Committed(position) = commit(&running.journal, &record) else { panic!("it commits") };
    again.publish(position, &Arc::new(record));
    again.stop();
    let mut rest = sent[sent.len() / 2..].to_vec();
    rest.push((position, 5_000));
    assert_eq!(take(&mut late, usize::MAX), rest);
    assert!(matches!(late.next(Duration::ZERO), Ok(Fed::Stopped)));
}

#[test]
fn what_retention_deleted_is_told_as_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), &Faults::default());
    let symbols = Arc::clone(&running.recovered.symbols);
    let mut last = JournalPosition(0);
    let mut sequence = 0;
    let segments = || super::journal::segment::list_segments(&folder.path().join("journal")).unwrap();
    while segments().len() < 3 {
        sequence += 1;
        let record = report(&symbols, 0, &format!("mk/{sequence}"), sequence, sequence as f64);
        let Told::Committed(position) = commit(&running.journal, &record) else { panic!("it commits") };
        last = position;
    }
    std::fs::remove_file(&segments()[0].1).unwrap();
    let feed = Feed::new();
    let mut follower = feed.follow(folder.path(), JournalPosition(1 << 16), last);
    let Fed::Gap(to) = follower.next(Duration::ZERO).unwrap() else { panic!("there is a gap") };
    let rest = take(&mut follower, usize::MAX);
    assert_eq!(rest[0].0, JournalPosition(((to.0 >> 16) + 1) << 16), "it goes on right behind");
    assert_eq!(rest.last().unwrap().0, last);
}

#[test]
fn who_comes_late_misses_nothing_and_who_leaves_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), &Faults::default());
    let symbols = Arc::clone(&running.recovered.symbols);
    let feed = Feed::new();
    let put = |sequence: u64| {
        let record = report(&symbols, 0, "mk/a", sequence, 1.0);
        let Told::Committed(position) = commit(&running.journal, &record) else { panic!("it commits") };
        feed.publish(position, &Arc::new(record));
        (position, sequence)
    };
    let first = feed.follow(folder.path(), JournalPosition(0), JournalPosition(0));
    let sent = [put(1), put(2)];
    drop(first);
    let third = put(3);
    assert_eq!(feed.committed(), third.0);
    // Begins while batches come, behind what it has seen, and does not know how far the journal is.
    let mut late = feed.follow(folder.path(), sent[0].0, JournalPosition(0));
    let fourth = put(4);
    assert_eq!(take(&mut late, usize::MAX), [sent[1], third, fourth]);
    feed.stop();
    let mut too_late = feed.follow(folder.path(), third.0, JournalPosition(0));
    assert_eq!(take(&mut too_late, usize::MAX), [fourth]);
    assert!(matches!(too_late.next(Duration::ZERO), Ok(Fed::Stopped)));
}
