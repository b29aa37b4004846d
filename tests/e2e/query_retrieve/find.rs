//! C-FIND: levels, matching, character sets, options, cancel, and requests that are none.

use tests::platform::Engine;

use super::*;

/// Two patients with letters outside ASCII, one without; four studies.
fn stored() -> Vec<Synthetic> {
    let named = |id: &str, name: &str, date: &str| Synthetic {
        patient_name: name.to_owned(),
        study_date: date.to_owned(),
        ..Synthetic::cr(id, 8, 8)
    };
    let first = named("P1", "M\u{fc}ller^Zo\u{eb}", "20260110");
    let second = Synthetic { study_date: "20260220".to_owned(), ..named("P1", "M\u{fc}ller^Zo\u{eb}", "") };
    let dx = Synthetic {
        patient_name: "Doe^Jane".to_owned(),
        study_date: "20260315".to_owned(),
        ..Synthetic::dx("P2", 8, 8)
    };
    let third = named("P3", "Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}", "20260401");
    [first.series(3), vec![second, dx, third]].concat()
}

#[tokio::test]
async fn every_level_of_both_models_on_sqlite() {
    every_level(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_level_of_both_models_on_postgres() {
    every_level(Engine::Postgres).await;
}

async fn every_level(engine: Engine) {
    let platform = platform(Options::on(engine), &[("FINDSCU", FINDS)]).await;
    let instances = stored();
    store(&platform, &instances);
    let ask = |class: &str, keys: &[(u32, &[u8])]| {
        let (found, last) = find(&platform, class, keys, &[]);
        assert_eq!((last.status(), last.data_set), (0, None));
        assert!(found.iter().all(|one| one.status() == 0xff00), "every key is supported");
        found
    };

    let patients =
        ask(PATIENT_FIND, &[(LEVEL, b"PATIENT"), (PATIENT_ID, b""), (0x0020_1200, b""), (0x0020_1204, b"")]);
    assert_eq!(texts(&patients, PATIENT_ID), ["P1", "P2", "P3"]);
    let first = patients.iter().find(|one| text(one, PATIENT_ID) == "P1").expect("P1");
    assert_eq!((text(first, 0x0020_1200), text(first, 0x0020_1204)), ("2".into(), "4".into()));
    let one = ask(PATIENT_FIND, &[(LEVEL, b"PATIENT"), (PATIENT_NAME, b"doe^*"), (PATIENT_ID, b"")]);
    assert_eq!(texts(&one, PATIENT_ID), ["P2"]);

    let studies = ask(PATIENT_FIND, &[(LEVEL, b"STUDY"), (PATIENT_ID, b"P1"), (0x0008_0020, b"")]);
    assert_eq!(texts(&studies, 0x0008_0020), ["20260110", "20260220"]);
    let keys: &[(u32, &[u8])] = &[
        (0x0008_0020, b"20260201-20260401"),
        (LEVEL, b"STUDY"),
        (0x0008_0056, b""),
        (0x0008_0061, b"CR\\DX"),
        (PATIENT_ID, b""),
    ];
    let studies = ask(STUDY_FIND, keys);
    assert_eq!(texts(&studies, PATIENT_ID), ["P1", "P2", "P3"]);
    for one in &studies {
        assert_eq!((text(one, LEVEL), text(one, 0x0008_0054)), ("STUDY".into(), "MAXRAY".into()));
        assert!(!text(one, STUDY_UID).is_empty(), "the unique key is always there");
        assert_eq!(text(one, 0x0008_0056), "ONLINE", "Instance Availability");
        assert_eq!(value(one, PATIENT_NAME), None, "nobody asked for it");
    }
    let list = [&instances[3], &instances[4]].map(|one| one.study_instance_uid.as_str()).join("\\");
    let studies = ask(STUDY_FIND, &[(LEVEL, b"STUDY"), (PATIENT_ID, b""), (STUDY_UID, list.as_bytes())]);
    assert_eq!(texts(&studies, PATIENT_ID), ["P1", "P2"]);

    let study = instances[0].study_instance_uid.as_bytes();
    let series_uid = instances[0].series_instance_uid.as_bytes();
    let series =
        ask(STUDY_FIND, &[(LEVEL, b"SERIES"), (STUDY_UID, study), (0x0020_1209, b""), (0x0008_0060, b"")]);
    assert_eq!(
        (texts(&series, 0x0020_1209), texts(&series, 0x0008_0060)),
        (vec!["3".into()], vec!["CR".into()])
    );
    let keys: &[(u32, &[u8])] = &[
        (LEVEL, b"IMAGE"),
        (0x0020_0013, b""),
        (STUDY_UID, study),
        (SERIES_UID, series_uid),
        (0x0028_0010, b""),
    ];
    let images = ask(STUDY_FIND, keys);
    assert_eq!(texts(&images, 0x0020_0013), ["1", "2", "3"]);
    assert_eq!(value(&images[0], 0x0028_0010), Some(vec![8]), "Rows is a number of 16 bits");

    if engine == Engine::Sqlite {
        check_records(&platform).await;
    }
}

/// Who asked, by a hash of the filter, and how much was found; not what was asked for.
async fn check_records(platform: &Platform) {
    let records = platform.audit_records("search_archive").await;
    assert!(records.len() == 7 && records.iter().all(|one| one.actor.calling_ae == "FINDSCU"), "{records:?}");
    assert!(
        records
            .iter()
            .any(|one| one.detail.ends_with("3 found") && one.detail.starts_with("C-FIND, filter "))
    );
    assert!(!format!("{records:?}").to_lowercase().contains("doe"), "the filter is not told");
}

#[tokio::test]
async fn names_come_in_the_character_set_that_was_asked_in() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    store(&platform, &stored());
    let ask = |term: &[u8], name: &[u8]| {
        let keys = [(CHARACTER_SET, term), (LEVEL, b"STUDY"), (PATIENT_NAME, name), (STUDY_UID, b"")];
        find(&platform, STUDY_FIND, &keys, &[]).0
    };
    for (term, asked, said, name) in [
        (&b"ISO_IR 100"[..], &b"M\xfcl*"[..], Some(&b"ISO_IR 100"[..]), &b"M\xfcller^Zo\xeb"[..]),
        (b"ISO_IR 192", "M\u{fc}l*".as_bytes(), Some(b"ISO_IR 192"), "M\u{fc}ller^Zo\u{eb}".as_bytes()),
        // Without a set of its own the answer is in the one that has everything.
        (b"", b"mul*", Some(b"ISO_IR 192"), "M\u{fc}ller^Zo\u{eb}".as_bytes()),
        (b"ISO_IR 100", b"Doe*", None, b"Doe^Jane"),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada*",
            Some(b"\\ISO 2022 IR 87"),
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        ),
    ] {
        let found = ask(term, asked);
        assert!(!found.is_empty(), "{}", String::from_utf8_lossy(asked));
        assert_eq!(value(&found[0], CHARACTER_SET).as_deref(), said, "{}", String::from_utf8_lossy(asked));
        assert_eq!(value(&found[0], PATIENT_NAME).as_deref(), Some(name));
    }
    // Katakana of half width are in the set, and not behind the escape sequences that are written: they do not become
    // others on the way.
    let name = "\u{ff94}\u{ff8f}\u{ff80}\u{ff9e}^\u{ff80}\u{ff9b}\u{ff73}=\u{5c71}\u{7530}^\u{592a}\u{90ce}";
    store(&platform, &[Synthetic { patient_name: name.to_owned(), ..Synthetic::cr("P4", 8, 8) }]);
    for term in [&b"ISO 2022 IR 13\\ISO 2022 IR 87"[..], b"\\ISO 2022 IR 87"] {
        let keys = [(CHARACTER_SET, term), (LEVEL, b"STUDY"), (PATIENT_NAME, b""), (PATIENT_ID, b"P4")];
        let found = find(&platform, STUDY_FIND, &keys, &[]).0;
        assert_eq!(value(&found[0], CHARACTER_SET).as_deref(), Some(&b"ISO_IR 192"[..]));
        assert_eq!(text(&found[0], PATIENT_NAME), name);
    }
}

