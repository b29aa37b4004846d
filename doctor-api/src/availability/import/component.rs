//! The components of a calendar (RFC 5545 3.6) that say something of time: events and time zones.

use super::{
    Refused,
    line::{Line, read_lines},
};

/// Components in components.
const DEPTH_MAX: usize = 8;
/// Events and zones of one calendar.
const COMPONENTS_MAX: usize = 10_000;

/// What a calendar holds.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// The lines of each event, without those of its alarms.
    pub events: Vec<Event>,
    pub zones: Vec<WrittenZone>,
}

/// An event.
#[derive(Debug)]
pub(super) struct Event {
    lines: Vec<Line>,
    begins_at: usize,
}

/// A time zone as the calendar describes it: the lines of each observance, below whether it is summer time.
#[derive(Debug, Default)]
pub(super) struct WrittenZone {
    pub id: String,
    /// `X-LIC-LOCATION`, which many write: an IANA name.
    pub location: String,
    pub observances: Vec<Event>,
}

impl Event {
    pub(super) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    pub(super) fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.name == name)
    }

    /// The value of a property without its outer spaces; empty when it is not there.
    pub(super) fn value(&self, name: &str) -> &str {
        self.line(name).map_or("", |line| line.value.trim())
    }

    pub(super) fn has(&self, name: &str, word: &str) -> bool {
        self.lines(name).any(|line| line.value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
    }

    pub(super) fn refused(&self, why: impl Into<String>) -> Refused {
        Refused { line: self.begins_at, why: why.into() }
    }
}

/// Reads a calendar, or several one after the other.
pub(super) fn read_calendar(text: &str) -> Result<Calendar, Refused> {
    let mut calendar = Calendar::default();
    let mut open: Vec<String> = Vec::new();
    let mut last = 0;
    for line in read_lines(text)? {
        last = line.number;
        match line.name.as_str() {
            "BEGIN" => begin(&mut calendar, &mut open, &line)?,
            "END" => {
                let name = open.pop().filter(|name| line.is("END", name));
                name.ok_or_else(|| line.refused("ends what did not begin"))?;
            }
            _ => keep(&mut calendar, &open, line)?,
        }
    }
    match open.last() {
        Some(name) => Err(Refused { line: last, why: format!("the calendar is cut off inside of {name}") }),
        None if last == 0 => Err(Refused { line: 1, why: "there is no calendar in it".to_owned() }),
        None => Ok(calendar),
    }
}

fn begin(calendar: &mut Calendar, open: &mut Vec<String>, line: &Line) -> Result<(), Refused> {
    let name = line.value.trim().to_ascii_uppercase();
    if name.len() > 32 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(line.refused("begins something without a name"));
    }
    if open.is_empty() != (name == "VCALENDAR") {
        return Err(line.refused("expected BEGIN:VCALENDAR around everything else, and not inside of it"));
    }
    if open.len() >= DEPTH_MAX {
        return Err(line.refused("components lie too deep in each other"));
    }
    let event = Event { lines: Vec::new(), begins_at: line.number };
    let outer: Vec<&str> = open.iter().map(String::as_str).collect();
    match (outer.as_slice(), name.as_str()) {
        (["VCALENDAR"], "VEVENT") => calendar.events.push(event),
        (["VCALENDAR"], "VTIMEZONE") => calendar.zones.push(WrittenZone::default()),
        (["VCALENDAR", "VTIMEZONE"], "STANDARD" | "DAYLIGHT") => {
            if let Some(zone) = calendar.zones.last_mut() {
                zone.observances.push(event);
            }
        }
        _ => {}
    }
    if calendar.events.len() > COMPONENTS_MAX || calendar.zones.len() > COMPONENTS_MAX {
        return Err(line.refused("the calendar has more than 10000 events; send a shorter period"));
    }
    open.push(name);
    Ok(())
}

fn keep(calendar: &mut Calendar, open: &[String], line: Line) -> Result<(), Refused> {
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    match open.as_slice() {
        [] => return Err(line.refused("expected BEGIN:VCALENDAR")),
        ["VCALENDAR", "VEVENT"] => {
            if let Some(event) = calendar.events.last_mut() {
                event.lines.push(line);
            }
        }
        ["VCALENDAR", "VTIMEZONE"] => {
            if let Some(zone) = calendar.zones.last_mut() {
                match line.name.as_str() {
                    "TZID" => zone.id = line.value,
                    "X-LIC-LOCATION" => zone.location = line.value,
                    _ => {}
                }
            }
        }
        ["VCALENDAR", "VTIMEZONE", "STANDARD" | "DAYLIGHT"] => {
            let zone = calendar.zones.last_mut();
            if let Some(observance) = zone.and_then(|zone| zone.observances.last_mut()) {
                observance.lines.push(line);
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_say_nothing_of_their_event() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nDURATION:PT5M\nEND:VALARM\nEND:VEVENT\n\
                    BEGIN:VTODO\nUID:2\nEND:VTODO\nEND:VCALENDAR\n";
        let calendar = read_calendar(text).expect("a calendar");
        assert_eq!(calendar.events.len(), 1);
        assert_eq!((calendar.events[0].value("UID"), calendar.events[0].value("DURATION")), ("1", ""));
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let deep = "BEGIN:VCALENDAR\n".to_owned() + &"BEGIN:X\n".repeat(10_000);
        for (text, line) in [
            ("", 1),
            ("BEGIN:VEVENT\nEND:VEVENT", 1),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR", 3),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", 3),
            ("UID:1", 1),
            ("END:VCALENDAR", 1),
            (deep.as_str(), 9),
        ] {
            assert_eq!(read_calendar(text).expect_err(text).line, line);
        }
    }
}
