//! The dashboard: pages on which people manage the keys of their organization, and monitor their usage. They sign in by a key with
//! the scope `admin`, such as the one of their sign-up.

use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::KeyManager;
use tower_api_key::{Authenticator, ConfigError, Source, SqliteStore};

use crate::console;

pub(crate) fn dashboard(
    manager: KeyManager<SqliteStore>,
    authenticator: &Authenticator,
    address: &str,
) -> Result<Sessions<SqliteStore>, ConfigError> {
    let pages = Console::new(manager)?.name("Memory API")?;
    let pages = pages.example(format!("{address}/v1/memories"), Source::bearer())?;
    let pages = console::at(pages, authenticator, &format!("{address}/dashboard"))?;
    Ok(pages.pasted_keys().across_environments())
}
