//! A pool of child processes that decode pixels, so that a crash or hang of a codec costs one picture.
//!
//! The child is this same program, started with `decoder`; it limits its own memory before it reads anything.
//! On the pipes: a little-endian u32 length, then that many bytes; one answer to each request.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

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
    /// Address space of a child.
    pub memory_max_bytes: u64,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self { processes: 0, timeout_ms: 15_000, memory_max_bytes: 2 << 30 }
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
    let mut child = Command::new(program)
        .arg("decoder")
        .arg("--memory-max-bytes")
        .arg(config.memory_max_bytes.to_string())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| std::io::Error::other("no pipes to the decoder"))?;
    Ok(Process { _child: child, input, output })
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

/// The child's side: limits itself, then answers requests from standard input until it is closed.
///
/// # Errors
/// When a limit cannot be set or a pipe breaks.
pub fn serve_child(memory_max_bytes: u64, handle: fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, both(memory_max_bytes))?;
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Fsize, both(0))?;
    setrlimit(Resource::Nofile, both(8))?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut request = Vec::new();
        let announced = u64::from(u32::from_le_bytes(length));
        (&mut input).take(announced).read_to_end(&mut request)?;
        let answer = handle(&request);
        let length = u32::try_from(answer.len()).map_err(std::io::Error::other)?;
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}
