//! Folding of text for search: case, accents and the separators of person names do not count.

/// Folds for matching: lower case, diacritics of Latin letters dropped, white space runs as one space.
///
/// `*` and `?` stay, so that a folded wildcard pattern still matches.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut space = true;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            if !space {
                folded.push(' ');
            }
            space = true;
            continue;
        }
        space = false;
        match base_letters(character) {
            Some(letters) => folded.push_str(letters),
            None if is_combining(character) => {}
            None => folded.extend(character.to_lowercase()),
        }
    }
    if folded.ends_with(' ') {
        folded.pop();
    }
    folded
}

/// Folds a person name (PS3.5 6.2.1.1): as [`fold`], and `^`, `=` and `,` become spaces.
pub fn fold_person_name(text: &str) -> String {
    fold(&text.replace(['^', '=', ','], " "))
}

fn is_combining(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// Base letters of the precomposed Latin letters of ISO 8859-1, -2, -3, -4 and -9.
fn base_letters(character: char) -> Option<&'static str> {
    Some(match character {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ď'..='đ' | 'Ð' | 'ð' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ'..='ĸ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ŋ' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'ſ' => "s",
        'ß' => "ss",
        'Ţ'..='ŧ' => "t",
        'Þ' | 'þ' => "th",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return None,
    })
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_names() {
        assert_eq!(fold_person_name("Äneas^Rüdiger "), "aneas rudiger");
        assert_eq!(fold_person_name("Yamada^Tarou=山田^太郎"), "yamada tarou 山田 太郎");
        assert_eq!(fold("  Łódź  STRASSE ß*?"), "lodz strasse ss*?");
        assert_eq!(fold("u\u{308}"), "u");
    }
}
