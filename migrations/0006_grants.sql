-- What somebody may see beyond the own consultations and uploads: grants, share links, emergency accesses.
-- The same rewriting as in 0001_archive.sql.

-- What an administrator lets an account read. It counts while it is neither taken back nor expired.
CREATE TABLE access_grant (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    -- study, patient or everything.
    kind TEXT NOT NULL,
    -- Not a reference: a study may be granted before its first instance comes.
    study_instance_uid TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX access_grant_by_user ON access_grant (user_id, kind);

-- A link to one study. The token is in the link alone; here is its SHA-256.
CREATE TABLE share (
    id UUID NOT NULL PRIMARY KEY,
    study UUID NOT NULL REFERENCES study (id) ON DELETE CASCADE,
    token_sha256 BYTEA NOT NULL UNIQUE,
    -- Who made it: what the link opens is never more than this account may read itself.
    user_id UUID NOT NULL REFERENCES users (id),
    doctor_id UUID NOT NULL REFERENCES doctor (id),
    -- SHA-256 of token and PIN together: nobody who has only this database can try PINs.
    pin_sha256 BYTEA,
    pin_tries_left INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    uses_max INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX share_by_study ON share (study);

-- Emergency accesses: a doctor reads one patient's studies for a short time and says why.
CREATE TABLE break_glass (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    doctor_id UUID NOT NULL REFERENCES doctor (id),
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    -- When it was given back, or its end was recorded.
    ended_at TIMESTAMPTZ,
    reviewed_at TIMESTAMPTZ,
    reviewed_by UUID REFERENCES users (id),
    review_note TEXT NOT NULL
);
CREATE INDEX break_glass_by_user ON break_glass (user_id, started_at);
CREATE INDEX break_glass_running ON break_glass (expires_at) WHERE ended_at IS NULL;
CREATE INDEX break_glass_unreviewed ON break_glass (started_at) WHERE reviewed_at IS NULL;
