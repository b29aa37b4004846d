-- Studies, series and instances that were deleted: gone for everybody at once, kept for the grace period, then removed.
-- The same rewriting as in 0001_archive.sql.

CREATE TABLE deletion (
    id UUID NOT NULL PRIMARY KEY,
    -- The patient record at that time. Not a reference: records are made again by a reindex.
    patient UUID NOT NULL,
    study_instance_uid TEXT NOT NULL,
    -- Empty: all of the study.
    series_instance_uid TEXT NOT NULL,
    -- Empty: all of the series.
    sop_instance_uid TEXT NOT NULL,
    -- asked (by one, while another has to ask for the same), deleted, restored, purged
    state TEXT NOT NULL,
    asked_by UUID NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    confirmed_by UUID,
    deleted_at TIMESTAMPTZ,
    purge_after TIMESTAMPTZ,
    instances INTEGER NOT NULL
);
CREATE INDEX deletion_due ON deletion (purge_after) WHERE state = 'deleted';
CREATE INDEX deletion_by_study ON deletion (study_instance_uid);
CREATE INDEX deletion_by_patient ON deletion (patient);

-- What a deletion can give back. The index is made again from the object.
CREATE TABLE deleted_instance (
    instance UUID NOT NULL PRIMARY KEY,
    deletion UUID NOT NULL REFERENCES deletion (id) ON DELETE CASCADE,
    -- Whose key opens it: patients are found by it, also after a reindex.
    patient_key_id UUID NOT NULL,
    object_key UUID NOT NULL UNIQUE,
    object_seal BYTEA NOT NULL,
    uploaded_by UUID
);
CREATE INDEX deleted_instance_by_deletion ON deleted_instance (deletion);
CREATE INDEX deleted_instance_by_key ON deleted_instance (patient_key_id, instance);
