//! What every process of an example needs: what to log, what the environment says, when to end, and what went wrong.

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

/// How long requests may go on after the server was asked to end, and how long it may take after that to put its things in order.
const GRACE: Duration = Duration::from_secs(10);

/// Word that open requests are not waited for any more. Signals are the process', and so is this.
static OVERDUE: Notify = Notify::const_new();

/// Writes logs to stderr: those that `RUST_LOG` names, or else these.
pub(crate) fn log_by_default(filter: &str) -> Result<(), Failure> {
    let filter = env_or("RUST_LOG", filter)?;
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("RUST_LOG: {error}"))?;
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
    Ok(())
}

/// Returns a variable of the environment.
pub(crate) fn env_or(name: &str, default: &str) -> Result<String, Failure> {
    match env::var(name) {
        Ok(value) => Ok(value),
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: expected UTF-8, found other bytes").into()),
    }
}

/// Returns a number of seconds that a variable of the environment sets.
pub(crate) fn seconds_or(name: &str, default: u32) -> Result<Duration, Failure> {
    let text = env_or(name, &default.to_string())?;
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    let seconds =
        seconds.ok_or_else(|| format!("{name}: expected a number of seconds above zero, found {text:?}"))?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Prints the one line that goes to stdout.
pub(crate) fn print_line(line: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Completes at ctrl-c or SIGTERM. What is under way then has ten seconds to end, or until the next signal: see [`overdue`]. After ten
/// more, or one signal more, the process ends wherever it is.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
        eprintln!("Ending as soon as open requests have ended");
        tokio::spawn(async move {
            // Whether by the signal or by the clock, it is time to go.
            let _ = timeout(GRACE, signals.next()).await;
            eprintln!("Ending now, with requests still open");
            OVERDUE.notify_one();
            let _ = timeout(GRACE, signals.next()).await;
            eprintln!("Ended by force: what was counted and not written is lost");
            std::process::exit(1);
        });
    })
}

/// Waits until open requests are not waited for any more. What was counted of them is still to be written then.
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

/// Whatever ended an example. Returned from `main`, it is printed as a sentence.
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
