-- Prescriptions, and what is known of an X-ray beside its header. The same rewriting as in 0001_archive.sql, the same blocks as in 0010_appointments.sql.

-- What a prescription refers to as a whole, so that it cannot name the doctor of one consultation and the patient of another.
CREATE UNIQUE INDEX consultation_by_people ON consultation (id, doctor_id, patient_id, issuer_of_patient_id);

-- A patient's past across doctors.
CREATE INDEX consultation_by_patient ON consultation (patient_id, scheduled_at);

CREATE TABLE prescription (
    id UUID NOT NULL PRIMARY KEY,
    consultation_id UUID NOT NULL,
    doctor_id UUID NOT NULL,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    -- draft, finalized, cancelled, superseded.
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- The one that this one takes the place of when it is finalized.
    supersedes UUID REFERENCES prescription (id),
    content JSONB NOT NULL,
    -- What was signed, byte for byte (RFC 7515, compact form), and what it says of itself; nothing while it is a draft.
    jws TEXT,
    content_sha256 BYTEA,
    key_id TEXT,
    finalized_at TIMESTAMPTZ,
    cancelled_at TIMESTAMPTZ,
    remark TEXT NOT NULL,
    created_by UUID,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (consultation_id, doctor_id, patient_id, issuer_of_patient_id)
        REFERENCES consultation (id, doctor_id, patient_id, issuer_of_patient_id)
);
CREATE INDEX prescription_by_consultation ON prescription (consultation_id);
CREATE INDEX prescription_by_patient ON prescription (patient_id, created_at);
-- Two drafts cannot take the place of one prescription.
CREATE UNIQUE INDEX prescription_by_superseded ON prescription (supersedes)
    WHERE supersedes IS NOT NULL AND status <> 'cancelled';

-- What is signed stays as it is: only that it was cancelled or superseded is noted, and erasing a patient deletes it.
-- ONLY postgres
CREATE FUNCTION prescription_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.content <> OLD.content OR NEW.jws IS DISTINCT FROM OLD.jws
        OR NEW.content_sha256 IS DISTINCT FROM OLD.content_sha256 OR NEW.finalized_at IS DISTINCT FROM OLD.finalized_at
        OR NEW.status = 'draft') THEN
        RAISE EXCEPTION 'a signed prescription does not change';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prescription_stays BEFORE UPDATE ON prescription FOR EACH ROW EXECUTE FUNCTION prescription_stays();
-- END

-- ONLY sqlite
CREATE TRIGGER prescription_stays BEFORE UPDATE ON prescription
WHEN OLD.status <> 'draft' AND (NEW.content <> OLD.content OR NEW.jws IS NOT OLD.jws
    OR NEW.content_sha256 IS NOT OLD.content_sha256 OR NEW.finalized_at IS NOT OLD.finalized_at OR NEW.status = 'draft')
BEGIN SELECT RAISE(ABORT, 'a signed prescription does not change'); END;
-- END

-- What people say of an X-ray; its data set stays as it came.
CREATE TABLE xray_metadata (
    instance UUID NOT NULL PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    consultation_id UUID REFERENCES consultation (id),
    captured_at TIMESTAMPTZ,
    paramedic TEXT NOT NULL,
    body_part TEXT NOT NULL,
    view_position TEXT NOT NULL,
    laterality TEXT NOT NULL,
    notes TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_by UUID,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX xray_metadata_by_consultation ON xray_metadata (consultation_id) WHERE consultation_id IS NOT NULL;
