-- Sessions: what the `sid` of a token names, so that a token can be taken back. Secrets are kept as SHA-256 only:
-- each holds 256 random bits. The same rewriting as in 0001_archive.sql.

CREATE TABLE session (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    -- password, client, device, consultation, share.
    kind TEXT NOT NULL,
    -- The consultation or share link whose studies it opens; nothing for a sign-in.
    grant_id UUID,
    -- What people call it: the name of a device.
    label TEXT NOT NULL,
    source_address TEXT NOT NULL,
    -- Of a token that is shown to MaxRay itself, as devices do.
    token_sha256 BYTEA UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    revoked_reason TEXT NOT NULL
);
CREATE INDEX session_by_user ON session (user_id, created_at);
CREATE INDEX session_by_grant ON session (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX session_by_revoked_at ON session (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX session_by_expires_at ON session (expires_at);

-- Every refresh token of a session. One that was used already and comes again was stolen, from one side or the other.
CREATE TABLE refresh_token (
    sha256 BYTEA NOT NULL PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);

-- Accounts that are no people with a password: service accounts (`client`: password_hash holds the SHA-256 of their
-- secret) and people whom another issuer proves (`external`: issuer and subject of its tokens).
ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'person';
ALTER TABLE users ADD COLUMN external_issuer TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN external_subject TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_by_external_subject ON users (external_issuer, external_subject)
    WHERE external_subject <> '';

-- How much of its allowance a name or an address has used up by failed sign-ins: one row each, so that a restart
-- forgets nothing. The key is a SHA-256: what people type in place of their name may be their password.
CREATE TABLE sign_in_rate (
    key BYTEA NOT NULL PRIMARY KEY,
    -- Microseconds since 1970 at which all of the allowance is there again.
    whole_again_at_us BIGINT NOT NULL
);
CREATE INDEX sign_in_rate_by_time ON sign_in_rate (whole_again_at_us);
