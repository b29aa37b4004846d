-- PS3.3 A and C as tables: what QIDO-RS and C-FIND match on, one row a patient, study, series, instance.
-- One text for both engines. Two words are rewritten before it runs (crates/database/src/migrate.rs):
-- on PostgreSQL every TEXT column collates as "C", as SQLite compares bytes; on SQLite an ever growing
-- `BIGINT PRIMARY KEY` becomes `INTEGER PRIMARY KEY AUTOINCREMENT`.
-- A *_folded column holds model::text::fold of its neighbour, for matching without case and accents.

CREATE TABLE patient (
    id UUID NOT NULL PRIMARY KEY,
    patient_id TEXT NOT NULL,
    patient_id_folded TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    issuer_of_patient_id_folded TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    patient_name_folded TEXT NOT NULL,
    patient_birth_date TEXT NOT NULL,
    patient_sex TEXT NOT NULL,
    -- Somebody has to look: this Patient ID came with clashing name, birth date or sex.
    review BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX patient_by_patient_id ON patient (patient_id, issuer_of_patient_id);
CREATE INDEX patient_by_patient_id_folded ON patient (patient_id_folded);
CREATE INDEX patient_by_patient_name_folded ON patient (patient_name_folded);

-- Every combination of demographics that was taken for one patient: what a new study is compared with.
CREATE TABLE patient_demographics (
    patient UUID NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    patient_name_folded TEXT NOT NULL,
    patient_birth_date TEXT NOT NULL,
    patient_sex TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (patient_id, issuer_of_patient_id, patient_name_folded, patient_birth_date, patient_sex)
);
CREATE INDEX patient_demographics_by_patient ON patient_demographics (patient);

CREATE TABLE study (
    id UUID NOT NULL PRIMARY KEY,
    patient UUID NOT NULL REFERENCES patient (id),
    study_instance_uid TEXT NOT NULL UNIQUE,
    study_date TEXT NOT NULL,
    study_time TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    accession_number_folded TEXT NOT NULL,
    study_id TEXT NOT NULL,
    study_id_folded TEXT NOT NULL,
    study_description TEXT NOT NULL,
    study_description_folded TEXT NOT NULL,
    referring_physician_name TEXT NOT NULL,
    referring_physician_name_folded TEXT NOT NULL,
    -- Instances of this study disagree on the patient's name, birth date or sex.
    review BOOLEAN NOT NULL,
    -- The account that sent its first instance over HTTP: a paramedic sees and adds to the own studies alone.
    uploaded_by UUID,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX study_by_patient ON study (patient);
CREATE INDEX study_by_uploaded_by ON study (uploaded_by) WHERE uploaded_by IS NOT NULL;
CREATE INDEX study_by_study_date ON study (study_date DESC, study_instance_uid);
CREATE INDEX study_by_accession_number_folded ON study (accession_number_folded);

CREATE TABLE series (
    id UUID NOT NULL PRIMARY KEY,
    study UUID NOT NULL REFERENCES study (id),
    series_instance_uid TEXT NOT NULL UNIQUE,
    modality TEXT NOT NULL,
    series_number INTEGER,
    series_date TEXT NOT NULL,
    series_time TEXT NOT NULL,
    series_description TEXT NOT NULL,
    series_description_folded TEXT NOT NULL,
    body_part_examined TEXT NOT NULL,
    laterality TEXT NOT NULL,
    protocol_name TEXT NOT NULL,
    protocol_name_folded TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    manufacturer_folded TEXT NOT NULL,
    institution_name TEXT NOT NULL,
    institution_name_folded TEXT NOT NULL,
    station_name TEXT NOT NULL,
    station_name_folded TEXT NOT NULL,
    performed_procedure_step_start_date TEXT NOT NULL,
    performed_procedure_step_start_time TEXT NOT NULL,
    scheduled_procedure_step_id TEXT NOT NULL,
    scheduled_procedure_step_id_folded TEXT NOT NULL,
    requested_procedure_id TEXT NOT NULL,
    requested_procedure_id_folded TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX series_by_study ON series (study, modality);
CREATE INDEX series_by_modality ON series (modality, study);

CREATE TABLE instance (
    -- Also the id of the X-ray in REST paths.
    id UUID NOT NULL PRIMARY KEY,
    series UUID NOT NULL REFERENCES series (id),
    sop_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    instance_number INTEGER,
    number_of_frames INTEGER,
    rows INTEGER,
    columns INTEGER,
    bits_allocated INTEGER,
    content_date TEXT NOT NULL,
    content_time TEXT NOT NULL,
    acquisition_date TEXT NOT NULL,
    acquisition_time TEXT NOT NULL,
    image_type TEXT NOT NULL,
    view_position TEXT NOT NULL,
    object_key UUID NOT NULL,
    -- What opens the object, together with its patient's key (docs/object-format.md).
    object_seal BYTEA NOT NULL,
    object_length_bytes BIGINT NOT NULL,
    data_set_offset BIGINT NOT NULL,
    data_set_length_bytes BIGINT NOT NULL,
    data_set_sha256 BYTEA NOT NULL,
    -- False for a hidden conflict version: other content under a SOP Instance UID that was taken already.
    current BOOLEAN NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX instance_current ON instance (sop_instance_uid) WHERE current;
CREATE UNIQUE INDEX instance_version ON instance (sop_instance_uid, data_set_sha256);
CREATE INDEX instance_by_series ON instance (series, current);

-- Apart from instance, so that searching never pages through headers. Both blobs are zstd frames.
CREATE TABLE instance_header (
    instance UUID NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    -- The data set as DICOM JSON (PS3.18 F).
    dicom_json BYTEA NOT NULL,
    -- Bulk data references, pixel module and frame table, as JSON.
    layout BYTEA NOT NULL
);

CREATE TABLE preview (
    instance UUID NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    preview_key UUID,
    preview_seal BYTEA,
    preview_length_bytes BIGINT,
    thumbnail_key UUID,
    thumbnail_seal BYTEA,
    thumbnail_length_bytes BIGINT,
    media_type TEXT,
    width INTEGER,
    height INTEGER,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX preview_pending ON preview (instance) WHERE state = 'pending';

-- Events, written with what they tell of; `sequence` grows in commit order.
CREATE TABLE outbox (
    sequence BIGINT PRIMARY KEY,
    event_id UUID NOT NULL UNIQUE,
    at TIMESTAMPTZ NOT NULL,
    event TEXT NOT NULL,
    relayed_at TIMESTAMPTZ
);
CREATE INDEX outbox_unrelayed ON outbox (sequence) WHERE relayed_at IS NULL;
