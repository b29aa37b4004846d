-- Application entities: who may associate, from where, with which certificate, and for what.

CREATE TABLE ae (
    id UUID NOT NULL PRIMARY KEY,
    title TEXT NOT NULL UNIQUE,
    -- model::ae::AeProfile. The registry is small and read whole.
    profile JSONB NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
