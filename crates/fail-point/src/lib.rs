//! Fail points: marks in the code where a test kills the program, makes the step fail, or holds it up.
//!
//! Every kill point of the durability contract that one line of our own code stands for is a [`Point`]. Tests of the
//! package `tests` turn on the feature `enabled`; then `TEST_MAXRAY_FAIL_POINT` arms one point. Without the feature, and
//! in every build without debug assertions, the calls are empty functions that the compiler removes.
//!
//! | value of `TEST_MAXRAY_FAIL_POINT` | at the point |
//! |---|---|
//! | `K7FileSynced:kill:3` | SIGKILL to this process when it comes there the third time |
//! | `K7FileSynced:error=28:3` | the step fails that time with this number of the operating system (28 is ENOSPC) |
//! | `K7FileSynced:error=5:3+` | that time and from then on |
//! | `K17BeforeCommit:wait=2000:1` | that time the thread waits for so many milliseconds |
#![deny(missing_docs)]

#[cfg(all(feature = "enabled", debug_assertions))]
mod armed;
mod point;

pub use point::Point;

/// Whether this build has fail points.
pub const ENABLED: bool = cfg!(all(feature = "enabled", debug_assertions));

/// A step that can fail: an error is what the operating system might have said.
///
/// # Errors
/// When a test armed the point so.
#[cfg(all(feature = "enabled", debug_assertions))]
pub fn reach(point: Point) -> std::io::Result<()> {
    armed::reach(point)
}

/// A step that can fail. This build has no fail points.
///
/// # Errors
/// Never.
#[cfg(not(all(feature = "enabled", debug_assertions)))]
#[inline(always)]
pub fn reach(_point: Point) -> std::io::Result<()> {
    Ok(())
}

/// A place where nothing can fail, but where the process may end.
#[inline]
pub fn pass(point: Point) {
    // An error that a test asks for at such a place has nobody to tell.
    let _nothing_to_tell = reach(point);
}

/// Whether a test armed this point: for a step that has to be taken apart to be cut in the middle.
#[inline]
pub fn is_armed(point: Point) -> bool {
    #[cfg(all(feature = "enabled", debug_assertions))]
    return armed::is_armed(point);
    #[cfg(not(all(feature = "enabled", debug_assertions)))]
    {
        let _unused = point;
        false
    }
}
