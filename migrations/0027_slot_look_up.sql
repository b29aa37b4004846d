-- Whether a doctor is free is one look into the index: the slots of a doctor never overlap, so that only the last one that begins before the
-- new one ends can reach into it. Before, each booking went through all earlier slots of its doctor under the one writer of SQLite.
-- The same rewriting as in 0001_archive.sql. PostgreSQL has its exclusion constraints.
-- ONLY sqlite
DROP TRIGGER slot_is_free;
CREATE TRIGGER slot_is_free BEFORE INSERT ON slot
BEGIN
    SELECT RAISE(ABORT, 'slot_of_doctor') WHERE NEW.starts_at < (SELECT s.ends_at FROM slot s WHERE s.doctor_id = NEW.doctor_id
        AND s.starts_at < NEW.ends_at ORDER BY s.starts_at DESC LIMIT 1);
    SELECT RAISE(ABORT, 'slot_of_patient') WHERE EXISTS (SELECT 1 FROM slot s WHERE s.patient_key = NEW.patient_key
        AND (s.issuer_of_patient_id = NEW.issuer_of_patient_id OR s.issuer_of_patient_id = '' OR NEW.issuer_of_patient_id = '')
        AND s.starts_at < NEW.ends_at AND s.ends_at > NEW.starts_at);
END;
-- END
