//! The address at which people open the pages of an example.

use std::env;
use std::io;

use tokio::net::TcpListener;
use tower_api_key::backend::{AuditLog, KeyStore, UsageStore};
use tower_api_key::console::{Console, Sessions};
use tower_api_key::{Authenticator, ConfigError};

/// Returns `PUBLIC_URL`, or the address of the listener.
pub(crate) fn public_url(listener: &TcpListener) -> io::Result<String> {
    match env::var("PUBLIC_URL") {
        Ok(url) => Ok(url),
        Err(_) => Ok(format!("http://{}", listener.local_addr()?)),
    }
}

/// Serves a console at an address, with sessions: over plain HTTP only to browsers of this machine.
pub(crate) fn at<S>(
    console: Console<S>,
    authenticator: &Authenticator,
    address: &str,
) -> Result<Sessions<S>, ConfigError>
where
    S: KeyStore + UsageStore + AuditLog + Clone,
{
    let sessions = console.sessions(authenticator, address)?;
    if address.starts_with("https://") { Ok(sessions) } else { sessions.development() }
}
