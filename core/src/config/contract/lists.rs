//! Lists of tables: `[[components]]`, `[[handlers]]`, `[[policies]]`, `[[subscriptions]]`, `[[exporters]]`, `[[peers]]`.

use super::{
    Absent::{Default, Means, Required},
    DAY, FUNCTIONS, Key,
    Kind::{Duration, Files, Flag, Path, Paths, PluginConfig, Real, Table, Tables, Text, Texts, Whole, Word, Words},
    POINTS, SECOND, TableSpec, key,
    matching::{APPLIES_TO, MATCH},
};

pub(super) static COMPONENT: TableSpec = TableSpec {
    name: "components",
    about: "A component of the domain.",
    keys: &[
        key("id", Text, Required, "Its ID, unique on its reference point: 1 to 256 characters."),
        key("reference_point", Word(POINTS), Required, "Where it reports."),
        key(
            "identity",
            Table(&IDENTITY),
            Means("the URI urn:qkdn:<reference point>:<id> in its certificate"),
            IDENTITY.about,
        ),
        key("vendor", Text, Default("\"\""), "For handlers, policies and people."),
        key("model", Text, Default("\"\""), "For handlers, policies and people."),
        key("version", Text, Default("\"\""), "Of what it runs. For handlers, policies and people."),
        key("site", Text, Default("\"\""), "For handlers, policies and people."),
        key("tags", Texts, Default("[]"), "For handlers, policies and people."),
        key(
            "expected_interval",
            Duration(SECOND / 10, super::YEAR),
            Means("silence means nothing"),
            "Silence for longer than this is an alarm (component-silent).",
        ),
        key("dial", Text, Means("the component connects to the manager"), "HOST:PORT that the manager connects to."),
        key("sees", Tables(&SEES), Default("[]"), SEES.about),
    ],
};

static IDENTITY: TableSpec = TableSpec {
    name: "components.identity",
    about: "How its certificate is known: exactly one of the keys.",
    keys: &[
        key("san", Text, Means("another key is given"), "A URI or DNS name of the certificate, as urn:qkdn:mq:rack-7."),
        key("fingerprint", Text, Means("another key is given"), "\"sha256:\" and the digest of the certificate."),
        key("subject", Text, Means("another key is given"), "The subject (RFC 4514), as CN=alice-1,O=Acme."),
    ],
};

static SEES: TableSpec = TableSpec {
    name: "components.sees",
    about: "What a user network manager, or a manager on Mx, may subscribe to beside its own component.",
    keys: &[
        key("components", Texts, Required, "Globs on REFERENCE-POINT/ID, as mk/km-*. An empty list means nothing."),
        key("resources", Texts, Default("[]"), "Globs on resources; empty: all."),
        key("types", Texts, Default("[]"), "Globs on the types of extension objects; empty: all."),
        key("names", Texts, Default("[]"), "Globs on names of values and types of alarms; empty: all."),
    ],
};

const PLUGIN: Key = key(
    "plugin",
    Text,
    Required,
    "builtin:NAME for a plugin inside the binary, the path of a .wasm file, or native:PATH of a shared library.",
);
const SHA256: Key =
    key("sha256", Text, Default("\"\""), "Digest of the plugin's file: another file is refused. Empty: not compared.");
const CONFIG: Key = key("config", PluginConfig, Means("{}"), "What the plugin's own documentation says.");
const CONFIG_FILES: Key = key(
    "config_files",
    Files,
    Means("none"),
    "TOML or JSON files whose content becomes a key of config, as { baseline = \"baseline.toml\" }; 16 MiB at most.",
);

pub(super) static HANDLER: TableSpec = TableSpec {
    name: "handlers",
    about: "Reads the reports of components. The first that matches counts; behind them stands a standard handler for each \
            reference point, which matches everybody.",
    keys: &[
        key("name", Text, Required, "Unique; not MQ-standard and its like in lower case, which are there already."),
        key("reference_point", Word(POINTS), Required, "Whose reports it reads."),
        key("match", Table(&MATCH), Means("every component"), MATCH.about),
        PLUGIN,
        SHA256,
        key(
            "on_failure",
            Word(&["reject", "keep-raw", "fallback"]),
            Default("\"reject\""),
            "When it fails: the report is answered internal, stored as received, or given to the standard handler.",
        ),
        key(
            "then",
            Text,
            Means("what it accepts is accepted"),
            "The handler that what it accepts goes through next, with what it made of it: another of the same reference point, \
             such as mq-standard. At most 4 one after the other.",
        ),
        key(
            "allow_key_names",
            Texts,
            Default("[]"),
            "Paths in reports that are exempt from the search for key material.",
        ),
        CONFIG,
        CONFIG_FILES,
    ],
};

