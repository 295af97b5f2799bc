//! Every bound of the manager that is not a key of `manager.toml`, its value and its reason. Bounds that are keys have
//! their defaults here too, under the key's name.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

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
/// Batches that a shard hands to the journal together; between two such groups the connections of its thread have their turns.
pub const SEALED_GROUP: usize = 16;
/// Bytes of sealed batches that are handed in without waiting for a whole group.
pub const SEALED_GROUP_BYTES: usize = 1 << 20;
/// Groups of batches waiting for the journal's next commit, all shards together.
pub const JOURNAL_QUEUE: usize = 64;
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
/// Characters of an alarm's text, of each of its repair actions, and of an operator's comment; what is reported beyond
/// it is cut.
pub const ALARM_TEXT_CHARS: usize = 1_024;
/// Alarms of the manager's own that wait because their shard is full.
pub const ALARMS_LATE: usize = 1_024;
/// Repair actions kept with an alarm.
pub const ALARM_REPAIR_ACTIONS: usize = 16;
/// Alarms of the manager's own that wait in a shard to be taken again, while storage cannot commit.
pub const ALARMS_UNSTORED: usize = 1_024;
/// Alarms of one component at a time, raised or not; beyond it new ones are counted and dropped.
pub const ALARMS_PER_COMPONENT: usize = 1_024;
/// How far a source time may lie back before the time of receipt replaces it (PROTOCOL section 3).
pub const SOURCE_TIME_PAST: Duration = Duration::from_secs(24 * 3600);
/// How far a source time may lie ahead.
pub const SOURCE_TIME_FUTURE: Duration = Duration::from_secs(5 * 60);
/// Words of a component's reports that the catalogue does not have and that are kept to be shown.
pub const UNKNOWN_WORDS: usize = 8;
/// Repeated refusals of one identity for one cause coalesce into one audit entry in this time.
pub const REFUSAL_WINDOW: Duration = Duration::from_secs(60);
/// Identities and causes of refusals that are told apart at a time, of peers that have proved who they are, and as many of
/// those that have not; the rest of each share one entry.
pub const REFUSAL_IDENTITIES: usize = 1_024;
/// Least time between two status report requests that policies cause at one component.
pub const POLICY_REQUEST_INTERVAL: Duration = Duration::from_secs(10);
/// Characters of a `subscriptionId` that the manager takes; a longer one counts as none.
pub const SUBSCRIPTION_ID_CHARS: usize = 256;
/// Events that a component did not grant, of those that are kept to be shown; and gaps told in one answer.
pub const FAILED_EVENTS: usize = 16;
/// Characters of each of them.
pub const FAILED_EVENT_CHARS: usize = 256;
/// Objects of type `notification` or `gap` that are looked at in one report.
pub const NOTICES_PER_REPORT: usize = 8;
/// Bytes of one of them; a longer one is not looked at.
pub const NOTICE_BYTES: usize = 4 * 1024;
/// Notifications that may come before the answer that grants their subscription was taken; of one component.
pub const EARLY_NOTICES: usize = 64;
/// First wait before a component is asked again that did not grant a subscription for the moment; doubles up to
/// [`SUBSCRIBE_RETRY_MAX`], each with a random part.
pub const SUBSCRIBE_RETRY_MIN: Duration = Duration::from_secs(1);
/// Longest such wait.
pub const SUBSCRIBE_RETRY_MAX: Duration = Duration::from_secs(300);
/// A component that leaves so many `subscribe` messages in a row unanswered counts as one that serves no subscriptions.
pub const SUBSCRIBE_SILENCES: u32 = 2;
/// Least time between two status report requests of the schedule at one component.
pub const POLL_LEAST: Duration = Duration::from_millis(500);
/// First wait before a refused or lost dialled connection is tried again; doubles up to [`DIAL_BACKOFF_MAX`], each
/// with a random part.
pub const DIAL_BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Longest wait between two attempts to dial a component.
pub const DIAL_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How often due timers of policies are looked for.
pub const TICK: Duration = Duration::from_secs(1);
/// How often changed state goes to the state database.
pub const STATE_FLUSH: Duration = Duration::from_secs(1);
/// `plugins.answer_size`: bytes that a plugin's answer may take in one call.
pub const PLUGIN_ANSWER_BYTES: usize = 1 << 20;
/// Bytes of a plugin file: Python and JavaScript guests take up to 20 MiB.
pub const PLUGIN_FILE_BYTES: u64 = 64 << 20;
/// Bytes of the file with a plugin's signature: one of ML-DSA-65 takes 4.6 kB.
pub const PLUGIN_SIGNATURE_BYTES: u64 = 8 << 10;
/// Bytes of a file with a signing key, private or public.
pub const SIGNING_KEY_BYTES: u64 = 64 << 10;
/// Compiled plugins, and copies of native ones, kept in `plugins.cache_dir`; the oldest of each goes.
pub const PLUGIN_CACHE_FILES: usize = 128;
/// Core instances in one plugin instance: a Rust guest has three, a Python guest some twenty.
pub const PLUGIN_CORE_INSTANCES: usize = 50;
/// Linear memories in one plugin instance; `plugins.memory` bounds their sum.
pub const PLUGIN_MEMORIES: usize = 4;
/// Tables in one plugin instance.
pub const PLUGIN_TABLES: usize = 20;
/// Subjects of a policy whose state is migrated in one call.
pub const MIGRATION_SUBJECTS: usize = 1_024;
/// `plugins.table_elements`: elements of all tables of one plugin instance together.
pub const PLUGIN_TABLE_ELEMENTS: usize = 100_000;
/// How often the clock ticks by which a plugin's CPU time is looked at; a call may overrun by two ticks.
pub const PLUGIN_EPOCH: Duration = Duration::from_millis(10);
/// Bytes of one line in a plugin's log.
pub const PLUGIN_LOG_LINE_BYTES: usize = 2 * 1024;
/// Lines of one plugin (log, refusals, failed calls) that are kept for `qkdnm plugin log`; the oldest goes.
pub const PLUGIN_LOG_KEPT_LINES: usize = 1_000;
/// Bytes of these lines.
pub const PLUGIN_LOG_KEPT_BYTES: usize = 256 << 10;
/// How many of them are kept of a second; the rest is counted.
pub const PLUGIN_LOG_KEPT_PER_SECOND: u32 = 50;
/// Lines of level `error` that are kept for the report of a failed call.
pub const PLUGIN_ERROR_LINES: usize = 4;
/// Bytes of the trace of a failed call.
pub const PLUGIN_TRACE_BYTES: usize = 8 * 1024;
/// Bytes of a text for people in an answer: an alarm's text, a refusal's reason, a repair action.
pub const PLUGIN_TEXT_BYTES: usize = 4 * 1024;
/// Bytes of an identifier in an answer: alarm type, qualifier, event type, probable cause.
pub const PLUGIN_IDENTIFIER_BYTES: usize = 256;
/// Repair actions of one alarm.
pub const PLUGIN_REPAIR_ACTIONS: usize = 16;
/// Batches that a follower of the feed may be behind before it reads the journal's files.
pub const FEED_QUEUE: usize = 512;
/// How often history is written.
pub const HISTORY_FLUSH: Duration = Duration::from_secs(1);
/// Samples of a chunk.
pub const HISTORY_CHUNK_SAMPLES: usize = 4_096;
/// Longest span of a chunk of samples, milliseconds.
pub const HISTORY_CHUNK_MS: i64 = 3_600_000;
/// Rollups of a chunk.
pub const HISTORY_CHUNK_ROLLUPS: usize = 240;
/// Finished chunks after which history is written at once.
pub const HISTORY_FINISHED_CHUNKS: usize = 4_096;
/// Chunks that wait while history cannot be written; the oldest go.
pub const HISTORY_WAITING_CHUNKS: usize = 65_536;
/// Series of values that history is kept of.
pub const HISTORY_SERIES: usize = 2_000_000;
/// How long samples are kept, unless configured.
pub const HISTORY_RAW: Duration = Duration::from_secs(7 * 86_400);
/// How long minutes are kept.
pub const HISTORY_MINUTE: Duration = Duration::from_secs(30 * 86_400);
/// How long hours are kept.
pub const HISTORY_HOUR: Duration = Duration::from_secs(730 * 86_400);
/// Points of history in one answer.
pub const HISTORY_POINTS: usize = 10_000;
/// Entries of inventory and topology known of one component.
pub const NETWORK_ENTRIES_PER_COMPONENT: usize = 16_384;
/// Changes of inventory and topology kept, the newest.
pub const NETWORK_CHANGES: u64 = 1_000_000;
/// Days within which a `usageId` counts once (status protocol, section 4).
pub const USAGE_DAYS: i64 = 35;
/// Intervals of usage of one component within that time.
pub const USAGE_INTERVALS_PER_COMPONENT: usize = 200_000;
/// Days that counted usage is kept for the books.
pub const USAGE_KEPT_DAYS: i64 = 800;
/// Bytes of a file that `config_files` of a plugin names.
pub const PLUGIN_CONFIG_FILE_BYTES: u64 = 16 << 20;
/// Bytes that an exchange policy remembers from call to call, for each audience.
pub const EXCHANGE_MEMORY_BYTES: usize = 256 << 10;
/// Bytes of the file of an exchange policy.
pub const EXCHANGE_FILE_BYTES: u64 = 1 << 20;
/// Exchange policies in one list.
pub const EXCHANGE_POLICIES: usize = 16;
/// How long what import policies made of a document is shown before they are asked again.
pub const IMPORT_LOOK: Duration = Duration::from_secs(1);
/// Facts given as evidence of one alarm.
pub const PLUGIN_EVIDENCE: usize = 32;
/// Problems of one configuration that are shown.
pub const PLUGIN_CONFIGURATION_PROBLEMS: usize = 100;
/// Names in each list of a plugin's needs.
pub const PLUGIN_NEEDS: usize = 4_096;
/// Widest state of a policy's subject, in `f64` values.
pub const POLICY_STATE_WIDTH: u32 = 64;
/// Alarms, timers and requests that one call of a policy may answer with.
pub const VERDICTS_PER_CALL: usize = 1_024;
/// Reports kept in quarantine; the oldest goes.
pub const QUARANTINE_ENTRIES: usize = 1_000;
/// Bytes of a quarantined report's text.
pub const QUARANTINE_TEXT_BYTES: usize = 16 * 1024;
/// Components that wait for approval at a time (`enrolment = "approve"`). At the limit one that is not connected gives way,
/// the one gone longest; where all are connected, a further one is refused.
pub const ENROLMENT_WAITING: usize = 256;
/// Alarms about components that wait for approval, raised at a time; those that wait longest have one.
pub const ENROLMENT_ALARMS: usize = 32;
/// A component that waits for approval and has not been connected for so long is forgotten.
pub const ENROLMENT_ABSENCE: Duration = Duration::from_secs(7 * 86_400);
/// Components that began to wait since the last look and are named in the audit trail one by one; of further ones only the
/// number is told.
pub const ENROLMENT_AUDITED: usize = 20;
/// Decisions of operators about components that are kept; at the limit only those that are there can be changed.
pub const ENROLMENT_DECISIONS: usize = 100_000;
/// Characters of the note of such a decision.
pub const ENROLMENT_NOTE_CHARS: usize = 1_000;
/// How often the files of the configuration are looked at. A change is taken over once two looks in a row see the same.
pub const RELOAD_LOOK: Duration = Duration::from_secs(1);
/// How long a reload waits for the shards to take it over and have it in the journal; the next reload has to wait longer.
pub const RELOAD_PATIENCE: Duration = Duration::from_secs(10);
/// Files in `conf.d`.
pub const CONFIGURATION_FILES: usize = 1_000;
/// Items on a page of the API unless asked otherwise, and at most.
pub const API_PAGE: usize = 100;
/// Most items on a page of the API.
pub const API_PAGE_MAX: usize = 1_000;
/// Bytes of the text of a plugin's last failure, as the API shows it.
pub const PLUGIN_FAILURE_BYTES: usize = 512;
/// Values whose history one request may ask for.
pub const API_HISTORIES: usize = 16;
/// Bytes of a request body at the API.
pub const API_BODY_BYTES: usize = 64 * 1024;
/// Bytes of the target and headers of a request at the API, together.
pub const API_HEADER_BYTES: usize = 16 * 1024;
/// Connections of the API at a time; further ones wait in the system's queue.
pub const API_CONNECTIONS: usize = 256;
/// A request at the API is given up after this. Longer than any sensible `request_timeout` of an interface, which a
/// status report request waits for.
pub const API_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection of the API on which nothing moved for so long is closed; longer than [`API_REQUEST_TIMEOUT`].
pub const API_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Listeners that follow events at a time; each takes one of [`API_CONNECTIONS`].
pub const API_LISTENERS: usize = 192;
/// A listener that nothing happens for is sent a comment this often, so that both sides know of each other.
pub const API_EVENTS_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a listener is to wait before it connects again.
pub const API_EVENTS_RETRY: Duration = Duration::from_secs(2);
/// Events handed to a listener at once.
pub const EVENTS_AT_ONCE: usize = 64;
/// Events kept for listeners that come back.
pub const EVENT_LOG_EVENTS: usize = 10_000;
/// Bytes of these events.
pub const EVENT_LOG_BYTES: usize = 16 << 20;
/// How often it is told which components reported.
pub const EVENT_COMPONENTS_EVERY: Duration = Duration::from_millis(500);
/// Components named in one such event; of further ones only the number is told.
pub const EVENT_COMPONENTS: usize = 1_000;
/// How long the API waits for open requests when the manager stops.
pub const API_DRAIN: Duration = Duration::from_secs(5);
/// Entries in each list of a status report request's query.
pub const REQUEST_QUERY_ITEMS: usize = 64;
/// Size of a journal segment file, allocated ahead.
pub const JOURNAL_SEGMENT_BYTES: u64 = 64 << 20;
/// Handlers that reports of one component go through one after the other (`handlers.then`).
pub const HANDLER_CHAIN: usize = 4;
/// Failed calls in a row after which a plugin is left alone for a while: its reports are treated as `on_failure` says
/// without calling it, so that a plugin that uses up its CPU time in every call does not hold up its shard.
pub const PLUGIN_FAILURES_IN_A_ROW: u32 = 5;
/// First pause of such a plugin; doubles up to [`PLUGIN_PAUSE_MAX`].
pub const PLUGIN_PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause of a plugin that keeps failing.
pub const PLUGIN_PAUSE_MAX: Duration = Duration::from_secs(60);

