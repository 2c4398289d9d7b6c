//! An audit hook that writes `tracing` events.

// Layer 2 of 10: support.

use tracing::field::display;

use super::{Action, Audit, AuditEvent};

/// Writes each audit event as a `tracing` event of the level `INFO` and the target `tower_api_key::audit`. Its fields are `action`,
/// `key_id`, `by`, `to` (the successor), `reason` (of a rejection) and `keys` (their number), as far as they apply.
///
/// ```
/// use tower_api_key::audit::TracingAudit;
/// use tower_api_key::{Authenticator, MemoryStore};
///
/// let authenticator = Authenticator::builder(MemoryStore::new()).audit(TracingAudit).build()?;
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "a unit struct that is used as a value")]
pub struct TracingAudit;

/// Starts with the target of all other events, so that a filter for those also covers these.
const TARGET: &str = "tower_api_key::audit";

impl Audit for TracingAudit {
    fn record(&self, event: &AuditEvent) {
        let AuditEvent { action, key, by, .. } = event;
        let (to, reason, keys) = match action {
            Action::Rotated { to } => (Some(display(to)), None, None),
            Action::Rejected { reason } => (None, Some(*reason), None),
            Action::RevokedAll { keys } | Action::DeletedAll { keys } => (None, None, Some(*keys)),
            _ => (None, None, None),
        };
        let (action, key_id, by) = (action.label(), key.as_ref().map(display), by.as_deref());
        tracing::info!(target: TARGET, action, key_id, by, to, reason, keys, "audit");
    }
}
