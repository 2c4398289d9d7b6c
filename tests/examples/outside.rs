//! Clients that were not written here: programs of the machine.

use std::env;

use serde_json::Value;
use tokio::process::Command;

/// Tells whether something is absent that a test cannot do without, and says so by the name of the test. `CI` does not let
/// tests skip.
pub(crate) fn is_absent(what: &str, there: bool) -> bool {
    assert!(there || env::var_os("CI").is_none(), "{}: there is no {what}", test());
    is_absent_anywhere(what, there)
}

/// Like [`is_absent`] for what need not be there, wherever the tests are run.
pub(crate) fn is_absent_anywhere(what: &str, there: bool) -> bool {
    if !there {
        #[allow(clippy::print_stderr, reason = "whoever runs the tests should know")]
        {
            eprintln!("skipped: {} (there is no {what})", test());
        }
    }
    !there
}

fn test() -> String {
    std::thread::current().name().unwrap_or("a test of an example").to_owned()
}

pub(crate) fn has_no_curl() -> bool {
    is_absent("curl", is_program("curl"))
}

/// Tells whether there is a program of this name.
pub(crate) fn is_program(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Runs a curl command as a shell does, and returns the status and the body of the answer.
pub(crate) async fn curl(command: &str) -> (u16, Value) {
    let script = format!("{command} --silent --show-error --write-out '\\n%{{http_code}}'");
    let output = Command::new("sh").args(["-c", &script]).output().await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}
