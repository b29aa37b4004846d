//! Content lines (RFC 5545 3.1): folded at 75 bytes, never inside of a character.

/// Longest line in bytes, without its end.
const LINE_LENGTH_MAX: usize = 75;

/// The lines of a calendar.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A line whose value is written as it is.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        let line = format!("{name}:{value}");
        let mut rest = line.as_str();
        let mut room = LINE_LENGTH_MAX;
        while rest.len() > room {
            let at = (1..=room).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            self.0.push_str(&rest[..at]);
            self.0.push_str("\r\n ");
            rest = &rest[at..];
            // The space counts.
            room = LINE_LENGTH_MAX - 1;
        }
        self.0.push_str(rest);
        self.0.push_str("\r\n");
    }

    /// A line whose value is text (RFC 5545 3.3.11).
    pub(super) fn add_text(&mut self, name: &str, text: &str) {
        let mut escaped = String::with_capacity(text.len() + 8);
        for character in text.chars() {
            match character {
                '\\' | ';' | ',' => escaped.extend(['\\', character]),
                '\n' => escaped.push_str("\\n"),
                _ if character.is_control() => {}
                _ => escaped.push(character),
            }
        }
        self.add(name, &escaped);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut lines = Lines::default();
        let text = "Dr. Ŋùgĩ wa Thĩong'o; Ƙano, \\ \u{7}".repeat(8);
        lines.add_text("NAME", &text);
        let written = lines.finish();
        assert!(written.ends_with("\r\n"));
        assert!(written.trim_end().split("\r\n").all(|line| line.len() <= 75), "{written}");
        assert!(written.trim_end().split("\r\n").skip(1).all(|line| line.starts_with(' ')), "{written}");
        let unfolded = written.replace("\r\n ", "");
        assert_eq!(
            unfolded.trim_end(),
            format!("NAME:{}", "Dr. Ŋùgĩ wa Thĩong'o\\; Ƙano\\, \\\\ ".repeat(8)).trim_end()
        );
    }
}