/// `manager.data_dir`
pub const DATA_DIR: &str = "data";
/// Greatest `manager.shards`.
pub const MAX_SHARDS: u64 = 256;
/// `log.level`
pub const LOG_LEVEL: &str = "info";
/// `interfaces.*.max_connections`
pub const MAX_CONNECTIONS: usize = 10_000;
/// `interfaces.*.max_connections_per_identity`
pub const MAX_CONNECTIONS_PER_IDENTITY: usize = 4;
/// `interfaces.*.max_line_bytes` (PROTOCOL section 2)
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// `interfaces.*.max_in_flight` (PROTOCOL section 2)
pub const MAX_IN_FLIGHT: usize = 256;
/// `interfaces.*.handshake_timeout`
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// `interfaces.*.idle_timeout`
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// `interfaces.*.request_timeout` (PROTOCOL section 5)
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Folder of compiled plugins inside `manager.data_dir`, unless `plugins.cache_dir` names another.
pub const PLUGIN_CACHE: &str = "plugin-cache";
/// `plugins.cpu_time`
pub const PLUGIN_CPU_TIME: Duration = Duration::from_millis(50);
/// `plugins.wall_time`: far above `plugins.cpu_time`, since a busy machine makes healthy calls slow.
pub const PLUGIN_WALL_TIME: Duration = Duration::from_secs(5);
/// `plugins.memory`
pub const PLUGIN_MEMORY: usize = 32 << 20;
/// `plugins.state_per_component`
pub const PLUGIN_STATE_PER_COMPONENT: usize = 4 << 10;
/// `plugins.log_lines_per_second`
pub const PLUGIN_LOG_LINES_PER_SECOND: u32 = 20;
/// `storage.journal_retention`
pub const JOURNAL_RETENTION: Duration = Duration::from_secs(7 * 86_400);
/// `storage.journal_max_size`
pub const JOURNAL_MAX_SIZE: u64 = 20 << 30;
/// `api.listen`
pub const API_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7100);
/// Characters of the name of a handler, policy or token.
pub const NAME_CHARS: usize = 128;
/// Entries waiting for the writer of the audit trail; beyond it they are lost, counted and told in the trail.
pub const AUDIT_QUEUE: usize = 4_096;
/// Bytes of one audit entry; a longer one is shortened.
pub const AUDIT_ENTRY_BYTES: usize = 16 * 1024;
/// Size at which the audit trail starts a new file.
pub const AUDIT_FILE_BYTES: u64 = 16 << 20;
/// Files of the audit trail, the current one included; the oldest goes.
pub const AUDIT_FILES: usize = 8;
/// A source clock counts as off from here on, milliseconds either way: ten times what networks and queues do to a report.
pub const CLOCK_OFFSET_RAISE_MS: i64 = 30_000;
/// And as right again below this.
pub const CLOCK_OFFSET_CLEAR_MS: i64 = 10_000;
/// Reports in a row that have to say the same.
pub const CLOCK_OFFSET_REPORTS: u32 = 10;
/// Elements of a list in an event of a subscription.
pub const SUBSCRIPTION_LIST_ITEMS: usize = 256;
/// Characters of a text in a subscription: a name, a resource, an ID.
pub const SUBSCRIPTION_TEXT_CHARS: usize = 512;
/// Events of one subscription.
pub const SUBSCRIPTION_EVENTS: usize = 64;
/// Subscriptions of one subscriber at the manager.
pub const SUBSCRIPTIONS_PER_SUBSCRIBER: usize = 32;
/// Subscriptions at the manager, all subscribers together.
pub const SUBSCRIPTIONS: usize = 1_024;
/// Least `repetitionPeriodMs` and, where it is not 0, `dampeningPeriodMs` that is granted; a lower wish is raised.
pub const SUBSCRIPTION_PERIOD_MS: u64 = 100;
/// Thresholds of one subscription; more are not granted.
pub const SUBSCRIPTION_THRESHOLDS: usize = 64;
/// Series of one subscription whose last told value is remembered; further ones are told as they come.
pub const SUBSCRIPTION_SERIES: usize = 16_384;
/// Notifications of one subscription that wait for their subscriber; beyond it the oldest are lost and told as a gap.
pub const SUBSCRIPTION_BACKLOG: usize = 1_024;
/// And their bytes.
pub const SUBSCRIPTION_BACKLOG_BYTES: usize = 8 << 20;
/// Notifications of one subscription sent and not answered.
pub const SUBSCRIPTION_WINDOW: usize = 16;
/// Wait before a notification is sent again that the subscriber answered with a failure.
pub const SUBSCRIPTION_RETRY_MS: i64 = 1_000;
/// Commits and wishes that wait for the subscriptions' thread; beyond it wishes are answered `overloaded`, and commits are
/// read from the journal.
pub const SUBSCRIPTION_QUEUE: usize = 4_096;
/// A durable subscription whose subscriber has been away this long ends.
pub const SUBSCRIPTION_ABSENCE_MS: i64 = 7 * 86_400_000;
/// Bytes of notifications waiting to be written on one connection.
pub const SUBSCRIPTION_OUTLET_BYTES: usize = 256 * 1024;
/// Exporters of alarms.
pub const EXPORTERS: usize = 64;
/// `exporters.timeout`
pub const EXPORTER_TIMEOUT: Duration = Duration::from_secs(10);
/// `exporters.retry_min`
pub const EXPORTER_RETRY_MIN: Duration = Duration::from_secs(1);
/// `exporters.retry_max`
pub const EXPORTER_RETRY_MAX: Duration = Duration::from_secs(300);
/// Longest wait that a target's `Retry-After` is followed.
pub const EXPORTER_RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// `exporters.batch_size` of an Alertmanager.
pub const EXPORTER_BATCH_ALERTMANAGER: usize = 64;
/// `exporters.batch_size` of a webhook: one event in a request, as receivers know it.
pub const EXPORTER_BATCH_WEBHOOK: usize = 1;
/// Greatest `exporters.batch_size`.
pub const EXPORTER_BATCH_MAX: usize = 1_000;
/// `exporters.outbox`
pub const EXPORTER_OUTBOX: usize = 10_000;
/// Greatest `exporters.outbox`.
pub const EXPORTER_OUTBOX_MAX: usize = 1_000_000;
/// `exporters.refused_after`
pub const EXPORTER_REFUSED_AFTER: u32 = 5;
/// `exporters.unreachable_after`
pub const EXPORTER_UNREACHABLE_AFTER: Duration = Duration::from_secs(300);
/// `exporters.resend_interval`
pub const EXPORTER_RESEND_INTERVAL: Duration = Duration::from_secs(60);
/// An alert is over by itself when it was not sent again for so many times `exporters.resend_interval`.
pub const EXPORTER_RESENDS_MISSED: u32 = 4;
/// Parked events of one exporter; beyond it the oldest is given up, counted and logged.
pub const EXPORTER_PARKED: usize = 1_000;
/// Parked events shown in one answer of the API.
pub const EXPORTER_PARKED_SHOWN: usize = 100;
/// Bytes of a target's answer that are read; what it says beyond is not looked at.
pub const EXPORTER_ANSWER_BYTES: usize = 8 * 1024;
/// Characters of a target's answer that are kept to be shown.
pub const EXPORTER_ERROR_CHARS: usize = 256;
/// Bytes of a secret.
pub const EXPORTER_SECRET_BYTES: u64 = 4 * 1024;
/// Batches of the journal whose events go into the outbox in one transaction.
pub const EXPORTER_BATCHES_AT_ONCE: usize = 256;
/// How long a request under way may take to be answered when exporters stop.
pub const EXPORTER_STOP: Duration = Duration::from_secs(2);

