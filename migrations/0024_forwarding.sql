-- What is sent on to other archives: rules, and the instances that are on their way. The same rewriting as in 0001_archive.sql.

CREATE TABLE forward_rule (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- model::forward::ForwardRule. Rules are few and read whole.
    rule JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- One instance on its way to one destination, whichever of several rules found it first.
CREATE TABLE forward (
    id UUID NOT NULL PRIMARY KEY,
    rule_id UUID NOT NULL REFERENCES forward_rule (id) ON DELETE CASCADE,
    instance UUID NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    -- AE title.
    destination TEXT NOT NULL,
    -- 0 low, 1 medium, 2 high.
    priority INTEGER NOT NULL,
    -- pending, sent, dead.
    state TEXT NOT NULL,
    -- Attempts begun, and answers of the destination that it does not take the instance.
    attempts INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    -- Nothing when it is sent or dead.
    due_at TIMESTAMPTZ,
    last_error TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    UNIQUE (instance, destination)
);
CREATE INDEX forward_by_time ON forward (destination, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX forward_by_end ON forward (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX forward_by_rule ON forward (rule_id);

INSERT INTO outbox_cursor (reader, sequence) SELECT 'forwarding', COALESCE(MAX(sequence), 0) FROM outbox;
