//! Calendars as programs write them, and what is no calendar.

use chrono::{DateTime, Utc};
use jiff::tz::TimeZone;
use model::schedule::{ExceptionKind, WeeklyHours};

use super::{exceptions, weekly_hours};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect(text)
}

fn home() -> TimeZone {
    TimeZone::get("Europe/Berlin").expect("a zone")
}

fn calendar(inside: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", inside.trim().replace('\n', "\r\n"))
}

fn event(inside: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:1\n{}\nEND:VEVENT", inside.trim()))
}

/// March 2027 in Berlin, whose clocks go forward on the 28th: `from/to note`.
fn march(text: &str) -> Vec<String> {
    let within = (at("2027-02-28T23:00:00Z"), at("2027-03-31T22:00:00Z"));
    let found = exceptions(text, home(), within).expect("times");
    let show = |at: DateTime<Utc>| at.format("%dT%H:%M").to_string();
    found
        .into_iter()
        .map(|one| {
            let kind = if one.kind == ExceptionKind::TimeOff { "" } else { " extra" };
            format!("{}/{} {}{kind}", show(one.from), show(one.to), one.note).trim().to_owned()
        })
        .collect()
}

fn refused(text: &str) -> String {
    let within = (at("2027-02-28T23:00:00Z"), at("2027-03-31T22:00:00Z"));
    exceptions(text, home(), within).expect_err("refused").message()
}

#[test]
fn nine_o_clock_stays_nine_o_clock_wherever_it_is_written() {
    let outlook = "BEGIN:VTIMEZONE\nTZID:W. Europe Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
        TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
        DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n\
        END:DAYLIGHT\nEND:VTIMEZONE\n";
    let rule = "BEGIN:VEVENT\nUID:1\nDTSTART{}:20270322T090000\nDTEND{}:20270322T093000\nRRULE:FREQ=WEEKLY\n\
        SUMMARY:Rounds\nEND:VEVENT";
    for zone in [
        "",
        ";TZID=Europe/Berlin",
        ";TZID=/example.org/2027a/Europe/Berlin",
        ";TZID=\"W. Europe Standard Time\"",
    ] {
        let text = calendar(&format!("{outlook}{}", rule.replace("{}", zone)));
        assert_eq!(march(&text), ["22T08:00/22T08:30 Rounds", "29T07:00/29T07:30 Rounds"], "{zone}");
    }
    let elsewhere =
        event("DTSTART;TZID=Asia/Kolkata:20270322T090000\nDURATION:PT45M\nRRULE:FREQ=DAILY;COUNT=2");
    assert_eq!(march(&elsewhere), ["22T03:30/22T04:15", "23T03:30/23T04:15"]);
}

#[test]
fn days_are_days_of_the_doctor() {
    let one = event("DTSTART;VALUE=DATE:20270328\nSUMMARY:Sunday");
    assert_eq!(march(&one), ["27T23:00/28T22:00 Sunday"], "a day of 23 hours");
    let several = event(
        "DTSTART;VALUE=DATE:20270305\nDTEND;VALUE=DATE:20270308\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270320",
    );
    assert_eq!(march(&several), ["04T23:00/07T23:00", "18T23:00/21T23:00"]);
    let by_length = event("DTSTART;VALUE=DATE:20270327\nDURATION:P2D");
    assert_eq!(march(&by_length), ["26T23:00/28T22:00"]);
}

#[test]
fn days_that_differ_from_the_rule() {
    let text = calendar(
        "BEGIN:VEVENT\nUID:a\nDTSTART;TZID=Europe/Berlin:20270301T090000\nDTEND;TZID=Europe/Berlin:20270301T100000\n\
         RRULE:FREQ=WEEKLY;BYDAY=MO\nEXDATE;TZID=Europe/Berlin:20270308T090000\nEXDATE:20270315T080000Z\n\
         RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20270310T090000/PT2H\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20270322T090000\n\
         DTSTART;TZID=Europe/Berlin:20270323T140000\nDURATION:PT1H\nSUMMARY:moved\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:a\nRECURRENCE-ID:20270329T070000Z\nDTSTART:20270329T070000Z\nDURATION:PT1H\n\
         STATUS:CANCELLED\nEND:VEVENT",
    );
    assert_eq!(march(&text), ["01T08:00/01T09:00", "10T08:00/10T10:00", "23T13:00/23T14:00 moved"]);
}

