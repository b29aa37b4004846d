-- Up to where events were forgotten that every reader had: none up to `sequence` is kept, and all of them happened before then.
-- Who compares instances with events (maxray verify) leaves older ones out. The same rewriting as in 0001_archive.sql.
CREATE TABLE outbox_forgotten (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    happened_before TIMESTAMPTZ NOT NULL
);
INSERT INTO outbox_forgotten (id, sequence, happened_before) VALUES (1, 0, '1970-01-01T00:00:00+00:00');
