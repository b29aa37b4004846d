//! A thread for one task.

use std::{future::Future, io, thread};

use tokio::runtime::Builder;

/// Runs `work` to its end on a thread and a runtime of its own. For what waits for one other thread time and again: each answer
/// wakes this thread and nobody else, where a pool of threads wakes a second one to look whether there is more to do.
///
/// # Errors
/// When there is no room for a thread.
pub(crate) fn run(name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(work))?;
    Ok(())
}