pub(super) static POLICY: TableSpec = TableSpec {
    name: "policies",
    about: "Watches what components report, and raises and clears alarms.",
    keys: &[
        key("name", Text, Required, "Unique; the qualifier of its alarms unless the policy says otherwise."),
        key("function", Word(FUNCTIONS), Required, "The FCAPS function that it serves."),
        PLUGIN,
        SHA256,
        key("applies_to", Table(&APPLIES_TO), Means("every component"), APPLIES_TO.about),
        key(
            "mode",
            Word(&["active", "shadow", "off"]),
            Default("\"active\""),
            "active; shadow: its verdicts are counted and change nothing; off.",
        ),
        CONFIG,
        CONFIG_FILES,
    ],
};

pub(super) static COLLECTOR: TableSpec = TableSpec {
    name: "collectors",
    about: "Plugins that ask devices which do not report by themselves, and report for them. Needs a restart.",
    keys: &[
        key("name", Text, Required, "Unique: letters, digits, -, _ and . ."),
        key("components", Texts, Required, "Whom it reports for, as mk/kme-1; each stands in [[components]]."),
        key("plugin", Text, Required, "The path of a .wasm file."),
        SHA256,
        key("http", Tables(&HOST), Means("it may ask nobody"), HOST.about),
        key(
            "interval",
            Duration(SECOND / 10, DAY),
            Default("\"30s\""),
            "From one collection to the next, with a random tenth. A component without expected_interval is expected to be heard \
             of in twice that time.",
        ),
        key(
            "timeout",
            Duration(SECOND / 10, 60 * SECOND),
            Default("\"5s\""),
            "One request, from dialling to the last byte of the answer.",
        ),
        key(
            "retry_max",
            Duration(SECOND / 10, DAY),
            Means("5m, or interval where that is longer"),
            "Longest wait after collections that failed; it doubles with each, from interval on.",
        ),
        CONFIG,
        CONFIG_FILES,
    ],
};

static HOST: TableSpec = TableSpec {
    name: "collectors.http",
    about: "A host that the plugin may have requests sent to, if it asks for one of that name: GET, and nothing that hands \
            out keys.",
    keys: &[
        key("name", Text, Required, "The plugin's name for it; `qkdnm plugin inspect` shows which it asks for."),
        key("url", Text, Required, "https:// or http://; a path stands before that of each request."),
        key("trust_anchors", Paths, Means("required with https"), "CAs that may vouch for the host, in PEM."),
        key("certificate", Path, Means("none is shown"), "Certificate that the manager shows to the host, in PEM."),
        key("private_key", Path, Means("none"), "Its key, in PEM. The plugin sees neither."),
        key("allow_tls12", Flag, Default("false"), "Whether TLS 1.2 will do; with https."),
    ],
};

pub(super) static SUBSCRIPTION: TableSpec = TableSpec {
    name: "subscriptions",
    about: "What the manager subscribes at components.",
    keys: &[
        key("name", Text, Required, "Unique; the correlationId of its notifications."),
        key("applies_to", Table(&APPLIES_TO), Means("every component"), APPLIES_TO.about),
        key("events", Tables(&EVENT), Required, EVENT.about),
        key("method", Word(&["periodic", "one-time", "on-change"]), Required, "When it is told."),
        key("period", Duration(SECOND / 10, DAY), Means("for periodic alone"), "How often; with periodic, required."),
        key("thresholds", Tables(&THRESHOLD), Default("[]"), THRESHOLD.about),
        key(
            "dampening",
            Duration(1, DAY),
            Means("none is asked for"),
            "Least time between two notifications; with on-change.",
        ),
        key("immediate", Flag, Default("true"), "Whether the first notification comes at once."),
        key("durable", Flag, Default("false"), "Whether it outlives its connection; not with one-time."),
        key(
            "poll_interval",
            Duration(SECOND, DAY),
            Means("not asked"),
            "How often a component is asked that serves no subscriptions.",
        ),
    ],
};

