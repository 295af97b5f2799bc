//! Looking at the files now and then, and taking them over once they have changed and stand still; looking at new versions of plugins,
//! and going back from those that fail more often than the ones before.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    Reloader, Trigger,
    files::{Contents, Debounce, Stamps},
};
use crate::config::limits::RELOAD_LOOK;

impl Reloader {
    /// Looks at the files until `cancel`. They are looked at also where a change is not taken over by itself: whether they
    /// differ from what is in force is told in any case.
    pub async fn watch(self: Arc<Self>, cancel: CancellationToken) {
        // Settled on nothing, so that what was changed between reading and the first look is found like any change.
        let mut debounce = Debounce::new(Stamps::new());
        let mut ticks = tokio::time::interval(RELOAD_LOOK);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.look_at_versions().await;
            if let Some(stamps) = self.stamps().await
                && debounce.look(stamps)
            {
                self.look(&cancel).await;
            }
        }
    }

    /// Compares contents, and reloads if they are neither what is in force nor what was refused before.
    async fn look(self: &Arc<Self>, cancel: &CancellationToken) {
        let Some(now) = self.contents_now().await else { return };
        let (differ, tried) = {
            let mut state = self.state();
            let is = |known: &Option<(_, Contents)>| known.as_ref().is_some_and(|(_, contents)| *contents == now);
            state.differ = !is(&state.in_force);
            self.parts.contexts.metrics.reloads.differ.set(u64::from(state.differ));
            (state.differ, is(&state.tried))
        };
        let again = self.state().is_raised && !differ;
        let wanted = self.parts.current.get().config.manager.reload_on_change;
        if wanted && ((differ && !tried) || again) && !cancel.is_cancelled() {
            self.reload(Trigger::Files, false).await;
        }
    }

    async fn stamps(&self) -> Option<Stamps> {
        let set = self.file_set()?;
        tokio::task::spawn_blocking(move || set.stamps()).await.ok()
    }

    async fn contents_now(&self) -> Option<Contents> {
        let set = self.file_set()?;
        tokio::task::spawn_blocking(move || set.contents()).await.ok()
    }
}
