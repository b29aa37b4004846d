//! What is stored, read and changed behind the program's back, in either home: objects and keys as files of a directory or
//! in a bucket, rows as a thief or a careless operator would change them, and old copies that are put back.
//!
//! An object is named by a path of [`Platform::stored_objects`]: its file, or `objects/` and its name in the bucket.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{cluster::programs, platform::Platform, python};

/// Files of the SQLite database.
const SQLITE_FILES: [&str; 3] = ["maxray.sqlite", "maxray.sqlite-wal", "maxray.sqlite-shm"];

/// Runs each statement of `$2` on the file `$1`, and prints the rows of the last one.
const ON_SQLITE: &str = "import sqlite3, sys, json\n\
    database = sqlite3.connect(sys.argv[1], timeout=30)\n\
    rows = []\n\
    for statement in filter(str.strip, sys.argv[2].split(';')):\n    rows = database.execute(statement).fetchall()\n\
    database.commit()\n\
    print(json.dumps([[value.hex() if isinstance(value, bytes) else value for value in row] for row in rows]))";

/// A database as it was at one moment.
#[derive(Debug)]
pub enum DatabaseCopy {
    /// Files of SQLite, those that were there.
    Files(Vec<(&'static str, Vec<u8>)>),
    /// What `pg_dump` made of it.
    Dump(Vec<u8>),
}

/// Objects and keys.
impl Platform {
    /// What the object store holds, but for keys.
    pub fn stored_objects(&self) -> Vec<PathBuf> {
        if let Some(bucket) = self.bucket() {
            let names = bucket.names().into_iter().filter(|name| !name.starts_with("keys/"));
            return names.map(|name| Path::new("objects").join(name)).collect();
        }
        let mut files = Vec::new();
        let mut folders = vec![self.data_directory().join("objects")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => files.push(entry.path()),
                }
            }
        }
        files.sort();
        files
    }

    /// Where an object of this name is, or would be: the two last digits of the name are those of its shard.
    pub fn object_path(&self, name: &str) -> PathBuf {
        let place = format!("objects/{}/{name}", &name[name.len() - 2..]);
        if self.bucket().is_some() { place.into() } else { self.data_directory().join(place) }
    }

    /// Whether an object is there.
    pub fn has_object(&self, object: &Path) -> bool {
        match self.bucket() {
            Some(bucket) => bucket.object(&name_in_bucket(object)).is_some(),
            None => object.exists(),
        }
    }

    /// An object as it is stored.
    ///
    /// # Panics
    /// When it is not there.
    pub fn read_object(&self, object: &Path) -> Vec<u8> {
        match self.bucket() {
            Some(bucket) => bucket.object(&name_in_bucket(object)).expect("an object").to_vec(),
            None => fs::read(object).expect("an object"),
        }
    }

    /// Puts other bytes in the place of an object.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn write_object(&self, object: &Path, content: &[u8]) {
        match self.bucket() {
            Some(bucket) => bucket.put(&name_in_bucket(object), Bytes::copy_from_slice(content)),
            None => fs::write(object, content).expect("written"),
        }
    }

    /// Puts a copy of one object in the place of another.
    ///
    /// # Panics
    /// As [`Self::read_object`] and [`Self::write_object`].
    pub fn copy_object(&self, from: &Path, to: &Path) {
        if self.bucket().is_some() {
            self.write_object(to, &self.read_object(from));
        } else {
            fs::copy(from, to).expect("a copy");
        }
    }

    /// Takes an object away.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn remove_object(&self, object: &Path) {
        match self.bucket() {
            Some(bucket) => bucket.remove(&name_in_bucket(object)),
            None => fs::remove_file(object).expect("removed"),
        }
    }

    /// Makes an object so old.
    ///
    /// # Panics
    /// When it is not there.
    pub fn age_object(&self, object: &Path, age: Duration) {
        let at = SystemTime::now() - age;
        if let Some(bucket) = self.bucket() {
            bucket.date(&name_in_bucket(object), at);
        } else {
            let file = fs::File::options().write(true).open(object).expect("an object");
            file.set_modified(at).expect("a time");
        }
    }

    /// Names of what lies beside the objects in `keys`.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn stored_keys(&self) -> BTreeSet<String> {
        self.copy_of_keys().into_keys().collect()
    }

    /// The same with its content.
    ///
    /// # Panics
    /// As [`Self::stored_keys`].
    pub fn copy_of_keys(&self) -> BTreeMap<String, Vec<u8>> {
        if let Some(bucket) = self.bucket() {
            let name = |key: String| key.strip_prefix("keys/").map(str::to_owned);
            let objects = bucket.objects().into_iter();
            return objects.filter_map(|(key, content)| Some((name(key)?, content.to_vec()))).collect();
        }
        let entries = fs::read_dir(self.data_directory().join("keys")).expect("keys");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        // One that is on its way to its name, or away, may be gone meanwhile.
        paths.filter_map(|path| Some((name(&path), fs::read(&path).ok()?))).collect()
    }

    /// Puts keys back, whether they are there or not.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn put_keys_back(&self, keys: &BTreeMap<String, Vec<u8>>) {
        for (name, content) in keys {
            match self.bucket() {
                Some(bucket) => bucket.put(&format!("keys/{name}"), Bytes::copy_from_slice(content)),
                None => fs::write(self.data_directory().join("keys").join(name), content).expect("written"),
            }
        }
    }

    /// A folder with `root.key`, `keys` and `objects` as they are: the data directory, or a copy of the bucket.
    ///
    /// # Panics
    /// When the copy cannot be written.
    pub fn storage_folder(&self) -> PathBuf {
        let Some(bucket) = self.bucket() else { return self.data_directory() };
        let folder = self.scratch().join("of-the-bucket");
        let _absent_at_first = fs::remove_dir_all(&folder);
        for (key, content) in bucket.objects() {
            let path =
                if key.starts_with("keys/") { folder.join(key) } else { folder.join("objects").join(key) };
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("written");
        }
        fs::copy(self.data_directory().join("root.key"), folder.join("root.key")).expect("the root key");
        folder
    }
}

