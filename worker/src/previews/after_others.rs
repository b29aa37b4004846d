//! Work that nobody waits for takes what others leave of the processor.

use std::{io, thread};

use tokio::sync::oneshot;

/// Of `nice(2)`: beside one thread of the doors such a thread gets a tenth of a core, alone all of it.
const NICENESS: i32 = 10;

/// What the work gives, done in a thread of its own that lets all others pass; none when it panics.
///
/// A thread for each piece of work, and not one of the runtime's: a thread that has become nice cannot go back.
///
/// # Errors
/// When there can be no further thread now.
pub(super) async fn after_others<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (done, outcome) = oneshot::channel();
    let nicely = move || {
        // Where it is not allowed the work is done all the same.
        let _ = rustix::process::nice(NICENESS);
        // Whoever asked may be gone: the server stops.
        let _ = done.send(work());
    };
    thread::Builder::new().name("preview".to_owned()).spawn(nicely)?;
    Ok(outcome.await.ok())
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn the_work_is_nice_and_nobody_else_becomes_so() {
        let before = getpriority_process(None).expect("a number");
        let during = after_others(|| getpriority_process(None).expect("a number")).await.expect("a thread");
        assert_eq!(during, Some((before + NICENESS).min(19)));
        assert_eq!(getpriority_process(None).expect("a number"), before);
    }

    #[tokio::test]
    async fn a_panic_is_told_of() {
        assert_eq!(after_others(|| -> u8 { panic!("as a test") }).await.expect("a thread"), None);
    }
}
