-- Times are milliseconds since the Unix epoch; status 0 healthy, 1 degraded, 2 unhealthy.

CREATE TABLE services (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Results before this may have been removed; their rollups stay.
    raw_since INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Texts that came up again and again.
CREATE TABLE texts (
    key INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- message and metadata (JSON) hold the text itself or the key of a text.
CREATE TABLE results (
    service INTEGER NOT NULL REFERENCES services (key),
    at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    response_us INTEGER,
    hold_ms INTEGER NOT NULL,
    message ANY NOT NULL,
    metadata ANY,
    PRIMARY KEY (service, at)
) STRICT, WITHOUT ROWID;

-- Quarters of an hour. Time is that between a result and the next; the newest
-- result of a service is not in it yet. Sketches are null when empty: `good`
-- has the latencies of checks that did not fail, `failed` those of the others.
CREATE TABLE quarters (
    service INTEGER NOT NULL REFERENCES services (key),
    start INTEGER NOT NULL,
    healthy INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    unhealthy INTEGER NOT NULL,
    healthy_ms INTEGER NOT NULL,
    degraded_ms INTEGER NOT NULL,
    unhealthy_ms INTEGER NOT NULL,
    response_ms REAL NOT NULL,
    good BLOB,
    failed BLOB,
    PRIMARY KEY (service, start)
) STRICT, WITHOUT ROWID;

-- Calendar days (2026-01-31) in the local time zone at the time of folding.
CREATE TABLE days (
    service INTEGER NOT NULL REFERENCES services (key),
    date TEXT NOT NULL,
    healthy INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    unhealthy INTEGER NOT NULL,
    healthy_ms INTEGER NOT NULL,
    degraded_ms INTEGER NOT NULL,
    unhealthy_ms INTEGER NOT NULL,
    response_ms REAL NOT NULL,
    good BLOB,
    failed BLOB,
    PRIMARY KEY (service, date)
) STRICT, WITHOUT ROWID;

-- first_failure and last_good are results as JSON.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service INTEGER NOT NULL REFERENCES services (key),
    started_at INTEGER NOT NULL,
    detected_at INTEGER NOT NULL,
    resolved_at INTEGER,
    checks_failed INTEGER NOT NULL,
    caused_by INTEGER REFERENCES services (key),
    first_failure TEXT NOT NULL,
    last_good TEXT
) STRICT;

CREATE INDEX incidents_by_service ON incidents (service, started_at);
CREATE INDEX incidents_by_start ON incidents (started_at);
CREATE INDEX incidents_active ON incidents (id) WHERE resolved_at IS NULL;

CREATE TABLE state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