#[test]
fn what_takes_no_time_is_left_out_and_what_is_private_is_not_told() {
    let text = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART:20270301T080000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:2\nDTSTART:20270302T080000Z\nDURATION:PT1H\nSTATUS:CANCELLED\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:consultation-3@maxray\nDTSTART:20270303T080000Z\nDURATION:PT1H\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:4\nDTSTART:20270304T080000Z\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:5\nDTSTART:20200304T080000Z\nDURATION:PT1H\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:6\nDTSTART:20270306T080000Z\nDURATION:PT1H\nCLASS:PRIVATE\nSUMMARY:secret\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:extra-7@maxray\nDTSTART:20270307T080000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT\n\
         CATEGORIES:AVAILABILITY\nSUMMARY:Extra hours\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:hours-8@maxray\nDTSTART:20270308T080000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT\n\
         CATEGORIES:AVAILABILITY\nRRULE:FREQ=WEEKLY\nEND:VEVENT",
    );
    assert_eq!(march(&text), ["06T08:00/06T09:00", "07T08:00/07T09:00  extra"]);
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    let lines = |inside: &str| refused(&event(inside));
    for (inside, said) in [
        ("DTSTART;TZID=Mars/Olympus:20270301T080000", "line 5: the time zone 'Mars/Olympus'"),
        ("DTSTART:20270301T080000Z\nDTEND:20270301T070000Z", "line 5: the event ends before"),
        (
            "DTSTART:20270301T080000Z\nDURATION:P400D",
            "line 5: the event ends before it begins, or lasts more",
        ),
        (
            "DTSTART:20270301T080000Z\nRDATE;VALUE=PERIOD:20270302T080000Z/20290302T080000Z",
            "line 6: the event ends before it begins, or lasts more",
        ),
        ("DTSTART:tomorrow", "line 5: expected a time"),
        ("SUMMARY:when?", "line 3: an event without DTSTART"),
        ("DTSTART:20270301T080000Z\nRRULE:FREQ=SECONDLY", "line 6: FREQ is one of"),
        ("DTSTART:20270301T080000Z\nRRULE:FREQ=DAILY;BYSECOND=1", "line 6: rules with BYSECOND"),
        (
            "DTSTART:20270301T080000Z\nRRULE:FREQ=DAILY;BYMINUTE=0,1,2,3,4;BYHOUR=0,1,2,3,4",
            "line 6: a rule may name",
        ),
        ("DTSTART:20270301T080000Z\nRRULE:FREQ=DAILY;BYMONTH=13", "line 6: the rule is none"),
        (
            "DTSTART:20270301T080000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "line 6: the rule names days that never",
        ),
        ("DTSTART:20270301T080000Z\nRRULE:COUNT=2", "line 6: FREQ is one of"),
        (
            "DTSTART:20270301T080000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270301T080000Z",
            "line 6: changes of all",
        ),
    ] {
        assert!(lines(inside).starts_with(said), "{inside}: {}", lines(inside));
    }
    let often = event(
        "DTSTART:20270301T000000Z\nDURATION:PT10M\nRRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
    );
    assert!(refused(&often).contains("more than 500 times"), "{}", refused(&often));
}

fn hours(text: &str) -> Result<Vec<String>, String> {
    let show = |one: WeeklyHours| {
        let day = |day: Option<chrono::NaiveDate>| day.map_or("-".to_owned(), |day| day.to_string());
        format!("{:?} {} {} {} {}", one.weekday, one.from, one.to, day(one.valid_from), day(one.valid_until))
    };
    let found = weekly_hours(text, home()).map_err(|refused| refused.message())?;
    Ok(found.into_iter().map(show).collect())
}

#[test]
fn weekly_hours_are_read() {
    let text = |rule: &str, end: &str| {
        event(&format!(
            "DTSTART;TZID=Europe/Berlin:20270301T090000\nDTEND;TZID=Europe/Berlin:{end}\nRRULE:{rule}\n\
             CATEGORIES:work,availability"
        ))
    };
    let noon = "20270301T123000";
    assert_eq!(hours(&text("FREQ=WEEKLY", noon)).expect("hours"), ["Monday 09:00 12:30 2027-03-01 -"]);
    assert_eq!(
        hours(&text("FREQ=WEEKLY;BYDAY=TU,FR;WKST=SU;UNTIL=20270601T215959Z", "20270302T000000"))
            .expect("hours"),
        ["Tuesday 09:00 24:00 2027-03-01 2027-06-01", "Friday 09:00 24:00 2027-03-01 2027-06-01"]
    );
    assert_eq!(
        hours(&text("FREQ=WEEKLY;COUNT=3;UNTIL=20270601T060000Z", noon)).expect("hours"),
        ["Monday 09:00 12:30 2027-03-01 2027-03-15"]
    );
    // What our own calendars say of the first day counts while nobody has moved the event.
    for (said, valid_from) in [
        ("20270301/", "-"),
        ("20270301/20270215", "2027-02-15"),
        ("20270301/soon", "2027-03-01"),
        ("20270308/", "2027-03-01"),
        ("/", "2027-03-01"),
    ] {
        let ours = format!("X-MAXRAY-VALID-FROM:{said}\r\nCATEGORIES:");
        let ours = text("FREQ=WEEKLY", noon).replace("CATEGORIES:", &ours);
        assert_eq!(hours(&ours).expect("hours"), [format!("Monday 09:00 12:30 {valid_from} -")], "{said}");
    }
    for (rule, end, said) in [
        ("FREQ=DAILY", noon, "FREQ=WEEKLY"),
        ("FREQ=WEEKLY;INTERVAL=2", noon, "FREQ=WEEKLY"),
        ("FREQ=WEEKLY;BYMONTH=3", noon, "FREQ=WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=1MO", noon, "BYDAY"),
        ("FREQ=WEEKLY;COUNT=5000", noon, "COUNT"),
        ("FREQ=WEEKLY", "20270302T010000", "over midnight"),
        ("FREQ=WEEKLY", "20270301T093007", "whole minutes"),
    ] {
        let why = hours(&text(rule, end)).expect_err(rule);
        assert!(why.contains(said), "{rule}: {why}");
    }
    let elsewhere = text("FREQ=WEEKLY", noon).replace("Europe/Berlin", "Europe/Paris");
    assert!(hours(&elsewhere).expect_err("elsewhere").contains("the doctor's time zone, Europe/Berlin"));
    let none = event("DTSTART:20270301T080000Z\nRRULE:FREQ=WEEKLY");
    assert!(hours(&none).expect_err("none").contains("CATEGORIES:AVAILABILITY"));
}
