use std::{fs, path::Path};

use super::{back_up, manifest::Manifest, restore::restore};
use crate::{
    model::Timestamp,
    storage::{
        error::StorageError,
        faults::Faults,
        journal::reader::ReadMode,
        recovery::recover,
        testing::{Running, Told, commit, report, start},
        verify::verify,
    },
};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Commits this many reports of one component.
fn fill(running: &Running, from: u64, count: u64) {
    for sequence in from..from + count {
        let record = report(&running.recovered.symbols, 0, "mk/km-1", sequence, sequence as f64);
        assert!(matches!(commit(&running.journal, &record), Told::Committed(_)));
    }
}

fn reports_of(data_dir: &Path) -> u64 {
    let recovered = recover(data_dir, &Faults::default()).unwrap();
    recovered.components.values().map(|component| component.reports).sum()
}

#[test]
fn a_copy_made_under_way_holds_what_was_committed_before_and_the_manager_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, again) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("again"));
    fs::create_dir(&data).unwrap();
    let running = start(&data, &Faults::default());
    fill(&running, 1, 300);
    let (manifest, found) = back_up(&data, &backup, NOW).unwrap();
    assert_eq!((manifest.reports, found.reports, manifest.taken), (300, 300, NOW));
    assert!(manifest.files.iter().any(|file| file.path.ends_with("state.db")), "{manifest:?}");
    fill(&running, 301, 5);
    drop(running);
    assert_eq!(reports_of(&data), 305);
    let (same, restored) = restore(&backup, &again).unwrap();
    assert_eq!((same, restored.reports), (manifest, 300));
    assert_eq!(reports_of(&again), 300);
    assert!(verify(&again, ReadMode::Still).is_ok());
}

#[test]
fn nothing_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup"));
    fs::create_dir(&data).unwrap();
    drop(start(&data, &Faults::default()));
    back_up(&data, &backup, NOW).unwrap();
    for refused in [back_up(&data, &backup, NOW).unwrap_err(), restore(&backup, &data).unwrap_err()] {
        assert!(matches!(refused, StorageError::NotEmpty { .. }), "{refused}");
    }
    assert!(matches!(restore(&data, &dir.path().join("x")).unwrap_err(), StorageError::NotFound(_)));
}

#[test]
fn every_changed_byte_of_a_backup_is_noticed_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, again) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("again"));
    fs::create_dir(&data).unwrap();
    let running = start(&data, &Faults::default());
    fill(&running, 1, 3);
    drop(running);
    let (manifest, _) = back_up(&data, &backup, NOW).unwrap();
    for entry in &manifest.files {
        let path = backup.join(&entry.path);
        let whole = fs::read(&path).unwrap();
        for damage in [0, whole.len() / 2, whole.len().saturating_sub(1)] {
            let mut changed = whole.clone();
            let Some(byte) = changed.get_mut(damage) else { continue };
            *byte ^= 0x40;
            fs::write(&path, &changed).unwrap();
            let refused = restore(&backup, &again).unwrap_err().to_string();
            assert!(refused.contains(&path.display().to_string()) && refused.contains("SHA-256"), "{refused}");
        }
        fs::write(&path, whole.get(1..).unwrap_or_default()).unwrap();
        let refused = restore(&backup, &again).unwrap_err().to_string();
        assert!(whole.is_empty() || refused.contains("bytes"), "{refused}");
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(fs::read_dir(&again).unwrap().count(), 0, "nothing is left behind");
    assert!(restore(&backup, &again).is_ok());
}

#[test]
fn a_manifest_cannot_name_files_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup"));
    fs::create_dir(&data).unwrap();
    drop(start(&data, &Faults::default()));
    let (manifest, _) = back_up(&data, &backup, NOW).unwrap();
    for path in ["../x", "/x", "journal/../../x", ""] {
        let mut bad = manifest.clone();
        bad.files[0].path = path.into();
        fs::write(backup.join("backup.json"), serde_json::to_vec(&bad).unwrap()).unwrap();
        assert!(matches!(Manifest::read(&backup), Err(StorageError::BadBackup { .. })), "{path}");
    }
    let later = Manifest { format: 9, ..manifest };
    fs::write(backup.join("backup.json"), serde_json::to_vec(&later).unwrap()).unwrap();
    assert!(matches!(Manifest::read(&backup), Err(StorageError::Version { found: 9, .. })));
}
