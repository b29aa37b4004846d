//! The order of syncs as the kernel sees it: each object's file is synced before it gets its name, its directory after,
//! and the log of the database after that and before the next instance of the same sender is looked at. A sync that is
//! taken out of the code is missing here. (threats.md, section 2 (a) to (d))

use std::{fs, path::Path};

use tests::{
    home,
    load::{Load, Shape},
    platform::{Options, Platform},
};

/// One small object, which goes to the disk in one piece, and one that is longer than a buffer.
const SHAPES: &[Shape] = &[Shape { side: 64, instances: 6 }, Shape { side: 1200, instances: 2 }];

/// A call that began, and the paths in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    name: String,
    arguments: String,
}

impl Call {
    fn is_sync_of(&self, path: &str) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync") && self.arguments.contains(&format!("<{path}>"))
    }
}

#[tokio::test]
async fn each_object_is_synced_before_it_is_named_and_committed_after() {
    if home::embedded_only("the order in which files of the directory and the log of SQLite are synced") {
        return;
    }
    let mut platform = Platform::prepare(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false"));
    let trace = platform.scratch().join("trace");
    trace_from_now_on(&mut platform, &trace).await;
    let data = platform.data_directory().display().to_string();
    check_first_start(&read(&trace), &data);
    for shape in SHAPES {
        let before = read(&trace).len();
        let load = Load::run(platform.dicom(), "SYNC", &[*shape]);
        assert_eq!(load.refused(), []);
        check_instances(&read(&trace)[before..], &data, shape.instances);
    }
    platform.kill();
}

async fn trace_from_now_on(platform: &mut Platform, trace: &Path) {
    let file = trace.display().to_string();
    let arguments =
        ["-y", "-o", &file, "--seccomp-bpf", "-e", "trace=fsync,fdatasync,renameat2,rename,renameat"];
    platform.restart_traced(&arguments).await;
    assert!(platform.is_alive(), "{}", platform.log());
}

/// Every directory that got a name at the first start was synced: else a power cut takes the whole archive.
fn check_first_start(calls: &[Call], data: &str) {
    let above = Path::new(data).parent().expect("a folder of its own").display().to_string();
    for path in [above, data.to_owned(), format!("{data}/objects"), format!("{data}/keys")] {
        assert!(
            calls.iter().any(|call| call.is_sync_of(&path)),
            "{path} was never synced at the first start"
        );
    }
    // Nothing is sealed with a key that a power cut can take.
    let new_key = format!("{data}/keys/.new-");
    let is_named = |call: &&Call| call.name.starts_with("rename") && call.arguments.contains(&new_key);
    let keys = calls.iter().filter(is_named).count();
    let is_synced =
        |call: &&Call| call.name.ends_with("sync") && call.arguments.contains(&format!("<{new_key}"));
    let synced = calls.iter().filter(is_synced).count();
    assert!(keys > 0 && synced >= keys, "{keys} keys were named and {synced} synced");
}

fn check_instances(calls: &[Call], data: &str, instances: usize) {
    let spool = format!("{data}/spool/");
    let parts: Vec<&str> = calls
        .iter()
        .filter(|call| call.name.starts_with("rename"))
        .filter_map(|call| call.arguments.split('"').find(|text| text.starts_with(&spool)))
        .collect();
    assert_eq!(parts.len(), instances, "objects that got a name");
    let mut from = 0;
    for part in parts {
        let name = part.trim_start_matches(&spool).trim_end_matches(".part");
        let shard = format!("{data}/objects/{}", &name[name.len() - 2..]);
        let mut next = |what: &str, is_it: &dyn Fn(&Call) -> bool| {
            let found = calls[from..].iter().position(is_it);
            from +=
                found.unwrap_or_else(|| panic!("{what} of {name} is missing after {from} of {calls:#?}")) + 1;
        };
        next("the sync of the file", &|call| call.is_sync_of(part));
        next("the name", &|call| call.name.starts_with("rename") && call.arguments.contains(part));
        next("the sync of the directory", &|call| call.is_sync_of(&shard));
        next("the sync of the log", &|call| call.is_sync_of(&format!("{data}/maxray.sqlite-wal")));
    }
}

/// The calls in the order in which they began.
fn read(trace: &Path) -> Vec<Call> {
    let text = fs::read_to_string(trace).unwrap_or_default();
    let call = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let (name, arguments) = call.trim_start().split_once('(')?;
        let is_name =
            !name.is_empty() && name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit());
        is_name.then(|| Call { name: name.to_owned(), arguments: arguments.to_owned() })
    };
    text.lines().filter_map(call).collect()
}
