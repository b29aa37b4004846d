-- PS3.4 Annex K: what is scheduled, for modalities to ask. The same rewriting as in 0001_archive.sql.

-- A requested procedure and its patient.
CREATE TABLE worklist_item (
    id UUID NOT NULL PRIMARY KEY,
    study_instance_uid TEXT NOT NULL UNIQUE,
    accession_number TEXT NOT NULL,
    accession_number_folded TEXT NOT NULL,
    requested_procedure_id TEXT NOT NULL,
    requested_procedure_id_folded TEXT NOT NULL,
    requested_procedure_description TEXT NOT NULL,
    requesting_physician TEXT NOT NULL,
    referring_physician_name TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    patient_id_folded TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    patient_name_folded TEXT NOT NULL,
    patient_birth_date TEXT NOT NULL,
    patient_sex TEXT NOT NULL,
    -- The consultation that its study is linked to when it comes.
    consultation_id UUID REFERENCES consultation (id),
    version BIGINT NOT NULL,
    created_by UUID,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX worklist_item_by_accession_number ON worklist_item (accession_number) WHERE accession_number <> '';
CREATE INDEX worklist_item_by_patient_id ON worklist_item (patient_id);
CREATE INDEX worklist_item_by_patient_name_folded ON worklist_item (patient_name_folded);
CREATE INDEX worklist_item_by_consultation ON worklist_item (consultation_id) WHERE consultation_id IS NOT NULL;

-- Its scheduled procedure steps: one answer to a modality each.
CREATE TABLE worklist_step (
    item UUID NOT NULL REFERENCES worklist_item (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    step_id TEXT NOT NULL,
    step_id_folded TEXT NOT NULL,
    station_ae_title TEXT NOT NULL,
    station_name TEXT NOT NULL,
    location TEXT NOT NULL,
    modality TEXT NOT NULL,
    start_date TEXT NOT NULL,
    start_time TEXT NOT NULL,
    performing_physician_name TEXT NOT NULL,
    performing_physician_name_folded TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Scheduled Procedure Step Status (0040,0020), and whether it is still to be done or under way.
    status TEXT NOT NULL,
    open BOOLEAN NOT NULL,
    PRIMARY KEY (item, number)
);
CREATE INDEX worklist_step_open ON worklist_step (start_date, start_time, item, number) WHERE open;
CREATE INDEX worklist_step_by_start ON worklist_step (start_date, start_time, item, number);
CREATE INDEX worklist_step_open_by_station ON worklist_step (station_ae_title, start_date) WHERE open;
