-- Columns are BIGINT (milliseconds since 1970, or 0 and 1), TEXT and BLOB only, so that the same queries serve SQLite and PostgreSQL.
CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    event TEXT NOT NULL,
    received BIGINT NOT NULL,
    place BIGINT NOT NULL,
    body TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    settled BIGINT,
    verdict TEXT
);
CREATE INDEX delivery_open ON delivery (place) WHERE settled IS NULL;

CREATE TABLE heard (
    repository TEXT NOT NULL,
    comment BIGINT NOT NULL,
    body_hash TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (repository, comment)
);

CREATE TABLE pull (
    repository TEXT NOT NULL,
    number BIGINT NOT NULL,
    site TEXT NOT NULL,
    merged_place BIGINT,
    stage TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (repository, number)
);

CREATE TABLE run (
    id BIGINT PRIMARY KEY,
    site TEXT NOT NULL,
    repository TEXT NOT NULL,
    pull BIGINT,
    digest TEXT NOT NULL,
    began BIGINT NOT NULL,
    ended BIGINT,
    record TEXT NOT NULL
);
CREATE UNIQUE INDEX run_open ON run (site) WHERE ended IS NULL;

CREATE TABLE fact (
    run BIGINT NOT NULL REFERENCES run (id),
    place BIGINT NOT NULL,
    at BIGINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, place)
);

CREATE TABLE lease (
    site TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);

CREATE TABLE reply (
    key TEXT PRIMARY KEY,
    place BIGINT NOT NULL,
    repository TEXT NOT NULL,
    kind TEXT NOT NULL,
    target BIGINT,
    body TEXT NOT NULL,
    owed BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    posted BIGINT,
    remote BIGINT,
    failure TEXT
);

CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
