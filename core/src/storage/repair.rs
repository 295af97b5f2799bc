//! Repair: what can be had back of a data directory that does not check.
//!
//! In: a data directory that no manager has. Out: a plan that says what is damaged, what would be done and what is lost
//! by it; and, if wanted, the same done. Nothing is deleted: what is taken out goes to a folder `damaged-TIME` within the
//! data directory. The databases follow the journal: the state is had back from a checkpoint and the journal, history
//! from the journal. A damaged journal is cut before the damage, as it would be if everything behind had never been
//! committed; what the state database reflects of it stays.

use std::{
    fmt,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    JournalPosition,
    backup::{DATABASES, copying},
    decode::BatchEnvelope,
    error::StorageError,
    history::{self, db::HistoryDb},
    journal::{
        block::{Block, MAGIC},
        reader::{JournalReader, ReadMode},
        segment::{SEGMENT_HEADER, SegmentHeader, journal_dir, list_segments},
    },
    retention::{checkpoints_dir, list_checkpoints},
    state_db::{StateDb, state_db_path},
    verify::{fault_of, is_damage, verify},
};
use crate::model::Timestamp;

/// Something damaged, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// A database is set aside; what takes its place, and what that means.
    Database {
        /// Its name.
        file: String,
        /// What is wrong with it.
        what: String,
        /// What takes its place.
        instead: Instead,
    },
    /// The journal is cut before the damage.
    Journal {
        /// The segment.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// Later segments, which go with it.
        later: Vec<PathBuf>,
        /// What is behind the damage and still checks.
        lost: Lost,
    },
}

/// What takes the place of a damaged database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Instead {
    /// A checkpoint, from which the journal goes on.
    Checkpoint(PathBuf),
    /// Nothing: the journal has everything since the beginning.
    WholeJournal,
    /// Nothing: history is made again of the journal that is left.
    HistoryOfJournal,
    /// Nothing; what that means.
    Nothing(&'static str),
}

/// What stands behind the damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Blocks that check.
    pub blocks: u64,
    /// Reports in them.
    pub reports: u64,
    /// Of these, reports that the state database does not reflect: what followed from them is lost as well.
    pub not_reflected: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { file, what, instead } => {
                write!(f, "{file} is damaged ({what}): it is set aside. ")?;
                match instead {
                    Instead::Checkpoint(path) => write!(
                        f,
                        "{} takes its place; the next start brings it up to date from the journal",
                        path.display()
                    ),
                    Instead::WholeJournal => {
                        f.write_str("The next start makes it again of the journal, which goes back to the beginning")
                    }
                    Instead::HistoryOfJournal => f.write_str(
                        "The next start makes history again of the journal; what is older than the journal is lost",
                    ),
                    Instead::Nothing(meaning) => f.write_str(meaning),
                }
            }
            Self::Journal { file, offset, what, later, lost } => {
                write!(f, "{} is damaged at byte {offset} ({what}): it is cut there", file.display())?;
                if !later.is_empty() {
                    write!(f, ", and the {} later segments are set aside", later.len())?;
                }
                write!(
                    f,
                    ". Lost are the reports in the damaged block, and {} reports in {} blocks behind it that still check; of \
                     these the state reflects all but {}",
                    lost.reports, lost.blocks, lost.not_reflected
                )
            }
        }
    }
}

/// What the loss of a database means that nothing makes again.
const MEANINGS: [(&str, &str); 3] = [
    (
        "exports.db",
        "What waited for other systems is not sent; they are told the alarms that are raised anew at the next start",
    ),
    ("subscriptions.db", "Users' network managers have to subscribe again; they do so when their notifications stop"),
    (
        "federation.db",
        "Documents of other domains are fetched from peers again; the own epoch begins anew from the clock, and the list of what was disclosed is lost",
    ),
];

/// What is to be done. Empty: everything checks.
///
/// # Errors
/// If something cannot be looked at, or is damaged in a way that cannot be repaired.
pub fn plan(data_dir: &Path) -> Result<Vec<Step>, StorageError> {
    let first = first_block(data_dir)?;
    let mut steps = Vec::new();
    // Where the state stands that the next start begins with.
    let mut reflected = None;
    for name in DATABASES {
        let path = data_dir.join(name);
        let what = if name == "state.db" { fault_of_state(&path, first)? } else { fault_of(&path)? };
        let Some(what) = what else { continue };
        let instead = instead_of(name, data_dir, first)?;
        match &instead {
            Instead::Checkpoint(path) => reflected = Some(position_of(path)?),
            Instead::WholeJournal => reflected = Some(JournalPosition(0)),
            Instead::HistoryOfJournal | Instead::Nothing(_) => {}
        }
        steps.push(Step::Database { file: name.to_owned(), what, instead });
    }
    let standing = reflected.map_or_else(|| position_of(&state_db_path(data_dir)), Ok)?;
    let journal = of_journal(data_dir, standing)?;
    let is_history_there = data_dir.join("history.db").exists()
        && !steps.iter().any(|step| matches!(step, Step::Database { file, .. } if file == "history.db"));
    if journal.is_some() && reflected.is_some() && is_history_there {
        let what = "it knows values by numbers that the part of the journal gave which is cut off".to_owned();
        steps.push(Step::Database { file: "history.db".to_owned(), what, instead: Instead::HistoryOfJournal });
    }
    steps.extend(journal);
    if steps.is_empty() {
        // What is left can be found, but not mended.
        verify(data_dir, ReadMode::Still).map_err(|error| beyond_repair(&error.chain()))?;
    }
    Ok(steps)
}

