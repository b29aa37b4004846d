//! Settings of prescriptions on paper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Section `[doctor_api.prescription]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrescriptionConfig {
    /// Where fonts are looked for, with the folders inside, when a text needs more than the shipped ones.
    pub font_directories: Vec<PathBuf>,
    /// PDFs made at the same time; each takes a core.
    pub pdfs_max: usize,
}

impl Default for PrescriptionConfig {
    fn default() -> Self {
        Self {
            font_directories: vec!["/usr/local/share/fonts".into(), "/usr/share/fonts".into()],
            pdfs_max: 2,
        }
    }
}
