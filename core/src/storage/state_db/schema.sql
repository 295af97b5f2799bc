-- State database of qkdnm, schema version 2. Open it with: sqlite3 -readonly state.db
-- The views (components, last_values, policy_states, timers, alarms, inventory, topology, network_changes,
-- usages) are for people: names as text, times as RFC 3339.
-- The tables below are what recovery reads; columns named `exact` hold the values bit for bit.
-- Everything here can be rebuilt from the journal as far back as that goes.

-- Names as numbers, as the journal uses them. Never changed, never deleted.
CREATE TABLE symbol (
    number INTEGER PRIMARY KEY,
    text   TEXT NOT NULL
);

-- One row a component that ever reported.
CREATE TABLE component_state (
    component   INTEGER PRIMARY KEY,  -- symbol of the component, such as mk/km-1
    last_report INTEGER,              -- time of the last accepted report, milliseconds since 1970
    reports     INTEGER NOT NULL,     -- accepted, repeats not counted
    kept        INTEGER NOT NULL,     -- of those, with parts that are kept as text only
    incarnation INTEGER,              -- where the numbering stands; NULL if the reports carry no sequence
    highest     INTEGER,              -- highest sequence number accepted in the incarnation
    gaps        INTEGER NOT NULL,     -- numbers that were never seen
    "window"    BLOB NOT NULL,        -- the sequence window (postcard)
    last_values TEXT NOT NULL,        -- for people: JSON [[name, resource, kind, value, time], ...], symbols as numbers
    exact       BLOB NOT NULL         -- the last values: 32 bytes each (value, time, name, resource, kind, 0)
);

-- State of policies, one row a subject.
CREATE TABLE policy_state (
    policy    INTEGER NOT NULL,       -- symbol of the policy's name
    component INTEGER NOT NULL,       -- symbol of the component
    resource  INTEGER NOT NULL,       -- symbol of the resource; 0: the component itself
    state     TEXT NOT NULL,          -- for people: JSON array
    exact     BLOB NOT NULL,          -- little-endian doubles
    PRIMARY KEY (policy, component, resource)
) WITHOUT ROWID;

-- Timers that policies have set.
CREATE TABLE timer (
    policy    INTEGER NOT NULL,
    component INTEGER NOT NULL,
    resource  INTEGER NOT NULL,
    at        INTEGER NOT NULL,       -- milliseconds since 1970
    PRIMARY KEY (policy, component, resource)
) WITHOUT ROWID;

-- Alarms, raised and cleared; the history of each is inside `document`.
CREATE TABLE alarm (
    id              INTEGER PRIMARY KEY,
    component       TEXT NOT NULL,
    resource        TEXT NOT NULL,
    alarm_type_id   TEXT NOT NULL,
    alarm_qualifier TEXT NOT NULL,
    severity        TEXT NOT NULL,
    is_cleared      INTEGER NOT NULL,
    operator_state  TEXT NOT NULL,
    last_changed    INTEGER NOT NULL, -- milliseconds since 1970
    text            TEXT NOT NULL,
    document        TEXT NOT NULL,    -- for people and tools: the whole alarm as JSON
    exact           BLOB NOT NULL
);
CREATE INDEX alarm_by_component ON alarm (component, is_cleared);

-- Reports that a plugin could not take, newest last; the oldest go.
CREATE TABLE quarantine (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin    TEXT NOT NULL,
    component TEXT NOT NULL,
    time      INTEGER NOT NULL,
    failure   TEXT NOT NULL,
    report    TEXT NOT NULL
);

-- Inventory and topology as components reported them: what is known now.
CREATE TABLE network (
    component INTEGER NOT NULL,       -- symbol of the component that says so
    kind      TEXT NOT NULL,          -- inventory, node, link, route
    resource  TEXT NOT NULL,          -- part of the component; empty: itself
    name      TEXT NOT NULL,          -- name of the inventory value, or id
    value     TEXT NOT NULL,          -- JSON
    since     INTEGER NOT NULL,       -- first known, milliseconds since 1970
    changed   INTEGER NOT NULL,       -- last told another value
    time      INTEGER NOT NULL,       -- when that was true at its source
    PRIMARY KEY (component, kind, resource, name)
) WITHOUT ROWID;

-- Every change of it, newest last; the oldest go.
CREATE TABLE network_change (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    component INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    name      TEXT NOT NULL,
    before    TEXT,                   -- JSON; NULL: it was not known
    after     TEXT,                   -- JSON; NULL: it is gone
    at        INTEGER NOT NULL,       -- when the report was accepted
    time      INTEGER                 -- when it was true at its source
);
CREATE INDEX network_change_by_component ON network_change (component, number);

