-- What a clinic's day needs: times that nobody can take twice, who did what with a consultation, notes, hours, profiles.
-- The same rewriting as in 0001_archive.sql. A block between `-- ONLY` and `-- END` is for the engine that it names.

-- Agreed end; nothing for a consultation that takes no time in the calendars.
ALTER TABLE consultation ADD COLUMN ends_at TIMESTAMPTZ;

-- Times that are taken: by a consultation while it is open, or by a hold until it expires. No two of one doctor, and no
-- two of one patient, overlap: the database itself refuses the second.
CREATE TABLE slot (
    id UUID NOT NULL PRIMARY KEY,
    doctor_id UUID NOT NULL REFERENCES doctor (id),
    -- Issuer and Patient ID in one; nothing for a hold.
    patient_key TEXT,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    consultation_id UUID UNIQUE REFERENCES consultation (id) ON DELETE CASCADE,
    -- The account that holds it, and until when; nothing for a consultation's.
    held_by UUID,
    expires_at TIMESTAMPTZ
);
CREATE INDEX slot_by_doctor ON slot (doctor_id, starts_at);
CREATE INDEX slot_by_patient ON slot (patient_key, starts_at) WHERE patient_key IS NOT NULL;
CREATE INDEX slot_by_expiry ON slot (expires_at) WHERE expires_at IS NOT NULL;

-- ONLY postgres
-- Ranges of one element stand for equality, which GiST does not know of UUID and text without an extension.
CREATE TYPE uuid_span AS RANGE (subtype = uuid);
CREATE TYPE text_span AS RANGE (subtype = text, collation = "C");
ALTER TABLE slot ADD CONSTRAINT slot_of_doctor EXCLUDE USING gist
    (uuid_span(doctor_id, doctor_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&);
ALTER TABLE slot ADD CONSTRAINT slot_of_patient EXCLUDE USING gist
    (text_span(patient_key, patient_key, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&)
    WHERE (patient_key IS NOT NULL);
-- END

-- ONLY sqlite
CREATE TRIGGER slot_is_free BEFORE INSERT ON slot
BEGIN
    SELECT RAISE(ABORT, 'slot_of_doctor') WHERE EXISTS (SELECT 1 FROM slot s WHERE s.doctor_id = NEW.doctor_id
        AND s.starts_at < NEW.ends_at AND s.ends_at > NEW.starts_at);
    SELECT RAISE(ABORT, 'slot_of_patient') WHERE EXISTS (SELECT 1 FROM slot s WHERE s.patient_key = NEW.patient_key
        AND s.starts_at < NEW.ends_at AND s.ends_at > NEW.starts_at);
END;
CREATE TRIGGER slot_stays BEFORE UPDATE OF doctor_id, starts_at, ends_at ON slot
BEGIN SELECT RAISE(ABORT, 'a slot is taken anew, not moved'); END;
-- END

-- Who did what with a consultation, and how it stood after it.
CREATE TABLE consultation_history (
    consultation_id UUID NOT NULL REFERENCES consultation (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    command TEXT NOT NULL,
    status TEXT NOT NULL,
    doctor_id UUID NOT NULL,
    scheduled_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ,
    -- In the words of who did it.
    remark TEXT NOT NULL,
    user_id UUID,
    role TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consultation_id, version)
);

-- Every version of a consultation's notes, and what was added after it was over.
CREATE TABLE consultation_note (
    consultation_id UUID NOT NULL REFERENCES consultation (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    amendment BOOLEAN NOT NULL,
    note TEXT NOT NULL,
    diagnosis TEXT NOT NULL,
    written_by UUID,
    role TEXT NOT NULL,
    written_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consultation_id, version)
);

-- Requests that came with an Idempotency-Key, and what was answered.
CREATE TABLE idempotency (
    -- Of the attempt that owns the key: an attempt whose key was taken over commits nothing.
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_sha256 BYTEA NOT NULL,
    claimed_at TIMESTAMPTZ NOT NULL,
    -- When the change was committed, in the same transaction; and the id of what it changed.
    applied_at TIMESTAMPTZ,
    subject TEXT NOT NULL,
    -- Nothing until the answer is known.
    status INTEGER,
    headers TEXT NOT NULL,
    body BYTEA,
    UNIQUE (user_id, key)
);
CREATE INDEX idempotency_by_time ON idempotency (claimed_at);

-- Licences, ways to reach, picture and fee of a doctor; and every profile that was replaced.
ALTER TABLE doctor ADD COLUMN details JSONB NOT NULL DEFAULT '{}';
CREATE TABLE doctor_history (
    doctor_id UUID NOT NULL REFERENCES doctor (id),
    version BIGINT NOT NULL,
    profile JSONB NOT NULL,
    replaced_by UUID,
    replaced_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (doctor_id, version)
);

-- When a doctor sees patients: the weekly hours, and the days that differ.
CREATE TABLE doctor_schedule (
    doctor_id UUID NOT NULL PRIMARY KEY REFERENCES doctor (id),
    rules JSONB NOT NULL,
    rules_version BIGINT NOT NULL,
    exceptions JSONB NOT NULL,
    exceptions_version BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
