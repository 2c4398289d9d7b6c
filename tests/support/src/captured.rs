//! A log in memory.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// The logged bytes. Clones share them.
#[derive(Clone, Default)]
pub struct Log(pub Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures the log until the guard is dropped.
    pub fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
        (log.clone(), tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines logged since the last call.
    pub fn lines(&self) -> Vec<String> {
        let log = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        log.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Returns the lines of a level logged since the last call.
    pub fn take(&self, level: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(level)).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
