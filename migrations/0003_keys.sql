-- Which patient key serves whom. The keys themselves are in the object store (docs/object-format.md).
-- The same rewriting as in 0001_archive.sql.

CREATE TABLE patient_key (
    key_id UUID NOT NULL PRIMARY KEY,
    -- Not a reference: the row of an erased key outlives its patient until the erasure is over.
    patient UUID NOT NULL,
    -- active: seals what comes; retired: opens what it sealed, while that is sealed anew; dropped: opens what is read
    -- at the moment, and is destroyed after `destroy_after`.
    state TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    destroy_after TIMESTAMPTZ
);
CREATE INDEX patient_key_dropped ON patient_key (destroy_after) WHERE state = 'dropped';
CREATE INDEX patient_key_by_patient ON patient_key (patient, state);

-- The ledger of destroyed keys: one that an old copy brings back is destroyed again.
CREATE TABLE destroyed_key (
    key_id UUID NOT NULL PRIMARY KEY,
    -- `erased` with its patient, or `rotated` away.
    reason TEXT NOT NULL,
    destroyed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX destroyed_key_by_time ON destroyed_key (destroyed_at);

-- Objects that no row names any more, and when they may be removed.
CREATE TABLE dropped_object (
    object_key UUID NOT NULL PRIMARY KEY,
    remove_after TIMESTAMPTZ NOT NULL
);
CREATE INDEX dropped_object_by_time ON dropped_object (remove_after);

-- While a patient has a row here, nothing of the patient is erased.
CREATE TABLE legal_hold (
    id UUID NOT NULL PRIMARY KEY,
    patient UUID NOT NULL REFERENCES patient (id),
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX legal_hold_by_patient ON legal_hold (patient);

-- Work on keys: asked for by a command, done by whoever holds the archive, continued after a crash.
CREATE TABLE key_job (
    id UUID NOT NULL PRIMARY KEY,
    -- rotate_root, rotate_patient, rotate_all_patients
    kind TEXT NOT NULL,
    patient UUID,
    -- open, done, failed
    state TEXT NOT NULL,
    -- The last patient that is finished, when there are several.
    cursor UUID,
    -- Key objects or objects done so far.
    done BIGINT NOT NULL,
    -- Why it failed, without patient data.
    detail TEXT NOT NULL,
    -- Who works on it, and until when nobody else may.
    worker UUID,
    worker_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX key_job_open ON key_job (id) WHERE state = 'open';
