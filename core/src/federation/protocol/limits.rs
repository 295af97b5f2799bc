//! Every bound and time of the protocol, with its default and reason.

/// Bounds and times. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A manifest is signed anew at least this often, so that silence means something.
    pub refresh: u64,
    /// How long a document may be thought of as fresh: three refreshes, so that one may be lost.
    pub valid_for: u64,
    /// Longest validity taken of another's manifest: what is silent for a day is not shown any more, so nothing that is silent is
    /// to be called fresh for longer.
    pub longest_valid_for: u64,
    /// Changes of a slot beyond the burst wait for a token of this interval.
    pub min_interval: u64,
    /// Changes of a slot that may come at once.
    pub burst: u32,
    /// What a session has heard nothing from us for this long, it hears an echo.
    pub heartbeat: u64,
    /// A session without anything for this long is dead.
    pub dead: u64,
    /// Between two comparisons with a neighbour drawn at random.
    pub repair: u64,
    /// Announcements wait this long for others to go with them.
    pub announce: u64,
    /// A want without an answer for this long goes to another neighbour.
    pub want: u64,
    /// First wait before dialling again.
    pub redial: u64,
    /// Longest wait before dialling again; absent: by the number of neighbours.
    pub redial_cap: Option<u64>,
    /// A session that lived this long lets its neighbour's wait begin from the first again.
    pub settled: u64,
    /// Reports without answer on a session.
    pub window: usize,
    /// Bytes composed into one report, about: well below a line's limit.
    pub report_bytes: usize,
    /// Items taken from one report.
    pub items: usize,
    /// Sections of a document.
    pub sections: usize,
    /// Bytes of a section.
    pub section_bytes: usize,
    /// Bytes of all sections of a document.
    pub document_bytes: usize,
    /// Tokens of a (slot, neighbour), one more each second.
    pub bucket: u32,
    /// Bad items in a minute after which a neighbour relays nothing for a while.
    pub bad_items: u32,
    /// For how long.
    pub quarantine: u64,
    /// Most hops.
    pub hops: u32,
    /// A tick that comes later than this shows that it is we who were held up.
    pub late_tick: u64,
    /// How long we take ourselves to be cut off at least: what was held up meanwhile arrives first, and so is no fault of others.
    pub isolation: u64,
    /// How long what nothing newer came of stays visible.
    pub keep_stale: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            refresh: 15_000,
            valid_for: 45_000,
            longest_valid_for: 86_400_000,
            min_interval: 1_000,
            burst: 5,
            heartbeat: 5_000,
            dead: 15_000,
            repair: 5_000,
            announce: 300,
            want: 2_000,
            redial: 500,
            redial_cap: None,
            settled: 60_000,
            window: 4,
            report_bytes: 256 * 1024,
            items: 1_024,
            sections: 16,
            section_bytes: 64 * 1024,
            document_bytes: 192 * 1024,
            bucket: 16,
            bad_items: 16,
            quarantine: 300_000,
            hops: 16,
            late_tick: 1_000,
            isolation: 5_000,
            keep_stale: 86_400_000,
        }
    }
}

impl Settings {
    /// Longest wait before dialling again, for a number of neighbours: few dial often, many must not storm.
    #[must_use]
    pub fn longest_redial(&self, neighbours: usize) -> u64 {
        self.redial_cap.unwrap_or(match neighbours {
            0..=10 => 1_000,
            11..=100 => 5_000,
            _ => 30_000,
        })
    }
}
