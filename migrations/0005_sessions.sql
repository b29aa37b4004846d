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
