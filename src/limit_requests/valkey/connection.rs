//! The connection that all requests share, and another one in its place after a failure.

// Layer 8 of 10: decision.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{Client, RedisResult};

/// The time after which an idle connection is probed, and that between two probes.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The manager renews only a connection that was closed. To a server that is silent, or is a replica by now, it would keep the old one for
/// as long as the socket lasts.
pub(super) struct Connection {
    client: Client,
    config: ConnectionManagerConfig,
    current: Mutex<Numbered>,
}

struct Numbered {
    /// The number of connections before this one.
    number: u64,
    manager: ConnectionManager,
}

/// Returns the settings of a socket: of an idle one it is known before the next request that it is lost.
pub(super) fn settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    #[cfg(target_os = "linux")]
    let keepalive = keepalive.with_interval(KEEPALIVE);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(KEEPALIVE);
    settings
}

impl Connection {
    /// Connects with the first request.
    pub(super) fn new(client: Client, config: ConnectionManagerConfig) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self { client, config, current: Mutex::new(Numbered { number: 0, manager }) })
    }

    /// Returns the connection, and its number.
    pub(super) fn current(&self) -> (u64, ConnectionManager) {
        let current = self.lock();
        (current.number, current.manager.clone())
    }

    /// Puts a new one, which connects with the next request, in the place of the one with this number. Of several requests that fail on one
    /// connection, the first does so.
    pub(super) fn replace(&self, number: u64) {
        let mut current = self.lock();
        if current.number != number {
            return;
        }
        // OK because the first was created from the same settings.
        if let Ok(manager) = ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
        {
            *current = Numbered { number: number + 1, manager };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        // No panic leaves it half written.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
