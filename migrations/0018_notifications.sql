-- What is told to whom and when: reminders of consultations, webhooks, and what is on its way to them. The same rewriting as
-- in 0001_archive.sql, the same blocks as in 0010_appointments.sql.

-- Reminders to come. A row is taken away in the transaction that writes its event, so each is sent once.
CREATE TABLE reminder (
    consultation_id UUID NOT NULL REFERENCES consultation (id) ON DELETE CASCADE,
    minutes_before INTEGER NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consultation_id, minutes_before)
);
CREATE INDEX reminder_by_time ON reminder (due_at);

-- Consultations that were booked before there were reminders get those of the default setting.
-- ONLY postgres
INSERT INTO reminder (consultation_id, minutes_before, due_at)
    SELECT c.id, span.minutes, c.scheduled_at - span.minutes * interval '1 minute'
    FROM consultation c CROSS JOIN (VALUES (1440), (60), (10)) AS span (minutes)
    WHERE c.status IN ('booked', 'arrived') AND c.scheduled_at - span.minutes * interval '1 minute' > now();
-- END
-- ONLY sqlite
INSERT INTO reminder (consultation_id, minutes_before, due_at)
    SELECT c.id, span.column1,
        strftime('%Y-%m-%dT%H:%M:%S', c.scheduled_at, '-' || span.column1 || ' minutes') || '+00:00'
    FROM consultation c CROSS JOIN (VALUES (1440), (60), (10)) AS span
    WHERE c.status IN ('booked', 'arrived')
        AND strftime('%Y-%m-%dT%H:%M:%S', c.scheduled_at, '-' || span.column1 || ' minutes') > strftime('%Y-%m-%dT%H:%M:%S', 'now');
-- END

-- Where events are sent over HTTP. The secret that signs them is made of the server's own and the id: it is not in here.
CREATE TABLE webhook (
    id UUID NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    description TEXT NOT NULL,
    event_types JSONB NOT NULL,
    -- Only events after this one of the outbox are for it.
    since BIGINT NOT NULL,
    created_by UUID,
    created_at TIMESTAMPTZ NOT NULL
);

-- One event on its way to one receiver.
CREATE TABLE delivery (
    id UUID NOT NULL PRIMARY KEY,
    -- Nothing for an e-mail to the doctor whom the event concerns.
    webhook_id UUID REFERENCES webhook (id) ON DELETE CASCADE,
    event_id UUID NOT NULL,
    event_type TEXT NOT NULL,
    -- What is sent, byte for byte, however often.
    body TEXT NOT NULL,
    -- pending, delivered, dead.
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- Nothing when it is delivered or dead.
    next_attempt_at TIMESTAMPTZ,
    -- What the last attempt gave: an HTTP status, or a word for why there was none.
    last_status INTEGER,
    last_error TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    settled_at TIMESTAMPTZ,
    UNIQUE (webhook_id, event_id)
);
CREATE UNIQUE INDEX delivery_by_mail ON delivery (event_id) WHERE webhook_id IS NULL;
CREATE INDEX delivery_by_time ON delivery (webhook_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, id);
CREATE INDEX delivery_by_end ON delivery (settled_at) WHERE settled_at IS NOT NULL;

-- Up to where each reader has read the outbox.
CREATE TABLE outbox_cursor (
    reader TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);
INSERT INTO outbox_cursor (reader, sequence) SELECT 'deliveries', COALESCE(MAX(sequence), 0) FROM outbox;