-- Usage, each interval once.
CREATE TABLE usage (
    component     INTEGER NOT NULL,
    usage_id      TEXT NOT NULL,
    application   TEXT NOT NULL,
    user          TEXT NOT NULL,
    peer          TEXT NOT NULL,
    start         INTEGER NOT NULL,   -- milliseconds since 1970
    "end"         INTEGER NOT NULL,
    consumed_bits REAL NOT NULL,
    supplied_keys REAL NOT NULL,
    relayed_bits  REAL NOT NULL,
    counted       INTEGER NOT NULL,   -- when the report was accepted
    PRIMARY KEY (component, usage_id, counted)
) WITHOUT ROWID;
CREATE INDEX usage_by_end ON usage ("end");

-- The last batch of each shard that this database reflects; shard numbers are good until the next start.
CREATE TABLE journal_position (
    shard    INTEGER PRIMARY KEY,
    position INTEGER NOT NULL         -- block << 16 | batch
);

-- base_position: everything up to it is reflected, whichever shard it came from. next_alarm_id: the next alarm's number.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIEW components AS
SELECT s.text AS component, strftime('%Y-%m-%dT%H:%M:%fZ', c.last_report / 1000.0, 'unixepoch') AS last_report,
       c.reports, c.kept, c.incarnation, c.highest, c.gaps
FROM component_state c JOIN symbol s ON s.number = c.component;

CREATE VIEW last_values AS
SELECT s.text AS component, n.text AS name, r.text AS resource,
       CASE json_extract(e.value, '$[2]')
           WHEN 1 THEN (SELECT w.text FROM symbol w WHERE w.number = CAST(json_extract(e.value, '$[3]') AS INTEGER))
           WHEN 2 THEN iif(json_extract(e.value, '$[3]') = 0, 'false', 'true')
           ELSE json_extract(e.value, '$[3]')
       END AS value,
       strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(e.value, '$[4]') / 1000.0, 'unixepoch') AS time
FROM component_state c
JOIN symbol s ON s.number = c.component
JOIN json_each(c.last_values) e
LEFT JOIN symbol n ON n.number = json_extract(e.value, '$[0]')
LEFT JOIN symbol r ON r.number = json_extract(e.value, '$[1]');

CREATE VIEW policy_states AS
SELECT p.text AS policy, c.text AS component, r.text AS resource, s.state
FROM policy_state s
LEFT JOIN symbol p ON p.number = s.policy
LEFT JOIN symbol c ON c.number = s.component
LEFT JOIN symbol r ON r.number = s.resource;

CREATE VIEW timers AS
SELECT p.text AS policy, c.text AS component, r.text AS resource,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.at / 1000.0, 'unixepoch') AS at
FROM timer t
LEFT JOIN symbol p ON p.number = t.policy
LEFT JOIN symbol c ON c.number = t.component
LEFT JOIN symbol r ON r.number = t.resource;

CREATE VIEW alarms AS
SELECT id, component, resource, alarm_type_id, alarm_qualifier, severity,
       iif(is_cleared, 'cleared', 'raised') AS state, operator_state,
       strftime('%Y-%m-%dT%H:%M:%fZ', last_changed / 1000.0, 'unixepoch') AS last_changed, text
FROM alarm;

CREATE VIEW inventory AS
SELECT s.text AS component, resource, name, value,
       strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', changed / 1000.0, 'unixepoch') AS changed
FROM network JOIN symbol s ON s.number = component WHERE kind = 'inventory';

CREATE VIEW topology AS
SELECT s.text AS component, kind, name AS id, value,
       strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', changed / 1000.0, 'unixepoch') AS changed
FROM network JOIN symbol s ON s.number = component WHERE kind <> 'inventory';

CREATE VIEW network_changes AS
SELECT c.number, s.text AS component, kind, resource, name, before, after,
       strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
FROM network_change c JOIN symbol s ON s.number = component;

CREATE VIEW usages AS
SELECT s.text AS component, usage_id, application, user, peer,
       strftime('%Y-%m-%dT%H:%M:%fZ', start / 1000.0, 'unixepoch') AS start,
       strftime('%Y-%m-%dT%H:%M:%fZ', "end" / 1000.0, 'unixepoch') AS "end",
       consumed_bits, supplied_keys, relayed_bits
FROM usage JOIN symbol s ON s.number = component;
