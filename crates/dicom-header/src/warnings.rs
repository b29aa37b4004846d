//! What was read leniently: each sentence once, without patient data, and not too many of them.

/// Sentences kept for one object.
const WARNINGS_MAX: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<String>);

impl Warnings {
    pub(crate) fn add(&mut self, sentence: &str) {
        if self.0.len() < WARNINGS_MAX && !self.0.iter().any(|known| known == sentence) {
            self.0.push(sentence.to_owned());
        }
    }

    pub(crate) fn into_sentences(self) -> Vec<String> {
        self.0
    }
}