/// Rows.
impl Platform {
    /// Runs SQL, as somebody who damages the database would: the rows of the last statement as JSON. On SQLite bytes come as
    /// hexadecimal digits; on PostgreSQL values have to be numbers, or texts without commas and quotes.
    ///
    /// # Panics
    /// With what the database says when it refuses.
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The same, when the database may refuse.
    ///
    /// # Errors
    /// What it says.
    ///
    /// # Panics
    /// When the client does not start.
    pub fn try_sql(&self, statements: &str) -> Result<String, String> {
        if self.is_on_sqlite() {
            let file = self.data_directory().join(SQLITE_FILES[0]);
            let mut client = Command::new(python::interpreter());
            client.args(["-c", ON_SQLITE]).arg(file).arg(statements);
            return said(client.output().expect("Python runs"));
        }
        let mut client = self.client_of_postgres("psql");
        client.args(["-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1", "-c", statements]);
        said(client.output().expect("psql runs")).map(|rows| json_of_csv(&rows))
    }

    /// The database as it is. The server has to stand still.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn copy_of_database(&self) -> DatabaseCopy {
        if self.is_on_sqlite() {
            let files = SQLITE_FILES.map(|name| (name, fs::read(self.data_directory().join(name)).ok()));
            let there = files.into_iter().filter_map(|(name, content)| Some((name, content?)));
            return DatabaseCopy::Files(there.collect());
        }
        let output =
            self.client_of_postgres("pg_dump").arg("--format=custom").output().expect("pg_dump runs");
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        DatabaseCopy::Dump(output.stdout)
    }

    /// Takes the database away: it is as empty as before the first start. The server has to stand still.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn lose_database(&self) {
        if !self.is_on_sqlite() {
            self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
            return;
        }
        for file in SQLITE_FILES {
            let _absent_after_a_stop = fs::remove_file(self.data_directory().join(file));
        }
    }

    /// Puts a copy in the place of the database. The server has to stand still.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn put_database_back(&self, copy: &DatabaseCopy) {
        self.lose_database();
        match copy {
            DatabaseCopy::Files(files) => {
                for (name, content) in files {
                    fs::write(self.data_directory().join(name), content).expect("put back");
                }
            }
            DatabaseCopy::Dump(dump) => {
                let mut client = self.client_of_postgres("pg_restore");
                client.arg("--exit-on-error").stdin(Stdio::piped()).stderr(Stdio::piped());
                let mut child = client.spawn().expect("pg_restore runs");
                let mut input = child.stdin.take().expect("a pipe");
                input.write_all(dump).expect("pg_restore reads");
                drop(input);
                let output = child.wait_with_output().expect("a child to wait for");
                assert!(output.status.success(), "pg_restore: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    fn client_of_postgres(&self, program: &str) -> Command {
        let mut client = Command::new(programs().join(program));
        client.args(["-d", self.setting("MAXRAY_DATABASE__URL").expect("a PostgreSQL")]);
        client
    }
}

/// `xx/NAME`, whatever is before it.
fn name_in_bucket(object: &Path) -> String {
    let mut last = object.iter().rev().map(|part| part.to_string_lossy());
    let (name, shard) = (last.next().expect("a name"), last.next().expect("a shard"));
    format!("{shard}/{name}")
}

fn said(output: Output) -> Result<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Rows of the simplest CSV as an array of arrays.
fn json_of_csv(rows: &str) -> String {
    let value = |text: &str| match text.parse::<i64>() {
        Ok(number) => number.to_string(),
        Err(_) => format!("\"{text}\""),
    };
    let row = |row: &str| format!("[{}]", row.split(',').map(value).collect::<Vec<_>>().join(", "));
    format!("[{}]", rows.lines().map(row).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Engine, Options};

    #[test]
    fn rows_of_both_engines_read_alike() {
        assert_eq!(json_of_csv("1,ab\n2,cd"), r#"[[1, "ab"], [2, "cd"]]"#);
        assert_eq!(json_of_csv(""), "[]");
    }

    #[test]
    fn an_object_is_named_alike_in_both_homes() {
        let platform = Platform::prepare(Options::on(Engine::Sqlite));
        let object = platform.object_path("01890000-0000-7000-8000-0000000000aa");
        assert_eq!(name_in_bucket(&object), "aa/01890000-0000-7000-8000-0000000000aa");
        assert!(object.ends_with("objects/aa/01890000-0000-7000-8000-0000000000aa"));
    }
}
