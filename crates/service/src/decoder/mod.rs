//! A pool of child processes that decode pixels, so that a crash or hang of a codec costs one picture.
//!
//! The child is this same program, started with `decoder`; it locks itself in before it reads anything (`sandbox`).
//! On the pipes: a little-endian u32 length, then that many bytes; one answer to each request.

mod child;
mod sandbox;

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

pub use child::{ChildLimits, Probe, probe_child, serve_child};
pub use sandbox::Sandbox;

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, Semaphore},
};

/// Longest message either way: a frame of 512 MiB and its description.
const MESSAGE_LENGTH_MAX_BYTES: u32 = 513 << 20;

/// Section `[decoder]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecoderConfig {
    /// Child processes; 0 for one a core.
    pub processes: usize,
    /// Time for one frame before the child is killed.
    pub timeout_ms: u64,
    /// Processor time for one frame before the kernel ends the child.
    pub processor_max_seconds: u64,
    /// Address space of a child.
    pub memory_max_bytes: u64,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self { processes: 0, timeout_ms: 15_000, processor_max_seconds: 10, memory_max_bytes: 2 << 30 }
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    /// The child could not be started or its pipe broke: the codec crashed or ran out of memory.
    #[error("the decoder process ended without an answer")]
    Crashed(#[source] std::io::Error),
    /// The child was killed after the time limit.
    #[error("the decoder process took longer than {0} ms and was stopped")]
    TimedOut(u64),
    /// The request or answer is over the limit.
    #[error("the frame is too large to decode")]
    TooLarge,
}

/// Runs requests through child processes; cheap to clone.
#[derive(Clone)]
pub struct DecoderPool(Arc<Runner>);

enum Runner {
    Processes { config: DecoderConfig, program: PathBuf, idle: Mutex<Vec<Process>>, slots: Semaphore },
    InProcess(fn(&[u8]) -> Vec<u8>),
}

