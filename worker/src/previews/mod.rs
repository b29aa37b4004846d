//! Previews and thumbnails, made right after an instance was stored; the queue is a table.

mod after_others;
mod make;
mod schedule;

use std::{sync::Arc, time::Duration};

use database::{PreviewClaims, StoredInstance};
use service::shutdown::Shutdown;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use uuid::Uuid;

use self::{
    make::{PreviewError, make_preview},
    schedule::Schedule,
};
use crate::WorkerState;

/// Memory is counted in units of this many bytes.
const MEMORY_UNIT_BYTES: u64 = 1 << 20;

/// While instances come in, one preview is made at a time, and after each this many times its duration is left to
/// them: previews take at most a fifth of one core from senders.
const REST_FACTOR: u32 = 4;

/// Shares the memory of frames that are being rendered.
pub(crate) struct Memory {
    units: Semaphore,
    units_max: u32,
}

impl Memory {
    fn new(bytes_max: u64) -> Self {
        let units_max = u32::try_from((bytes_max / MEMORY_UNIT_BYTES).clamp(1, 1 << 20)).unwrap_or(1);
        Self { units: Semaphore::new(units_max as usize), units_max }
    }

    /// Waits for room; what is larger than all the room waits for all of it.
    async fn take(&self, bytes: u64) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT_BYTES)).unwrap_or(u32::MAX);
        self.units.acquire_many(units.clamp(1, self.units_max)).await.ok()
    }
}

/// Makes previews until the shutdown begins, then waits a while for those that were begun.
pub(crate) async fn run(state: &WorkerState, shutdown: &Shutdown) {
    if !state.config.previews {
        return;
    }
    let mut commits = state.archive.database().subscribe_commits();
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let parallel = state.config.parallel();
    let memory = Arc::new(Memory::new(state.config.previews_memory_max_bytes));
    let mut schedule = Schedule::new(Duration::from_millis(state.config.preview_retry_ms));
    let mut claims = state.archive.database().preview_claims();
    let mut tasks = JoinSet::new();
    let mut failing = false;
    let mut rest_until = Instant::now();
    while !shutdown.has_begun() {
        let places =
            if state.archive.is_receiving() { usize::from(Instant::now() >= rest_until) } else { parallel };
        let more = match start_pending(state, &memory, (&mut schedule, &mut claims), &mut tasks, places).await
        {
            Ok(()) => {
                failing = false;
                true
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the queue of previews cannot be read; trying again");
                }
                failing = true;
                false
            }
        };
        let room = tasks.len() < places;
        let pause = if places == 0 { rest_until - Instant::now() } else { poll };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                rest_until = Instant::now() + note_end(ended, &mut schedule, &mut claims).await * REST_FACTOR;
            }
            Ok(()) = commits.changed(), if more && room => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    let grace = Duration::from_millis(state.config.shutdown_grace_ms);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::info!("previews that were begun are left for the next start");
    }
}

/// Which preview, how long it took, and how it ended.
type Ended = (Uuid, Duration, Result<(), PreviewError>);

async fn start_pending(
    state: &WorkerState,
    memory: &Arc<Memory>,
    (schedule, claims): (&mut Schedule, &mut PreviewClaims),
    tasks: &mut JoinSet<Ended>,
    parallel: usize,
) -> Result<(), database::DatabaseError> {
    let room = parallel.saturating_sub(tasks.len());
    if room == 0 {
        return Ok(());
    }
    let now = Instant::now();
    // Those being made and those that wait for another try are still in the queue, before the new ones.
    let limit = u32::try_from(room + schedule.len()).unwrap_or(u32::MAX).saturating_add(claims.looked_past());
    let pending = state.archive.database().pending_previews(limit).await?;
    let ready: Vec<StoredInstance> =
        pending.into_iter().filter(|instance| schedule.is_ready(instance.id, now)).collect();
    let ids: Vec<Uuid> = ready.iter().map(|instance| instance.id).collect();
    let ours = claims.claim(&ids, room).await?;
    for instance in ready.into_iter().filter(|instance| ours.contains(&instance.id)) {
        schedule.begin(instance.id);
        let (state, memory) = (state.clone(), Arc::clone(memory));
        tasks.spawn(async move {
            let (id, started) = (instance.id, Instant::now());
            let result = make_preview(&state, &memory, instance).await;
            (id, started.elapsed(), result)
        });
    }
    Ok(())
}

/// Gives the time that the preview took.
async fn note_end(
    ended: Result<Ended, tokio::task::JoinError>,
    schedule: &mut Schedule,
    claims: &mut PreviewClaims,
) -> Duration {
    if let Ok((id, ..)) = &ended {
        claims.release(*id).await;
    }
    match ended {
        Ok((id, took, Ok(()))) => {
            schedule.end(id);
            took
        }
        Ok((id, took, Err(error))) => {
            tracing::warn!(xray_id = %id, %error, "a preview could not be made now; trying again");
            schedule.retry_later(id, Instant::now());
            took
        }
        // Which one it was is not known: it stays out of the schedule until the next start.
        Err(error) => {
            tracing::error!(%error, "making a preview panicked");
            Duration::ZERO
        }
    }
}
