//! The journal on real files: commits, rolls, torn tails, damage.

use std::fs;

use super::{
    block::Block,
    reader::{JournalReader, ReadMode},
    segment::{SEGMENT_HEADER, list_segments},
    *,
};
use crate::storage::{
    JournalPosition,
    decode::decode,
    recovery::recover,
    testing::{Told, commit, options, report, start, start_with, submit, submit_in_a_row},
};

/// Numbers of the blocks that can be read, with the sequence numbers in them.
fn read_back(data_dir: &std::path::Path) -> Result<Vec<(u64, Vec<u64>)>, StorageError> {
    let mut reader = JournalReader::open(data_dir, ReadMode::Still)?;
    let mut blocks = Vec::new();
    while let Some((_, block)) = reader.next_block()? {
        let sequences = block.batches().flat_map(|bytes| decode(bytes).unwrap().input.reports);
        blocks.push((block.header.number, sequences.map(|head| head.sequence).collect()));
    }
    Ok(blocks)
}

fn only_segment(data_dir: &std::path::Path) -> PathBuf {
    let segments = list_segments(&journal_dir(data_dir)).unwrap();
    assert_eq!(segments.len(), 1);
    segments[0].1.clone()
}

/// A journal of three blocks in one segment; where each block begins, and the end.
fn three_blocks(data_dir: &std::path::Path) -> Vec<usize> {
    let running = start(data_dir, &Faults::default());
    for sequence in 1..=3 {
        let record = report(&running.recovered.symbols, 0, "mk/a", sequence, 1.5);
        assert_eq!(commit(&running.journal, &record), Told::Committed(JournalPosition(sequence << 16)));
    }
    running.journal.stop();
    let bytes = fs::read(only_segment(data_dir)).unwrap();
    let mut starts = vec![SEGMENT_HEADER];
    while let Ok(block) = Block::read(&bytes[*starts.last().unwrap()..]) {
        starts.push(starts.last().unwrap() + block.size());
    }
    assert_eq!(*starts.last().unwrap(), bytes.len(), "a clean stop gives the room back");
    starts
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3_u64 {
        let running = start(dir.path(), &Faults::default());
        let record = report(&running.recovered.symbols, 0, "mk/a", round, 1.0);
        assert_eq!(commit(&running.journal, &record), Told::Committed(JournalPosition((round + 1) << 16)));
        assert_eq!(running.metrics.reports_committed.get(), 1);
        assert_eq!(running.journal.health(), JournalHealth::Ok);
    }
    assert_eq!(read_back(dir.path()).unwrap(), [(1, vec![0]), (2, vec![1]), (3, vec![2])]);
}

#[test]
fn what_waits_together_is_committed_together_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    let symbols = &running.recovered.symbols;
    let told: Vec<_> = (0..100).map(|n| submit(&running.journal, &report(symbols, 0, "mk/a", n, 1.0), 0)).collect();
    let positions: Vec<_> = told
        .iter()
        .map(|told| match told.recv().unwrap() {
            Told::Committed(position) => position,
            Told::Failed(_, reason) => panic!("{reason}"),
        })
        .collect();
    assert!(positions.is_sorted());
    running.journal.stop();
    let sequences: Vec<u64> = read_back(dir.path()).unwrap().into_iter().flat_map(|(_, numbers)| numbers).collect();
    assert_eq!(sequences, (0..100).collect::<Vec<_>>());
}

#[test]
fn the_log_rolls_into_further_segments_and_reads_as_one() {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Sync, Durability::Os] {
        let options = JournalOptions { durability, ..options(dir.path(), &Faults::default()) };
        let running = start_with(options);
        for sequence in 0..200 {
            // A new name each time, so that blocks are of some size.
            let component = format!("mk/{sequence:0>300}");
            commit(&running.journal, &report(&running.recovered.symbols, 0, &component, sequence, 1.0));
        }
        assert!(running.recovered.registry.list().len() >= 3);
    }
    assert!(list_segments(&journal_dir(dir.path())).unwrap().len() >= 6);
    let numbers: Vec<u64> = read_back(dir.path()).unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
}

#[test]
fn a_tail_torn_at_any_byte_loses_the_last_block_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let starts = three_blocks(dir.path());
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    for cut in starts[2]..starts[3] {
        for fill in [false, true] {
            let mut bytes = whole[..cut].to_vec();
            if fill {
                bytes.resize(whole.len() + 4096, 0);
            }
            // A block that ends in zeros is whole when they are cut and filled again.
            let expected = if bytes.starts_with(&whole) { 3 } else { 2 };
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read_back(dir.path()).unwrap().len(), expected, "cut at {cut}");
        }
    }
}

#[test]
fn recovery_drops_a_torn_tail_and_goes_on_behind_what_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let starts = three_blocks(dir.path());
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..starts[3] - 5]).unwrap();
    // The state database has seen block 3? No: only recovery has written it, before block 1.
    let running = start(dir.path(), &Faults::default());
    assert!(running.recovered.torn_tail);
    assert_eq!(running.recovered.reports_replayed, 2);
    assert_eq!(fs::metadata(&path).unwrap().len(), starts[2] as u64);
    let record = report(&running.recovered.symbols, 0, "mk/a", 9, 1.5);
    assert_eq!(commit(&running.journal, &record), Told::Committed(JournalPosition(3 << 16)));
    running.journal.stop();
    assert_eq!(read_back(dir.path()).unwrap(), [(1, vec![1]), (2, vec![2]), (3, vec![9])]);
}

