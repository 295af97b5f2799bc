//! What the demo writes to the terminal: short lines, the time since the start before each.

use std::{io, net::SocketAddr, time::Duration};

use super::{DemoOptions, Outcome, reason::Policies, site::Site, story::Told, watch::Change};
use crate::simulate::running::Totals;

/// Writes the demo's lines.
pub struct Teller<'a> {
    out: &'a mut (dyn io::Write + Send),
    policies: Policies,
}

impl std::fmt::Debug for Teller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Teller")
    }
}

impl<'a> Teller<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut (dyn io::Write + Send)) -> Self {
        Self { out, policies: Policies::default() }
    }

    /// From now on, alarms are told with the policy that raised them.
    pub(super) fn knows(&mut self, policies: Policies) {
        self.policies = policies;
    }

    pub(super) fn opening(
        &mut self,
        site: &Site,
        (api, control): (SocketAddr, SocketAddr),
        options: &DemoOptions,
    ) -> io::Result<()> {
        let folder = site.folder().display();
        let fate = if site.stays() { "stays" } else { "removed at the end; --keep DIR keeps it" };
        let out = &mut *self.out;
        let (plan, name) = (site.plan(), &site.description().network.name);
        let (nodes, components) = (plan.nodes.len(), plan.components.len());
        writeln!(
            out,
            "A QKD network and its manager, all on this machine: {name}, {nodes} nodes, {components} components.\n"
        )?;
        writeln!(out, "  folder   {folder} ({fate})")?;
        writeln!(out, "  log      {}", site.log_file().display())?;
        writeln!(out, "  look     http://{api}/ in a browser")?;
        writeln!(out, "  API      http://{api}/api/v1/health")?;
        writeln!(out, "  seed     {}\n", options.seed)?;
        writeln!(out, "Look around from another terminal:\n")?;
        for command in [
            "component list",
            "component show mk/arlon-km",
            "alarm list",
            "topology list",
            "policy list",
            "event follow",
        ] {
            writeln!(out, "  qkdnm --api http://{api} {command}")?;
        }
        writeln!(out, "\nDisturb it yourself:\n")?;
        for line in ["help", "list links", "cut fibre leuven-hasselt for 30s"] {
            writeln!(out, "  qkdnm simulate --control {control} --tell \"{line}\"")?;
        }
        if options.length.is_none() {
            writeln!(out, "\nCtrl-C ends the demo.")?;
        }
        writeln!(out)?;
        out.flush()
    }

    pub(super) fn told(&mut self, elapsed: Duration, told: &Told) -> io::Result<()> {
        match told {
            Told::Happens(text, "") => self.line(elapsed, "", text),
            Told::Happens(text, line) => {
                self.line(elapsed, "", text)?;
                writeln!(self.out, "{:8}> {line}", "")?;
                self.out.flush()
            }
            Told::Noticed(text) => self.line(elapsed, "  ok", text),
            Told::Missed(text) => self.line(elapsed, "  MISSED", text),
            Told::Pause(text) => self.line(elapsed, "", text),
        }
    }

    pub(super) fn change(&mut self, elapsed: Duration, change: &Change) -> io::Result<()> {
        let (word, alarm) = match change {
            Change::Raised(alarm) => ("  ALARM", alarm),
            Change::Changed(alarm) => ("  alarm", alarm),
            Change::Cleared(alarm) => ("  cleared", alarm),
        };
        let key = &alarm.key;
        let part = if key.resource.is_empty() { String::new() } else { format!(" ({})", key.resource) };
        let what = format!("{}{part}, {}", key.component, key.alarm_type_id);
        if matches!(change, Change::Cleared(_)) {
            let by = alarm.raised_by.strip_prefix("policy:").map(|name| format!(" ({name})")).unwrap_or_default();
            return self.line(elapsed, word, &format!("{what}{by}"));
        }
        self.line(elapsed, word, &format!("{what} ({}): {}", alarm.report.severity, alarm.report.text))?;
        writeln!(self.out, "{:10}why  {}", "", self.policies.reason(alarm))?;
        self.out.flush()
    }

    fn line(&mut self, elapsed: Duration, mark: &str, text: &str) -> io::Result<()> {
        let seconds = elapsed.as_secs();
        let gap = if mark.is_empty() { "" } else { "  " };
        writeln!(self.out, "{:>3}:{:02}  {mark}{gap}{text}", seconds / 60, seconds % 60)?;
        self.out.flush()
    }

    pub(super) fn ending(&mut self, outcome: &Outcome, site: &Site) -> io::Result<()> {
        let Outcome { totals, raised, cleared, missed } = outcome;
        let Totals { sent, acknowledged, refused, notifications, requests, .. } = totals;
        let out = &mut *self.out;
        writeln!(out, "\n  reports  {sent} sent, {acknowledged} acknowledged, {refused} refused")?;
        writeln!(
            out,
            "  of them  {notifications} notifications of subscriptions; {requests} requests answered beside"
        )?;
        writeln!(out, "  alarms   {raised} raised, {cleared} cleared")?;
        if outcome.is_good() {
            writeln!(out, "\nEverything went as it should.")?;
        } else {
            writeln!(out, "\nThis did not go as it should:")?;
            for text in missed {
                writeln!(out, "  - {text}")?;
            }
            if *refused > 0 {
                writeln!(out, "  - {refused} reports were refused")?;
            }
        }
        if !outcome.is_good() {
            writeln!(out, "\nLog and data are left in {} for a look.", site.folder().display())?;
        }
        if site.stays() {
            writeln!(out, "\nRun the manager again with `qkdnm run {}`.", site.config_file().display())?;
        }
        out.flush()
    }
}