fn beyond_repair(what: &str) -> StorageError {
    StorageError::NotFound(format!(
        "this cannot be repaired; restore a backup (`qkdnm storage restore`). What is wrong: {what}"
    ))
}

/// What is damaged in the state database: also what SQLite holds to be in order, but cannot have been written.
fn fault_of_state(path: &Path, first_block: u64) -> Result<Option<String>, StorageError> {
    if !path.exists() && first_block > 1 {
        return Ok(Some(format!("it is not there, and the journal begins at block {first_block}")));
    }
    if let Some(what) = fault_of(path)? {
        return Ok(Some(what));
    }
    let look = |db: StateDb| {
        db.load()?;
        db.positions()?.reach(Some(first_block), path)
    };
    match StateDb::open_read_only(path).and_then(|db| db.map_or(Ok(()), look)) {
        Ok(()) => Ok(None),
        Err(StorageError::BadState { what, .. }) => Ok(Some(what)),
        Err(StorageError::Database { source, .. }) if is_damage(&source) => Ok(Some(source.to_string())),
        Err(error) => Err(error),
    }
}

fn position_of(state: &Path) -> Result<JournalPosition, StorageError> {
    let positions = StateDb::open_read_only(state)?.map(|db| db.positions()).transpose()?;
    Ok(positions.unwrap_or_default().highest())
}

fn instead_of(name: &str, data_dir: &Path, first_block: u64) -> Result<Instead, StorageError> {
    if let Some((_, meaning)) = MEANINGS.iter().find(|(file, _)| *file == name) {
        return Ok(Instead::Nothing(meaning));
    }
    if name == "history.db" {
        return Ok(Instead::HistoryOfJournal);
    }
    for (needs, path) in list_checkpoints(&checkpoints_dir(data_dir))?.into_iter().rev() {
        if needs >= first_block && fault_of_state(&path, 1)?.is_none() {
            return Ok(Instead::Checkpoint(path));
        }
    }
    if first_block <= 1 {
        return Ok(Instead::WholeJournal);
    }
    Err(beyond_repair(&format!(
        "{name} is damaged or missing, no checkpoint checks, and the journal begins at block {first_block}"
    )))
}

/// The first block of the first segment whose header can be read; 1 where there is none.
fn first_block(data_dir: &Path) -> Result<u64, StorageError> {
    for (_, path) in list_segments(&journal_dir(data_dir)).map_err(StorageError::io("list", data_dir))? {
        let mut start = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(SEGMENT_HEADER as u64).read_to_end(&mut start));
        read.map_err(StorageError::io("read", &path))?;
        if let Ok(header) = SegmentHeader::read(&start) {
            return Ok(header.first_block);
        }
    }
    Ok(1)
}

fn of_journal(data_dir: &Path, reflected: JournalPosition) -> Result<Option<Step>, StorageError> {
    let look = || -> Result<(), StorageError> {
        let mut reader = JournalReader::open(data_dir, ReadMode::Still)?;
        while reader.next_block()?.is_some() {}
        Ok(())
    };
    let (path, offset, what) = match look() {
        Ok(()) => return Ok(None),
        Err(StorageError::Damaged { path, offset, what }) => (path, offset, what),
        Err(error) => return Err(error),
    };
    let segments = list_segments(&journal_dir(data_dir)).map_err(StorageError::io("list", data_dir))?;
    let behind = segments.into_iter().map(|(_, other)| other).skip_while(|other| *other != path).skip(1);
    let later: Vec<PathBuf> = behind.collect();
    let mut lost = Lost::default();
    lost.count(&path, offset, reflected)?;
    for segment in &later {
        lost.count(segment, 0, reflected)?;
    }
    Ok(Some(Step::Journal { file: path, offset, what, later, lost }))
}

