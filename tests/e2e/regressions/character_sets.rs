//! threats.md row 25: names in every character set of the Standard (PS3.3 C.12.1.1.2) and in combinations, written by pydicom, and
//! names in none. All are stored, found, and valid JSON in answers.

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};
use tests::{
    platform::Platform,
    python,
    session::Session,
    synthetic::{Encoding, Writer},
};

use super::{Crafted, quiet};

/// Specific Character Set and a name that it can write. Each is another person: who has the same Patient ID and the same name in one
/// group is one patient, whose name is answered as it came first.
const NAMES: [(&str, &str); 46] = [
    ("", "Doe^Jane"),
    ("ISO_IR 6", "Doe^John"),
    ("ISO_IR 100", "Müller^Jürgen"),
    ("ISO_IR 101", "Wałęsa^Łucja"),
    ("ISO_IR 109", "Borġ^Ċensu"),
    ("ISO_IR 110", "Bērziņš^Jānis"),
    ("ISO_IR 126", "Διονυσιος^Ανδρεας"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 138", "שרון^דבורה"),
    ("ISO_IR 144", "Иванов^Иван"),
    ("ISO_IR 148", "Çavuşoğlu^İpek"),
    ("ISO_IR 166", "สมชาย^ใจดี"),
    ("ISO_IR 13", "ｱﾍﾞ^ﾊﾅｺ"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東=ワン^シャオドン"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("GBK", "Li^Ming=李^明"),
    ("ISO 2022 IR 6", "Roe^Jane"),
    ("ISO 2022 IR 100", "Østergård^Åse"),
    ("ISO 2022 IR 101", "Dvořák^Antonín"),
    ("ISO 2022 IR 109", "Żammit^Ġorġ"),
    ("ISO 2022 IR 110", "Kalniņš^Ēriks"),
    ("ISO 2022 IR 126", "Παπαδοπουλος^Ελενη"),
    ("ISO 2022 IR 127", "حداد^سامي"),
    ("ISO 2022 IR 138", "כהן^רחל"),
    ("ISO 2022 IR 144", "Петрова^Анна"),
    ("ISO 2022 IR 148", "Yıldız^Gökçe"),
    ("ISO 2022 IR 166", "กานดา^มานี"),
    ("ISO 2022 IR 13", "ｽｽﾞｷ^ｲﾁﾛｳ"),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("ISO 2022 IR 6\\ISO 2022 IR 87", "Tanaka^Hanako=田中^花子=たなか^はなこ"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 159", "Ube^Jiro=丂^丄"),
    ("\\ISO 2022 IR 87\\ISO 2022 IR 159", "Mori^Ogai=森^鷗外"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159", "ｻﾄｳ^ｼﾞﾛｳ=佐藤^二郎=さとう^じろう"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("ISO 2022 IR 6\\ISO 2022 IR 149", "Kim^Cheolsu=金^哲洙=김^철수"),
    ("\\ISO 2022 IR 58", "Zhang^XiaoDong=张^小东"),
    ("ISO 2022 IR 6\\ISO 2022 IR 58", "Wang^Wei=王^伟"),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", "Müller^Иван"),
    ("ISO 2022 IR 100\\ISO 2022 IR 126", "Dupré^Ελενη"),
    ("ISO 2022 IR 100\\ISO 2022 IR 138", "Weiß^דבורה"),
    ("ISO 2022 IR 101\\ISO 2022 IR 144", "Wałęsa^Анна"),
    ("ISO 2022 IR 6\\ISO 2022 IR 100\\ISO 2022 IR 101", "Jürgen^Łucja"),
    ("ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 144", "Äbel^Анна=Διον"),
    ("ISO 2022 IR 100\\ISO 2022 IR 127", "Jäger^سامي"),
    ("ISO 2022 IR 100\\ISO 2022 IR 149", "Müller^Hans=洪^吉洞"),
];

/// Stored through the DICOM door.
fn stored(platform: &Platform, terms: &str, name: &[u8]) -> Crafted {
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    if !terms.is_empty() {
        writer.text(0x0008_0005, "CS", terms);
    }
    let padding: &[u8] = if name.len() % 2 == 1 { b" " } else { b"" };
    writer.element(0x0010_0010, "PN", &[name, padding].concat());
    let crafted = Crafted::new(&writer.finish());
    assert_eq!(crafted.c_store(platform.dicom()), 0, "{terms}");
    crafted
}

/// The one row of a search of studies, out of JSON without a control character.
async fn found(service: &Session, keys: &[(&str, &str)], what: &str) -> Value {
    let path = Url::parse_with_params("http://localhost/dicomweb/studies", keys).expect("a path");
    let path = format!("{}?{}", path.path(), path.query().unwrap_or_default());
    let text = service.get(&path).await.text().await.expect("a text");
    let rows: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{what}: {keys:?} finds {text:.400}");
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\n' | b'\t');
    assert!(!text.bytes().any(is_control), "{what}: a control character");
    rows[0].clone()
}

#[tokio::test]
async fn names_in_every_character_set_are_stored_and_found() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/character_sets.py");
    let written = python::run(&script, &[&json!(NAMES.as_slice()).to_string()]);
    let written: Vec<&str> = written.lines().collect();
    assert_eq!(written.len(), NAMES.len());
    for ((terms, name), hexadecimal) in NAMES.into_iter().zip(written) {
        let bytes: Vec<u8> = (0..hexadecimal.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        let crafted = stored(&platform, terms, &bytes);
        let groups: Vec<&str> = name.split('=').collect();
        let study = crafted.study_instance_uid.as_str();
        // By the whole group, and by its beginning.
        let family = format!("{}*", groups[0].split('^').next().unwrap_or_default());
        for asked in [groups[0], &family] {
            let row = found(&service, &[("StudyInstanceUID", study), ("PatientName", asked)], terms).await;
            let answered = &row["00100010"]["Value"][0];
            let expected = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(&groups);
            let expected: serde_json::Map<String, Value> =
                expected.map(|(group, text)| (group.to_owned(), json!(text))).collect();
            assert_eq!(*answered, Value::Object(expected), "{terms}");
        }
    }
    guard.check_alive(&mut platform).await;
}

/// Names in no character set, in too many, too long, backwards.
#[tokio::test]
async fn texts_in_any_encoding_are_stored_and_found_as_json() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let overlong = vec![b'x'; 60_000];
    let broken: [(&str, &str, &[u8]); 7] = [
        ("bytes that are no UTF-8", "ISO_IR 192", b"\xff\xfe\xc0\x80\xed\xa0\x80 X"),
        ("escapes into nowhere", "ISO 2022 IR 6\\ISO 2022 IR 87", b"A^\x1b$B\x1b$B\xff\x1b("),
        ("a set that nobody knows", "ISO_IR 999\\NONSENSE", b"\xe4\xf6\xfc^A "),
        ("controls", "ISO_IR 192", b"A\x00B\x07C\x1b[31mD\r\nE"),
        ("bidirectional", "ISO_IR 192", "A\u{202e}gnp.exe\u{2066}B".as_bytes()),
        ("overlong", "ISO_IR 192", &overlong),
        ("markup", "ISO_IR 192", b"<script>alert(1)</script>\"'&"),
    ];
    // Each name of the corpus once more, in a set that it was not written in.
    let wrong = NAMES.iter().map(|(terms, name)| {
        let other = if terms.starts_with("ISO_IR 144") { "ISO_IR 126" } else { "ISO_IR 144" };
        (*name, other, name.as_bytes())
    });
    for (what, terms, name) in broken.into_iter().chain(wrong) {
        let crafted = stored(&platform, terms, name);
        found(&service, &[("StudyInstanceUID", &crafted.study_instance_uid)], what).await;
    }
    guard.check_alive(&mut platform).await;
}