#[tokio::test]
async fn what_was_agreed_on_decides_how_keys_match() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    let instances = stored();
    store(&platform, &instances);
    let ask = |keys: &[(u32, &[u8])], options: &[u8]| {
        let (found, last) = find(&platform, STUDY_FIND, keys, options);
        (last.status(), texts(&found, PATIENT_ID), found.iter().all(|one| one.status() == 0xff00))
    };
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    // Relational: series of any study, and studies by what is in their series.
    let series: &[(u32, &[u8])] = &[(LEVEL, b"SERIES"), (0x0008_0060, b"DX"), (PATIENT_ID, b"")];
    assert_eq!(ask(series, &[]), (0xa900, vec![], true));
    assert_eq!(ask(series, &[1]), (0, names(&["P2"]), true));
    let by_modality: &[(u32, &[u8])] = &[(0x0008_0060, b"DX"), (LEVEL, b"STUDY"), (PATIENT_ID, b"")];
    assert_eq!(ask(by_modality, &[]), (0, names(&["P1", "P1", "P2", "P3"]), false));
    // Modality has no one value in a study, so there is none to return.
    assert_eq!(ask(by_modality, &[1]), (0, names(&["P2"]), false));
    // Fuzzy: words in any order, and what sounds like them.
    let fuzzy: &[(u32, &[u8])] = &[(LEVEL, b"STUDY"), (PATIENT_NAME, b"zoe muller"), (PATIENT_ID, b"")];
    assert_eq!(ask(fuzzy, &[0, 0, 0]), (0, vec![], true));
    assert_eq!(ask(fuzzy, &[0, 0, 1]), (0, names(&["P1", "P1"]), true));
    // Dates and times that make one range.
    let moment: &[(u32, &[u8])] = &[
        (0x0008_0020, b"20260110-20260220"),
        (0x0008_0030, b"120000-110000"),
        (LEVEL, b"STUDY"),
        (PATIENT_ID, b""),
    ];
    assert_eq!(ask(moment, &[0, 1]), (0, names(&["P1"]), true));
    assert_eq!(ask(moment, &[0, 0]), (0, vec![], true));
    // Several values of what is no UID, and none at all.
    let several: &[(u32, &[u8])] = &[(0x0008_0050, b"AP2\\AP3"), (LEVEL, b"STUDY"), (PATIENT_ID, b"")];
    assert_eq!(ask(several, &[0, 0, 0, 0, 0, 0, 1]), (0, names(&["P2", "P3"]), true));
    let unknown: &[(u32, &[u8])] = &[(LEVEL, b"STUDY"), (PATIENT_ID, b"P2"), (0x0010_1010, b"030Y")];
    assert_eq!(ask(unknown, &[]), (0, names(&["P2"]), false), "an unsupported key is told");
}