static EVENT: TableSpec = TableSpec {
    name: "subscriptions.events",
    about: "What is wanted; {} is everything.",
    keys: &[
        key(
            "types",
            Texts,
            Default("[]"),
            "Types of extension objects: performance, state, inventory, topology, alarm, usage, event. Empty: all.",
        ),
        key("names", Texts, Default("[]"), "Names of values. Empty: all."),
        key("resources", Texts, Default("[]"), "Parts of the component. Empty: all."),
    ],
};

static THRESHOLD: TableSpec = TableSpec {
    name: "subscriptions.thresholds",
    about: "With on-change: numbers are told when they cross a level and not at every change.",
    keys: &[
        key("name", Text, Required, "Name of a value."),
        key("level", Real, Required, "Where the threshold lies, in the value's unit."),
        key("direction", Word(&["ascending", "descending", "crossed"]), Default("\"crossed\""), "Which way it counts."),
        key("hysteresis", Real, Default("0"), "How far the value has to go back before it counts again; 0 or more."),
    ],
};

pub(super) static EXPORTER: TableSpec = TableSpec {
    name: "exporters",
    about: "Where alarms are told. Needs a restart.",
    keys: &[
        key("name", Text, Required, "Unique: letters, digits, -, _ and . ."),
        key(
            "kind",
            Word(&["alertmanager", "webhook"]),
            Required,
            "webhook: CloudEvents, signed; alertmanager: its API v2.",
        ),
        key("url", Text, Required, "http:// or https://; with alertmanager the path may be left out."),
        key("filter", Table(&FILTER), Means("every alarm"), FILTER.about),
        key(
            "secret_file",
            Path,
            Means("none, or secret_env"),
            "File with the key of the signature (webhook) or the bearer token (alertmanager).",
        ),
        key("secret_env", Text, Means("none, or secret_file"), "Variable of the environment that holds it."),
        key("trust_anchors", Paths, Means("required with https"), "CAs that may vouch for the target, in PEM."),
        key("certificate", Path, Means("none is shown"), "Certificate that the manager shows to the target, in PEM."),
        key("private_key", Path, Means("none"), "Its key, in PEM."),
        key("allow_tls12", Flag, Default("false"), "Whether TLS 1.2 will do; with https."),
        key(
            "timeout",
            Duration(SECOND / 10, 300 * SECOND),
            Default("\"10s\""),
            "One request, from dialling to the last byte of the answer.",
        ),
        key(
            "retry_min",
            Duration(SECOND / 100, 3_600 * SECOND),
            Default("\"1s\""),
            "First wait between tries; doubles, with a random part.",
        ),
        key("retry_max", Duration(SECOND / 100, DAY), Default("\"5m\""), "Longest such wait."),
        key("batch_size", Whole(1, 1_000), Means("1 for a webhook, 64 for an Alertmanager"), "Events in one request."),
        key(
            "outbox",
            Whole(1, 1_000_000),
            Default("10000"),
            "More waiting events than this: superseded ones are left out and counted, never the newest of an alarm.",
        ),
        key("refused_after", Whole(1, 1_000), Default("5"), "An event that the target refuses so often is parked."),
        key(
            "unreachable_after",
            Duration(SECOND / 10, DAY),
            Default("\"5m\""),
            "Nothing arrives for so long: the alarm exporter-unreachable.",
        ),
        key(
            "resend_interval",
            Duration(SECOND / 2, DAY),
            Means("1m for an Alertmanager"),
            "How often a raised alarm is told again; for an Alertmanager alone.",
        ),
    ],
};

static FILTER: TableSpec = TableSpec {
    name: "exporters.filter",
    about: "Which alarms; everything that is given has to match.",
    keys: &[
        key(
            "severity_at_least",
            Word(&["indeterminate", "warning", "minor", "major", "critical"]),
            Means("all"),
            "This severity or a worse one.",
        ),
        key("functions", Words(FUNCTIONS), Means("all"), "FCAPS functions."),
        key("alarm_types", Texts, Means("all"), "Globs on the alarm type."),
        key("reference_points", Words(POINTS), Means("all"), "Reference points."),
        key("components", Texts, Means("all"), "Globs on REFERENCE-POINT/ID, as mk/km-*."),
    ],
};

