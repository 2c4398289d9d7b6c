//! Shared parts of the processes of examples: logs, environment, shutdown, errors.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

/// The time for open requests after a signal to end, and then for the shutdown of the process.
const GRACE: Duration = Duration::from_secs(10);

/// Notifies that the grace for open requests is over. Static, as signals belong to the process.
static OVERDUE: Notify = Notify::const_new();

/// Writes logs to stderr: those of `RUST_LOG`, by default these.
pub(crate) fn log_by_default(filter: &str) -> Result<(), Failure> {
    let filter = env_or("RUST_LOG", filter)?;
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("RUST_LOG: {error}"))?;
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
    Ok(())
}

/// Returns an environment variable.
pub(crate) fn env_or(name: &str, default: &str) -> Result<String, Failure> {
    match env::var(name) {
        Ok(value) => Ok(value),
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} must be UTF-8").into()),
    }
}

/// Returns the seconds of an environment variable.
pub(crate) fn seconds_or(name: &str, default: u32) -> Result<Duration, Failure> {
    let text = env_or(name, &default.to_string())?;
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    let seconds =
        seconds.ok_or_else(|| format!("{name} must be a number of seconds above zero, got {text:?}"))?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Prints the line for stdout.
pub(crate) fn print_line(line: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Completes at ctrl-c or SIGTERM. Open requests then have ten seconds, or until the next signal: see [`overdue`]. After ten more seconds, or
/// another signal, the process exits.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
        eprintln!("Ending as soon as open requests have ended");
        tokio::spawn(async move {
            // By the signal or by the timeout, the grace is over.
            let _ = timeout(GRACE, signals.next()).await;
            eprintln!("Ending now, with requests still open");
            OVERDUE.notify_one();
            let _ = timeout(GRACE, signals.next()).await;
            eprintln!("Ended by force: unwritten counts are lost");
            std::process::exit(1);
        });
    })
}

/// Waits until the grace for open requests is over. Their counts are still to be written then.
pub(crate) async fn overdue() -> Failure {
    OVERDUE.notified().await;
    "requests were still open at the end".into()
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// An error that ends an example. Returned from `main`, it is printed with its causes.
pub(crate) struct Failure(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
