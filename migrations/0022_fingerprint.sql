-- What all nodes have to agree on and no database may know: of such secrets, what tells one from another.
CREATE TABLE fingerprint (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
