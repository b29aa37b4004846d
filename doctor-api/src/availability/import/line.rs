//! Content lines (RFC 5545 3.1) as others wrote them: unfolded, cut into name, parameters and value.

use super::Refused;

/// A content line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// In capitals.
    pub name: String,
    /// Names in capitals, values without quotes.
    pub parameters: Vec<(String, String)>,
    pub value: String,
    /// Counted from 1, before unfolding.
    pub number: usize,
}

impl Line {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && self.value.trim().eq_ignore_ascii_case(value)
    }

    pub(super) fn refused(&self, why: impl Into<String>) -> Refused {
        Refused { line: self.number, why: why.into() }
    }

    /// The value as text (RFC 5545 3.3.11) on one line.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut characters = self.value.chars();
        while let Some(character) = characters.next() {
            let meant = match character {
                '\\' => match characters.next() {
                    Some('n' | 'N') | None => ' ',
                    Some(escaped) => escaped,
                },
                other => other,
            };
            text.push(if meant.is_control() { ' ' } else { meant });
        }
        text.trim().to_owned()
    }
}

/// All lines; empty ones are passed over.
pub(super) fn read_lines(text: &str) -> Result<Vec<Line>, Refused> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut unfolded: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), unfolded.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => unfolded.push((index + 1, line.to_owned())),
        }
    }
    unfolded.into_iter().map(|(number, line)| cut(number, &line)).collect()
}

fn cut(number: usize, line: &str) -> Result<Line, Refused> {
    let refused = |why: &str| Refused { line: number, why: why.to_owned() };
    let end = line.find([':', ';']).ok_or_else(|| refused("is no line of a calendar: it has no colon"))?;
    let name = line[..end].to_ascii_uppercase();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if name.is_empty() || !name.bytes().all(known) {
        return Err(refused("is no line of a calendar: it does not begin with a name"));
    }
    let mut parameters = Vec::new();
    let mut rest = &line[end..];
    while let Some(after) = rest.strip_prefix(';') {
        let equals = after.find('=').ok_or_else(|| refused("has a parameter without a value"))?;
        let (value, left) =
            parameter_value(&after[equals + 1..]).ok_or_else(|| refused("has a parameter without an end"))?;
        parameters.push((after[..equals].to_ascii_uppercase(), value));
        rest = left;
    }
    let value = rest.strip_prefix(':').ok_or_else(|| refused("has no value"))?;
    // RFC 6350 3.3 names groups so, and some write them here.
    let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
    Ok(Line { name, parameters, value: value.to_owned(), number })
}

/// What stands before the next `;` or `:` outside of quotes, and what follows.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    let end = text.find(|character| {
        quoted ^= character == '"';
        !quoted && matches!(character, ';' | ':')
    })?;
    Some((text[..end].replace('"', ""), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded_and_cut() {
        let text = "\u{feff}BEGIN:VEVENT\r\nDTSTART;TZID=\"Europe/B\r\n erlin\";x-a=1,2:20270101T0\n\t90000\r\n\r\n\
                    SUMMARY:one\\, two\\n\\;three \\\\\r\n";
        let lines = read_lines(text).expect("lines");
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (lines[1].parameter("TZID"), lines[1].parameter("X-A")),
            (Some("Europe/Berlin"), Some("1,2"))
        );
        assert_eq!((lines[1].value.as_str(), lines[1].number, lines[2].number), ("20270101T090000", 2, 6));
        assert_eq!(lines[2].text(), "one, two ;three \\");
    }

    #[test]
    fn what_is_no_line_is_named() {
        for (text, line) in [
            ("hello", 1),
            ("BEGIN:VCALENDAR\n{\"a\":1}", 2),
            (":x", 1),
            ("A;B:x", 1),
            ("A;B=\"x:y", 1),
            ("A;B=x", 1),
        ] {
            assert_eq!(read_lines(text).expect_err(text).line, line, "{text}");
        }
    }
}
