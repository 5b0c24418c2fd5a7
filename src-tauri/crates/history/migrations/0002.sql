-- Packed phases (src/phases.rs) of failed results that have any; they go with
-- their result.
CREATE TABLE phases (
    service INTEGER NOT NULL REFERENCES services (key),
    at INTEGER NOT NULL,
    phases BLOB NOT NULL,
    PRIMARY KEY (service, at)
) STRICT, WITHOUT ROWID;

-- What some failed results saw, as JSON; it goes with its result.
CREATE TABLE evidence (
    service INTEGER NOT NULL REFERENCES services (key),
    at INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (service, at)
) STRICT;

-- A copy of the slowest result that began in each hour since the Unix epoch;
-- of equals the first. Message and metadata as in results.
CREATE TABLE slowest (
    service INTEGER NOT NULL REFERENCES services (key),
    hour INTEGER NOT NULL,
    at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    response_us INTEGER NOT NULL,
    message ANY NOT NULL,
    metadata ANY,
    phases BLOB,
    PRIMARY KEY (service, hour)
) STRICT, WITHOUT ROWID;

INSERT INTO slowest (service, hour, at, status, response_us, message, metadata)
SELECT service, at / 3600000, at, status, response_us, message, metadata
FROM (SELECT *, row_number() OVER (PARTITION BY service, at / 3600000
                                   ORDER BY response_us DESC, at) AS place
      FROM results WHERE response_us IS NOT NULL)
WHERE place = 1;

-- What is measured; unit and limits are those of the newest value. Keys are in
-- the order the series were first seen.
CREATE TABLE series (
    key INTEGER PRIMARY KEY,
    service INTEGER NOT NULL REFERENCES services (key),
    name TEXT NOT NULL,
    newest INTEGER NOT NULL,
    unit TEXT NOT NULL,
    degraded_at REAL,
    unhealthy_at REAL,
    UNIQUE (service, name)
) STRICT;

-- Values go with the result they came with.
CREATE TABLE measurements (
    series INTEGER NOT NULL REFERENCES series (key),
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

-- Quarters of an hour, as quarters.
CREATE TABLE measurement_quarters (
    series INTEGER NOT NULL REFERENCES series (key),
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    PRIMARY KEY (series, start)
) STRICT, WITHOUT ROWID;

-- Calendar days, as days, by the moment they began.
CREATE TABLE measurement_days (
    series INTEGER NOT NULL REFERENCES series (key),
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    min REAL NOT NULL,
    max REAL NOT NULL,
    PRIMARY KEY (series, start)
) STRICT, WITHOUT ROWID;
