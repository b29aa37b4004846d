-- The form that a request with an Idempotency-Key came with, whose file is not held in memory: known when it has come whole, and kept before
-- anything of it is stored. Nothing for other requests.
-- Keyed hash of its fields and its file.
ALTER TABLE idempotency ADD COLUMN form_hmac BYTEA;
-- When it first came whole: what is made of it is of this time, however often it comes again.
ALTER TABLE idempotency ADD COLUMN came_at TIMESTAMPTZ;