const DOMAIN: Key = key("domain", Text, Required, "The network that it speaks for.");
const AREA: Key = key(
    "area",
    Text,
    Means("no area"),
    "Part of the federation: its domains hear more of each other, and others hear of them in sum.",
);
/// Words of what a domain may tell.
const TOPICS: &[&str] = &[
    "health",
    "alarms",
    "alarm-types",
    "capabilities",
    "links",
    "link-states",
    "link-figures",
    "maintenance",
    "incidents",
];
const ROLE: Key = key(
    "role",
    Word(&["member", "aggregator"]),
    Default("\"member\""),
    "An aggregator also publishes roll-ups over the members of its area, or of every area if it has none.",
);
const KEY_GENERATION: Key = key(
    "key_generation",
    Whole(1, 1_000_000),
    Default("1"),
    "Raised by all, together with new keys, when a signing key may have been stolen: outranks everything signed before.",
);
const MIN_EPOCH: Key = key(
    "min_epoch",
    Whole(0, (1 << 53) - 1),
    Default("0"),
    "Least epoch, the middle number of a document's version (`qkdnm domain show`): what the domain said in lower ones counts no more. \
     Set by all, after a disk or a copy of one fell into other hands; the domain itself goes above it.",
);
const SIGNING_KEYS: Key = key(
    "signing_keys",
    Paths,
    Default("[]"),
    "Public keys that sign for the domain, in PEM; two while keys are exchanged. None: it sends plain reports only.",
);

pub(super) static FEDERATION: TableSpec = TableSpec {
    name: "federation",
    about: "What this manager is to the managers of other networks.",
    keys: &[
        key("name", Text, Required, "The federation's name, the same in all its managers. Needs a restart."),
        AREA,
        ROLE,
        key(
            "signing_key",
            Path,
            Required,
            "Private key that signs what is said of this domain, PKCS#8 in PEM: `qkdnm pki signing-key`. Peers have to know its \
             public half before it is exchanged.",
        ),
        KEY_GENERATION,
        MIN_EPOCH,
        key(
            "refresh",
            Duration(SECOND, 3_600 * SECOND),
            Default("\"15s\""),
            "How often this domain says at least that it is there; others hold it for stale after three times that. Needs \
             a restart.",
        ),
        key(
            "disclose",
            Words(&[
                "health",
                "alarms",
                "alarm-types",
                "capabilities",
                "links",
                "link-states",
                "link-figures",
                "maintenance",
                "incidents",
                "key-relations",
                "services",
                "settlement",
            ]),
            Default("[\"health\", \"alarms\"]"),
            "What the whole federation is told of this domain: components by reference point, alarms by severity, alarms by type of \
             the catalogue, what the manager can do with its version, ranges of what is measured on links to other domains, their state \
             by name, with it their key rate and store in coarse steps, how much maintenance of them and how many incidents on them \
             there are (the domain at the other end is told which); and what the domain concerned alone is told: key relations, \
             services, settlement. [] tells only that it is there, and of a domain with an area not even that.",
        ),
        key(
            "disclose_area",
            Words(TOPICS),
            Default("[]"),
            "What the domains of the own area are told beyond that; its aggregator may tell everybody in sum.",
        ),
        key(
            "disclose_aggregators",
            Words(TOPICS),
            Default("[]"),
            "What aggregators of all areas are told beyond `disclose`; they may tell everybody in sum.",
        ),
        key(
            "export",
            Paths,
            Default("[]"),
            "Files of the policies that what the whole federation is told passes, in this order: config/exchange. What fails lets \
             nothing pass.",
        ),
        key("import", Paths, Default("[]"), "Files of the policies that what is shown of other domains passes."),
        key("origins", Tables(&ORIGIN), Default("[]"), ORIGIN.about),
        key("links", Tables(&LINK), Default("[]"), LINK.about),
        key("key_relations", Tables(&KEY_RELATION), Default("[]"), KEY_RELATION.about),
        key("services", Tables(&SERVICE), Default("[]"), SERVICE.about),
        key("settlements", Tables(&SETTLEMENT), Default("[]"), SETTLEMENT.about),
    ],
};

static KEY_RELATION: TableSpec = TableSpec {
    name: "federation.key_relations",
    about: "Pairs of key managers or applications whose other end is in another domain: how our end is, that domain alone is told, \
            if `disclose` has key-relations.",
    keys: &[
        key("name", Text, Required, "The relation's name, the same in both domains."),
        key("domain", Text, Required, "The domain at the other end, of one of the peers."),
        key(
            "from",
            Texts,
            Required,
            "What knows of our end, such as mk/km-1 west-kma or mu/app-1: state, key rate and store are taken from there.",
        ),
    ],
};

