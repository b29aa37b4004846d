//! Every kill point of the durability contract has a mark and a test, or a reason; and what is shipped has no mark.

use std::{path::Path, process::Command};

use fail_point::Point;

use crate::source::Source;

/// How a kill point is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// A [`Point`] in the code; these tests run over all of them.
    ByFailPoints,
    /// This test brings the program there by other means.
    ByTest(&'static str),
    /// The step is not part of the program.
    NoSuchStep(&'static str),
}

/// K1 to K44, in order.
const KILL_POINTS: [Met; 44] = {
    use Met::{ByFailPoints, ByTest, NoSuchStep};
    let mut met = [ByFailPoints; 44];
    met[8 - 1] =
        NoSuchStep("chunks are opened again in memory as they are sealed, not read back from the disk");
    met[18 - 1] = ByTest("killed_before_the_sync_of_a_commit");
    met[27 - 1] = ByTest("cut_after_commit");
    met[28 - 1] = NoSuchStep("fail-over is PostgreSQL's; for us it is a connection cut in COMMIT, as K27");
    met[31 - 1] = NoSuchStep("listeners are in the process: publishing is its own confirmation, as K30");
    met[34 - 1] = ByTest("an_erasure_survives_kills");
    met[35 - 1] = ByTest("an_erasure_survives_kills");
    met[38 - 1] = ByTest("a_rotation_survives_kills");
    met[39 - 1] = ByTest("an_erasure_survives_kills");
    met[40 - 1] = ByTest("a_half_written_line_is_cut");
    met[42 - 1] = NoSuchStep("there is no backup command yet");
    met[43 - 1] = ByTest("killed_in_a_checkpoint_of_sqlite");
    met
};

/// One sentence for each kill point that nothing meets.
pub fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let tests: String = sources.iter().map(|source| source.text.as_str()).collect();
    for (number, met) in (1..).zip(KILL_POINTS) {
        let prefix = format!("K{number}");
        let has_point = Point::ALL.iter().any(|point| number_of(*point) == Some(number));
        let wrong = match met {
            Met::ByFailPoints => (!has_point).then_some("has no fail point"),
            Met::ByTest(name) => {
                (!tests.contains(&format!("fn {name}"))).then_some("names a test that is not there")
            }
            Met::NoSuchStep(why) => {
                (has_point || why.is_empty()).then_some("has a fail point and a reason for none")
            }
        };
        findings.extend(wrong.map(|wrong| format!("{prefix} {wrong}")));
    }
    for point in Point::ALL {
        let marks = marks_of(*point, sources);
        if marks != 1 {
            findings.push(format!("{}: {marks} marks in the code, not one", point.name()));
        }
    }
    findings
}

/// K20 asks whether it is armed before it is reached.
fn marks_of(point: Point, sources: &[Source]) -> usize {
    let call = |name: &str| ["pass", "reach"].map(|call| format!("fail_point::{call}(Point::{name})"));
    let calls = call(point.name());
    let product = sources.iter().filter(|source| source.is_product());
    product
        .map(|source| {
            calls.iter().map(|call| source.lexed.code.matches(call.as_str()).count()).sum::<usize>()
        })
        .sum()
}

fn number_of(point: Point) -> Option<u8> {
    let digits: String = point.name().chars().skip(1).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// What `cargo build` makes for people has no fail points: only the package `tests` turns the feature on.
pub fn fail_points_in_the_default_build(root: &Path) -> Vec<String> {
    let arguments =
        ["tree", "--offline", "-p", "maxray", "-e", "normal", "--prefix", "none", "-f", "{p} [{f}]"];
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root).output().expect("cargo starts");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains("fail-point"), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    tree.lines()
        .filter(|line| line.starts_with("fail-point") && !line.contains("[]"))
        .map(str::to_owned)
        .collect()
}
