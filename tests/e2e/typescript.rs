//! A TypeScript client that `openapi-typescript` makes of the platform's own document: it compiles in strict mode, and books.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tests::{
    env,
    platform::{Options, Platform},
    session::PASSWORD,
};

fn installed() -> PathBuf {
    env::path(env::TYPESCRIPT).unwrap_or_else(|| {
        panic!("{} is not set: run ./test, which installs TypeScript and openapi-typescript", env::TYPESCRIPT)
    })
}

/// Runs a program of Node in `folder` and gives what it prints.
fn node(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    let output =
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("node starts");
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "node {arguments:?}: {out}{errors}");
    out.into_owned()
}

#[tokio::test]
async fn a_generated_client_compiles_and_books() {
    let platform = Platform::start(Options::default()).await;
    let admin = platform.user("operator", "admin").await;
    let folder = platform.scratch().join("typescript");
    fs::create_dir(&folder).expect("a folder");
    std::os::unix::fs::symlink(installed().join("node_modules"), folder.join("node_modules"))
        .expect("a link");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("typescript");
    for name in ["client.ts", "package.json", "tsconfig.json"] {
        fs::copy(sources.join(name), folder.join(name)).expect("a copy");
    }
    let document = admin.get("/openapi.json").await.text().await.expect("a document");
    fs::write(folder.join("openapi.json"), document).expect("a file");
    let generator = "node_modules/openapi-typescript/bin/cli.js";
    node(&folder, &[generator, "openapi.json", "--output", "api.d.ts"]);
    node(&folder, &["node_modules/typescript/bin/tsc", "--project", "."]);
    let printed = node(&folder, &["built/client.js", &platform.url(""), PASSWORD, PASSWORD]);
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let again = json!({ "status": 409, "title": "Conflict" });
    assert_eq!(printed, json!({ "slot_minutes": 30, "booked": "booked", "again": again, "listed": [true] }));
}
