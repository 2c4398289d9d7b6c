//! What the three services share: their settings in the environment.

use std::io::{Error, Result};

use tokio::net::TcpListener;

/// Returns a setting.
pub fn setting(name: &str) -> Result<String> {
    std::env::var(name).map_err(|error| Error::other(format!("{name}: {error}")))
}

/// Listens on `ADDR`, by default on any port of this machine, and prints the address.
pub async fn listen() -> Result<TcpListener> {
    let address = setting("ADDR").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}
