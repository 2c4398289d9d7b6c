//! Opens a file as a user without special rights, in a process of its own.

use std::env;
use std::fs::{self, Permissions};
use std::io::{Write as _, stdout};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tower_api_key::SqliteStore;

const DATABASE: &str = "TOWER_API_KEY_TEST_OPENED";

/// A user without special rights.
const OTHER_USER: u32 = 65_534;

pub(crate) fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

/// Does nothing, unless it was started by [`open_without_rights`].
#[tokio::test]
async fn the_child_opens_a_file() {
    let Ok(url) = env::var(DATABASE) else { return };
    let outcome = match SqliteStore::open(&url).await {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    writeln!(stdout(), "\n{outcome}").unwrap();
}

/// Returns the outcome of opening a file in a process without superuser rights: its kind and its message.
pub(crate) fn open_without_rights(file: &Path) -> String {
    // The superuser ignores modes. Another user may not be able to read this program at its place.
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    let program = folder.path().join("tests");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    set_mode(&program, 0o755);
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", &format!("{module}::the_child_opens_a_file"), "--nocapture"]);
    child.env(DATABASE, format!("sqlite:{}", file.display())).current_dir("/");
    if folder.path().metadata().unwrap().uid() == 0 {
        child.uid(OTHER_USER).gid(OTHER_USER);
    }
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    output.lines().find(|line| line.contains(": ") || *line == "opened").unwrap().to_owned()
}
