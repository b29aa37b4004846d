//! Every kind of matching, at every level.

use database::{
    Attribute, Condition, Database, DatabaseConfig, Level, Matching, Order, SearchQuery, SortKey, StudyPlace,
};
use model::{access::Scope, clock::Clock};
use sqlx::Connection as _;
use tests::postgres::Postgres;
use uuid::Uuid;

use crate::support::{Home, doctor_scope, instance, study_uids, with_uids};

on_both_engines!(
    single_values_match,
    wildcards_match,
    person_names_match_by_their_groups,
    names_are_found_by_what_is_within_them,
    fuzzy_names_match_by_words_and_sounds,
    names_stored_by_an_earlier_version_get_their_words,
    ranges_match_with_both_ends,
    dates_and_times_are_one_range_when_combined,
    rows_come_in_the_order_asked_for,
    counts_have_a_limit,
    empty_values_can_be_asked_for,
    lists_match_any_of_their_values,
    deeper_conditions_hold_for_one_series_or_instance,
    numbers_match_as_numbers,
    pages_do_not_overlap,
    rows_carry_counts_and_modalities,
    every_attribute_can_be_asked_for,
);

fn is(value: &str) -> Matching {
    Matching::Equals(value.to_owned())
}

fn like(pattern: &str) -> Matching {
    Matching::Wildcard(pattern.to_owned())
}

fn range(from: Option<&str>, to: Option<&str>) -> Matching {
    Matching::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) }
}

const NONE: [&str; 0] = [];

async fn single_values_match(home: Home) {
    let mut first = instance("1.1", 1);
    first.header.patient.patient_id = "AB-1".into();
    first.header.study.accession_number = "Zugang 7".into();
    home.put(first).await;
    let mut second = instance("1.2", 1);
    second.header.series.modality = "DX".into();
    second.header.study.study_description = "Schädel 50%".into();
    second.header.patient.patient_sex = "O".into();
    home.put(second).await;
    assert_eq!(home.studies_with(Attribute::StudyInstanceUID, is("1.1")).await, ["1.1"]);
    assert_eq!(home.studies_with(Attribute::StudyInstanceUID, is("1")).await, NONE);
    assert_eq!(home.studies_with(Attribute::PatientID, is("ab-1")).await, ["1.1"]);
    assert_eq!(home.studies_with(Attribute::PatientID, is("ab-")).await, NONE);
    assert_eq!(home.studies_with(Attribute::AccessionNumber, is("ZUGANG 7")).await, ["1.1"]);
    assert_eq!(home.studies_with(Attribute::StudyDescription, is("schadel 50%")).await, ["1.2"]);
    assert_eq!(home.studies_with(Attribute::PatientSex, is("O")).await, ["1.2"]);
    assert_eq!(home.studies_with(Attribute::StudyDate, is("20260101")).await, ["1.1", "1.2"]);
    assert_eq!(home.studies_with(Attribute::ModalitiesInStudy, is("DX")).await, ["1.2"]);
    assert_eq!(
        home.studies_with(Attribute::SOPClassesInStudy, is("1.2.840.10008.5.1.4.1.1.1")).await.len(),
        2
    );
    assert_eq!(home.studies_with(Attribute::ImageType, is("primary")).await.len(), 2);
    assert_eq!(home.studies_with(Attribute::ImageType, is("PRIM")).await, NONE);
    assert_eq!(home.studies_with(Attribute::PatientID, is("x' OR '1'='1")).await, NONE);
    assert_eq!(home.studies_with(Attribute::PatientID, is("\0")).await, NONE);
}