struct Process {
    // Held so that dropping it kills the child.
    _child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl DecoderPool {
    /// A pool of children of `program`; they start when first needed.
    pub fn new(config: DecoderConfig, program: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let processes = if config.processes == 0 { cores } else { config.processes };
        Self(Arc::new(Runner::Processes {
            config,
            program,
            idle: Mutex::new(Vec::new()),
            slots: Semaphore::new(processes),
        }))
    }

    /// A pool that calls `handle` on a blocking thread of this process: only for tests of other parts.
    pub fn in_process(handle: fn(&[u8]) -> Vec<u8>) -> Self {
        Self(Arc::new(Runner::InProcess(handle)))
    }

    /// Has a child try to get out of its sandbox, and tells what it could: nothing, where the kernel has all that is
    /// asked of it.
    ///
    /// # Errors
    /// When the child does not start or answers something else.
    pub async fn probe(&self) -> std::io::Result<Probe> {
        let Runner::Processes { config, program, .. } = self.0.as_ref() else {
            return Err(std::io::Error::other("no processes are used"));
        };
        let mut child = command(program, config);
        let child = child.arg("--probe").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let limit = Duration::from_millis(config.timeout_ms);
        let output = tokio::time::timeout(limit, child.wait_with_output())
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Sends one request and waits for its answer. Waits for a free child first.
    ///
    /// # Errors
    /// See [`DecoderError`]; the pool itself stays usable.
    pub async fn run(&self, request: Vec<u8>) -> Result<Vec<u8>, DecoderError> {
        let (config, program, idle, slots) = match self.0.as_ref() {
            Runner::InProcess(handle) => {
                let handle = *handle;
                return tokio::task::spawn_blocking(move || handle(&request))
                    .await
                    .map_err(|error| DecoderError::Crashed(std::io::Error::other(error)));
            }
            Runner::Processes { config, program, idle, slots } => (config, program, idle, slots),
        };
        let _slot = slots.acquire().await.map_err(|e| DecoderError::Crashed(std::io::Error::other(e)))?;
        let waiting = idle.lock().await.pop();
        let mut process = match waiting {
            Some(process) => process,
            None => start(program, config).map_err(DecoderError::Crashed)?,
        };
        let limit = Duration::from_millis(config.timeout_ms);
        match tokio::time::timeout(limit, exchange(&mut process, &request)).await {
            Ok(Ok(answer)) => {
                idle.lock().await.push(process);
                Ok(answer)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(DecoderError::TimedOut(config.timeout_ms)),
        }
    }
}

fn start(program: &PathBuf, config: &DecoderConfig) -> std::io::Result<Process> {
    let mut child = command(program, config).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| std::io::Error::other("no pipes to the decoder"))?;
    Ok(Process { _child: child, input, output })
}

/// Nothing of ours goes along: no environment, no working directory, no descriptor.
fn command(program: &PathBuf, config: &DecoderConfig) -> Command {
    let mut command = Command::new(program);
    command
        .arg("decoder")
        .arg("--memory-max-bytes")
        .arg(config.memory_max_bytes.to_string())
        .arg("--processor-max-seconds")
        .arg(config.processor_max_seconds.to_string())
        .env_clear()
        .current_dir("/")
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn exchange(process: &mut Process, request: &[u8]) -> Result<Vec<u8>, DecoderError> {
    let length = u32::try_from(request.len()).map_err(|_| DecoderError::TooLarge)?;
    if length > MESSAGE_LENGTH_MAX_BYTES {
        return Err(DecoderError::TooLarge);
    }
    let write = async {
        process.input.write_all(&length.to_le_bytes()).await?;
        process.input.write_all(request).await?;
        process.input.flush().await
    };
    write.await.map_err(DecoderError::Crashed)?;
    let length = process.output.read_u32_le().await.map_err(DecoderError::Crashed)?;
    if length > MESSAGE_LENGTH_MAX_BYTES {
        return Err(DecoderError::TooLarge);
    }
    // Grows with what comes, not with what was announced.
    let mut answer = Vec::new();
    let mut limited = (&mut process.output).take(u64::from(length));
    limited.read_to_end(&mut answer).await.map_err(DecoderError::Crashed)?;
    if answer.len() == length as usize {
        Ok(answer)
    } else {
        Err(DecoderError::Crashed(std::io::ErrorKind::UnexpectedEof.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

    use super::*;

    fn pool(directory: &std::path::Path, script: &str) -> DecoderPool {
        let program = directory.join("decoder");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("its mode");
        let config = DecoderConfig { processes: 1, timeout_ms: 2_000, ..DecoderConfig::default() };
        DecoderPool::new(config, program)
    }

    // threats.md rows 26, 27
    #[tokio::test]
    async fn a_child_that_hangs_or_dies_costs_one_request() {
        let directory = tempfile::tempdir().expect("a directory");
        let hanging = pool(directory.path(), "echo $$ > \"$0.pid\"; exec sleep 600");
        for _ in 0..2 {
            let begun = Instant::now();
            let outcome = hanging.run(b"frame".to_vec()).await;
            assert!(matches!(outcome, Err(DecoderError::TimedOut(2_000))), "{outcome:?}");
            assert!(begun.elapsed() < Duration::from_secs(30));
            let pid = fs::read_to_string(directory.path().join("decoder.pid")).expect("it ran");
            let process = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
            let gone = Instant::now() + Duration::from_secs(20);
            while fs::read(&process).is_ok_and(|line| !line.is_empty()) {
                assert!(Instant::now() < gone, "the child lives on");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for script in
            ["exit 3", "kill -9 $$", "printf '\\001\\000\\000\\000'", "printf '\\377\\377\\377\\377'"]
        {
            let outcome = pool(directory.path(), script).run(b"frame".to_vec()).await;
            assert!(
                matches!(outcome, Err(DecoderError::Crashed(_) | DecoderError::TooLarge)),
                "{script}: {outcome:?}"
            );
        }
    }
}