#[tokio::test]
async fn a_query_ends_when_it_is_cancelled() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    let series = Synthetic::cr("MANY", 2, 2).series(220);
    store(&platform, &series);
    let keys: &[(u32, &[u8])] = &[
        (LEVEL, b"IMAGE"),
        (INSTANCE_UID, b""),
        (STUDY_UID, series[0].study_instance_uid.as_bytes()),
        (SERIES_UID, series[0].series_instance_uid.as_bytes()),
    ];
    let (all, last) = find(&platform, STUDY_FIND, keys, &[]);
    let mut uids = texts(&all, INSTANCE_UID);
    uids.dedup();
    assert_eq!((uids.len(), last.status()), (220, 0), "in two pages, each instance once");

    let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &[(STUDY_FIND, IMPLICIT)], &[]);
    let request = Dialogue::request(C_FIND, STUDY_FIND, None, &identifier(keys));
    // Cancels of other messages are not for it.
    dialogue.write(&[request.clone(), Dialogue::cancel(7), Dialogue::cancel(1)].concat());
    let (found, last) = dialogue.responses();
    assert_eq!(last.status(), 0xfe00);
    assert!(found.len() < 220, "{} answers after the cancel", found.len());
    dialogue.write(&request);
    assert_eq!(dialogue.responses().0.len(), 220, "the association goes on");
    // A cancel that comes too late is not answered.
    dialogue.write(&Dialogue::cancel(1));
    dialogue.release();
}

