//! Durable subscriptions over a restart: which ID each has at which component, in a file of the data directory.
//!
//! The file is replaced as a whole, so that it is the old one or the new one after a crash. What a crash keeps from being
//! written costs a subscription that is asked for anew, no status. A file that cannot be read is told and started anew.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::subscription::Keep;
use crate::config::SubscriptionConfig;

/// Its name in the data directory.
const FILE: &str = "subscriptions.json";
/// Version of its form.
const VERSION: u32 = 1;

/// A durable subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    id: String,
    /// Digest of what was asked for: a subscription that asks for something else now is another one.
    content: String,
}

/// By component and by the subscription's name.
type Entries = BTreeMap<String, BTreeMap<String, Entry>>;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    components: Entries,
}

/// What is remembered.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    entries: Mutex<Entries>,
    changed: Notify,
}

/// A digest that is equal for equal wishes.
fn digest(config: &SubscriptionConfig) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(config.content().as_bytes()))
}

impl Memory {
    /// Reads the file of a data directory; one that is not there is empty.
    #[must_use]
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let entries = match fs::read(&path) {
            Ok(text) => match serde_json::from_slice::<Form>(&text) {
                Ok(form) if form.version == VERSION => form.components,
                Ok(form) => unusable(&path, &format!("version {} of its form is not known", form.version)),
                Err(error) => unusable(&path, &error.to_string()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Entries::new(),
            Err(error) => unusable(&path, &error.to_string()),
        };
        Self { path, entries: Mutex::new(entries), changed: Notify::new() }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a component: for each wanted subscription its ID, and the IDs that nobody wants any more.
    pub fn of(&self, component: &str, wanted: &[&SubscriptionConfig]) -> (Vec<Option<String>>, Vec<String>) {
        let entries = self.locked();
        let Some(known) = entries.get(component) else { return (vec![None; wanted.len()], Vec::new()) };
        let is_of = |name: &str, entry: &Entry, config: &SubscriptionConfig| {
            config.durable && config.name == *name && digest(config) == entry.content
        };
        let ids = wanted.iter().map(|config| {
            let entry = known.get(&config.name).filter(|entry| is_of(&config.name, entry, config));
            entry.map(|entry| entry.id.clone())
        });
        let ids = ids.collect();
        let unwanted = known.iter().filter(|(name, entry)| !wanted.iter().any(|config| is_of(name, entry, config)));
        (ids, unwanted.map(|(_, entry)| entry.id.clone()).collect())
    }

    /// Keeps what an answer leaves to be remembered.
    pub fn keep(&self, component: &str, config: &SubscriptionConfig, keep: Keep) {
        match keep {
            Keep::AsItIs => return,
            Keep::Id(id) => {
                let entry = Entry { id, content: digest(config) };
                self.locked().entry(component.to_owned()).or_default().insert(config.name.clone(), entry);
            }
            Keep::Nothing => self.remove(component, |name, _| name == config.name),
        }
        self.changed.notify_one();
    }

    /// Forgets one that was ended.
    pub fn forget(&self, component: &str, id: &str) {
        self.remove(component, |_, entry| entry.id == id);
        self.changed.notify_one();
    }

    fn remove(&self, component: &str, is_it: impl Fn(&str, &Entry) -> bool) {
        let mut entries = self.locked();
        let Some(known) = entries.get_mut(component) else { return };
        known.retain(|name, entry| !is_it(name, entry));
        if known.is_empty() {
            entries.remove(component);
        }
    }

    fn text(&self) -> Vec<u8> {
        let form = Form { version: VERSION, components: self.locked().clone() };
        // Maps of strings: their JSON cannot fail.
        serde_json::to_vec_pretty(&form).unwrap_or_default()
    }

    fn write(&self) -> io::Result<()> {
        let fresh = self.path.with_extension("json.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&self.text())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Writes what changes, as soon as the write before is done, until `cancel`; what changed last is written then.
    pub async fn run(self: std::sync::Arc<Self>, cancel: CancellationToken) {
        loop {
            let last = tokio::select! {
                () = self.changed.notified() => false,
                () = cancel.cancelled() => true,
            };
            if last && self.locked().is_empty() && !self.path.exists() {
                return;
            }
            let memory = std::sync::Arc::clone(&self);
            match tokio::task::spawn_blocking(move || memory.write()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let path = self.path.display();
                    tracing::warn!(%path, %error, "Durable subscriptions cannot be remembered; after a restart they are asked for anew.");
                }
                Err(error) => tracing::error!(%error, "Writing the durable subscriptions ended with a panic."),
            }
            if last {
                return;
            }
        }
    }
}

fn unusable(path: &Path, why: &str) -> Entries {
    let path = path.display();
    tracing::warn!(%path, why, "The durable subscriptions from before cannot be read; they are asked for anew.");
    Entries::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ComponentMatch, EventConfig, NotificationMethod};
    use std::sync::Arc;

    fn config(name: &str, durable: bool) -> SubscriptionConfig {
        SubscriptionConfig {
            name: name.into(),
            applies_to: ComponentMatch::default(),
            events: vec![EventConfig::default()],
            method: NotificationMethod::OnChange,
            period: None,
            thresholds: Vec::new(),
            dampening: None,
            immediate: true,
            durable,
            poll_interval: None,
        }
    }

    #[test]
    fn what_is_kept_is_there_again_and_what_changed_is_not_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (config("a", true), config("b", true));
        let memory = Memory::open(folder.path());
        memory.keep("mk/km-1", &a, Keep::Id("id-a".into()));
        memory.keep("mk/km-1", &b, Keep::Id("id-b".into()));
        memory.keep("mk/km-2", &a, Keep::Id("id-c".into()));
        memory.keep("mk/km-2", &a, Keep::Nothing);
        memory.write().unwrap();
        let memory = Memory::open(folder.path());
        assert_eq!(memory.of("mk/km-1", &[&b, &a]), (vec![Some("id-b".into()), Some("id-a".into())], vec![]));
        assert_eq!(memory.of("mk/km-2", &[&a]), (vec![None], vec![]));
        let mut other = a.clone();
        other.events.push(EventConfig { names: vec!["qber_ratio".into()], ..EventConfig::default() });
        assert_eq!(memory.of("mk/km-1", &[&other]), (vec![None], vec!["id-a".into(), "id-b".into()]));
        assert_eq!(memory.of("mk/km-1", &[&config("a", false)]).0, [None]);
        memory.forget("mk/km-1", "id-b");
        assert_eq!(memory.of("mk/km-1", &[]).1, ["id-a"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{", r#"{"version":99,"components":{}}"#] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let memory = Memory::open(folder.path());
            assert!(memory.locked().is_empty());
            memory.keep("mk/a", &config("a", true), Keep::Id("x".into()));
            memory.write().unwrap();
            assert_eq!(Memory::open(folder.path()).of("mk/a", &[&config("a", true)]).0, [Some("x".into())]);
        }
    }

    #[tokio::test]
    async fn the_last_change_is_written_when_the_manager_stops() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(Memory::open(folder.path()));
        let cancel = CancellationToken::new();
        let writer = tokio::spawn(Arc::clone(&memory).run(cancel.clone()));
        memory.keep("mk/a", &config("a", true), Keep::Id("x".into()));
        cancel.cancel();
        writer.await.unwrap();
        assert_eq!(Memory::open(folder.path()).of("mk/a", &[&config("a", true)]).0, [Some("x".into())]);
    }
}