static SERVICE: TableSpec = TableSpec {
    name: "federation.services",
    about: "Services that span other domains, with what was agreed: what is measured here, those domains alone are told, if \
            `disclose` has services.",
    keys: &[
        key("name", Text, Required, "The service's name, the same in all domains that it spans."),
        key("domains", Texts, Required, "The other domains that it spans, each of one of the peers."),
        key(
            "from",
            Texts,
            Required,
            "What knows of our part of it, such as mk/km-1 gov-vpn: state, key rate and store are taken from there.",
        ),
        key("key_rate", Real, Means("nothing agreed"), "Least key rate, bits per second: of the last report."),
        key("without_key", Duration(SECOND, DAY), Means("nothing agreed"), "Longest time without key in the window."),
        key(
            "availability",
            Real,
            Means("nothing agreed"),
            "Least share of the window with key, 0 to 1: of the time that was observed.",
        ),
        key("window", Duration(60 * SECOND, 31 * DAY), Default("\"1d\""), "The time that is looked at."),
    ],
};

static SETTLEMENT: TableSpec = TableSpec {
    name: "federation.settlements",
    about: "Domains that keys are settled with: what was used with each, by full period, that domain alone is told, if `disclose` \
            has settlement.",
    keys: &[
        key("domain", Text, Required, "The other domain, of one of the peers."),
        key("peers", Texts, Required, "What usage calls its side: values of `peer`, such as km-west-1."),
        key("period", Word(&["hour", "day"]), Default("\"day\""), "Full hours or days (UTC) are added up."),
    ],
};

static LINK: TableSpec = TableSpec {
    name: "federation.links",
    about: "Links to other domains: what our end says is told to the peer at the other end, and to nobody else.",
    keys: &[
        key("name", Text, Required, "The link's name, the same in both domains."),
        key("domain", Text, Required, "The domain at the other end, of one of the peers."),
        key(
            "from",
            Texts,
            Required,
            "What knows of our end, such as mq/border-1, or with a part of it mk/km-1 west-link: state, error rate, key rate and \
             store are taken from there.",
        ),
    ],
};

static ORIGIN: TableSpec = TableSpec {
    name: "federation.origins",
    about: "Domains that are no peers of this manager and are heard of by way of them.",
    keys: &[
        DOMAIN,
        AREA,
        ROLE,
        KEY_GENERATION,
        MIN_EPOCH,
        key(
            "signing_keys",
            Paths,
            Required,
            "Public keys that sign for the domain, in PEM; two while keys are exchanged.",
        ),
    ],
};

pub(super) static PEER: TableSpec = TableSpec {
    name: "peers",
    about: "Managers of other networks, with which status is exchanged over Mx. Each is a listed component mx/<id> too.",
    keys: &[
        key("id", Text, Required, "The other manager's ID on Mx."),
        DOMAIN,
        key("address", Text, Means("it connects to us"), "HOST:PORT; both may dial, one connection stays."),
        key(
            "trust_anchors",
            Paths,
            Default("[]"),
            "CAs that vouch for this manager on Mx and for nothing else, in PEM.",
        ),
        key(
            "revocation_lists",
            Paths,
            Default("[]"),
            "Lists of what these CAs have revoked, PEM or DER; needs trust_anchors. A new list ends the session of a peer that is on it.",
        ),
        SIGNING_KEYS,
        AREA,
        ROLE,
        KEY_GENERATION,
        MIN_EPOCH,
        key(
            "export",
            Paths,
            Default("[]"),
            "Files of the policies that what this peer alone is told passes: our ends of links to it, and what else crosses the border.",
        ),
        key(
            "import",
            Paths,
            Default("[]"),
            "Files of the policies that what is shown of its domain passes, behind those of [federation].",
        ),
        key(
            "pseudonym_key",
            Path,
            Means("links have no aliases"),
            "Text of 32 bytes or more, the same at both ends: aliases for the names of links, key relations and services are made with \
             it, for policies that tell them by these.",
        ),
        key(
            "requests",
            Words(&["maintenance", "emergency-priority", "incident"]),
            Default("[]"),
            "What this peer may ask of our operators: that they note maintenance of links with it, give priority to key relay over \
             one, take over an incident on one. What is not listed is refused.",
        ),
    ],
};
