-- Studies that got instances, until it was said that they are complete. The same rewriting as in 0001_archive.sql.
CREATE TABLE quiet_study (
    study_instance_uid TEXT NOT NULL PRIMARY KEY,
    last_stored_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX quiet_study_by_time ON quiet_study (last_stored_at);
