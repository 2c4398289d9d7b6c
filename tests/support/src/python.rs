//! Python with packages from PyPI, in a folder under `target` that later runs reuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::outside::{is_absent, is_program};

/// A Python with packages, which are installed on first use.
pub struct Python {
    home: &'static str,
    packages: &'static [&'static str],
    found: OnceLock<Option<PathBuf>>,
}

impl Python {
    /// Installs packages in a folder of `home`, which is `CARGO_TARGET_TMPDIR`: cargo sets it for tests alone.
    pub const fn with(home: &'static str, packages: &'static [&'static str]) -> Self {
        Self { home, packages, found: OnceLock::new() }
    }

    /// Returns its path, or prints that the test is skipped.
    pub fn find(&self) -> Option<&Path> {
        let python = self.found.get_or_init(|| install(Path::new(self.home), self.packages)).as_deref();
        if is_absent("Python with packages from PyPI", python.is_some()) { None } else { python }
    }
}

fn install(home: &Path, packages: &[&str]) -> Option<PathBuf> {
    let (ready, fresh) = (home.join(packages.join("+")), home.join(format!("python.{}", std::process::id())));
    let python = |folder: &Path| folder.join("bin/python");
    if !ready.is_dir() {
        // Installs no package that needs a compiler, so this takes seconds or fails.
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
        let is_complete = is_program("python3")
            && is_done(Command::new("python3").args(["-m", "venv"]).arg(&fresh))
            && is_done(
                Command::new(python(&fresh)).args(pip).args(["--retries=1", "--timeout=15"]).args(packages),
            );
        if is_complete {
            // Another process may have installed them first; its folder is equivalent.
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
