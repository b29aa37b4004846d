-- Names by the threes of letters that are in them, for patterns that begin with a wildcard. The same rewriting as in 0001_archive.sql.
-- A server may not have the extension, or not let us have it: then there is no index, and such patterns walk through the studies as before
-- (docs/operations.md). The extension may be in a schema that is not looked through. An index of this name that is there stays.
-- New names wait in a list of the index, which whoever finds it full puts in order: a short one, so that no instance waits long for that.
-- SQLite does without: its archives are small.
-- ONLY postgres
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXECUTE format('CREATE INDEX IF NOT EXISTS patient_by_name_trigrams ON patient USING gin (patient_name_folded %s.gin_trgm_ops) '
        || 'WITH (fastupdate = on, gin_pending_list_limit = 512)',
        (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'));
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'names are not indexed by their trigrams: %', SQLERRM;
END
$$;
-- END