async fn wildcards_match(home: Home) {
    for (study, description) in [("1.1", "Knie links"), ("1.2", "Knöchel_1"), ("1.3", "KN!E")] {
        let mut new = instance(study, 1);
        new.header.study.study_description = description.into();
        home.put(new).await;
    }
    let described = async |pattern: &str| home.studies_with(Attribute::StudyDescription, like(pattern)).await;
    assert_eq!(described("kn*").await, ["1.1", "1.2", "1.3"]);
    assert_eq!(described("*links").await, ["1.1"]);
    assert_eq!(described("KNIE?LINKS").await, ["1.1"]);
    assert_eq!(described("kn?e").await, ["1.3"]);
    assert_eq!(described("kn!e").await, ["1.3"]);
    assert_eq!(described("*_1").await, ["1.2"]);
    assert_eq!(described("*%*").await, NONE);
    assert_eq!(described("*").await.len(), 3);
    assert_eq!(home.studies_with(Attribute::ModalitiesInStudy, like("c*")).await.len(), 3);
    assert_eq!(home.studies_with(Attribute::Modality, like("?X")).await, NONE);
    assert_eq!(home.studies_with(Attribute::ImageType, like("PRI*")).await.len(), 3);
    assert_eq!(home.studies_with(Attribute::ImageType, like("*GINAL")).await.len(), 3);
}

