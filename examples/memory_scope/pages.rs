//! The developer console: pages on which people create, copy, view, rotate and delete keys, and see their usage. They sign in by a key with
//! the scope `console`.

use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::{KeyManager, Permissions};
use tower_api_key::{Authenticator, ConfigError, Source, SqliteStore};

use crate::{access, console};

pub(crate) fn developer_console(
    store: SqliteStore,
    authenticator: &Authenticator,
    address: &str,
) -> Result<Sessions<SqliteStore>, ConfigError> {
    let permissions =
        Permissions::new().group("Keys", [("console", "Open this console, and manage keys")])?;
    let manager = KeyManager::for_authenticator(authenticator, store, access::format()?)?
        .with_permissions(permissions)
        .require_names();
    let pages = Console::new(manager)?.name("Memory Scope")?;
    let pages = pages.example(format!("{address}/memory/mem_1"), Source::x_api_key())?;
    Ok(console::at(pages, authenticator, &format!("{address}/developer"))?.pasted_keys())
}
