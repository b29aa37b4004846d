-- Work that one node at a time does, and which node that is. The same rewriting as in 0001_archive.sql.
CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder UUID NOT NULL,
    -- From then on another node may take it.
    held_until TIMESTAMPTZ NOT NULL
);
