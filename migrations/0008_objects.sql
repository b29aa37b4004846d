-- From an object to the row that names it: checks and the collection of orphans ask this way round.
-- The same rewriting as in 0001_archive.sql.

CREATE UNIQUE INDEX instance_by_object_key ON instance (object_key);
CREATE INDEX preview_by_preview_key ON preview (preview_key) WHERE preview_key IS NOT NULL;
CREATE INDEX preview_by_thumbnail_key ON preview (thumbnail_key) WHERE thumbnail_key IS NOT NULL;

-- While the index is made again from the objects: which studies were linked to which consultations.
CREATE TABLE remembered_link (
    consultation_id UUID NOT NULL REFERENCES consultation (id) ON DELETE CASCADE,
    study_instance_uid TEXT NOT NULL,
    linked_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consultation_id, study_instance_uid)
);