async fn person_names_match_by_their_groups(home: Home) {
    for (study, name) in [
        ("1.1", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("1.2", "Yamada^Taro"),
        ("1.3", "Müller^Änne^^Dr."),
        ("1.4", "Tarou^Yamada"),
    ] {
        let mut new = instance(study, 1);
        new.header.patient.patient_id = study.into();
        new.header.patient.patient_name = name.into();
        home.put(new).await;
    }
    let named = async |matching: Matching| home.studies_with(Attribute::PatientName, matching).await;
    assert_eq!(named(is("yamada^tarou")).await, ["1.1"]);
    assert_eq!(named(is("YAMADA^TARO")).await, ["1.2"]);
    assert_eq!(named(is("Yamada")).await, NONE);
    assert_eq!(named(like("yamada*")).await, ["1.1", "1.2"]);
    assert_eq!(named(like("yamada^taro?")).await, ["1.1"]);
    assert_eq!(named(like("*yamada*")).await, ["1.1", "1.2", "1.4"]);
    assert_eq!(named(is("山田^太郎")).await, ["1.1"]);
    assert_eq!(named(like("山田*")).await, ["1.1"]);
    assert_eq!(named(like("やまだ^*")).await, ["1.1"]);
    assert_eq!(named(is("Yamada^Tarou=山田^太郎=やまだ^たろう")).await, ["1.1"]);
    assert_eq!(named(like("muller^anne*")).await, ["1.3"]);
    assert_eq!(named(is("Müller^Änne^^Dr.")).await, ["1.3"]);

    let fuzzy = async |name: &str| {
        let conditions = vec![Condition { attribute: Attribute::PatientName, matching: is(name) }];
        let query = SearchQuery { conditions, limit: 10, fuzzy: true, ..SearchQuery::default() };
        study_uids(&home.find(&query).await)
    };
    assert_eq!(fuzzy("tarou yamada").await, ["1.1", "1.2", "1.4"], "Taro sounds like Tarou");
    assert_eq!(fuzzy("yam").await, ["1.1", "1.2", "1.4"]);
    assert_eq!(fuzzy("ann*").await, ["1.3"]);
    assert_eq!(fuzzy("山").await, ["1.1"]);
    assert_eq!(fuzzy("amada").await, NONE);
}

/// Names of patients of one study each, the second one a man.
const NAMES: [(&str, &str); 6] = [
    ("1.1", "Smyth^John"),
    ("1.2", "Goldsmyth^Ann"),
    ("1.3", "O'Smythe^Al^^Dr."),
    ("1.4", "\u{418}\u{432}\u{430}\u{43d}\u{43e}\u{432}^\u{41f}\u{451}\u{442}\u{440}"),
    ("1.5", "Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}"),
    ("1.6", "Smith^100%_x"),
];

/// Patterns with a wildcard in front or after few letters, and the studies that they find.
const WITHIN: [(&str, &[&str]); 13] = [
    ("*smyth*", &["1.1", "1.2", "1.3"]),
    ("*s?yth*", &["1.1", "1.2", "1.3"]),
    ("*SMYTH^A*", &["1.2"]),
    ("*smyth*ann", &["1.2"]),
    ("g*smyth*", &["1.2"]),
    ("*john", &["1.1"]),
    ("*tarou", &["1.5"]),
    ("*smyth", &[]),
    ("*nobody*", &[]),
    ("*100%*", &["1.6"]),
    ("*0%_x", &["1.6"]),
    ("*\u{432}\u{430}\u{43d}\u{43e}*", &["1.4"]),
    ("*\u{7530} \u{592a}*", &["1.5"]),
];

async fn names_are_found_by_what_is_within_them(home: Home) {
    for (study, name) in NAMES {
        let mut new = instance(study, 1);
        new.header.patient.patient_id = study.into();
        new.header.patient.patient_name = name.into();
        let sex = if study == "1.2" { "M" } else { "F" };
        new.header.patient.patient_sex = sex.into();
        home.put(new).await;
    }
    check_within(&home.database).await;
    if !home.config.url.is_empty() {
        home.sql("DROP INDEX patient_by_name_trigrams").await;
    }
    let without = home.reopen().await;
    check_within(&without).await;
    without.close().await;
}

/// Page by page, of patients, beside another condition, and nothing for who reaches nothing.
async fn check_within(database: &Database) {
    for (pattern, expected) in WITHIN {
        let named = Condition { attribute: Attribute::PatientName, matching: like(pattern) };
        let query = SearchQuery { conditions: vec![named.clone()], limit: 1, ..SearchQuery::default() };
        let mut found = Vec::new();
        loop {
            let query = SearchQuery { offset: found.len() as u64, ..query.clone() };
            let page = database.search(&Scope::internal(), &query).await.expect("a page");
            found.extend(study_uids(&page.rows));
            if !page.more {
                break;
            }
        }
        assert_eq!(found, expected, "{pattern}");
        let query = SearchQuery { limit: 10, ..query };
        let patients = database.search_patients(&Scope::internal(), &query, None).await.expect("patients");
        assert_eq!(patients.len(), expected.len(), "{pattern}");
        let page = database.search(&doctor_scope(Uuid::now_v7()), &query).await.expect("a page");
        assert_eq!(page.rows, [], "{pattern}");
        let man = Condition { attribute: Attribute::PatientSex, matching: is("M") };
        let query = SearchQuery { conditions: vec![named, man], ..query };
        let page = database.search(&Scope::internal(), &query).await.expect("a page");
        assert_eq!(page.rows.len(), usize::from(expected.contains(&"1.2")), "{pattern}");
    }
}

/// Who may not have the extension has no index of names, and everything else.
#[tokio::test]
async fn a_server_may_refuse_the_trigrams_of_names() {
    let url = tokio::task::spawn_blocking(|| Postgres::shared().fresh_database()).await.expect("a database");
    let mut owner = sqlx_postgres::PgConnection::connect(&url).await.expect("a connection");
    let guest = "CREATE ROLE without_extensions LOGIN; GRANT ALL ON SCHEMA public TO without_extensions";
    sqlx::raw_sql(guest).execute(&mut owner).await.expect("a guest");
    let url = url.replacen("postgres@", "without_extensions@", 1);
    let config = DatabaseConfig { url, allow_unsafe: true, ..DatabaseConfig::default() };
    let directory = tempfile::tempdir().expect("a directory");
    let database = Database::open(&config, directory.path(), Clock::system()).await.expect("it opens");
    let refused = "SELECT to_regclass('patient_by_name_trigrams') IS NULL";
    assert!(sqlx::query_scalar::<_, bool>(refused).fetch_one(&mut owner).await.expect("an answer"));
    database.store_instance(instance("1.1", 1)).await.expect("stored");
    let conditions = vec![Condition { attribute: Attribute::PatientName, matching: like("*doe*") }];
    let query = SearchQuery { conditions, limit: 10, ..SearchQuery::default() };
    let page = database.search(&Scope::internal(), &query).await.expect("a page");
    assert_eq!(study_uids(&page.rows), ["1.1"]);
}

/// Studies whose patient's name matches loosely.
async fn fuzzy(home: &Home, name: &str) -> Vec<String> {
    let conditions = vec![Condition { attribute: Attribute::PatientName, matching: is(name) }];
    let query = SearchQuery { conditions, limit: 10, fuzzy: true, ..SearchQuery::default() };
    study_uids(&home.find(&query).await)
}

async fn fuzzy_names_match_by_words_and_sounds(home: Home) {
    for (study, name) in [
        ("1.1", "M\u{fc}ller-L\u{fc}denscheidt^Katharina"),
        ("1.2", "Meyer^Stefan^^Dr."),
        ("1.3", "Maier^Catherine"),
        ("1.4", "O'Brien^Xavier"),
    ] {
        let mut new = instance(study, 1);
        new.header.patient.patient_id = study.into();
        new.header.patient.patient_name = name.into();
        home.put(new).await;
    }
    for (asked, found) in [
        ("mayr", &["1.2", "1.3"][..]),
        ("stephan MEIER", &["1.2"]),
        ("cathryn", &["1.1", "1.3"]),
        ("mueller katarina", &["1.1"]),
        ("luden", &["1.1"]),
        ("muller-lud*", &["1.1"]),
        ("O\u{2019}brien", &[]),
        ("obrien", &["1.4"]),
        ("ob", &[]),
        ("o'b", &["1.4"]),
        ("meyer catherine stefan", &[]),
        ("m?yer", &["1.2"]),
        ("*enscheidt stef", &[]),
        ("*enscheidt kat*", &["1.1"]),
        ("%", &[]),
        ("^", &["1.1", "1.2", "1.3", "1.4"]),
    ] {
        assert_eq!(fuzzy(&home, asked).await, found, "{asked}");
    }
}

async fn names_stored_by_an_earlier_version_get_their_words(home: Home) {
    let mut new = instance("1.1", 1);
    new.header.patient.patient_name = "Meyer^Jane".into();
    home.put(new).await;
    home.sql("DELETE FROM patient_name_word").await;
    home.sql("UPDATE patient SET has_name_words = FALSE").await;
    assert_eq!(fuzzy(&home, "maier").await, NONE);
    let again = home.reopen().await;
    assert_eq!(fuzzy(&home, "maier").await, ["1.1"]);
    again.close().await;
}

async fn dates_and_times_are_one_range_when_combined(home: Home) {
    for (study, date, time) in [
        ("1.1", "20251231", "2359"),
        ("1.2", "20260101", "0800"),
        ("1.3", "20260102", "120000"),
        ("1.4", "20260103", "0759"),
        ("1.5", "20260103", "0800"),
        ("1.6", "20260102", ""),
        ("1.7", "", "1000"),
    ] {
        let mut new = instance(study, 1);
        new.header.study.study_date = date.into();
        new.header.study.study_time = time.into();
        home.put(new).await;
    }
    let ask = async |date: Matching, time: Matching, combined_date_time: bool| {
        let conditions = vec![
            Condition { attribute: Attribute::StudyTime, matching: time },
            Condition { attribute: Attribute::StudyDate, matching: date },
        ];
        let query = SearchQuery { conditions, limit: 10, combined_date_time, ..SearchQuery::default() };
        let mut uids = study_uids(&home.find(&query).await);
        uids.sort_unstable();
        uids
    };
    let days = || range(Some("20260101"), Some("20260103"));
    assert_eq!(ask(days(), range(Some("0800"), Some("0759")), true).await, ["1.2", "1.3", "1.4", "1.6"]);
    assert_eq!(ask(days(), range(Some("0801"), Some("0800")), true).await, ["1.3", "1.4", "1.5", "1.6"]);
    assert_eq!(ask(days(), range(None, Some("0759")), true).await, ["1.2", "1.3", "1.4", "1.6"]);
    assert_eq!(
        ask(range(None, Some("20260101")), range(Some("23"), Some("0800")), true).await,
        ["1.1", "1.2"],
        "no first day, no first hour"
    );
    assert_eq!(ask(days(), range(Some("0800"), Some("0900")), false).await, ["1.2", "1.5"]);
    assert_eq!(ask(is("20260103"), range(Some("0800"), None), true).await, ["1.5"], "of one day");
}

async fn rows_come_in_the_order_asked_for(home: Home) {
    for (study, name, description) in
        [("1.1", "b^", "z"), ("1.2", "\u{c4}a^", ""), ("1.3", "C^", "\u{e9}"), ("1.4", "B^", "z")]
    {
        let mut new = instance(study, 1);
        new.header.patient.patient_id = study.into();
        new.header.patient.patient_name = name.into();
        new.header.study.study_description = description.into();
        home.put(new).await;
    }
    let sorted = async |keys: &[(Attribute, bool)]| {
        let keys = keys
            .iter()
            .map(|(attribute, descending)| SortKey { attribute: *attribute, descending: *descending });
        let query = SearchQuery { order: Order::By(keys.collect()), limit: 10, ..SearchQuery::default() };
        study_uids(&home.find(&query).await)
    };
    let (name, description) = (Attribute::PatientName, Attribute::StudyDescription);
    assert_eq!(sorted(&[(name, false)]).await, ["1.2", "1.1", "1.4", "1.3"]);
    assert_eq!(
        sorted(&[(name, true), (Attribute::StudyInstanceUID, true)]).await,
        ["1.3", "1.4", "1.1", "1.2"]
    );
    assert_eq!(sorted(&[(description, false)]).await, ["1.3", "1.1", "1.4", "1.2"], "nothing comes last");
    assert_eq!(sorted(&[(description, true)]).await, ["1.1", "1.4", "1.3", "1.2"]);
    assert_eq!(
        sorted(&[(Attribute::Modality, true)]).await,
        ["1.1", "1.2", "1.3", "1.4"],
        "no attribute of studies"
    );
    assert_eq!(sorted(&[]).await, ["1.1", "1.2", "1.3", "1.4"]);
    for attribute in Attribute::ALL {
        for level in [Level::Study, Level::Series, Level::Instance] {
            let order = Order::By(vec![SortKey { attribute: *attribute, descending: true }]);
            let query = SearchQuery { level, order, limit: 1, ..SearchQuery::default() };
            assert_eq!(home.find(&query).await.len(), 1, "{attribute:?} {level:?}");
        }
    }
}

async fn counts_have_a_limit(home: Home) {
    for number in 0..12 {
        home.put(instance(&format!("1.{number}"), 1)).await;
    }
    let total = async |limit: u32, offset: u64, count_max: u64, conditions: Vec<Condition>| {
        let query = SearchQuery { limit, offset, count_max, conditions, ..SearchQuery::default() };
        home.database.search(&Scope::internal(), &query).await.expect("a page").total
    };
    assert_eq!(total(5, 0, 0, Vec::new()).await, None);
    assert_eq!(total(5, 0, 11, Vec::new()).await, None);
    assert_eq!(total(5, 0, 12, Vec::new()).await, Some(12));
    assert_eq!(total(5, 5, 100, Vec::new()).await, Some(12));
    assert_eq!(total(5, 8, 10, Vec::new()).await, Some(12), "known without counting");
    let some = Condition {
        attribute: Attribute::StudyInstanceUID,
        matching: Matching::UidList(vec!["1.1".into(), "1.2".into()]),
    };
    assert_eq!(total(1, 0, 100, vec![some]).await, Some(2));
    let counted = async |attribute: Attribute, matching: Matching| {
        total(1, 0, 100, vec![Condition { attribute, matching }]).await
    };
    assert_eq!(counted(Attribute::PatientName, like("doe*")).await, Some(12));
    assert_eq!(counted(Attribute::StudyDate, range(Some("20260101"), None)).await, Some(12));
    assert_eq!(counted(Attribute::PatientName, like("*oe*")).await, None, "no index leads there");
    let by_trigrams = (!home.config.url.is_empty()).then_some(12);
    assert_eq!(counted(Attribute::PatientName, like("*doe*")).await, by_trigrams);
    assert_eq!(counted(Attribute::Modality, is("CR")).await, None);
}

async fn empty_values_can_be_asked_for(home: Home) {
    let mut first = instance("1.1", 1);
    first.header.study.accession_number = "A".into();
    first.header.instance.number_of_frames = Some(2);
    home.put(first).await;
    let mut second = instance("1.2", 1);
    second.header.study.accession_number = String::new();
    second.header.patient.patient_name = String::new();
    second.header.patient.patient_id = "other".into();
    second.header.instance.image_type = String::new();
    second.header.instance.number_of_frames = None;
    home.put(second).await;
    for attribute in
        [Attribute::AccessionNumber, Attribute::PatientName, Attribute::ImageType, Attribute::NumberOfFrames]
    {
        assert_eq!(home.studies_with(attribute, is("")).await, ["1.2"], "{attribute:?}");
    }
}

async fn ranges_match_with_both_ends(home: Home) {
    for (study, date, time) in [
        ("1.1", "20251231", "235959.999999"),
        ("1.2", "20260101", "1030"),
        ("1.3", "20260102", "103059.5"),
        ("1.4", "", ""),
    ] {
        let mut new = instance(study, 1);
        new.header.study.study_date = date.into();
        new.header.study.study_time = time.into();
        home.put(new).await;
    }
    let dated = async |from, to| home.studies_with(Attribute::StudyDate, range(from, to)).await;
    assert_eq!(dated(Some("20260101"), Some("20260102")).await, ["1.3", "1.2"]);
    assert_eq!(dated(Some("20260102"), None).await, ["1.3"]);
    assert_eq!(dated(None, Some("20251231")).await, ["1.1"]);
    assert_eq!(dated(None, None).await, ["1.3", "1.2", "1.1"]);
    let timed = async |from, to| home.studies_with(Attribute::StudyTime, range(from, to)).await;
    assert_eq!(timed(Some("10"), Some("1030")).await, ["1.3", "1.2"], "10:30:59 is within the minute 10:30");
    assert_eq!(timed(Some("103001"), None).await, ["1.3", "1.1"]);
}

async fn lists_match_any_of_their_values(home: Home) {
    for study in ["1.1", "1.2", "1.3"] {
        home.put(instance(study, 1)).await;
    }
    let list = |values: &[&str]| Matching::UidList(values.iter().map(|value| (*value).to_owned()).collect());
    let found = home.studies_with(Attribute::StudyInstanceUID, list(&["1.3", "1.1", "9", ""])).await;
    assert_eq!(found, ["1.1", "1.3"]);
    assert_eq!(home.studies_with(Attribute::StudyInstanceUID, list(&[])).await, NONE);
    assert_eq!(home.studies_with(Attribute::ModalitiesInStudy, list(&["DX", "CR"])).await.len(), 3);
    assert_eq!(home.studies_with(Attribute::SOPInstanceUID, list(&["1.2.1.1"])).await, ["1.2"]);
    assert_eq!(home.studies_with(Attribute::PatientName, list(&["doe^jane", "x"])).await.len(), 3);
    assert_eq!(home.studies_with(Attribute::ImageType, list(&["PRIMARY", "x"])).await.len(), 3);
    assert_eq!(home.studies_with(Attribute::Rows, list(&["5", "4"])).await.len(), 3);
}

async fn deeper_conditions_hold_for_one_series_or_instance(home: Home) {
    for (series, modality, description, view) in
        [("1.1.1", "CR", "Hand", "PA"), ("1.1.2", "DX", "Fuss", "LL")]
    {
        let mut new = with_uids("1.1", series, &format!("{series}.1"), 1);
        new.header.series.modality = modality.into();
        new.header.series.series_description = description.into();
        new.header.instance.view_position = view.into();
        home.put(new).await;
    }
    let ask = async |level: Level, asked: &[(Attribute, &str)]| {
        let conditions =
            asked.iter().map(|(attribute, value)| Condition { attribute: *attribute, matching: is(value) });
        let query =
            SearchQuery { level, conditions: conditions.collect(), limit: 10, ..SearchQuery::default() };
        home.find(&query).await.len()
    };
    let (modality, description, view) =
        (Attribute::Modality, Attribute::SeriesDescription, Attribute::ViewPosition);
    assert_eq!(ask(Level::Study, &[(modality, "CR"), (description, "hand")]).await, 1);
    assert_eq!(
        ask(Level::Study, &[(modality, "CR"), (description, "fuss")]).await,
        0,
        "no one series has both"
    );
    assert_eq!(ask(Level::Study, &[(modality, "DX"), (view, "LL")]).await, 1);
    assert_eq!(ask(Level::Study, &[(modality, "CR"), (view, "LL")]).await, 0);
    assert_eq!(ask(Level::Series, &[(view, "LL")]).await, 1);
    assert_eq!(ask(Level::Series, &[(modality, "CR"), (view, "LL")]).await, 0);
    assert_eq!(ask(Level::Instance, &[(modality, "DX"), (Attribute::PatientID, "4711")]).await, 1);
    assert_eq!(ask(Level::Series, &[(Attribute::ModalitiesInStudy, "DX")]).await, 2, "the other series too");
}

async fn numbers_match_as_numbers(home: Home) {
    for number in [2, 10, 100] {
        home.put(instance("1.1", number)).await;
    }
    let ask = async |matching: Matching| {
        let conditions = vec![Condition { attribute: Attribute::InstanceNumber, matching }];
        let query = SearchQuery { level: Level::Instance, conditions, limit: 10, ..SearchQuery::default() };
        let rows = home.find(&query).await;
        rows.iter().filter_map(|row| row.instance.as_ref()?.attributes.instance_number).collect::<Vec<_>>()
    };
    assert_eq!(ask(is(" 010 ")).await, [10]);
    assert_eq!(ask(range(Some("3"), Some("100"))).await, [10, 100]);
    assert_eq!(ask(is("ten")).await, [0; 0]);
    assert_eq!(ask(is("99999999999999999999")).await, [0; 0]);
    assert_eq!(home.studies_with(Attribute::NumberOfFrames, is("1")).await, NONE);
}

async fn pages_do_not_overlap(home: Home) {
    for number in 0..23 {
        let mut new = instance(&format!("1.{number}"), 1);
        new.header.study.study_date = format!("2026010{}", 1 + number % 3);
        home.put(new).await;
    }
    let page = async |offset: u64, order: Order| {
        let query = SearchQuery { limit: 10, offset, order, ..SearchQuery::default() };
        home.database.search(&Scope::internal(), &query).await.expect("a page")
    };
    let mut seen = Vec::new();
    for offset in [0, 10, 20] {
        let found = page(offset, Order::Standard).await;
        assert_eq!((found.more, found.total), (offset < 20, (offset == 20).then_some(23)));
        seen.extend(
            found.rows.iter().map(|row| (row.study.study_date.clone(), row.study.study_instance_uid.clone())),
        );
    }
    assert_eq!(seen.len(), 23);
    assert!(seen.is_sorted_by(|one, other| one.0 > other.0 || (one.0 == other.0 && one.1 < other.1)));
    assert_eq!(page(23, Order::Standard).await.rows, []);
    let dates =
        Condition { attribute: Attribute::StudyDate, matching: range(Some("20260101"), Some("20260103")) };
    // Few rows are sorted after they are found.
    let uids: Vec<String> = seen.iter().map(|(_, uid)| uid.to_string()).collect();
    let few = Condition { attribute: Attribute::StudyInstanceUID, matching: Matching::UidList(uids.clone()) };
    for conditions in [vec![], vec![dates], vec![few]] {
        for (index, (study_date, study_instance_uid)) in seen.iter().cloned().enumerate() {
            let order = Order::StandardFrom(StudyPlace { study_date, study_instance_uid });
            let query =
                SearchQuery { limit: 23, order, conditions: conditions.clone(), ..SearchQuery::default() };
            let found = home.database.search(&Scope::internal(), &query).await.expect("a page");
            assert_eq!(study_uids(&found.rows), uids[index..]);
            assert_eq!((found.more, found.total), (false, None));
        }
    }
    let oldest = page(0, Order::OldestFirst).await;
    assert_eq!(oldest.rows[0].study.study_date, "20260101");
}

async fn rows_carry_counts_and_modalities(home: Home) {
    for (series, modality, instances) in [("1.1.1", "DX", 3), ("1.1.2", "CR", 2), ("1.1.3", "", 1)] {
        for number in 0..instances {
            let mut new = with_uids("1.1", series, &format!("{series}.{number}"), number);
            new.header.series.modality = modality.into();
            home.put(new).await;
        }
    }
    let new = instance("1.2", 1);
    home.put(new.clone()).await;
    let rows = home.find(&SearchQuery { limit: 10, ..SearchQuery::default() }).await;
    assert_eq!(study_uids(&rows), ["1.1", "1.2"]);
    assert_eq!(rows[0].modalities_in_study, ["CR", "DX"]);
    assert_eq!((rows[0].number_of_study_related_series, rows[0].number_of_study_related_instances), (3, 6));
    assert_eq!((&rows[1].patient, &rows[1].study), (&new.header.patient, &new.header.study));
    assert!(rows[1].series.is_none());
    let rows = home.find(&SearchQuery { level: Level::Series, limit: 10, ..SearchQuery::default() }).await;
    let counts: Vec<u64> = rows
        .iter()
        .map(|row| row.series.as_ref().expect("a series").number_of_series_related_instances)
        .collect();
    assert_eq!(counts, [3, 2, 1, 1]);
    assert_eq!(rows[2].number_of_study_related_instances, 6);
    let rows = home.find(&SearchQuery { level: Level::Instance, limit: 10, ..SearchQuery::default() }).await;
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[6].series.as_ref().expect("a series").attributes, new.header.series);
    let found = rows[6].instance.as_ref().expect("an instance");
    assert_eq!((found.id, &found.attributes), (new.id, &new.header.instance));
}

async fn every_attribute_can_be_asked_for(home: Home) {
    home.put(instance("1.1", 1)).await;
    for attribute in Attribute::ALL {
        for matching in [
            is("x"),
            like("x*?"),
            range(Some("1"), None),
            Matching::UidList(vec!["1".to_owned(), "2".to_owned()]),
        ] {
            for level in [Level::Study, Level::Series, Level::Instance] {
                for fuzzy in [false, true] {
                    let conditions = vec![Condition { attribute: *attribute, matching: matching.clone() }];
                    let query = SearchQuery { level, conditions, limit: 1, fuzzy, ..SearchQuery::default() };
                    let found = home.database.search(&Scope::internal(), &query).await;
                    assert!(found.is_ok(), "{attribute:?} {matching:?} {level:?}: {found:?}");
                }
            }
        }
    }
}
