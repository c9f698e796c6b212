-- One query a block, found by its name. Values are bound, never written into the text.

-- name: save_job
-- A job as it stands now, new or known.
INSERT INTO jobs (
    sequence, id, phase, cancelling, ended, kind, owner, priority, created_at, ended_at, labels, record
) VALUES (
    :sequence, :id, :phase, :cancelling, :ended, :kind, :owner, :priority, :created_at, :ended_at,
    json_extract(:submit, '$.labels'), :record
)
ON CONFLICT (id) DO UPDATE SET
    sequence = excluded.sequence,
    phase = excluded.phase,
    cancelling = excluded.cancelling,
    ended = excluded.ended,
    ended_at = excluded.ended_at,
    record = excluded.record

-- name: save_submit
-- What was asked for; it never changes.
INSERT INTO submits (job, record) VALUES (:sequence, :submit) ON CONFLICT (job) DO NOTHING

-- name: change_job
-- A job as it stands now, that is known.
UPDATE jobs SET phase = :phase, cancelling = :cancelling, ended = :ended, ended_at = :ended_at, record = :record
WHERE id = :id

-- name: save_attempt
-- An attempt as it stands now, new or known.
INSERT INTO attempts (job, number, id, agent, state, record) VALUES (:job, :number, :id, :agent, :state, :record)
ON CONFLICT (job, number) DO UPDATE SET state = excluded.state, record = excluded.record

-- name: save_agent
INSERT INTO agents (name, record) VALUES (:name, :record) ON CONFLICT (name) DO UPDATE SET record = excluded.record

-- name: forget_agent
DELETE FROM agents WHERE name = :name

-- name: open_jobs
-- All jobs that have not ended, in the order of acceptance.
SELECT record, submit, attempts FROM whole_jobs WHERE NOT ended ORDER BY sequence

-- name: ended_jobs
-- All jobs that have ended, and how.
SELECT id, phase FROM jobs WHERE ended

-- name: kept_jobs
-- How many jobs that have ended there are, without these ids (a JSON array).
SELECT
    (SELECT count(*) FROM jobs WHERE ended)
    - (SELECT count(*) FROM json_each(:spare) AS spared JOIN jobs ON jobs.id = spared.value WHERE jobs.ended)

-- name: longest_ended
-- The jobs that ended first.
SELECT id, ended_at FROM jobs WHERE ended ORDER BY ended_at LIMIT :limit

-- name: forget_job
-- With what was asked for and its attempts. One that is open is never forgotten.
DELETE FROM jobs WHERE id = :id AND ended

-- name: highest_sequence
SELECT coalesce(max(sequence), 0) FROM jobs

-- name: agents
SELECT record FROM agents ORDER BY name

-- name: jobs_by_id
-- Those of these ids (a JSON array) that are known.
SELECT record, submit, attempts FROM whole_jobs WHERE id IN (SELECT value FROM json_each(:ids))

-- name: fallen_jobs
-- Jobs that ended for one of these reasons (a JSON array), and after which jobs each comes (a JSON array).
SELECT jobs.id, json_extract(submits.record, '$.after')
FROM jobs
JOIN submits ON submits.job = jobs.sequence
WHERE jobs.ended AND json_extract(jobs.record, '$.reason_code') IN (SELECT value FROM json_each(:reasons))
ORDER BY jobs.sequence

-- name: page
-- Jobs accepted before :below, newest first, that have all of these labels (a JSON object). With phases (a JSON array)
-- those in one of them that nobody is cancelling; with :cancelling also those that somebody is. Both null: all.
SELECT record, submit, attempts
FROM whole_jobs
WHERE
    sequence < :below
    AND (
        :phases IS NULL
        OR (NOT cancelling AND phase IN (SELECT value FROM json_each(:phases)))
        OR (cancelling AND :cancelling)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM json_each(:labels) AS wanted
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(whole_jobs.labels) AS own WHERE own.key = wanted.key AND own.value = wanted.value
        )
    )
ORDER BY sequence DESC
LIMIT :limit

-- name: principals
-- Everyone who may take part, oldest first.
SELECT name, role, kid, secret, created_at FROM principals ORDER BY created_at, name

-- name: add_principal
INSERT INTO principals (name, role, kid, secret, created_at) VALUES (:name, :role, :kid, :secret, :created_at)

-- name: rotate_principal
UPDATE principals SET kid = :kid, secret = :secret WHERE name = :name

-- name: remove_principal
DELETE FROM principals WHERE name = :name
