//! The suggested commands of the documented services.

use tempfile::tempdir;
use tokio::process::Command;

use crate::curl::has_no_curl;
use crate::memfault::PYTHON;
use crate::server::Server;

/// Runs a command in a shell, and returns the status of the response, or `None` for a client of a service that succeeded.
async fn run(command: &str, home: &std::path::Path) -> Option<String> {
    let script = match command.strip_prefix("memfault ") {
        Some(options) => {
            let python = PYTHON.find()?;
            format!("'{}' '{}' {options}", python.display(), python.with_file_name("memfault").display())
        }
        None => format!("{command} --silent --show-error --output body --write-out '%{{http_code}}'"),
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(home).env("HOME", home).env_remove("NETRC");
    let output = shell.kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let status = String::from_utf8(output.stdout).unwrap();
    command.starts_with("curl ").then_some(status)
}

/// The statuses in a comment.
fn statuses(comment: &str) -> Vec<&str> {
    let words = comment.split(|symbol: char| !symbol.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

#[tokio::test]
async fn each_suggested_command_has_the_stated_result() {
    if has_no_curl() {
        return;
    }
    for (example, commands) in
        [("memfault", 6), ("memory_api", 6), ("memory_scope", 5), ("memsolus", 4), ("saas", 4)]
    {
        let folder = tempdir().unwrap();
        let mut server = Server::start(example, folder.path()).await;
        let lines = server.suggests().await;
        let (mut expected, mut ran) = (Vec::new(), 0);
        for line in &lines {
            if let Some(comment) = line.strip_prefix("# ") {
                expected = statuses(comment);
                continue;
            }
            assert!(line.starts_with("curl ") || line.starts_with("memfault "), "{example}: {line}");
            assert!(line.contains(&server.url("/")) || line.contains(&server.url(" ")), "{example}: {line}");
            if let Some(status) = run(line, folder.path()).await {
                assert!(
                    expected.contains(&&*status),
                    "{example}: {line}: found {status}, expected {expected:?}"
                );
            }
            ran += 1;
        }
        assert_eq!(ran, commands, "{example}: {lines:?}");
    }
}
