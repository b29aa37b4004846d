-- The end of a chain of the audit trail, held until the end of the transaction: the lock and the look in one trip, since every write and
-- every read that is recorded waits for both. What is read here was committed before the lock was given: a function that may change
-- something looks anew with each of its statements. SQLite has one writer.
-- ONLY postgres
CREATE FUNCTION audit_head(chain UUID, lock BIGINT)
RETURNS TABLE (chain_sequence BIGINT, hash BYTEA, at TIMESTAMPTZ) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(lock);
    RETURN QUERY SELECT a.chain_sequence, a.hash, a.at FROM audit a WHERE a.chain_id = chain
        ORDER BY a.chain_sequence DESC LIMIT 1;
END
$$;
-- END
