//! A key in place of the one before it.

use tower_api_key::backend::{Grace, KeyFilter};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{CreatedKey, KeyManager, ManageErrorKind, NewKey, Replacement};
use tower_api_key::{KeyState, SqliteStore};

use crate::refusal::Refusal;

/// Makes a key, and ends those that a filter means. The one before it is rotated: of several who do so at once, each replaces the
/// key of another, and one key is left.
pub(crate) async fn cycle(
    manager: &KeyManager<SqliteStore>,
    keys: KeyFilter,
    new: NewKey,
) -> Result<CreatedKey, Refusal> {
    loop {
        let active = keys.clone().state(KeyState::Active, SystemClock::new().wall());
        let active = manager.list(&active, None, 100).await?;
        let Some((current, others)) = active.split_first() else { return Ok(manager.create(new).await?) };
        for other in others {
            manager.revoke(&other.id, "cycled").await?;
        }
        match manager.rotate(&current.id, Replacement::new(Grace::None)).await {
            Err(error) if error.kind() == ManageErrorKind::Conflict => {}
            created => return Ok(created?),
        }
    }
}
