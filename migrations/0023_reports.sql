-- Reports: what doctors saw in studies. A table of the same form as `prescription`, read and written by the same code. The same
-- rewriting as in 0001_archive.sql, the same blocks as in 0010_appointments.sql.

CREATE TABLE report (
    id UUID NOT NULL PRIMARY KEY,
    consultation_id UUID NOT NULL,
    doctor_id UUID NOT NULL,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    -- draft, finalized, cancelled, superseded.
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- The one that this one takes the place of when it is finalized.
    supersedes UUID REFERENCES report (id),
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
CREATE INDEX report_by_consultation ON report (consultation_id);
CREATE INDEX report_by_patient ON report (patient_id, created_at);
-- Two drafts cannot take the place of one report.
CREATE UNIQUE INDEX report_by_superseded ON report (supersedes)
    WHERE supersedes IS NOT NULL AND status <> 'cancelled';

-- What is signed stays as it is: only that it was cancelled or superseded is noted, and erasing a patient deletes it.
-- ONLY postgres
CREATE FUNCTION report_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.content <> OLD.content OR NEW.jws IS DISTINCT FROM OLD.jws
        OR NEW.content_sha256 IS DISTINCT FROM OLD.content_sha256 OR NEW.finalized_at IS DISTINCT FROM OLD.finalized_at
        OR NEW.status = 'draft') THEN
        RAISE EXCEPTION 'a signed report does not change';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER report_stays BEFORE UPDATE ON report FOR EACH ROW EXECUTE FUNCTION report_stays();
-- END

-- ONLY sqlite
CREATE TRIGGER report_stays BEFORE UPDATE ON report
WHEN OLD.status <> 'draft' AND (NEW.content <> OLD.content OR NEW.jws IS NOT OLD.jws
    OR NEW.content_sha256 IS NOT OLD.content_sha256 OR NEW.finalized_at IS NOT OLD.finalized_at OR NEW.status = 'draft')
BEGIN SELECT RAISE(ABORT, 'a signed report does not change'); END;
-- END
