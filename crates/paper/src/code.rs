//! The square code (ISO/IEC 18004), as its dark modules.

use qrcode::{Color, EcLevel, QrCode};

use crate::PaperError;

/// Light modules around the code without which readers do not find it.
pub const QUIET_MODULES: usize = 4;

/// A code as rows of modules, true where it is dark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Modules of a side.
    pub width: usize,
    dark: Vec<bool>,
}

impl Code {
    /// Of a text. A quarter of it can be unreadable: papers are folded.
    pub fn of(text: &str) -> Result<Self, PaperError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::Q);
        let code = code.map_err(|error| PaperError::Refused(format!("the code: {error}")))?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { width: code.width(), dark })
    }

    /// Runs of dark modules: row, first column, how many.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::new();
        for (row, modules) in self.dark.chunks(self.width).enumerate() {
            let mut column = 0;
            for run in modules.chunk_by(|one, other| one == other) {
                if run[0] {
                    runs.push((row, column, run.len()));
                }
                column += run.len();
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_marks() {
        let code = Code::of("https://x.example/prescriptions/1/verify?code=2").expect("a code");
        let runs = code.runs();
        let edge = code.width - 7;
        for mark in [(0, 0, 7), (0, edge, 7), (edge, 0, 7)] {
            assert!(runs.contains(&mark), "{mark:?}");
        }
        assert!(Code::of(&"x".repeat(3_000)).is_err());
    }
}