impl Lost {
    fn count(&mut self, segment: &Path, from: u64, reflected: JournalPosition) -> Result<(), StorageError> {
        let bytes = fs::read(segment).map_err(StorageError::io("read", segment))?;
        let mut rest = bytes.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
        while let Some(at) = memchr::memmem::find(rest, &MAGIC) {
            let here = rest.get(at..).unwrap_or_default();
            let Ok(block) = Block::read(here) else {
                rest = here.get(MAGIC.len()..).unwrap_or_default();
                continue;
            };
            self.blocks += 1;
            for (index, batch) in block.batches().enumerate() {
                let reports = BatchEnvelope::read(batch).map_or(0, |envelope| u64::from(envelope.reports));
                let position = JournalPosition(block.header.number << 16 | index as u64);
                self.reports += reports;
                self.not_reflected += if position > reflected { reports } else { 0 };
            }
            rest = here.get(block.size()..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Does what the plan says; where the damaged files are now.
pub fn carry_out(steps: &[Step], data_dir: &Path, now: Timestamp) -> Result<PathBuf, StorageError> {
    let aside = data_dir.join(format!("damaged-{}", now.0));
    copying::make_folder(&aside)?;
    for step in steps {
        match step {
            Step::Database { file, instead, .. } => replace(file, instead, data_dir, &aside)?,
            Step::Journal { file, offset, later, .. } => {
                later.iter().try_for_each(|segment| set_aside(segment, &aside))?;
                cut(file, *offset, &aside)?;
            }
        }
    }
    copying::make_durable(data_dir)?;
    Ok(aside)
}

fn replace(name: &str, instead: &Instead, data_dir: &Path, aside: &Path) -> Result<(), StorageError> {
    for suffix in ["", "-wal", "-shm"] {
        set_aside(&data_dir.join(format!("{name}{suffix}")), aside)?;
    }
    match instead {
        Instead::Checkpoint(path) => copying::file(path, &data_dir.join(name)),
        Instead::HistoryOfJournal => {
            // A history that was never written begins with what is new: this one is to begin with what there is.
            let nothing =
                history::Retention { raw: Default::default(), minute: Default::default(), hour: Default::default() };
            HistoryDb::open(data_dir)?.write(&[], JournalPosition(0), Timestamp(0), &nothing)
        }
        Instead::WholeJournal | Instead::Nothing(_) => Ok(()),
    }
}

fn set_aside(path: &Path, aside: &Path) -> Result<(), StorageError> {
    match path.file_name() {
        Some(name) if path.exists() => fs::rename(path, aside.join(name)).map_err(StorageError::io("move", path)),
        _ => Ok(()),
    }
}

/// Cuts a segment, of which a copy is set aside first. One without a header that checks goes as a whole.
fn cut(segment: &Path, offset: u64, aside: &Path) -> Result<(), StorageError> {
    if offset < SEGMENT_HEADER as u64 {
        return set_aside(segment, aside);
    }
    if let Some(name) = segment.file_name() {
        copying::file(segment, &aside.join(name))?;
    }
    let file = fs::OpenOptions::new().write(true).open(segment).map_err(StorageError::io("open", segment))?;
    file.set_len(offset).and_then(|()| file.sync_all()).map_err(StorageError::io("cut", segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        faults::Faults,
        recovery::recover,
        testing::{Told, commit, report, start},
    };

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    /// A data directory of two starts with this many reports each.
    fn filled(data: &Path, count: u64) {
        for round in 0..2 {
            let running = start(data, &Faults::default());
            for sequence in round * count..(round + 1) * count {
                let record = report(&running.recovered.symbols, 0, "mk/km-1", sequence, 0.5);
                assert!(matches!(commit(&running.journal, &record), Told::Committed(_)));
            }
        }
    }

    fn reports_of(data: &Path) -> u64 {
        recover(data, &Faults::default()).unwrap().components.values().map(|component| component.reports).sum()
    }

    fn flip(path: &Path, at: usize) {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 0xff;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_is_in_order_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 5);
        assert_eq!(plan(dir.path()).unwrap(), []);
        assert_eq!(reports_of(dir.path()), 10);
    }

    #[test]
    fn a_damaged_block_costs_what_is_behind_it_and_the_next_start_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 5);
        // Recovery at the second start has brought the database up to date with the first five.
        let (_, first) = list_segments(&journal_dir(dir.path())).unwrap().remove(0);
        flip(&first, SEGMENT_HEADER + 60);
        assert!(recover(dir.path(), &Faults::default()).is_err());
        let steps = plan(dir.path()).unwrap();
        let [Step::Journal { offset, later, lost, .. }] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!((*offset, later.len()), (SEGMENT_HEADER as u64, 1));
        assert_eq!(*lost, Lost { blocks: 9, reports: 9, not_reflected: 5 });
        assert!(steps[0].to_string().contains("the state reflects all but 5"), "{}", steps[0]);
        let aside = carry_out(&steps, dir.path(), NOW).unwrap();
        assert_eq!(fs::read_dir(aside).unwrap().count(), 2, "the damaged segment and the one behind it");
        assert_eq!(plan(dir.path()).unwrap(), []);
        assert_eq!(reports_of(dir.path()), 5, "what the state reflects stays");
        let running = start(dir.path(), &Faults::default());
        assert!(matches!(
            commit(&running.journal, &report(&running.recovered.symbols, 0, "mk/km-1", 10, 0.5)),
            Told::Committed(_)
        ));
        drop(running);
        assert_eq!(reports_of(dir.path()), 6);
        verify(dir.path(), ReadMode::Still).unwrap();
    }

    #[test]
    fn a_damaged_state_database_is_made_again_of_the_journal_or_of_a_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 5);
        let database = state_db_path(dir.path());
        fs::create_dir(checkpoints_dir(dir.path())).unwrap();
        StateDb::open(&database).unwrap().copy_to(&checkpoints_dir(dir.path()).join("000000000006.db")).unwrap();
        for instead in ["checkpoints", "of the journal"] {
            for suffix in ["-wal", "-shm"] {
                let _ = fs::remove_file(dir.path().join(format!("state.db{suffix}")));
            }
            fs::write(&database, b"no database at all, but long enough to look like one").unwrap();
            let told = recover(dir.path(), &Faults::default()).unwrap_err();
            assert!(told.to_string().contains("state.db"), "{told}");
            let steps = plan(dir.path()).unwrap();
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].to_string().contains(instead), "{}", steps[0]);
            carry_out(&steps, dir.path(), Timestamp(NOW.0 + instead.len() as i64)).unwrap();
            assert_eq!(reports_of(dir.path()), 10);
            assert_eq!(plan(dir.path()).unwrap(), []);
            // The second time there is no checkpoint.
            fs::remove_dir_all(checkpoints_dir(dir.path())).unwrap_or_default();
        }
    }

    #[test]
    fn databases_that_nothing_makes_again_are_named_with_what_that_means() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 1);
        for (name, meaning) in MEANINGS {
            fs::write(dir.path().join(name), [7; 4_096]).unwrap();
            let steps = plan(dir.path()).unwrap();
            assert!(steps.iter().any(|step| step.to_string().contains(meaning)), "{steps:?}");
        }
        fs::write(dir.path().join("history.db"), [7; 4_096]).unwrap();
        let refused = verify(dir.path(), ReadMode::Still).unwrap_err().to_string();
        assert!(refused.contains("qkdnm storage repair"), "{refused}");
        let steps = plan(dir.path()).unwrap();
        assert_eq!(steps.len(), 4);
        carry_out(&steps, dir.path(), NOW).unwrap();
        assert_eq!(HistoryDb::open(dir.path()).unwrap().standing().unwrap().0, Some(JournalPosition(0)));
        verify(dir.path(), ReadMode::Still).unwrap();
    }

    #[test]
    fn what_is_lost_is_told_of_the_state_that_the_next_start_begins_with() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 5);
        HistoryDb::open(dir.path()).unwrap();
        let (_, first) = list_segments(&journal_dir(dir.path())).unwrap().remove(0);
        flip(&first, SEGMENT_HEADER + 60);
        fs::write(state_db_path(dir.path()), b"no database at all, but long enough to look like one").unwrap();
        let steps = plan(dir.path()).unwrap();
        let told: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(steps.len(), 3, "{told:?}");
        assert!(told.iter().all(|step| !step.contains("nothing is lost")), "{told:?}");
        assert!(told[2].contains("all but 9"), "{told:?}");
        assert!(told.iter().any(|step| step.starts_with("history.db")), "{told:?}");
        carry_out(&steps, dir.path(), NOW).unwrap();
        assert_eq!(reports_of(dir.path()), 0);
    }

    #[test]
    fn a_state_that_the_journal_does_not_go_on_from_is_found_and_nothing_is_promised() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 5);
        // The first segment is gone, and the state with it.
        let (_, first) = list_segments(&journal_dir(dir.path())).unwrap().remove(0);
        fs::remove_file(first).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(dir.path().join(format!("state.db{suffix}")));
        }
        assert!(recover(dir.path(), &Faults::default()).is_err());
        let refused = verify(dir.path(), ReadMode::Still).unwrap_err().to_string();
        assert!(refused.contains("the journal begins at 6"), "{refused}");
        let refused = plan(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("cannot be repaired") && refused.contains("block 6"), "{refused}");
    }

    #[test]
    fn a_database_that_cannot_be_looked_at_is_not_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), 1);
        let database = rusqlite::Connection::open(dir.path().join("exports.db")).unwrap();
        database.execute_batch("CREATE TABLE t (x); PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").unwrap();
        let refused = plan(dir.path()).unwrap_err().chain();
        assert!(refused.contains("locked") && !refused.contains("damaged"), "{refused}");
    }
}
