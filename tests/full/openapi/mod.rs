//! The OpenAPI document with programs from PyPI: one validates it, the other sends valid and invalid requests by it to a running service.

mod application;
mod security;
mod service;

use std::path::{Path, PathBuf};

use service::Service;
use support::python::Python;
use tempfile::{TempDir, tempdir};
use tokio::process::Command;
use tower_api_key::Record;
use tower_api_key::manage::OPENAPI;

static PYTHON: Python =
    Python::with(env!("CARGO_TARGET_TMPDIR"), &["openapi-spec-validator==0.9.0", "schemathesis==4.32.5"]);

/// The check that fails by design: a revoked key is still returned, with the time and the reason.
const EXCLUDED: &str = "use_after_free";

struct Document(TempDir);

impl Document {
    fn new(text: &str) -> Self {
        let folder = tempdir().unwrap();
        std::fs::write(folder.path().join("openapi.json"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("openapi.json")
    }
}

/// Runs a Python module, which must succeed, and returns its output.
async fn run(python: &Path, folder: &Path, arguments: &[&str]) -> String {
    try_run(python, folder, arguments).await.unwrap_or_else(|report| panic!("{report}"))
}

/// Runs a Python module, and returns its output, as an error if it fails.
async fn try_run(python: &Path, folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/full/openapi/hooks.py");
    let mut command = Command::new(python);
    command.arg("-m").args(arguments).current_dir(folder).env("SCHEMATHESIS_HOOKS", hooks);
    // Its home contains no configuration.
    command.env("HOME", folder).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.kill_on_drop(true).output().await.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(stdout.into_owned())
    } else {
        Err(format!("{}\n{stdout}{stderr}", output.status))
    }
}

#[tokio::test]
async fn the_document_is_valid() {
    let Some(python) = PYTHON.find() else { return };
    for text in [OPENAPI, service::settings().openapi("").as_str()] {
        let document = Document::new(text);
        let path = document.path();
        run(python, document.0.path(), &["openapi_spec_validator", path.to_str().unwrap()]).await;
    }
}

/// Sends this number of requests to each operation in each phase, and returns the resulting keys.
async fn explore(python: &Path, caller: Option<&str>, examples: &str) -> Vec<Record> {
    let service = Service::start().await;
    let document = Document::new(service.document());
    let (path, url) = (document.path(), service.url());
    let header = caller.map(|name| format!("Authorization: Bearer {}", service.key(name)));
    let mut arguments = vec!["schemathesis.cli", "run", path.to_str().unwrap(), "--url", &url];
    arguments.extend(["--checks=all", "--exclude-checks", EXCLUDED, "--continue-on-failure"]);
    arguments.extend(["--generation-deterministic", "--max-examples", examples]);
    arguments.extend(["--suppress-health-check=all", "--no-color", "--warnings=off"]);
    // It would present a key in both permitted headers.
    arguments.push("--generation-with-security-parameters=false");
    if let Some(header) = &header {
        arguments.extend(["--header", header]);
    }
    let report = run(python, document.0.path(), &arguments).await;
    let tested = report.lines().find(|line| line.contains("Tested:")).unwrap();
    assert!(tested.ends_with(" 16"), "{report}");
    service.made().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_all_rights_gets_only_documented_responses() {
    let Some(python) = PYTHON.find() else { return };
    let keys = explore(python, Some("admin"), "100").await;
    let made = |what: fn(&Record) -> bool| keys.iter().filter(|key| what(key)).count();
    // Proves that it got this far.
    let found = [made(|_| true), made(|key| key.revoked.is_some()), made(|key| key.rotated_to.is_some())];
    assert!(found.iter().all(|count| *count > 10), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_rights_gets_only_documented_responses() {
    let Some(python) = PYTHON.find() else { return };
    assert_eq!(explore(python, Some("guest"), "10").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_undocumented_is_answered_to_a_caller_without_a_key() {
    let Some(python) = PYTHON.find() else { return };
    assert_eq!(explore(python, None, "10").await, []);
}
