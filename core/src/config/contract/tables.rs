//! Tables that stand once: `[manager]`, `[log]`, `[tls]`, `[interfaces.*]`, `[plugins]`, `[storage]`, `[api]`.

use super::{
    Absent::{Default, Means, Required},
    Key,
    Kind::{Address, Addresses, Duration, Flag, Path, Paths, Size, Table, Tables, Text, Texts, Time, Whole, Word},
    SECOND, TableSpec, YEAR, key, lists,
};

/// The whole.
pub static TOP: TableSpec = TableSpec {
    name: "",
    about: "Configuration of a QKDN manager.",
    keys: &[
        key("manager", Table(&MANAGER), Required, MANAGER.about),
        key("log", Table(&LOG), Means("text, level info"), LOG.about),
        key("tls", Table(&TLS), Means("each interface brings its own"), TLS.about),
        key("interfaces", Table(&INTERFACES), Means("nothing is listened on"), INTERFACES.about),
        key("components", Tables(&lists::COMPONENT), Means("none is listed"), lists::COMPONENT.about),
        key("handlers", Tables(&lists::HANDLER), Means("the standard handlers"), lists::HANDLER.about),
        key("policies", Tables(&lists::POLICY), Means("no policy"), lists::POLICY.about),
        key("collectors", Tables(&lists::COLLECTOR), Means("none"), lists::COLLECTOR.about),
        key("subscriptions", Tables(&lists::SUBSCRIPTION), Means("none"), lists::SUBSCRIPTION.about),
        key("exporters", Tables(&lists::EXPORTER), Means("none"), lists::EXPORTER.about),
        key("federation", Table(&lists::FEDERATION), Means("no federation"), lists::FEDERATION.about),
        key("peers", Tables(&lists::PEER), Means("none"), lists::PEER.about),
        key("plugins", Table(&PLUGINS), Means("its defaults"), PLUGINS.about),
        key("storage", Table(&STORAGE), Means("its defaults"), STORAGE.about),
        key("api", Table(&API), Means("its defaults"), API.about),
    ],
};

static MANAGER: TableSpec = TableSpec {
    name: "manager",
    about: "Who this manager is, where it stores, and who may report to it.",
    keys: &[
        key("id", Text, Required, "Who this manager is on Mx, towards other managers: 1 to 256 characters."),
        key("domain", Text, Required, "The QKD network that it speaks for."),
        key(
            "data_dir",
            Path,
            Default("\"data\""),
            "Folder of journal, state and compiled plugins; locked while the manager runs. Needs a restart.",
        ),
        key(
            "shards",
            Whole(0, 256),
            Default("0"),
            "Threads that handle reports; each component always meets the same one. 0: as many as there are \
             processors. Needs a restart.",
        ),
        key(
            "enrolment",
            Word(&["listed", "certificate", "approve"]),
            Default("\"listed\""),
            "Who may report. listed: only [[components]]; certificate: whoever has a certificate from a trust anchor of \
             the listener; approve: as certificate, but each is held back until it is let in.",
        ),
        key(
            "reload_on_change",
            Flag,
            Default("true"),
            "Whether a change of the files is taken over by itself, whole or not at all. false: only by `qkdnm config \
             reload` or SIGHUP.",
        ),
    ],
};

static LOG: TableSpec = TableSpec {
    name: "log",
    about: "The log, on standard error.",
    keys: &[
        key(
            "format",
            Word(&["text", "json"]),
            Default("\"text\""),
            "text for people, json for log collectors. Needs a restart.",
        ),
        key(
            "level",
            Text,
            Default("\"info\""),
            "error, warn, info, debug or trace; also for one module alone: info,qkdn_manager::net=debug.",
        ),
    ],
};

const CERTIFICATE: Key = key(
    "certificate",
    Path,
    Required,
    "The manager's certificate chain, in PEM. It carries the URI urn:qkdn:mx:<manager id>.",
);
const PRIVATE_KEY: Key = key("private_key", Path, Required, "The key of the certificate, in PEM.");
const TRUST_ANCHORS: Key =
    key("trust_anchors", Paths, Required, "CAs that vouch for components, in PEM; one file or a list.");
