//! Writes results to stdout, and messages to stderr.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes a result to stdout.
pub(crate) fn print(answer: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    stdout.flush()
}

/// Writes a result that can be requested again. A closed pipe, as of `head`, is no failure.
pub(crate) fn show(answer: &str) -> Result<(), Failure> {
    match print(answer) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::outside(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a message to stderr, and ignores errors.
pub(crate) fn tell(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}
