-- PS3.4 Annex F: what modalities say that they do and did. The same rewriting as in 0001_archive.sql.

CREATE TABLE performed_step (
    id UUID NOT NULL PRIMARY KEY,
    sop_instance_uid TEXT NOT NULL UNIQUE,
    -- Who made it: nobody else changes it.
    ae_title TEXT NOT NULL,
    -- Performed Procedure Step Status (0040,0252): IN PROGRESS, COMPLETED, DISCONTINUED
    status TEXT NOT NULL,
    modality TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    -- Everything that was said, as DICOM JSON (PS3.18 F).
    attributes TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- The scheduled steps that it performs: Scheduled Step Attributes Sequence (0040,0270).
CREATE TABLE performed_step_schedule (
    performed_step UUID NOT NULL REFERENCES performed_step (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    step_id TEXT NOT NULL,
    PRIMARY KEY (performed_step, number)
);
CREATE INDEX performed_step_by_study ON performed_step_schedule (study_instance_uid);