const REVOCATION_LISTS: Key = key(
    "revocation_lists",
    Paths,
    Default("[]"),
    "Revocation lists, PEM or DER. A list speaks for its own issuer only.",
);
const KEY_EXCHANGE: Key = key(
    "key_exchange",
    Word(&["hybrid-required", "hybrid-preferred", "classical"]),
    Default("\"hybrid-preferred\""),
    "X25519MLKEM768 alone, X25519MLKEM768 before classical groups, or classical groups alone.",
);
const ALLOW_TLS12: Key = key("allow_tls12", Flag, Default("false"), "For components that cannot do TLS 1.3.");

static TLS: TableSpec = TableSpec {
    name: "tls",
    about: "TLS of all listeners, and of connections that the manager makes itself. `qkdnm pki` makes a small CA and \
            certificates to begin with.",
    keys: &[CERTIFICATE, PRIVATE_KEY, TRUST_ANCHORS, REVOCATION_LISTS, KEY_EXCHANGE, ALLOW_TLS12],
};

const fn as_in_tls(key: &Key) -> Key {
    Key { name: key.name, kind: repeated(&key.kind), absent: Means("as in [tls]"), about: key.about }
}

const fn repeated(kind: &super::Kind) -> super::Kind {
    match kind {
        Path => Path,
        Flag => Flag,
        Word(words) => Word(words),
        _ => Paths,
    }
}

static INTERFACES: TableSpec = TableSpec {
    name: "interfaces",
    about: "One table for each reference point that is listened on; without a table there is no listener.",
    keys: &[
        key("mq", Table(&INTERFACE), Means("no listener"), "QKD modules; port 7101 unless set."),
        key("mops", Table(&INTERFACE), Means("no listener"), "Optical switches and splitters; port 7102 unless set."),
        key("mqrp", Table(&INTERFACE), Means("no listener"), "Quantum relay points; port 7103 unless set."),
        key("mk", Table(&INTERFACE), Means("no listener"), "Key managers; port 7104 unless set."),
        key("mc", Table(&INTERFACE), Means("no listener"), "QKDN controllers; port 7105 unless set."),
        key("mu", Table(&INTERFACE), Means("no listener"), "User network managers; port 7106 unless set."),
        key("mx", Table(&INTERFACE), Means("no listener"), "Managers of other QKD networks; port 7107 unless set."),
    ],
};

/// `[interfaces.*]`, the same for each.
pub(super) static INTERFACE: TableSpec = TableSpec {
    name: "interfaces.*",
    about: "A listener. Any key of [tls] may be set again for it alone.",
    keys: &[
        key(
            "listen",
            Addresses,
            Means("0.0.0.0 and the port of the reference point"),
            "An address with its port, or a list: [\"192.0.2.1:7101\", \"[2001:db8::1]:7101\"].",
        ),
        key("max_connections", Whole(1, 1_000_000), Default("10000"), "Connections at a time."),
        key(
            "max_connections_per_identity",
            Whole(1, 1_000_000),
            Default("4"),
            "Connections of one identity at a time; at most max_connections.",
        ),
        key("max_line_bytes", Whole(1_024, 64 << 20), Default("1048576"), "Longest message, in bytes."),
        key("max_in_flight", Whole(1, 65_536), Default("256"), "Most messages without an answer on one connection."),
        key(
            "handshake_timeout",
            Duration(SECOND / 10, 300 * SECOND),
            Default("\"10s\""),
            "The TLS handshake has to be done by then.",
        ),
        key(
            "idle_timeout",
            Duration(SECOND / 10, YEAR),
            Default("\"10m\""),
            "A connection is closed when nothing was received for so long.",
        ),
        key(
            "request_timeout",
            Duration(SECOND / 100, 3_600 * SECOND),
            Default("\"10s\""),
            "A component has so long to answer a status report request.",
        ),
        as_in_tls(&CERTIFICATE),
        as_in_tls(&PRIVATE_KEY),
        as_in_tls(&TRUST_ANCHORS),
        as_in_tls(&REVOCATION_LISTS),
        as_in_tls(&KEY_EXCHANGE),
        as_in_tls(&ALLOW_TLS12),
    ],
};

