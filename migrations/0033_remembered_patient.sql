-- While the index is made again from the objects: whom each patient key served. The patient record that the first object of the key makes again
-- has the id of before, which the audit trail names. The same rewriting as in 0001_archive.sql.
CREATE TABLE remembered_patient (
    key_id UUID NOT NULL PRIMARY KEY,
    patient UUID NOT NULL
);
CREATE INDEX remembered_patient_by_patient ON remembered_patient (patient);

-- The deletion that took the study of a remembered link away: a restoration of the study puts the link back, a reindex does not. NULL: the index is made again.
ALTER TABLE remembered_link ADD COLUMN deletion UUID;
