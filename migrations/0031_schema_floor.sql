-- The first step of the schema whose programs can run on what the schema has become: one that knows this step, and not the latest, goes
-- on. A step that takes something away raises it, in its own text, to the step whose programs do not ask for that any more
-- (CONTRIBUTING.md, Steps of the schema). Programs from before this step refuse every schema that is ahead of them.
CREATE TABLE schema_floor (
    step BIGINT NOT NULL
);
INSERT INTO schema_floor (step) VALUES (31);
