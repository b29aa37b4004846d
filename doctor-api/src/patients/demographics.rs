//! Whether what images say of a patient is what the registry says. Only what both say, and say differently, is a conflict.

use model::text::fold;
use service::patient_service::{Gender, HumanName, PartialDate};

/// Whether a Person Name (PS3.5 6.2.1.1) is one of these, or says nothing. Case, diacritics and the order of words do not
/// count, titles neither; a given name that one side leaves out is no other name.
pub fn is_named<'a>(person_name: &str, names: impl IntoIterator<Item = &'a HumanName>) -> bool {
    let groups: Vec<Vec<String>> =
        person_name.split('=').map(words_of_group).filter(|words| !words.is_empty()).collect();
    let mut nobody = true;
    for name in names {
        nobody = false;
        if groups.iter().any(|group| is_same(group, name)) {
            return true;
        }
    }
    nobody || groups.is_empty()
}

/// Whether a birth date of an image (DA) is this one, as far as both go.
pub fn is_born(date: &str, birth_date: &PartialDate) -> bool {
    let (image, registry) = (digits(date), digits(birth_date.as_str()));
    let common = image.len().min(registry.len());
    // Other lengths are no dates, and say nothing.
    !matches!(image.len(), 4 | 6 | 8) || image[..common] == registry[..common]
}

/// Whether Patient's Sex (0010,0040) is this gender. What is neither M, F nor O says nothing.
pub fn is_of(sex: &str, gender: Gender) -> bool {
    let said = match sex.trim() {
        "M" => Gender::Male,
        "F" => Gender::Female,
        "O" => Gender::Other,
        _ => return true,
    };
    gender == Gender::Unknown || said == gender
}

/// The words of a component group without prefix and suffix.
fn words_of_group(group: &str) -> Vec<String> {
    group.split('^').take(3).flat_map(words).collect()
}

fn words(text: &str) -> Vec<String> {
    let text: String =
        fold(text).chars().filter(|one| !matches!(one, '.' | '\'' | '\u{2019}' | '`')).collect();
    let parts = text.split(|one: char| one.is_whitespace() || matches!(one, '-' | ','));
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_same(said: &[String], name: &HumanName) -> bool {
    let mut rest = said.to_vec();
    let given = words(&name.given);
    if given.is_empty() && name.family.is_empty() {
        let whole = words(&name.text);
        return contains(&whole, &rest) || contains(&rest, &whole);
    }
    if !words(&name.family).iter().all(|word| take(&mut rest, word)) {
        return false;
    }
    for title in words(&name.prefix).iter().chain(&words(&name.suffix)) {
        take(&mut rest, title);
    }
    given.is_empty() || contains(&given, &rest) || contains(&rest, &given)
}

/// Takes a word away, when it is there.
fn take(words: &mut Vec<String>, word: &str) -> bool {
    let at = words.iter().position(|one| one == word);
    at.map(|at| words.swap_remove(at)).is_some()
}

fn contains(all: &[String], some: &[String]) -> bool {
    let mut all = all.to_vec();
    some.iter().all(|word| take(&mut all, word))
}

/// Digits of a date; months and days of zeros are not known.
fn digits(date: &str) -> String {
    let mut digits: String = date.chars().filter(|one| !matches!(one, '-' | '.' | ' ')).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return String::new();
    }
    while digits.len() > 4 && digits.ends_with("00") {
        digits.truncate(digits.len() - 2);
    }
    digits
}

#[cfg(test)]
mod tests {
    use service::patient_service::NameUse;

    use super::*;

    fn name(given: &str, family: &str) -> HumanName {
        HumanName {
            name_use: NameUse::Official,
            text: String::new(),
            prefix: "Dr.".into(),
            given: given.into(),
            family: family.into(),
            suffix: "MD".into(),
        }
    }

    #[test]
    fn names_are_the_same_however_they_are_written() {
        let registry = name("José María", "Núñez-Álvarez");
        for same in [
            "Núñez-Álvarez^José María",
            "NUNEZ ALVAREZ^JOSE^MARIA",
            "Nunez-Alvarez^Maria Jose^^Prof.^PhD",
            "José María Núñez Álvarez",
            "José Núñez Álvarez",
            "Dr. José María Núñez-Álvarez MD",
            "Nunez Alvarez^Jose Maria Pilar",
            "Nunez Alvarez",
            "=山田^太郎=Nunez Alvarez^Jose",
            "",
            "^^^^",
        ] {
            assert!(is_named(same, [&registry]), "{same}");
        }
        for other in
            ["Núñez^José María", "Núñez Álvarez^Pedro", "Alvarez^Jose", "Nunez Alvarez^Jose Pedro", "x"]
        {
            assert!(!is_named(other, [&registry]), "{other}");
        }
        assert!(is_named("O'Brien^Seán", [&name("Sean", "O\u{2019}Brien")]));
        assert!(is_named("Mensah^Kofi", [&name("Ama", "Diallo"), &name("Kofi", "Mensah")]), "one of several");
        assert!(is_named("Mensah^Kofi", []), "the registry says nothing");
        assert!(is_named("Yamada^Tarou=山田^太郎", [&name("太郎", "山田")]));
        let text = HumanName { text: "Mr. Kofi Mensah".into(), ..name("", "") };
        assert!(is_named("Mensah^Kofi", [&text]) && !is_named("Mensah^Ama", [&text]));
    }

    #[test]
    fn dates_are_compared_as_far_as_they_go() {
        let date = |text: &str| PartialDate::parse(text).expect("a date");
        for (image, registry) in [
            ("19800229", "1980-02-29"),
            ("19800229", "1980-02"),
            ("19800229", "1980"),
            ("1980.02.29", "1980-02-29"),
            ("198002", "1980-02-29"),
            ("1980", "1980-02-29"),
            ("19800000", "1980-02-29"),
            ("19800200", "1980-02-29"),
            ("", "1980-02-29"),
            ("unknown", "1980-02-29"),
            ("198", "1980"),
        ] {
            assert!(is_born(image, &date(registry)), "{image} {registry}");
        }
        for (image, registry) in
            [("19800228", "1980-02-29"), ("19810229", "1980"), ("198003", "1980-02"), ("1979", "1980-02-29")]
        {
            assert!(!is_born(image, &date(registry)), "{image} {registry}");
        }
    }

    #[test]
    fn sexes_differ_when_both_say_one() {
        for (sex, gender) in [
            ("M", Gender::Male),
            ("F ", Gender::Female),
            ("O", Gender::Other),
            ("", Gender::Male),
            ("U", Gender::Male),
            ("M", Gender::Unknown),
        ] {
            assert!(is_of(sex, gender), "{sex} {gender:?}");
        }
        for (sex, gender) in
            [("M", Gender::Female), ("F", Gender::Male), ("O", Gender::Male), ("M", Gender::Other)]
        {
            assert!(!is_of(sex, gender), "{sex} {gender:?}");
        }
    }
}
