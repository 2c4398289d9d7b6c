//! Python with clients from PyPI, in a folder under `target` that later runs find again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::outside::{is_absent, is_program};

const PACKAGES: [&str; 4] = ["httpie==3.2.4", "requests==2.34.2", "grpcio==1.85.1", "memfault-cli==1.12.0"];

/// Returns a Python that has the packages. Where there is none, says that the test is skipped.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(install).as_deref();
    if is_absent("Python with packages from PyPI", python.is_some()) { None } else { python }
}

fn install() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (ready, fresh) = (home.join(PACKAGES.join("+")), home.join(format!("python.{}", std::process::id())));
    let python = |folder: &Path| folder.join("bin/python");
    if !ready.is_dir() {
        // Nothing is compiled, so that it takes seconds or fails.
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
        let is_complete = is_program("python3")
            && is_done(Command::new("python3").args(["-m", "venv"]).arg(&fresh))
            && is_done(
                Command::new(python(&fresh)).args(pip).args(["--retries=1", "--timeout=15"]).args(PACKAGES),
            );
        if is_complete {
            // Another process may have been first, and its folder is as good.
            let _ = fs::rename(&fresh, &ready);
        }
        let _ = fs::remove_dir_all(&fresh);
    }
    Some(python(&ready)).filter(|python| python.exists())
}

fn is_done(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