/// Collectors.
pub const COLLECTORS: usize = 256;
/// Components of one collector.
pub const COLLECTOR_COMPONENTS: usize = 64;
/// Hosts that one collector may be granted.
pub const COLLECTOR_HOSTS: usize = 16;
/// `collectors.interval`
pub const COLLECTOR_INTERVAL: Duration = Duration::from_secs(30);
/// `collectors.timeout`
pub const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);
/// `collectors.retry_max`, unless `interval` is longer.
pub const COLLECTOR_RETRY_MAX: Duration = Duration::from_secs(300);
/// A collection that is not over by then has failed.
pub const COLLECTOR_COLLECTION: Duration = Duration::from_secs(60);
/// Collections under way at once, all collectors together; the others wait for their turn.
pub const COLLECTIONS_AT_ONCE: usize = 32;
/// Calls of a collector in one collection.
pub const COLLECTOR_ROUNDS: u32 = 8;
/// Requests of one collection; further ones are refused.
pub const COLLECTOR_REQUESTS: usize = 64;
/// Reports of one collection; further ones are dropped, and the collection has failed.
pub const COLLECTOR_REPORTS: usize = 64;
/// Bytes that a collector may leave for its next call.
pub const COLLECTOR_MEMORY_BYTES: usize = 64 * 1024;
/// Bytes of the path of a collector's request.
pub const COLLECTOR_PATH_BYTES: usize = 2 * 1024;
/// Bytes of the body of an answer that a collector gets; a longer one is none.
pub const COLLECTOR_ANSWER_BYTES: usize = 1024 * 1024;
/// Bytes of the head of such an answer, and its headers.
pub const COLLECTOR_HEAD_BYTES: usize = 16 * 1024;
/// See [`COLLECTOR_HEAD_BYTES`].
pub const COLLECTOR_HEADERS: usize = 64;
/// Bytes between a collector and the interface that it reports to.
pub const COLLECTOR_PIPE_BYTES: usize = 64 * 1024;
/// How long a collector waits for the manager to answer a report.
pub const COLLECTOR_ANSWER_WAIT: Duration = Duration::from_secs(30);

