-- How far this database is. A node writes a greater value every minute, first here and then into the object store (keys/beat). A store
-- with a greater value than this one has seen a later database: an older copy was put back, or another database took its place.
CREATE TABLE store_beat (
    -- Milliseconds since 1970. It grows even when a clock goes back.
    value BIGINT NOT NULL,
    -- Objects may hold what this database does not know: none is removed for want of a row, until maxray reindex has ended.
    is_behind BOOLEAN NOT NULL,
    -- The store held objects and no value when this database wrote its first one into it: nothing told whether it was an older copy.
    is_unproved BOOLEAN NOT NULL
);
INSERT INTO store_beat (value, is_behind, is_unproved) VALUES (0, FALSE, FALSE);
