//! What nodes tell each other: through PostgreSQL, and through Redis when there is one.

use archive::Archive;
use service::{redis::Redis, shutdown::Shutdown};

/// Other nodes hear of what this one does, and this one of them.
pub async fn keep_in_touch(archive: Archive, redis: Option<Redis>, shutdown: Shutdown) -> anyhow::Result<()> {
    let database = archive.database();
    let through_redis = async {
        match &redis {
            Some(redis) => tokio::join!(redis.keep_in_touch(), redis.carry_words(database)).0,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        never = database.keep_in_touch() => match never {},
        never = through_redis => match never {},
    }
}
