//! Every bound of the manager that is not a key of `manager.toml`, its value and its reason. Bounds that are keys have
//! their defaults here too, under the key's name.

use std::time::Duration;

/// Reports in one call of a plugin and one journal record: 64 is 30 % above the asymptote of the cost of a call.
pub const BATCH_REPORTS: usize = 64;
/// Samples in one call of a plugin.
pub const BATCH_SAMPLES: usize = 8_192;
/// Values in one report (PROTOCOL section 2).
pub const REPORT_VALUES: usize = 4_096;
/// Nesting of JSON (PROTOCOL section 2).
pub const JSON_DEPTH: usize = 64;
/// Most Unicode scalar values in a `messageId` (PROTOCOL section 3).
pub const MESSAGE_ID_CHARS: usize = 64;
/// Malformed lines in a row before a connection is closed (PROTOCOL section 3).
pub const MALFORMED_IN_A_ROW: u32 = 16;
/// Greatest `sequence` and `incarnation` (PROTOCOL section 3): the integers that every JSON reader has exactly.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;
/// Sequence numbers below the highest accepted that may still arrive (PROTOCOL section 3).
pub const SEQUENCE_WINDOW: u64 = 1_024;
/// How long a connection that is being closed may take to read its last answers (PROTOCOL section 3).
pub const CLOSE_DRAIN: Duration = Duration::from_secs(2);
/// A write buffer that stays full this long closes the connection: the peer has stopped reading.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// What is read from one connection before others have their turn.
pub const READ_TURN_BYTES: usize = 64 * 1024;
/// Room that a connection keeps for an unfinished line after one that needed more.
pub const CARRY_KEPT_BYTES: usize = 8 * 1024;
/// Answers waiting to be written on one connection; beyond it the connection is not read.
pub const WRITE_BUFFER_BYTES: usize = 256 * 1024;
/// Messages waiting for a shard: one is what a turn of a connection brought. A full mailbox answers `overloaded`.
pub const SHARD_MAILBOX: usize = 1_024;
/// Batches waiting for the journal's next commit, all shards together.
pub const JOURNAL_QUEUE: usize = 256;
/// Wait told to a sender that met a full queue.
pub const RETRY_OVERLOADED_MS: u32 = 250;
/// Wait told to a sender while storage cannot commit.
pub const RETRY_UNAVAILABLE_MS: u32 = 1_000;
/// Different resource names one component may bring, for good.
pub const RESOURCES_PER_COMPONENT: usize = 1_024;
/// Characters of a resource name.
pub const RESOURCE_CHARS: usize = 256;
/// Status changes kept with an alarm (RFC 8632's default of max-alarm-status-changes), and operator actions.
pub const ALARM_STATUS_CHANGES: usize = 32;
/// Alarms of one component at a time, raised or not; beyond it new ones are counted and dropped.
pub const ALARMS_PER_COMPONENT: usize = 1_024;
/// How far a source time may lie back before the time of receipt replaces it (PROTOCOL section 3).
pub const SOURCE_TIME_PAST: Duration = Duration::from_secs(24 * 3600);
/// How far a source time may lie ahead.
pub const SOURCE_TIME_FUTURE: Duration = Duration::from_secs(5 * 60);
/// Repeated refusals of one identity coalesce into one audit entry and one alarm in this time.
pub const REFUSAL_WINDOW: Duration = Duration::from_secs(60);
/// Identities whose refusals are told apart at a time; the rest share one entry.
pub const REFUSAL_IDENTITIES: usize = 1_024;
/// Least time between two status report requests that policies cause at one component.
pub const POLICY_REQUEST_INTERVAL: Duration = Duration::from_secs(10);
/// First wait before a refused or lost dialled connection is tried again; doubles up to [`DIAL_BACKOFF_MAX`], each
/// with a random part.
pub const DIAL_BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Longest wait between two attempts to dial a component.
pub const DIAL_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How often due timers of policies are looked for.
pub const TICK: Duration = Duration::from_secs(1);
/// How often changed state goes to the state database.
pub const STATE_FLUSH: Duration = Duration::from_secs(1);
/// Bytes that a plugin's answer may take in one call.
pub const PLUGIN_ANSWER_BYTES: usize = 1 << 20;
/// Widest state of a policy's subject, in `f64` values.
pub const POLICY_STATE_WIDTH: u32 = 64;
/// Alarms, timers and requests that one call of a policy may answer with.
pub const VERDICTS_PER_CALL: usize = 1_024;
/// Reports kept in quarantine; the oldest goes.
pub const QUARANTINE_ENTRIES: usize = 1_000;
/// Bytes of a quarantined report's text.
pub const QUARANTINE_TEXT_BYTES: usize = 16 * 1024;
/// Items on a page of the API unless asked otherwise, and at most.
pub const API_PAGE: usize = 100;
/// Most items on a page of the API.
pub const API_PAGE_MAX: usize = 1_000;
/// Bytes of a request body at the API.
pub const API_BODY_BYTES: usize = 64 * 1024;
/// Size of a journal segment file, allocated ahead.
pub const JOURNAL_SEGMENT_BYTES: u64 = 64 << 20;
