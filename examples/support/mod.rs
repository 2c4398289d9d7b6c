//! What every example needs and none is about: where to listen, where to keep keys, what to log, when to end.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower_api_key::backend::KeyStore;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::digest::Digester;
use tower_api_key::key::KeyFormat;
use tower_api_key::{Environment, KeyId, Owner, Record, Scopes, SqliteStore};
use tracing_subscriber::EnvFilter;

/// How long requests may go on after the server was asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// Writes logs to stderr: by default those of the examples, and who is admitted and refused.
pub(crate) fn log() -> Result<(), Failure> {
    let filter = env_or("RUST_LOG", "info,tower_api_key=debug")?;
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("RUST_LOG: {error}"))?;
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
    Ok(())
}

/// Listens on `ADDR`. Port 0 stands for any free port.
pub(crate) async fn listen() -> Result<TcpListener, Failure> {
    let address = env_or("ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(&address).await;
    Ok(listener.map_err(|error| format!("ADDR: cannot listen on {address:?}: {error}"))?)
}

/// Opens the SQLite database at `DATABASE_URL`.
pub(crate) async fn open_store(default: &str) -> Result<SqliteStore, Failure> {
    let url = env_or("DATABASE_URL", default)?;
    if !url.starts_with("sqlite:") {
        // The URL is not shown: those of other databases hold passwords.
        return Err("DATABASE_URL: expected the URL of an SQLite database, such as sqlite:keys.db".into());
    }
    let store = SqliteStore::open(&url).await.map_err(|error| format!("DATABASE_URL: {url:?}: {error}"))?;
    eprintln!("Keys are kept in {url}");
    Ok(store)
}

/// Returns a variable of the environment.
pub(crate) fn env_or(name: &str, default: &str) -> Result<String, Failure> {
    match env::var(name) {
        Ok(value) => Ok(value),
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: expected UTF-8, found other bytes").into()),
    }
}

/// The keys that an example needs. Those that the store does not have yet are minted.
pub(crate) struct Keys<'s> {
    store: &'s SqliteStore,
    example: &'static str,
    format: KeyFormat,
    minted: Vec<Record>,
    texts: Map<String, Value>,
}

impl<'s> Keys<'s> {
    pub(crate) fn new(store: &'s SqliteStore, example: &'static str, format: KeyFormat) -> Self {
        Self { store, example, format, minted: Vec::new(), texts: Map::new() }
    }

    /// Asks for a key with these scopes. If it had to be minted, its record can be changed before it is stored.
    pub(crate) async fn need(
        &mut self,
        name: &str,
        environment: Environment,
        scopes: &[&str],
    ) -> Result<Option<&mut Record>, Failure> {
        let id = KeyId::new(&format!("{}-{}", self.example, name.strip_suffix("_key").unwrap_or(name)))?;
        if self.store.get(&id).await?.is_some() {
            return Ok(None);
        }
        let key = self.format.mint(environment)?;
        let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
        record.scopes = Scopes::new(scopes.iter().copied())?;
        record.name = name.into();
        record.created_at = Some(SystemClock::new().wall());
        self.minted.push(record);
        self.texts.insert(name.to_owned(), key.reveal().as_str().into());
        Ok(self.minted.last_mut())
    }

    /// Prints the address and the new keys as one line of JSON, stores the keys, and returns what can be tried.
    pub(crate) async fn announce(self, listener: &TcpListener) -> Result<Announced, Failure> {
        let address = format!("http://{}", listener.local_addr()?);
        print_line(&json!({ "address": address, "credentials": self.texts }))?;
        if self.minted.is_empty() {
            eprintln!(
                "The keys of the first start still work. Set the variables below to them, or delete the database to get new ones."
            );
        }
        // Only now: nobody could use a key that was stored by a process that died before it showed the key. Clients that
        // are quick wait, because no connection is accepted yet.
        for record in self.minted {
            self.store.insert(record).await?;
        }
        Ok(Announced { address, texts: self.texts })
    }
}

/// What there is to try: an address and, on the first start, keys.
pub(crate) struct Announced {
    pub(crate) address: String,
    texts: Map<String, Value>,
}

impl Announced {
    /// Returns a key as it stands in a command: its text, or a variable to set where the key was shown before.
    pub(crate) fn key(&self, name: &str) -> String {
        let text = self.texts.get(name).and_then(Value::as_str);
        text.map_or_else(|| format!("${}", name.to_uppercase()), str::to_owned)
    }
}

/// Prints the one line that goes to stdout.
pub(crate) fn print_line(line: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Completes at ctrl-c or SIGTERM. What is under way then has ten seconds to end, or until the next signal.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
        eprintln!("Ending as soon as open requests have ended");
        tokio::spawn(async move {
            // Whether by the signal or by the clock, it is time to go.
            let _ = tokio::time::timeout(GRACE, signals.next()).await;
            eprintln!("Ending now, with requests still open");
            std::process::exit(1);
        });
    })
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
