-- A Patient ID without issuer is the same patient as under each issuer, for bookings as for whoever stands before the doctor.
-- And requests with an Idempotency-Key are known again by a keyed hash: their bodies hold passwords.

-- Empty for any; nothing for a hold. From here on `patient_key` is the Patient ID alone.
ALTER TABLE slot ADD COLUMN issuer_of_patient_id TEXT;
UPDATE slot SET
    patient_key = (SELECT NULLIF(c.patient_id, '') FROM consultation c WHERE c.id = slot.consultation_id),
    issuer_of_patient_id = (SELECT c.issuer_of_patient_id FROM consultation c WHERE c.id = slot.consultation_id);
-- Bookings of before that now exclude each other stay; the later ones are their doctor's alone.
UPDATE slot SET patient_key = NULL WHERE EXISTS (SELECT 1 FROM slot s
    WHERE s.patient_key = slot.patient_key AND s.starts_at < slot.ends_at AND s.ends_at > slot.starts_at AND s.id < slot.id
    AND (s.issuer_of_patient_id = slot.issuer_of_patient_id OR s.issuer_of_patient_id = '' OR slot.issuer_of_patient_id = ''));

-- ONLY postgres
ALTER TABLE slot DROP CONSTRAINT slot_of_patient;
-- Any issuer is the range without ends, which overlaps each.
ALTER TABLE slot ADD CONSTRAINT slot_of_patient EXCLUDE USING gist
    (text_span(patient_key, patient_key, '[]') WITH &&,
     text_span(NULLIF(issuer_of_patient_id, ''), NULLIF(issuer_of_patient_id, ''), '[]') WITH &&,
     tstzrange(starts_at, ends_at) WITH &&)
    WHERE (patient_key IS NOT NULL);
-- END

-- ONLY sqlite
DROP TRIGGER slot_is_free;
CREATE TRIGGER slot_is_free BEFORE INSERT ON slot
BEGIN
    SELECT RAISE(ABORT, 'slot_of_doctor') WHERE EXISTS (SELECT 1 FROM slot s WHERE s.doctor_id = NEW.doctor_id
        AND s.starts_at < NEW.ends_at AND s.ends_at > NEW.starts_at);
    SELECT RAISE(ABORT, 'slot_of_patient') WHERE EXISTS (SELECT 1 FROM slot s WHERE s.patient_key = NEW.patient_key
        AND (s.issuer_of_patient_id = NEW.issuer_of_patient_id OR s.issuer_of_patient_id = '' OR NEW.issuer_of_patient_id = '')
        AND s.starts_at < NEW.ends_at AND s.ends_at > NEW.starts_at);
END;
-- END

-- Kept for a day, and of no use under another hash.
DELETE FROM idempotency;
ALTER TABLE idempotency RENAME COLUMN request_sha256 TO request_hmac;