/// Each of them once, also when a study goes over the end of a page.
#[tokio::test]
async fn answers_of_many_pages_are_each_there_once() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    // Dates come from the newest to the oldest: the long study is in the middle.
    let made = |index: usize, date: &str| Synthetic {
        study_date: date.to_owned(),
        ..Synthetic::cr(&format!("P{index}"), 2, 2)
    };
    let long = Synthetic { study_date: "20260202".to_owned(), ..Synthetic::cr("LONG", 2, 2) }.series(430);
    let short = (0..210).map(|index| made(index, if index % 2 == 0 { "20260203" } else { "20260201" }));
    let all: Vec<Synthetic> = short.chain(long).collect();
    store(&platform, &all);
    for (level, key, of) in [
        ("STUDY", STUDY_UID, (|one| &one.study_instance_uid) as fn(&Synthetic) -> &String),
        ("SERIES", SERIES_UID, |one| &one.series_instance_uid),
        ("IMAGE", INSTANCE_UID, |one| &one.sop_instance_uid),
    ] {
        for dates in ["", "20260201-20260203"] {
            let keys = [(0x0008_0020, dates.as_bytes()), (LEVEL, level.as_bytes()), (key, b"")];
            let (found, last) = find(&platform, STUDY_FIND, &keys, &[1]);
            let mut expected: Vec<String> = all.iter().map(|one| of(one).clone()).collect();
            expected.sort();
            expected.dedup();
            assert_eq!(last.status(), 0, "{level}");
            assert!(texts(&found, key) == expected, "{level} {dates}: {} answers", found.len());
        }
    }
}

/// What is no query is refused with a status that says so, and the association goes on where it can.
#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let platform = platform(Options::default(), &[("FINDSCU", FINDS)]).await;
    let open = || Dialogue::open(platform.dicom(), "FINDSCU", &[(STUDY_FIND, IMPLICIT)], &[]);
    let long = vec![b'1'; 300 * 1024];
    let mut dialogue = open();
    for (identifier, status, offending) in [
        (identifier(&[(PATIENT_ID, b"P1")]), 0xa900, Some(LEVEL)),
        (identifier(&[(LEVEL, b"PATIENT")]), 0xa900, Some(LEVEL)),
        (identifier(&[(LEVEL, b"IMAGE"), (STUDY_UID, b"1.2")]), 0xa900, Some(SERIES_UID)),
        (identifier(&[(0x0008_0020, b"2026-01-01"), (LEVEL, b"STUDY")]), 0xc001, Some(0x0008_0020)),
        (identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, b"1.2.*")]), 0xc001, Some(STUDY_UID)),
        (identifier(&[(LEVEL, b"STUDY"), (PATIENT_ID, &long)]), 0xa700, None),
        (identifier(&[(LEVEL, b"STUDY")])[..11].to_vec(), 0xc001, None),
    ] {
        let even = [&identifier[..], &[0][..identifier.len() % 2]].concat();
        dialogue.write(&Dialogue::request(C_FIND, STUDY_FIND, None, &even));
        let (found, last) = dialogue.responses();
        assert_eq!((found.len(), last.status()), (0, status), "{last:?}");
        assert_eq!(super::offending(&last), offending);
    }
    // A command of another service in the context of this one.
    dialogue.write(&Dialogue::request(C_GET, STUDY_FIND, None, &identifier(&[(LEVEL, b"STUDY")])));
    assert_eq!(dialogue.message().status(), 0x0124, "this AE may find, and no more");
    dialogue.release();

    // Another request while one runs: nobody has agreed on that.
    store(&platform, &Synthetic::cr("BUSY", 2, 2).series(2));
    let mut dialogue = open();
    let request = Dialogue::request(C_FIND, STUDY_FIND, None, &identifier(&[(LEVEL, b"STUDY")]));
    dialogue.write(&[request.clone(), request].concat());
    let end = loop {
        let pdu = dialogue.pdu();
        if pdu.kind != 4 {
            break pdu;
        }
    };
    assert_eq!(end.kind, 7, "aborted");
    assert_eq!(find(&platform, STUDY_FIND, &[(LEVEL, b"STUDY")], &[]).0.len(), 1, "others are served");
}
