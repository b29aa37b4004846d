//! What this process and its decoders give up, so that keys and patients' pixels do not leave through the side door.

use anyhow::Context;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use service::{decoder::DecoderPool, http::health::Notices};

/// No core dump is ever written of this process, and other processes of the same user cannot look into its memory.
pub fn protect_memory() -> anyhow::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("core dumps cannot be turned off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("core dumps cannot be turned off")
}

/// As many descriptors as the system allows: every connection takes one, and the usual 1024 are few.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With fewer the limits on connections still hold; accepting fails and is tried again.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Has a decoder try to get out of its sandbox, and tells the operator when it could: in the log, and at `/readyz`.
pub async fn check_decoder(decoder: DecoderPool, notices: Notices) {
    match decoder.probe().await {
        Ok(probe) if probe.within_reach.is_empty() && probe.sandbox.seccomp && probe.sandbox.landlock => {
            tracing::info!("decoder processes reach no file, no network and no other process");
        }
        Ok(probe) => {
            let reach = probe.within_reach.join(", ");
            tracing::warn!(
                seccomp = probe.sandbox.seccomp,
                landlock = probe.sandbox.landlock,
                within_reach = reach,
                "decoder processes are not locked in as they should be: this kernel lacks a sandbox"
            );
            notices.add(format!("decoder sandbox incomplete; within reach: {reach}"));
        }
        Err(error) => {
            tracing::error!(%error, "no decoder process could be tried: there will be no previews of compressed images");
            notices.add("decoder processes do not start".to_owned());
        }
    }
}