/// `federation.refresh`
pub const FEDERATION_REFRESH: Duration = Duration::from_secs(15);
/// Messages of peers waiting for the federation's thread; beyond it a report of a peer is answered `overloaded`.
pub const FEDERATION_MAILBOX: usize = 4_096;
/// How often time passes for the federation's protocol.
pub const FEDERATION_TICK: Duration = Duration::from_millis(100);
/// How often it is looked at least what the domain has to say to its peers; changes of alarms are looked at at once.
pub const FEDERATION_LOOK: Duration = Duration::from_millis(500);
/// A service that has missed what was agreed for so long, without meeting it in between, has an alarm.
pub const SERVICE_MISSED_AFTER: Duration = Duration::from_secs(5);
/// One that has met it again for so long, without missing it in between, has none any more.
pub const SERVICE_MET_AFTER: Duration = Duration::from_secs(10);
/// How often what was seen of services is stored: a process that is killed forgets so much at most.
pub const SERVICE_STORED_EVERY: Duration = Duration::from_secs(60);
/// `federation.services.window`
pub const SERVICE_WINDOW: Duration = Duration::from_secs(86_400);
/// How often usage is read for settlements at most; and never so often that reading takes more than a twentieth of the time.
pub const SETTLEMENT_READ: Duration = Duration::from_secs(10);
/// Disclosures to peers that are kept.
pub const DISCLOSURES_KEPT: u32 = 100_000;

