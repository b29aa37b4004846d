-- While the index is made again from the objects: what was to be sent on to other archives and has not arrived. The same rewriting as in
-- 0001_archive.sql.
CREATE TABLE remembered_forward (
    id UUID NOT NULL PRIMARY KEY,
    rule_id UUID NOT NULL REFERENCES forward_rule (id) ON DELETE CASCADE,
    sop_instance_uid TEXT NOT NULL,
    -- The other columns of `forward`.
    destination TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    due_at TIMESTAMPTZ,
    last_error TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
