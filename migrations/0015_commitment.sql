-- PS3.4 Annex J: requests to commit to the safekeeping of instances, until the requestor has heard what came of them.
-- The same rewriting as in 0001_archive.sql.

CREATE TABLE commitment (
    id UUID NOT NULL PRIMARY KEY,
    -- Who asked, and by which title it called us: it hears from us under that one.
    ae_title TEXT NOT NULL,
    called_ae_title TEXT NOT NULL,
    transaction_uid TEXT NOT NULL,
    -- Referenced SOP Class UID and Referenced SOP Instance UID of each, in pairs; none once it is over.
    referenced JSONB NOT NULL,
    -- Of all of them: a request that is sent again is known by it.
    referenced_sha256 BYTEA NOT NULL,
    -- The Transaction UID was in use for other instances.
    duplicate BOOLEAN NOT NULL,
    -- pending, reported, given_up
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- When the next attempt to report is made; while one runs, when it counts as lost.
    due_at TIMESTAMPTZ NOT NULL,
    requested_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
CREATE INDEX commitment_by_transaction ON commitment (ae_title, transaction_uid);
CREATE INDEX commitment_due ON commitment (due_at) WHERE state = 'pending';
CREATE INDEX commitment_pending ON commitment (ae_title) WHERE state = 'pending';
CREATE INDEX commitment_ended ON commitment (ended_at) WHERE ended_at IS NOT NULL;
