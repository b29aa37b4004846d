//! pydicom as a child process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What pydicom makes of a frame.
pub struct Expected {
    /// Stored values; of colour images RGB.
    pub values: Vec<f64>,
    /// Levels 0 to 255 after modality LUT, VOI LUT or palette; `None` where pydicom defines none.
    pub levels: Option<Vec<u8>>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Answer {
    Failed { error: String },
    Decoded { samples: usize, levels: usize },
}

/// A running pydicom.
pub struct Oracle {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rendering_oracle/oracle.py");
        let mut child = Command::new(tests::python::interpreter())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, input, output }
    }

    /// Asks for a frame; the error is pydicom's.
    pub fn decode(&mut self, path: &Path, index: usize) -> Result<Expected, String> {
        let request = serde_json::json!({ "path": path, "index": index });
        writeln!(self.input, "{request}").expect("the oracle listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the oracle answers");
        match serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the oracle stopped: is pydicom installed?"))
        {
            Answer::Failed { error } => Err(error),
            Answer::Decoded { samples, levels } => {
                let values = self.read(samples * 8);
                let values =
                    values.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes")));
                let values = values.collect();
                let levels = self.read(levels);
                Ok(Expected { values, levels: (!levels.is_empty()).then_some(levels) })
            }
        }
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).expect("the oracle sends what it announced");
        bytes
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}