/// Requests to a peer, and of a peer, that are open at a time, each; beyond it an own one is not taken, and a peer's is refused
/// as `too-many`.
pub const REQUESTS_OPEN: usize = 16;
/// Requests to a peer, and of a peer, that are kept, each; the oldest that is settled goes, maintenance that is still
/// ahead last.
pub const REQUESTS_KEPT: usize = 256;
/// New requests of a peer that are taken at once, and how often one more is; beyond it they are refused as `too-often`.
pub const REQUESTS_BURST: u32 = 16;
/// See [`REQUESTS_BURST`].
pub const REQUESTS_EVERY: Duration = Duration::from_secs(10);
/// Refused requests of a peer that are remembered, so that copies under way are refused alike.
pub const REQUESTS_REFUSED: usize = 64;
/// Requests and outcomes in one report of a peer; a report with more is refused.
pub const REQUESTS_A_REPORT: usize = 16;
/// Longest time that a request waits for a decision.
pub const REQUEST_LIFETIME_MAX: Duration = Duration::from_secs(31 * 86_400);
/// How long the hand-over of an incident waits for a decision unless it says otherwise; other kinds wait until what they ask
/// for is over.
pub const INCIDENT_LIFETIME: Duration = Duration::from_secs(86_400);
/// Links that one request names.
pub const REQUEST_LINKS: usize = 16;
/// How far ahead maintenance is announced.
pub const MAINTENANCE_AHEAD: Duration = Duration::from_secs(366 * 86_400);
/// Longest maintenance.
pub const MAINTENANCE_LENGTH: Duration = Duration::from_secs(31 * 86_400);
/// Longest time that priority is asked for.
pub const PRIORITY_LENGTH: Duration = Duration::from_secs(7 * 86_400);
/// How often a request is sent again that the peer has not said to have.
pub const REQUEST_REPEAT: Duration = Duration::from_secs(10);
/// How often a request is sent again of which the peer has said no more than that it has it.
pub const REQUEST_REPEAT_PENDING: Duration = Duration::from_secs(60);
/// How long after a request has expired the peer is still asked what became of it.
pub const REQUEST_ASKED_AFTER: Duration = Duration::from_secs(7 * 86_400);
/// How long to wait after requests could not be stored before it is tried again by itself.
pub const REQUEST_STORE_RETRY: Duration = Duration::from_secs(5);
