//! What happens at an armed point. Only in builds for tests.

use std::{
    io,
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::Point;

/// Arms one point.
const VARIABLE: &str = "TEST_MAXRAY_FAIL_POINT";

static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "no setting of the product: only builds for tests read it")]
    let value = std::env::var(VARIABLE).ok()?;
    // A test that misspells a point must not pass for having met it.
    Some(value.parse().unwrap_or_else(|why| panic!("{VARIABLE}={value}: {why}")))
});
/// How often the armed point was reached.
static REACHED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Armed {
    point: Point,
    action: Action,
    /// The first time is 1.
    first: u64,
    /// Also every time after it.
    onwards: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Error(i32),
    Wait(Duration),
}

impl FromStr for Armed {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let mut parts = value.split(':');
        let (Some(point), Some(action), Some(first), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it is POINT:ACTION:TIME");
        };
        let point = Point::ALL.iter().find(|one| one.name() == point).ok_or("there is no such point")?;
        let (action, value) = action.split_once('=').unwrap_or((action, ""));
        let number = value.parse::<i32>().ok().filter(|number| *number > 0);
        let action = match (action, number) {
            ("kill", None) => Action::Kill,
            ("error", Some(number)) => Action::Error(number),
            ("wait", Some(number)) => Action::Wait(Duration::from_millis(number.unsigned_abs().into())),
            _ => return Err("the action is kill, error=NUMBER or wait=MILLISECONDS"),
        };
        let (first, onwards) = first.strip_suffix('+').map_or((first, false), |first| (first, true));
        let first = first.parse().ok().filter(|first| *first > 0).ok_or("the first time is 1")?;
        Ok(Self { point: *point, action, first, onwards })
    }
}

impl Armed {
    /// Whether the `time`th time is one that the test meant.
    fn is_due(self, time: u64) -> bool {
        time == self.first || (self.onwards && time > self.first)
    }
}

pub(crate) fn is_armed(point: Point) -> bool {
    ARMED.is_some_and(|armed| armed.point == point)
}

pub(crate) fn reach(point: Point) -> io::Result<()> {
    let Some(armed) = ARMED.filter(|armed| armed.point == point) else { return Ok(()) };
    if !armed.is_due(REACHED.fetch_add(1, Ordering::SeqCst) + 1) {
        return Ok(());
    }
    eprintln!("fail point {}: {:?}", point.name(), armed.action);
    match armed.action {
        Action::Kill => kill(),
        Action::Error(number) => Err(io::Error::from_raw_os_error(number)),
        Action::Wait(time) => {
            std::thread::sleep(time);
            Ok(())
        }
    }
}

/// As a crash would: no destructor runs, nothing is flushed.
fn kill() -> ! {
    let _cannot_fail_for_oneself =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_armed_by_its_name() {
        let armed = |action, first, onwards| Armed { point: Point::K7FileSynced, action, first, onwards };
        assert_eq!("K7FileSynced:kill:3".parse(), Ok(armed(Action::Kill, 3, false)));
        assert_eq!("K7FileSynced:error=28:1+".parse(), Ok(armed(Action::Error(28), 1, true)));
        let wait = Action::Wait(Duration::from_secs(2));
        assert_eq!("K7FileSynced:wait=2000:9".parse(), Ok(armed(wait, 9, false)));
        for wrong in ["", "K7FileSynced", "K7:kill:1", "K7FileSynced:kill:0", "K7FileSynced:error:1"] {
            assert!(wrong.parse::<Armed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_happens_once_or_from_then_on() {
        let armed = Armed { point: Point::K1Accepted, action: Action::Kill, first: 2, onwards: false };
        assert_eq!([1, 2, 3].map(|time| armed.is_due(time)), [false, true, false]);
        let armed = Armed { onwards: true, ..armed };
        assert_eq!([1, 2, 3].map(|time| armed.is_due(time)), [false, true, true]);
    }
}
