-- Accounts, doctors (after FHIR Practitioner), consultations (after FHIR Appointment and Encounter), AE registry.
-- The same rewriting as in 0001_archive.sql.

CREATE TABLE doctor (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    specialties JSONB NOT NULL,
    languages JSONB NOT NULL,
    time_zone TEXT NOT NULL,
    licence_number TEXT NOT NULL,
    contact TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    name_folded TEXT NOT NULL,
    -- `|cardiology|radiology|`, folded: one LIKE on both engines.
    specialties_folded TEXT NOT NULL,
    languages_folded TEXT NOT NULL
);
CREATE INDEX doctor_by_name_folded ON doctor (name_folded, id);

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    doctor_id UUID REFERENCES doctor (id),
    active BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE consultation (
    id UUID NOT NULL PRIMARY KEY,
    doctor_id UUID NOT NULL REFERENCES doctor (id),
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    status TEXT NOT NULL,
    scheduled_at TIMESTAMPTZ NOT NULL,
    reason TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- The account that made it; nothing for the operator.
    created_by UUID,
    -- Studies of the patient that came before this are not opened; nothing for no bound. See docs/access.md.
    opens_from TIMESTAMPTZ,
    -- When it was completed or cancelled.
    closed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX consultation_by_created_by ON consultation (created_by, patient_id) WHERE created_by IS NOT NULL;
CREATE INDEX consultation_by_doctor ON consultation (doctor_id, scheduled_at, id);
CREATE INDEX consultation_by_doctor_and_patient ON consultation (doctor_id, patient_id);

CREATE TABLE consultation_study (
    consultation_id UUID NOT NULL REFERENCES consultation (id) ON DELETE CASCADE,
    study UUID NOT NULL REFERENCES study (id) ON DELETE CASCADE,
    linked_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consultation_id, study)
);
CREATE INDEX consultation_study_by_study ON consultation_study (study);
