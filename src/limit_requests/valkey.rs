//! Counters in Valkey or Redis: the connection, and its settings.

// Layer 8 of 10: decision.
// Above `bucket` and `counters`. Bottom to top, a file importing only those before it:
// `script`, `connection`, `self`.

mod connection;
mod script;

use std::fmt;
use std::time::Duration;

use redis::aio::ConnectionManagerConfig;
use redis::{Client, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, Script};
use tokio::time::timeout;

use self::connection::Connection;
use super::counters::{Count, Counters, CountersError, CountersErrorKind, Taken, Taking};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::runtime::require_runtime;

const PREFIX: &str = "tower_api_key:";
/// About a hundred times what a request takes within a data centre.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Counters in a server of Valkey, or of Redis from version 5: exact over all processes that use it.
///
/// Each request to a key with limits is one call of a script, which takes it from all limits or from none, by the clock of the server. The
/// arithmetic is that of a process, with two differences. The time in which one request of a rate comes back is rounded up to whole
/// microseconds, so a rate of `R` requests a second may be slower by `R` millionths. And if the clock of the server is set back, the
/// requests of a rate are refused for up to two windows more.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_api_key::LimitLayer;
/// use tower_api_key::limit_requests::{Outage, ValkeyCounters};
///
/// let counters = ValkeyCounters::connect("redis://:password@counters.internal:6379").await?;
/// let layer = LimitLayer::new().counters(counters, Outage::Refuse);
/// # Ok(())
/// # }
/// ```
///
/// # What is kept
///
/// One value for each limit that was used, under a prefix and the [id](Count::id) of the count, which names the owner and the key by their
/// ids; a user by the e-mail. Each expires: a rate when its allowance is whole, a quota at the end of the period after its own.
///
/// Run the server with `maxmemory-policy noeviction`, or what was used is forgotten when memory is short. Without `appendonly yes` and
/// `appendfsync always`, a server that is killed may forget the last requests, and so may a replica that takes over.
///
/// # Connection
///
/// All requests share a connection, which is renewed when it is lost, when no answer comes in time, and when the server cannot count, as
/// one that has become a replica. A request whose connection was lost is sent once more, and may then count twice. With a
/// cluster, connect through a proxy: all limits of a key are in one slot.
///
/// For `rediss://`, turn on a TLS feature of the crate `redis` in your own Cargo.toml, such as `tokio-rustls-comp`.
pub struct ValkeyCounters {
    connection: Connection,
    script: Script,
    prefix: Box<str>,
    /// For a call with a new connection.
    timeout: Duration,
}

/// Settings of [`ValkeyCounters`].
#[derive(Clone)]
pub struct ValkeyCountersBuilder {
    url: String,
    prefix: Box<str>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl ValkeyCounters {
    /// Connects to the server at `redis://[USER][:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` with TLS, or `unix:///PATH`.
    ///
    /// # Errors
    ///
    /// When the text has another form, or the server cannot be reached, rejects the password, or does not count, such as a replica, or one
    /// whose user may not run scripts or write: one request is counted under the prefix, and expires at once. The error holds nothing of
    /// the text.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, ConfigError> {
        Self::builder(url).connect().await
    }

    /// Creates settings for the server at this address, as for [`connect`](Self::connect).
    pub fn builder(url: &str) -> ValkeyCountersBuilder {
        ValkeyCountersBuilder {
            url: url.to_owned(),
            prefix: PREFIX.into(),
            connect_timeout: TIMEOUT,
            response_timeout: TIMEOUT,
        }
    }

