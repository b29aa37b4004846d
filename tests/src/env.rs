//! What `./test` tells the tests: the only place of the kit that reads the environment.

use std::path::PathBuf;

/// The program under test; `./test` builds it and sets this.
pub const BINARY: &str = "MAXRAY_TEST_BINARY";
/// A Python with pydicom, pynetdicom, dicomweb-client and fhirstarter.
pub const PYTHON: &str = "MAXRAY_TEST_PYTHON";
/// A folder with the OpenID provider of tests/oidc installed.
pub const OIDC: &str = "MAXRAY_TEST_OIDC";
/// A folder with OHIF and the JavaScript clients of tests/viewers installed.
pub const VIEWERS: &str = "MAXRAY_TEST_VIEWERS";
/// A folder with the packages of tests/typescript installed.
pub const TYPESCRIPT: &str = "MAXRAY_TEST_TYPESCRIPT";
/// Where screenshots of viewers are kept.
pub const SCREENSHOTS: &str = "MAXRAY_TEST_SCREENSHOTS";
/// A larger set of DICOM files with a MANIFEST.csv, used when present.
pub const DATA: &str = "MAXRAY_TEST_DATA";
/// Rounds of kill -9 for each engine.
pub const CRASH_ROUNDS: &str = "MAXRAY_TEST_CRASH_ROUNDS";
/// Power cuts for each engine.
pub const POWER_CUT_ROUNDS: &str = "MAXRAY_TEST_POWER_CUT_ROUNDS";
/// Instances that a hospital sends in a morning.
pub const MORNING_INSTANCES: &str = "MAXRAY_TEST_MORNING_INSTANCES";
/// Seconds that the morning lasts.
pub const MORNING_SECONDS: &str = "MAXRAY_TEST_MORNING_SECONDS";
/// Requests of each kind for each route of the clinical door.
pub const OPENAPI_EXAMPLES: &str = "MAXRAY_TEST_OPENAPI_EXAMPLES";
/// Files that are cut at every byte.
pub const CUT_FILES: &str = "MAXRAY_TEST_CUT_FILES";
/// Ways in which each field of each file meta group is damaged.
pub const META_DAMAGES: &str = "MAXRAY_TEST_META_DAMAGES";
/// Connections that are made and closed.
pub const SHORT_CONNECTIONS: &str = "MAXRAY_TEST_SHORT_CONNECTIONS";
/// Transfers over lines that fail.
pub const FAULTY_TRANSFERS: &str = "MAXRAY_TEST_FAULTY_TRANSFERS";
/// How often each fault of the menu is served to several nodes.
pub const FAULT_ROUNDS: &str = "MAXRAY_TEST_FAULT_ROUNDS";
/// Seconds that a fault of the menu lasts.
pub const FAULT_SECONDS: &str = "MAXRAY_TEST_FAULT_SECONDS";
/// Those faults of the menu that are served, by name and with commas between them.
pub const FAULTS: &str = "MAXRAY_TEST_FAULTS";
/// Instances that three nodes keep in a Ceph.
pub const CEPH_INSTANCES: &str = "MAXRAY_TEST_CEPH_INSTANCES";
/// 0 where the kernel lets us make no networks: servers of several nodes are on the loopback device then.
pub const NETWORKS: &str = "MAXRAY_TEST_NETWORKS";
/// Set by the kit: the test runs in a network of its own already.
pub const INSIDE: &str = "MAXRAY_TEST_INSIDE";
/// `distributed` for a run in which servers keep what they keep in PostgreSQL and a bucket, unless a test says otherwise.
pub const HOME: &str = "MAXRAY_TEST_HOME";
/// A file that takes the tests which had nothing to do in such a run, each with its reason.
pub const NOT_RUN: &str = "MAXRAY_TEST_NOT_RUN";
/// Seed of the random choices, to repeat a run.
pub const SEED: &str = "MAXRAY_TEST_SEED";
/// Folder of PostgreSQL's programs, when it is not the newest under /usr/lib/postgresql.
pub const PG_BIN: &str = "MAXRAY_TEST_PG_BIN";

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "tests are configured by ./test, not by service::config")]
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that holds a path.
pub fn path(name: &str) -> Option<PathBuf> {
    text(name).map(PathBuf::from)
}

/// A variable that holds a number.
///
/// # Panics
/// When it is set to something else.
pub fn number(name: &str, default: u64) -> u64 {
    text(name)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}
