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

/// How a folded word sounds, roughly: words that are spelt differently and sound alike have one code. `None` for words
/// that are too short to tell, or not in Latin letters.
///
/// It is Soundex (the index of the United States census: a letter, and a digit for each of the next three groups of
/// consonants), with one letter for first letters that name one sound, as in Carl and Karl, Zander and Sander.
pub fn phonetic(word: &str) -> Option<String> {
    let letters: Vec<u8> = word.bytes().filter(|byte| !matches!(byte, b'-' | b'\'' | b'.')).collect();
    if letters.len() < PHONETIC_LETTERS_MIN || !letters.iter().all(u8::is_ascii_lowercase) {
        return None;
    }
    let mut code = String::with_capacity(4);
    code.push(char::from(first_sound(letters[0], letters[1])));
    let mut last = consonant_group(letters[0]);
    for letter in &letters[1..] {
        match (consonant_group(*letter), letter) {
            // These do not part two consonants of one group; vowels do.
            (None, b'h' | b'w') => {}
            (None, _) => last = None,
            (Some(group), _) => {
                if last != Some(group) {
                    code.push(char::from(group));
                }
                last = Some(group);
            }
        }
        if code.len() == 4 {
            return Some(code);
        }
    }
    while code.len() < 4 {
        code.push('0');
    }
    Some(code)
}

/// Two letters and a vowel sound like too much.
const PHONETIC_LETTERS_MIN: usize = 3;

fn consonant_group(letter: u8) -> Option<u8> {
    Some(match letter {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        _ => return None,
    })
}

fn first_sound(first: u8, second: u8) -> u8 {
    match (first, second) {
        (b'c', b'e' | b'i' | b'y') | (b'x' | b'z', _) => b's',
        (b'c' | b'q', _) => b'k',
        (b'p', b'h') | (b'v' | b'w', _) => b'f',
        (b'j' | b'y', _) => b'i',
        (other, _) => other,
    }
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
    fn what_sounds_alike_has_one_code() {
        for alike in [
            &["meyer", "maier", "mayr", "meier"][..],
            &["schmidt", "schmitt", "smith", "schmid"],
            &["muller", "mueller", "miller"],
            &["catherine", "katharina", "kathryn"],
            &["stephan", "stefan", "steven"],
            &["o'brien", "obrien"],
            &["philipp", "filip"],
        ] {
            let codes: Vec<Option<String>> = alike.iter().map(|word| phonetic(word)).collect();
            assert!(codes[0].is_some() && codes.iter().all(|code| *code == codes[0]), "{alike:?}: {codes:?}");
        }
        assert_ne!(phonetic("meyer"), phonetic("mason"));
        assert_ne!(phonetic("yamada"), phonetic("amada"));
        // The two textbook cases of Soundex: h and w do not part, vowels do.
        assert_eq!(phonetic("ashcraft").as_deref(), Some("a261"));
        assert_eq!(phonetic("tymczak").as_deref(), Some("t522"));
        for silent in ["ma", "\u{5c71}\u{7530}\u{592a}", "", "a1b", "Meyer"] {
            assert_eq!(phonetic(silent), None, "{silent}");
        }
    }

    #[test]
    fn folds_names() {
        assert_eq!(fold_person_name("Äneas^Rüdiger "), "aneas rudiger");
        assert_eq!(fold_person_name("Yamada^Tarou=山田^太郎"), "yamada tarou 山田 太郎");
        assert_eq!(fold("  Łódź  STRASSE ß*?"), "lodz strasse ss*?");
        assert_eq!(fold("u\u{308}"), "u");
    }
}
