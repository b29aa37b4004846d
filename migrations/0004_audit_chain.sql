-- The audit trail: who did what. Rows are added, never changed and never deleted; each is chained to the one
-- before it, so that a change shows (docs/audit.md has the encoding that is hashed).
-- The same rewriting as in 0001_archive.sql.

CREATE TABLE audit (
    -- Place in the whole trail, to page by; grows in commit order.
    sequence BIGINT PRIMARY KEY,
    -- The node that wrote it, and its place among that node's records: 1, 2, 3 without a gap.
    chain_id UUID NOT NULL,
    chain_sequence BIGINT NOT NULL,
    id UUID NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    user_id UUID,
    session_id UUID,
    role TEXT NOT NULL,
    calling_ae TEXT NOT NULL,
    -- SHA-256 of the public key of the client certificate, hexadecimal.
    certificate TEXT NOT NULL,
    source_address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    consultation_id UUID,
    -- patient.id as it was: a pseudonym that means nothing once that row is gone. So no foreign key.
    patient UUID,
    subject TEXT NOT NULL,
    rule TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- SHA-256 of the hash before it and every column above.
    hash BYTEA NOT NULL,
    UNIQUE (chain_id, chain_sequence)
);
CREATE INDEX audit_by_study ON audit (study_instance_uid, sequence) WHERE study_instance_uid <> '';
CREATE INDEX audit_by_patient ON audit (patient, sequence) WHERE patient IS NOT NULL;
CREATE INDEX audit_by_user ON audit (user_id, sequence) WHERE user_id IS NOT NULL;

-- Signed statements of how long each chain was: what a cut of the trail's end is found by. The same lines stand in
-- audit-checkpoints.jsonl, outside of the database.
CREATE TABLE audit_checkpoint (
    -- The node that signed it, and its place among that node's checkpoints.
    node_id UUID NOT NULL,
    number BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (node_id, number)
);