#[test]
fn a_changed_byte_before_the_last_block_is_damage_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let starts = three_blocks(dir.path());
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    for at in 0..starts[2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        fs::write(&path, &bytes).unwrap();
        let place = starts.iter().rev().find(|&&start| start <= at).copied().unwrap_or(0);
        match read_back(dir.path()) {
            Err(StorageError::Damaged { offset, path: named, .. }) => {
                assert_eq!((offset, named), (place as u64, path.clone()), "byte {at}");
            }
            // The unused end of the header.
            Ok(blocks) => assert!((44..SEGMENT_HEADER).contains(&at) && blocks.len() == 3, "byte {at}"),
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_bad_end_of_a_segment_before_the_last_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let starts = three_blocks(dir.path());
    let path = only_segment(dir.path());
    let running = start(dir.path(), &Faults::default());
    commit(&running.journal, &report(&running.recovered.symbols, 0, "mk/a", 4, 1.5));
    running.journal.stop();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..starts[3] - 1]).unwrap();
    let error = read_back(dir.path()).unwrap_err().to_string();
    assert!(error.contains("0000000001.seg") && error.contains(&format!("byte {}", starts[2])), "{error}");
    assert!(recover(dir.path(), &Faults::default()).is_err());
}

#[test]
fn a_segment_file_that_was_never_begun_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    three_blocks(dir.path());
    let torn = journal_dir(dir.path()).join("0000000002.seg");
    fs::write(&torn, [0; 100]).unwrap();
    let running = start(dir.path(), &Faults::default());
    assert_eq!(running.recovered.blocks_read, 3);
    commit(&running.journal, &report(&running.recovered.symbols, 0, "mk/a", 4, 1.5));
    running.journal.stop();
    assert!(!torn.exists(), "the number of the leftover is not used again, its file is gone");
    assert_eq!(read_back(dir.path()).unwrap().len(), 4);
}

#[test]
fn a_later_format_is_named_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    three_blocks(dir.path());
    let path = only_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..40]).to_le_bytes();
    bytes[40..44].copy_from_slice(&crc);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(recover(dir.path(), &Faults::default()), Err(StorageError::Version { found: 2, known: 1, .. })));
}

#[test]
fn without_its_folder_the_journal_fails_says_why_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    let symbols = &running.recovered.symbols;
    let (journal, away) = (journal_dir(dir.path()), dir.path().join("away"));
    fs::rename(&journal, &away).unwrap();
    // Until the open segment is full nothing is noticed.
    let mut committed = 0;
    let reason = loop {
        let component = format!("mk/{committed:0>300}");
        match commit(&running.journal, &report(symbols, 0, &component, committed, 1.0)) {
            Told::Committed(_) => committed += 1,
            Told::Failed(epoch, reason) => break (epoch, reason),
        }
    };
    assert_eq!(reason.0, 1);
    assert!(reason.1.contains("begin a new segment"), "{}", reason.1);
    assert!(matches!(running.journal.health(), JournalHealth::Failing { .. }));
    let stale = submit(&running.journal, &report(symbols, 0, "mk/a", 1, 1.0), 0).recv().unwrap();
    assert!(matches!(stale, Told::Failed(..)), "a batch of the old epoch");
    fs::rename(&away, &journal).unwrap();
    let mut attempts = 0;
    while !matches!(commit(&running.journal, &report(symbols, 0, "mk/b", committed, 1.0)), Told::Committed(_)) {
        attempts += 1;
        assert!(attempts < 10_000_000, "the journal does not come back");
    }
    assert_eq!(running.journal.health(), JournalHealth::Ok);
    running.journal.stop();
    let sequences: Vec<u64> = read_back(dir.path()).unwrap().into_iter().flat_map(|(_, numbers)| numbers).collect();
    assert_eq!(sequences, (0..=committed).collect::<Vec<_>>(), "nothing acknowledged is lost");
}

#[test]
fn batches_that_follow_each_other_at_once_share_a_commit_and_one_that_is_not_followed_is_not_kept_waiting_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    let symbols = &running.recovered.symbols;
    let block = |told: Told| match told {
        Told::Committed(position) => position.0 >> 16,
        Told::Failed(..) => panic!("it commits"),
    };
    let mut sequence = 0;
    // How long a batch waits is bounded: on a busy machine the second one may come too late for the first.
    let shared = (0..1_000).any(|_| {
        sequence += 2;
        let submit = |sequence, is_followed| {
            let record = report(symbols, 0, "mk/a", sequence, 1.0);
            submit_in_a_row(&running.journal, &record, 0, is_followed)
        };
        let (first, second) = (submit(sequence, true), submit(sequence + 1, false));
        block(first.recv().unwrap()) == block(second.recv().unwrap())
    });
    assert!(shared);
    let alone = submit_in_a_row(&running.journal, &report(symbols, 0, "mk/a", sequence + 2, 1.0), 0, true);
    block(alone.recv().unwrap());
}

#[test]
fn after_the_stop_a_batch_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    running.journal.stop();
    let (tell, _told) = std::sync::mpsc::channel();
    let tell = Box::new(crate::storage::testing::Teller(tell));
    let batch =
        crate::storage::SealedBatch { bytes: vec![1], reports: 0, epoch: 0, shard: 0, is_followed: false, tell };
    assert!(running.journal.submit(batch).is_err());
}
