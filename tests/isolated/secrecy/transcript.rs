//! All output, with its place.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::secrecy::secrets::Secrets;

/// The message of panics that the test causes.
pub(crate) const PLANNED: &str = "told to panic";

/// All output, with the place it was written to. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Transcript(Arc<Mutex<Vec<(String, String)>>>);

impl Transcript {
    /// Creates a transcript that records every log line and every panic of this process.
    pub(crate) fn of_logs_and_panics() -> Self {
        let transcript = Self::default();
        let log = transcript.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(move || Log(log.clone()))
            .init();

        let panics = transcript.clone();
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            panics.note("panic", panic);
            if !panic.to_string().contains(PLANNED) {
                usual(panic);
            }
        }));
        transcript
    }

    pub(crate) fn note(&self, place: &str, text: impl Display) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push((place.to_owned(), text.to_string()));
    }

    /// Notes the debug output of a value.
    pub(crate) fn debug(&self, place: &str, value: &dyn Debug) {
        self.note(place, format!("{value:?}\n{value:#?}"));
    }

    /// Notes the messages and debug output of an error and of its causes.
    pub(crate) fn error(&self, place: &str, error: &dyn Error) {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.debug(place, &error);
            self.note(place, error);
            cause = error.source();
        }
    }

    /// Returns whether `text` was written to `place`.
    pub(crate) fn has(&self, place: &str, text: &str) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().any(|(noted, written)| noted == place && written.contains(text))
    }

    /// Returns the entries that show a part of a secret.
    pub(crate) fn leaks(&self, secrets: &Secrets) -> Vec<String> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Most entries repeat.
        let different: BTreeSet<_> = entries.iter().collect();
        let leak = |(place, text): &(String, String)| {
            secrets.found_in(text).map(|name| format!("{name} shows ({place}): {text}"))
        };
        different.into_iter().filter_map(leak).collect()
    }
}

/// Records one log line at a time.
struct Log(Transcript);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.note("log", String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
