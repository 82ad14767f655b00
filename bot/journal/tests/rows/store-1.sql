-- A store as the first planebot left it: migration 1, with something of everything in it. Never edited.
PRAGMA foreign_keys = OFF;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'first','2026-11-23 17:00:00',1,X'D1C10068F5122CFF042EF4D6F002804817AD5764CC3E2B099F2F69D7B65DB7E6BDE7AB8151A7955F234961E3C0C0A773',100);
CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO "cursor" VALUES('comments','9');
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
INSERT INTO "delivery" VALUES('a','push',1000000,1,'{"ref":"refs/heads/main"}',1,1000000,'"done"');
INSERT INTO "delivery" VALUES('b','push',1000000,2,'{"ref":"refs/heads/main"}',3,1000000,'{"parked":"poison"}');
INSERT INTO "delivery" VALUES('c','push',1000000,3,'{"ref":"refs/heads/main"}',2,NULL,NULL);
CREATE TABLE fact (
    run BIGINT NOT NULL REFERENCES run (id),
    place BIGINT NOT NULL,
    at BIGINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, place)
);
INSERT INTO "fact" VALUES(1,1,1000000,'{"v":1,"fact":{"began":{"by":"alice"}}}');
INSERT INTO "fact" VALUES(1,2,1000000,'{"v":1,"fact":"finished"}');
INSERT INTO "fact" VALUES(2,1,1000000,'{"v":1,"fact":{"began":{"by":"alice"}}}');
INSERT INTO "fact" VALUES(2,2,1000000,'{"v":1,"fact":{"intended":1}}');
CREATE TABLE heard (
    repository TEXT NOT NULL,
    comment BIGINT NOT NULL,
    body_hash TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (repository, comment)
);
INSERT INTO "heard" VALUES('o/r',7,'abc',1000000);
CREATE TABLE lease (
    site TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);
INSERT INTO "lease" VALUES('s','w0',2,999999);
CREATE TABLE pull (
    repository TEXT NOT NULL,
    number BIGINT NOT NULL,
    site TEXT NOT NULL,
    merged_place BIGINT,
    stage TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (repository, number)
);
INSERT INTO "pull" VALUES('o/r',1,'s',1000000,'merged','{"v":1}');
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
INSERT INTO "reply" VALUES('plan/1',1,'o/r','"comment"',1,'words',1000000,1000000,0,NULL,77,NULL);
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
INSERT INTO "run" VALUES(1,'s','o/r',1,'0000-0000',1000000,1000000,'{"steps":[]}');
INSERT INTO "run" VALUES(2,'s','o/r',1,'0000-0000',1000000,NULL,'{"steps":[]}');
CREATE INDEX delivery_open ON delivery (place) WHERE settled IS NULL;
CREATE UNIQUE INDEX run_open ON run (site) WHERE ended IS NULL;
