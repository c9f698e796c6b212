-- What the coordinator must not forget.
--
-- Where a row has a column `record`, that is the whole value as JSON, and it is what is read back; the columns beside it
-- say the parts of it that are asked for. So a new field of a job needs no migration unless somebody asks for it.

-- Everyone who may take part. One name, over all roles.
CREATE TABLE principals (
    name       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    kid        INTEGER NOT NULL,  -- generation of the secret
    secret     BLOB NOT NULL,     -- sealed: nonce, ciphertext, tag; bound to role, name and kid
    created_at REAL NOT NULL
) STRICT;

-- Jobs, in the order of their acceptance. Times are UTC seconds.
CREATE TABLE jobs (
    sequence   INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    phase      TEXT NOT NULL,
    cancelling INTEGER NOT NULL,  -- somebody wants its end, and it has not ended
    ended      INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    owner      TEXT NOT NULL,
    priority   INTEGER NOT NULL,
    created_at REAL NOT NULL,
    ended_at   REAL,
    labels     TEXT NOT NULL,     -- a JSON object
    record     TEXT NOT NULL      -- without what was asked for, and without the attempts
) STRICT;

CREATE INDEX open_jobs ON jobs (sequence) WHERE NOT ended;

-- For pruning by age.
CREATE INDEX ended_jobs ON jobs (ended_at) WHERE ended;

-- What was asked for: the largest part of a job, and the one that never changes. It is written once.
CREATE TABLE submits (
    job    INTEGER PRIMARY KEY REFERENCES jobs (sequence) ON DELETE CASCADE ON UPDATE CASCADE,
    record TEXT NOT NULL
) STRICT;

CREATE TABLE attempts (
    job    INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE ON UPDATE CASCADE,
    number INTEGER NOT NULL,
    id     TEXT NOT NULL UNIQUE,
    agent  TEXT NOT NULL,
    state  TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- Exactly one attempt of a job holds the grant. The core sees to it; if it ever failed to, the second grant would not get
-- as far as the disk, and so not as far as an agent.
CREATE UNIQUE INDEX one_grant ON attempts (job) WHERE state IN ('granted', 'running');

-- What is remembered of agents over a restart.
CREATE TABLE agents (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT;

-- A job as it is read back: the three parts of it, the attempts as a JSON array in their order.
CREATE VIEW whole_jobs AS
SELECT
    jobs.sequence,
    jobs.id,
    jobs.phase,
    jobs.cancelling,
    jobs.ended,
    jobs.labels,
    jobs.record,
    submits.record AS submit,
    (
        SELECT json_group_array(json(each.record))
        FROM (SELECT record FROM attempts WHERE attempts.job = jobs.sequence ORDER BY number) AS each
    ) AS attempts
FROM jobs
JOIN submits ON submits.job = jobs.sequence;