static PLUGINS: TableSpec = TableSpec {
    name: "plugins",
    about: "What a plugin may spend, and which plugins are allowed.",
    keys: &[
        key(
            "allow_native",
            Flag,
            Default("false"),
            "Whether native plugins (native:lib/libacme.so) may be loaded. They run inside the manager, with all its \
             rights and no limits; pin each with sha256.",
        ),
        key(
            "require_signature",
            Flag,
            Default("false"),
            "Whether a plugin that is a file is loaded only with the signature of a trusted key beside it (`qkdnm plugin \
             sign`). What is inside the manager's binary needs none.",
        ),
        key(
            "trusted_keys",
            Texts,
            Default("[]"),
            "Files of public keys (PEM) whose signatures of plugins count: the vendors', or that of who approves for you.",
        ),
        key(
            "cache_dir",
            Path,
            Means("the folder plugin-cache in manager.data_dir"),
            "Compiled plugins. Needs a restart.",
        ),
        key("cpu_time", Duration(1, 60 * SECOND), Default("\"50ms\""), "Processor time of one call."),
        key(
            "wall_time",
            Duration(100, 600 * SECOND),
            Default("\"5s\""),
            "Time of one call, whatever it does: a call that waits, or a machine that is overloaded.",
        ),
        key("memory", Size(1 << 20, 4 << 30), Default("\"32MiB\""), "Memory of one instance."),
        key("table_elements", Whole(1, 10_000_000), Default("100000"), "Elements in the tables of one instance."),
        key("answer_size", Size(1 << 10, 64 << 20), Default("\"1MiB\""), "What a plugin may answer in one call."),
        key(
            "state_per_component",
            Size(64, 16 << 20),
            Default("\"4KiB\""),
            "What a policy may remember of one component.",
        ),
        key("log_lines_per_second", Whole(0, 100_000), Default("20"), "Lines that a plugin may write to the log."),
    ],
};

static STORAGE: TableSpec = TableSpec {
    name: "storage",
    about: "What is kept, and for how long.",
    keys: &[
        key(
            "durability",
            Word(&["sync", "os"]),
            Default("\"sync\""),
            "What success means to a component. sync: the report is on stable storage; os: the operating system has it, \
             and a power cut can lose what was answered in the last moments. Needs a restart.",
        ),
        key(
            "journal_retention",
            Duration(SECOND, 100 * YEAR),
            Default("\"7d\""),
            "The journal of reports goes when it is older than this.",
        ),
        key(
            "journal_max_size",
            Size(1 << 17, 1 << 50),
            Default("\"20GiB\""),
            "Its oldest part goes when it is larger than this; at least twice journal_segment_size.",
        ),
        key(
            "journal_segment_size",
            Size(1 << 16, 4 << 30),
            Default("\"64MiB\""),
            "It is written in files of this size. Needs a restart.",
        ),
        key("history", Table(&HISTORY), Means("its defaults"), HISTORY.about),
    ],
};

static HISTORY: TableSpec = TableSpec {
    name: "storage.history",
    about: "History of values; \"0s\": not kept. Needs a restart.",
    keys: &[
        key("raw", Duration(0, 100 * YEAR), Default("\"7d\""), "Samples as reported."),
        key(
            "minute",
            Duration(0, 100 * YEAR),
            Default("\"30d\""),
            "Least, greatest, mean, last and count of a minute.",
        ),
        key("hour", Duration(0, 100 * YEAR), Default("\"730d\""), "The same of an hour."),
    ],
};

static API: TableSpec = TableSpec {
    name: "api",
    about: "HTTP API for `qkdnm` itself, for programs and for Prometheus.",
    keys: &[
        key(
            "listen",
            Address,
            Default("\"127.0.0.1:7100\""),
            "Where it listens. It has no TLS: put a proxy in front before you open it to other machines. Needs a \
             restart.",
        ),
        key(
            "read_without_token",
            Word(&["loopback", "always", "never"]),
            Default("\"loopback\""),
            "Who may read without a token: whoever reaches the API where it listens on a loopback address, whoever reaches \
             it anywhere, or nobody. Needs a restart.",
        ),
        key("tokens", Tables(&TOKEN), Default("[]"), TOKEN.about),
    ],
};

static TOKEN: TableSpec = TableSpec {
    name: "api.tokens",
    about: "Who may use the API.",
    keys: &[
        key("name", Text, Required, "Name that audit trail and alarm history show; unique."),
        key(
            "sha256",
            Text,
            Required,
            "Digest of the token, as printf %s \"$TOKEN\" | sha256sum shows it. The token itself stands nowhere.",
        ),
        key(
            "role",
            Word(&["viewer", "operator", "admin"]),
            Required,
            "viewer reads; operator acknowledges, closes and requests; admin does everything.",
        ),
        key("expires", Time, Means("never"), "Not valid from then on, such as \"2027-01-31T00:00:00Z\"."),
    ],
};
