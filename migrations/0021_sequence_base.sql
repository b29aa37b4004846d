-- What is added to PostgreSQL's transaction ids in the keys of outbox and audit trail (crates/database/src/statement.rs): a
-- server that a dump was restored to counts them from the beginning, and new keys have to come after the old ones.
CREATE TABLE sequence_base (
    base BIGINT NOT NULL
);
INSERT INTO sequence_base (base) VALUES (0);
