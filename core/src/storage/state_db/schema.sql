-- State database of qkdnm, schema version 1. Open it with: sqlite3 -readonly state.db
-- The views (components, last_values, policy_states, timers, alarms) are for people: names as text, times as RFC 3339.
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
