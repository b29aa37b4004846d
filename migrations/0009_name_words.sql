-- The words of patients' names, for fuzzy semantic matching (PS3.4 C.2.2.2.1.1): each word of the name, folded, and how
-- it sounds. The same rewriting as in 0001_archive.sql.

CREATE TABLE patient_name_word (
    patient UUID NOT NULL REFERENCES patient (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    -- model::text::phonetic of the word; empty for what has no sound that we know.
    phonetic TEXT NOT NULL,
    PRIMARY KEY (patient, word)
);
CREATE INDEX patient_name_word_by_word ON patient_name_word (word, patient);
CREATE INDEX patient_name_word_by_phonetic ON patient_name_word (phonetic, patient) WHERE phonetic <> '';

-- False for patients that came before this table: their words are written when the program starts.
ALTER TABLE patient ADD COLUMN has_name_words BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX patient_without_name_words ON patient (id) WHERE NOT has_name_words;
