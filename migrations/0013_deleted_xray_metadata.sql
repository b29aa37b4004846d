-- What people had said of an X-ray that was deleted (xray_metadata), to be said of it again when it is restored.
CREATE TABLE deleted_xray_metadata (
    instance UUID NOT NULL PRIMARY KEY REFERENCES deleted_instance (instance) ON DELETE CASCADE,
    consultation_id UUID REFERENCES consultation (id),
    captured_at TIMESTAMPTZ,
    paramedic TEXT NOT NULL,
    body_part TEXT NOT NULL,
    view_position TEXT NOT NULL,
    laterality TEXT NOT NULL,
    notes TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_by UUID,
    updated_at TIMESTAMPTZ NOT NULL
);
