//! The manager's own alarms about its exporters: they go the way of every alarm, to the list, the log, and to all exporters,
//! so that the others tell what one cannot.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{delivery::Post, standing::Lately};
use crate::{
    clock::wall_time,
    manager::alarms::AlarmDesk,
    model::{AlarmKey, AlarmReport, Severity},
    shard::AlarmRequest,
};

const EVERY: Duration = Duration::from_secs(1);

/// Whether an exporter has failed for longer than it may.
pub(super) fn is_unreachable(post: &Post, lately: &Lately) -> bool {
    let longest = i64::try_from(post.config.unreachable_after.as_millis()).unwrap_or(i64::MAX);
    lately.failing_since.is_some_and(|since| wall_time().since(since) >= longest)
}

pub(super) struct Watch {
    pub(super) posts: Vec<Post>,
    pub(super) desk: AlarmDesk,
    /// `mx/` and the manager's ID.
    pub(super) manager: String,
}

/// What is raised about one exporter.
#[derive(Clone, Copy, Default)]
struct Raised {
    unreachable: bool,
    full: bool,
    parked: bool,
    /// Events left out at the last look.
    left_out: u64,
}

impl Watch {
    /// Looks every second, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut raised: Vec<Raised> = self
            .posts
            .iter()
            .map(|post| Raised { left_out: post.metrics.left_out.get(), ..Raised::default() })
            .collect();
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            for (post, raised) in self.posts.iter().zip(&mut raised) {
                self.look(post, raised);
            }
        }
        // Whoever starts the exporters again finds out anew.
        for (post, raised) in self.posts.iter().zip(&raised) {
            let all = [
                ("exporter-unreachable", raised.unreachable),
                ("exporter-outbox-full", raised.full),
                ("exporter-events-refused", raised.parked),
            ];
            for (alarm_type, _) in all.into_iter().filter(|(_, raised)| *raised) {
                self.clear(post, alarm_type, "the exporters were stopped; what still holds is raised again");
            }
        }
    }

    fn look(&self, post: &Post, raised: &mut Raised) {
        let lately = post.standing.get();
        let unreachable = is_unreachable(post, &lately);
        if unreachable != std::mem::replace(&mut raised.unreachable, unreachable) {
            let why = lately.last_error.map(|(_, why)| why).unwrap_or_default();
            let text = format!(
                "exporter {} has not reached {} for {:?}: {why}",
                post.config.name, post.config.url, post.config.unreachable_after
            );
            let repairs =
                ["Try it: `qkdnm exporter test NAME`.", "Check the target, its address, certificate and credentials."];
            self.tell(
                post,
                "exporter-unreachable",
                unreachable,
                Severity::Major,
                text,
                &repairs,
                "the target answers again",
            );
        }
        let Some(level) = post.store.level(post.index) else { return };
        let left_out = post.metrics.left_out.get();
        let is_growing = left_out > std::mem::replace(&mut raised.left_out, left_out);
        // It counts as full until half of it is free again, so that the alarm does not flap.
        let full = is_growing || (raised.full && level.pending * 2 > post.config.outbox);
        if full != std::mem::replace(&mut raised.full, full) {
            let text = format!(
                "the outbox of exporter {} is full ({} events): {left_out} events were left out for later ones of the same alarm",
                post.config.name, level.pending
            );
            let repairs = [
                "See that the target can be reached and is quick enough.",
                "Raise `outbox`, or narrow the exporter's filter.",
            ];
            self.tell(
                post,
                "exporter-outbox-full",
                full,
                Severity::Minor,
                text,
                &repairs,
                "half of the outbox is free again",
            );
        }
        let parked = level.parked > 0;
        if parked != std::mem::replace(&mut raised.parked, parked) {
            let text =
                format!("the target of exporter {} refuses events: {} are parked", post.config.name, level.parked);
            let repairs = [
                "See which and why: `qkdnm exporter show NAME`.",
                "When the target is corrected: `qkdnm exporter retry NAME`.",
            ];
            self.tell(
                post,
                "exporter-events-refused",
                parked,
                Severity::Minor,
                text,
                &repairs,
                "no event is parked any more",
            );
        }
    }

    fn key(&self, post: &Post, alarm_type: &str) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: format!("exporter {}", post.config.name),
            alarm_type_id: alarm_type.to_owned(),
            alarm_type_qualifier: String::new(),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an alarm has that many parts, and each call names them all")]
    fn tell(
        &self,
        post: &Post,
        alarm_type: &str,
        raise: bool,
        severity: Severity,
        text: String,
        repairs: &[&str],
        over: &str,
    ) {
        if !raise {
            return self.clear(post, alarm_type, over);
        }
        let report = AlarmReport {
            severity,
            text,
            event_type: "communications".to_owned(),
            probable_cause: "underlying-resource-unavailable".to_owned(),
            observed: None,
            threshold: None,
            repair_actions: repairs.iter().map(|text| text.replace("NAME", &post.config.name)).collect(),
            additional_information: Vec::new(),
        };
        let key = self.key(post, alarm_type);
        self.desk.put(AlarmRequest { key, report: Some(report), text: String::new() });
    }

    fn clear(&self, post: &Post, alarm_type: &str, text: &str) {
        self.desk.put(AlarmRequest { key: self.key(post, alarm_type), report: None, text: text.to_owned() });
    }
}
