//! Splits Rust source into code, comments and string literals, enough for rules that must not be fooled by them.

/// A source text with its parts told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexed {
    /// The text with comments and the insides of literals replaced by spaces; lines stay where they were.
    pub code: String,
    /// String literals: line from 1, and content as written.
    pub strings: Vec<(usize, String)>,
}

/// Lexes a file.
pub fn lex(text: &str) -> Lexed {
    let mut lexer =
        Lexer { rest: text, code: String::with_capacity(text.len()), strings: Vec::new(), line: 1 };
    while let Some(character) = lexer.rest.chars().next() {
        lexer.step(character);
    }
    Lexed { code: lexer.code, strings: lexer.strings }
}

struct Lexer<'a> {
    rest: &'a str,
    code: String,
    strings: Vec<(usize, String)>,
    line: usize,
}

impl Lexer<'_> {
    fn step(&mut self, character: char) {
        let after_word = self.code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if let Some(hashes) = raw_string(self.rest).filter(|_| !after_word) {
            self.raw_string(hashes);
        } else if character == '"' {
            self.string();
        } else if let Some(length) = character_literal(self.rest) {
            self.keep(1);
            self.blank(length - 2);
            self.keep(1);
        } else {
            self.keep(character.len_utf8());
        }
    }

    fn keep(&mut self, bytes: usize) {
        let (kept, rest) = self.rest.split_at(bytes);
        self.line += kept.matches('\n').count();
        self.code.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, bytes: usize) {
        let (blanked, rest) = self.rest.split_at(bytes);
        self.line += blanked.matches('\n').count();
        self.code.extend(blanked.chars().map(|one| if one == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    fn block_comment(&mut self) {
        let (mut depth, mut at) = (0_usize, 0);
        while at < self.rest.len() {
            let rest = &self.rest[at..];
            if rest.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                at += 2;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
            if depth == 0 {
                break;
            }
        }
        self.blank(at);
    }

    fn string(&mut self) {
        self.keep(1);
        let mut escaped = false;
        let end = self.rest.char_indices().find(|(_, one)| {
            let ends = *one == '"' && !escaped;
            escaped = *one == '\\' && !escaped;
            ends
        });
        self.literal(end.map_or(self.rest.len(), |(at, _)| at), 1);
    }

    fn raw_string(&mut self, hashes: usize) {
        let opening = self.rest.find('"').expect("a raw string has a quote") + 1;
        self.keep(opening);
        let closing = format!("\"{}", "#".repeat(hashes));
        let end = self.rest.find(&closing).unwrap_or(self.rest.len());
        self.literal(end, closing.len());
    }

    fn literal(&mut self, length: usize, closing: usize) {
        self.strings.push((self.line, self.rest[..length].to_owned()));
        self.blank(length);
        self.keep(closing.min(self.rest.len()));
    }
}

/// The number of hashes when a raw string (r, br, cr) begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let rest =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a character literal; `None` for a lifetime.
fn character_literal(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices();
    if characters.next()?.1 != '\'' {
        return None;
    }
    let (_, first) = characters.next()?;
    if first == '\\' {
        characters.next()?;
        return characters.find(|(_, one)| *one == '\'').map(|(at, _)| at + 1);
    }
    let (at, second) = characters.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_code_from_comments_and_literals() {
        let text = "let a = \"x { // \\\" y\"; // } {\nlet b = r#\"a \" b\"#; /* { /* { */ */ let c = '{';\nfn f<'a>(d: &'a str) {}";
        let lexed = lex(text);
        let lines: Vec<&str> = lexed.code.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "let a = \"           \";");
        assert!(
            lines[1].starts_with("let b = r#\"     \"#;") && lines[1].ends_with("let c = ' ';"),
            "{}",
            lines[1]
        );
        assert_eq!(lines[2], "fn f<'a>(d: &'a str) {}");
        assert_eq!(lexed.strings, [(1, "x { // \\\" y".to_owned()), (2, "a \" b".to_owned())]);
    }

    #[test]
    fn takes_escaped_characters() {
        assert_eq!(lex(r"('\'', '\\', '\u{7f}', b'{')").code, "('  ', '  ', '      ', b' ')");
    }
}
