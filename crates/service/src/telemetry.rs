//! Logs (for people on a terminal, JSON lines otherwise) and Prometheus metrics. Neither holds patient data.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Section `[log]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged, as `level` or `target=level,...`.
    pub filter: String,
    /// How.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Auto }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// Coloured text.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` does not parse.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process logs already.
    #[error("logging could not start: {0}")]
    Log(#[from] tracing_subscriber::util::TryInitError),
    /// The metrics recorder could not be installed.
    #[error("metrics could not start: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

impl LogConfig {
    /// Says what is wrong with the filter.
    ///
    /// # Errors
    /// [`TelemetryError::Filter`].
    pub fn check(&self) -> Result<(), TelemetryError> {
        Ok(EnvFilter::try_new(&self.filter).map(drop)?)
    }
}

/// Starts logging to standard error and installs the metrics recorder. Call once.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(config: &LogConfig) -> Result<PrometheusHandle, TelemetryError> {
    let mut filter = EnvFilter::try_new(&config.filter)?;
    // It repeats at length what the broker relay says once, and prints whole messages.
    if !config.filter.contains("lapin") {
        filter = filter.add_directive("lapin=off".parse()?);
    }
    let json = match config.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
        registry.with(layer).try_init()?;
    } else {
        let layer = fmt::layer().with_target(false).with_ansi(std::io::stderr().is_terminal());
        registry.with(layer.with_writer(std::io::stderr)).try_init()?;
    }
    let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &buckets)?
        .install_recorder()?)
}
