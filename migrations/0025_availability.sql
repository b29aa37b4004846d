-- PS3.4 Annex R: who is still to be told that the instances of a study are available. What is told is read when it is told, so that a
-- study that changes meanwhile is told once, as it is then. The same rewriting as in 0001_archive.sql.

CREATE TABLE availability_notice (
    id UUID NOT NULL PRIMARY KEY,
    ae_title TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- When the next attempt is made; while one runs, when it counts as lost.
    due_at TIMESTAMPTZ NOT NULL,
    -- When the study was completed, the last time, and behind which events: it is told when all of before are there.
    requested_at TIMESTAMPTZ NOT NULL,
    sequence BIGINT NOT NULL,
    UNIQUE (ae_title, study_instance_uid)
);
CREATE INDEX availability_notice_due ON availability_notice (due_at);

-- Further rules that ask for an instance at the same destination: when the rule that it waits by does not count any more, it goes by the
-- heaviest of these that does.
CREATE TABLE forward_claim (
    instance UUID NOT NULL,
    destination TEXT NOT NULL,
    rule_id UUID NOT NULL REFERENCES forward_rule (id) ON DELETE CASCADE,
    -- 0 low, 1 medium, 2 high.
    priority INTEGER NOT NULL,
    PRIMARY KEY (instance, destination, rule_id),
    FOREIGN KEY (instance, destination) REFERENCES forward (instance, destination) ON DELETE CASCADE
);
CREATE INDEX forward_claim_by_rule ON forward_claim (rule_id);
