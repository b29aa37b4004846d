//! Which medicines an allergy is about: by words that both have, by its code, and for the allergens that patients tell of most by
//! groups of the ATC classification. A help before signing, and no complete check.

use model::{
    clinical::{ATC, Medication, is_medication_code},
    text::fold,
};

/// Shorter words say nothing: "of", "mg". In bytes: where a sign is a syllable or more, two of them are a word.
const WORD_LENGTH_MIN: usize = 4;
/// A shorter code is a whole chapter of the classification, or a letter that says something else.
const GROUP_LENGTH_MIN: usize = 3;

/// Names of allergens, folded, in the singular and with one space between words, and the groups that they stand for.
/// The table in docs/prescriptions.md is this one.
const ALLERGENS: &[(&[&str], &[&str])] = &[
    (&["penicillin"], &["J01C"]),
    (&["beta lactam", "betalactam"], &["J01C", "J01D"]),
    (&["cephalosporin", "cefalosporin"], &["J01DB", "J01DC", "J01DD", "J01DE"]),
    (&["sulfonamide", "sulphonamide", "sulfa", "sulpha"], &["J01E"]),
    (&["macrolide"], &["J01FA"]),
    (&["quinolone", "fluoroquinolone"], &["J01M"]),
    (&["tetracycline"], &["J01A"]),
    (&["aminoglycoside"], &["J01G"]),
    (&["nsaid", "aspirin", "acetylsalicylic", "acetylsalicylate"], &["M01A", "N02BA", "B01AC06"]),
    (&["opioid"], &["N02A"]),
    (&["iodine contrast", "iodinated contrast", "contrast media", "contrast medium"], &["V08A"]),
    (&["ace inhibitor"], &["C09A", "C09B"]),
    (&["statin"], &["C10AA"]),
];

/// Whether a medicine is one that an allergy is about, as far as words and codes tell.
pub fn clashes(allergy: &str, medication: &Medication) -> bool {
    let is_its_code = !medication.code.is_empty() && allergy.trim() == medication.code;
    is_its_code || has_its_words(allergy, &medication.text) || is_of_its_group(allergy, medication)
}

/// A word of the one is the beginning of a word of the other.
fn has_its_words(allergy: &str, medication: &str) -> bool {
    let long = |text: &str| -> Vec<String> {
        words(text).into_iter().filter(|word| word.len() >= WORD_LENGTH_MIN).collect()
    };
    let of_medication = long(medication);
    long(allergy).iter().any(|allergy| {
        of_medication
            .iter()
            .any(|word| word.starts_with(allergy.as_str()) || allergy.starts_with(word.as_str()))
    })
}

/// The code of the medicine is of a group that the allergy names, or stands for.
fn is_of_its_group(allergy: &str, medication: &Medication) -> bool {
    if medication.system != ATC {
        return false;
    }
    let code = medication.code.as_str();
    let named = allergy.trim().to_ascii_uppercase();
    if named.len() >= GROUP_LENGTH_MIN && is_medication_code(ATC, &named) {
        return code.starts_with(&named);
    }
    let words = words(allergy);
    ALLERGENS.iter().any(|(names, groups)| {
        groups.iter().any(|group| code.starts_with(group)) && names.iter().any(|name| says(&words, name))
    })
}

/// Whether the words of a name stand one behind the other, in the singular or in the plural.
fn says(words: &[String], name: &str) -> bool {
    let name: Vec<&str> = name.split(' ').collect();
    words.windows(name.len()).any(|some| some.iter().zip(&name).all(|(word, singular)| is_it(word, singular)))
}

fn is_it(word: &str, singular: &str) -> bool {
    word.strip_prefix(singular).is_some_and(|rest| matches!(rest, "" | "s"))
}

fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let words = folded.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use model::clinical::RXNORM;

    use super::*;

    fn medication(text: &str, system: &str, code: &str) -> Medication {
        Medication { text: text.into(), system: system.into(), code: code.into() }
    }

    #[test]
    fn allergies_clash_by_words_and_codes() {
        let bare = |text: &str| medication(text, "", "");
        assert!(clashes("Amoxicillin", &bare("amoxicillin 500 mg")));
        assert!(clashes("Penicillin V", &bare("Penicillin")));
        assert!(clashes("723", &medication("Amoxil", RXNORM, "723")));
        assert!(!clashes("nuts", &bare("Ibuprofen 400 mg")));
        assert!(!clashes("", &bare("")));
        assert!(!clashes("penicillin", &bare("Amoxil")), "what has no code has no group");
    }

    #[test]
    fn allergies_clash_by_groups_of_the_classification() {
        for (allergy, code) in [
            ("penicillin", "J01CA04"),
            ("Penicillins, since childhood", "J01CR02"),
            ("beta-lactams", "J01DH02"),
            ("Betalactam", "J01CA04"),
            ("cephalosporins", "J01DB01"),
            ("Cefalosporin", "J01DE01"),
            ("sulfonamides", "J01EE01"),
            ("SULFA drugs", "J01EC01"),
            ("macrolide", "J01FA10"),
            ("Quinolones", "J01MA02"),
            ("fluoroquinolones", "J01MA12"),
            ("tetracyclines", "J01AA02"),
            ("aminoglycosides", "J01GB03"),
            ("NSAIDs", "M01AE01"),
            ("aspirin", "M01AB05"),
            ("Acetylsalicylic acid", "B01AC06"),
            ("acetylsalicylic acid", "N02BA01"),
            ("opioids", "N02AX02"),
            ("iodine contrast", "V08AB05"),
            ("Contrast media (rash)", "V08AB02"),
            ("ACE inhibitors", "C09AA05"),
            ("ACE-inhibitor", "C09BA02"),
            ("statins", "C10AA05"),
            ("J01C", "J01CA04"),
            (" j01ca ", "J01CA04"),
            ("J01CA04", "J01CA04"),
        ] {
            assert!(clashes(allergy, &medication("Brand", ATC, code)), "{allergy}: {code}");
        }
        for (allergy, code) in [
            ("penicillin", "J01DC02"),
            ("cephalosporin", "J01DH02"),
            ("nystatin", "C10AA05"),
            ("aspirin", "B01AC04"),
            ("contrast", "V08AB02"),
            ("opioid", "N02BE01"),
            ("J01CA04", "J01CA01"),
            ("J", "J01CA04"),
        ] {
            assert!(!clashes(allergy, &medication("Brand", ATC, code)), "{allergy}: {code}");
        }
        assert!(!clashes("penicillin", &medication("Brand", RXNORM, "723")));
    }

    /// What doctors read is what the program does.
    #[test]
    fn the_table_has_names_as_they_are_compared_and_is_the_one_of_the_documentation() {
        let documented = include_str!("../../../docs/prescriptions.md").to_lowercase().replace('-', " ");
        for (names, groups) in ALLERGENS {
            let row = format!("| {} | {} |", names.join(", "), groups.join(", ").to_lowercase());
            assert!(documented.contains(&row), "put into docs/prescriptions.md: {row}");
            assert!(names.iter().all(|name| words(name).join(" ") == *name), "{names:?}");
            assert!(groups.iter().all(|group| is_medication_code(ATC, group)), "{groups:?}");
        }
    }
}
