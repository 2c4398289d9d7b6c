//! curl, as a shell runs it.

use serde_json::Value;
use tokio::process::Command;

use support::outside::{is_absent, is_program};

pub(crate) fn has_no_curl() -> bool {
    is_absent("curl", is_program("curl"))
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
