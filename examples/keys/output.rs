//! Where the answers go: what was asked for to stdout, what is said about it to stderr.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes a whole answer to stdout.
pub(crate) fn print(answer: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    stdout.flush()
}

/// Writes an answer that can be asked for again. A reader that has seen enough, such as `head`, is no failure.
pub(crate) fn show(answer: &str) -> Result<(), Failure> {
    match print(answer) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::outside(format!("expected to write the answer, found that it cannot be: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something to whoever started it. Nothing depends on its being heard.
pub(crate) fn tell(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}