    async fn ask(&self, counts: &[Count], cost: u64) -> Result<Taken, CountersError> {
        let call = script::call(&self.script, &self.prefix, counts, cost);
        let (number, mut connection) = self.connection.current();
        let answer = timeout(self.timeout, async {
            let first: RedisResult<Vec<String>> = call.invoke_async(&mut connection).await;
            match first {
                // By the connection that has taken its place.
                Err(error) if error.is_connection_dropped() => call.invoke_async(&mut connection).await,
                other => other,
            }
        });
        let no_answer = |_| Err(CountersError::unavailable(format!("no answer within {:?}", self.timeout)));
        let answer = answer.await.map_or_else(no_answer, |answer| answer.map_err(|error| failed(&error)));
        if answer.as_ref().is_err_and(|error| error.kind() == CountersErrorKind::Unavailable) {
            self.connection.replace(number);
        }
        let answer = answer?;
        script::read(&answer, counts, cost)
            .ok_or_else(|| CountersError::corrupt("the answer of the script has another form"))
    }
}

impl ValkeyCountersBuilder {
    /// Sets the text that all keys begin with, `tower_api_key:` by default. Counters with another prefix count apart.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Sets the longest time for a connection, 100 milliseconds by default.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// Sets the longest time for the answer to a request, 100 milliseconds by default.
    #[must_use]
    pub fn response_timeout(self, timeout: Duration) -> Self {
        Self { response_timeout: timeout, ..self }
    }

    /// Connects to the server.
    ///
    /// # Errors
    ///
    /// As for [`ValkeyCounters::connect`], and for invalid settings: a timeout of zero, a prefix with a brace or a control character.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn connect(self) -> Result<ValkeyCounters, ConfigError> {
        let counters = self.connect_lazy()?;
        match counters.ask(&[Count::for_trial()], 1).await {
            Ok(_) => Ok(counters),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                Err(invalid(format!("cannot connect to the counter store: {cause}")))
            }
        }
    }

    /// Leaves connecting to the first request, for a service that has to start while the server is away: what happens to requests then is
    /// the layer's [`Outage`](super::Outage).
    ///
    /// # Errors
    ///
    /// When the address or a setting is invalid.
    ///
    /// # Panics
    ///
    /// When called outside a Tokio runtime.
    pub fn connect_lazy(self) -> Result<ValkeyCounters, ConfigError> {
        require_runtime();
        if self.prefix.contains(|character: char| "{}".contains(character) || character.is_control()) {
            // A brace would end the hash tag of a count.
            return Err(invalid(
                "the prefix of a counter store must not contain a brace or a control character",
            ));
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(invalid("a timeout of a counter store must not be zero"));
        }
        let address = |_| {
            invalid(
                "the address of a counter store must have the form `redis://HOST:PORT`, or `rediss://HOST:PORT` with a TLS feature of the \
                 crate `redis`",
            )
        };
        let server = self.url.as_str().into_connection_info().map_err(address)?;
        let client = Client::open(server.set_tcp_settings(connection::settings())).map_err(address)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            // The layer decides when to try again.
            .set_number_of_retries(0);
        Ok(ValkeyCounters {
            connection: Connection::new(client, config).map_err(address)?,
            script: script::script(),
            prefix: self.prefix,
            timeout: self.connect_timeout + self.response_timeout,
        })
    }
}

impl Counters for ValkeyCounters {
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a> {
        Box::pin(self.ask(counts, cost))
    }
}

// The address may hold a password.
impl fmt::Debug for ValkeyCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValkeyCounters").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl fmt::Debug for ValkeyCountersBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValkeyCountersBuilder")
            .field("prefix", &self.prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

/// Returns the error without the server's own words, which may repeat what it was sent: a password too.
fn failed(error: &RedisError) -> CountersError {
    let text = match (error.is_io_error(), error.code()) {
        (true, _) => error.to_string(),
        (false, Some(code)) => format!("{} ({code})", error.category()),
        (false, None) => error.category().to_owned(),
    };
    let is_corrupt = matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse)
        || matches!(error.code(), Some("CORRUPT" | "WRONGTYPE"));
    if is_corrupt { CountersError::corrupt(text) } else { CountersError::unavailable(text) }
}

fn invalid(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Counters, message)
}
