//! The part of the dashboard about keys, Settings → API Keys: pages on which people create keys with the permissions that they select. They
//! sign in by a key with all permissions.

use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::KeyManager;
use tower_api_key::{Authenticator, ConfigError, Source, SqliteStore};

use crate::console;

pub(crate) fn dashboard(
    manager: KeyManager<SqliteStore>,
    authenticator: &Authenticator,
    address: &str,
) -> Result<Sessions<SqliteStore>, ConfigError> {
    let pages = Console::new(manager.require_names())?.name("Memsolus")?;
    let pages = pages.example(format!("{address}/v1/memories"), Source::x_api_key())?;
    let pages = console::at(pages, authenticator, &format!("{address}/settings/api-keys"))?;
    Ok(pages.pasted_keys().across_environments())
}
