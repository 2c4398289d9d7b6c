//! Whoever hears of refusals: the log of the operator, and the audit hook of an authenticator.

use std::sync::Arc;

use super::{Reason, Rejection};
use crate::audit::{Action, AuditEvent, Hook};
use crate::clock::Clock;
use crate::trace;

/// An audit hook, and the clock by which it is told.
pub(crate) struct AuditSink {
    pub(crate) hook: Hook,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Rejection {
    /// Tells of a refusal that is about to be answered. Only here: a rejection may also be made and left aside, as where a
    /// credential is optional.
    pub(crate) fn tell(&self) {
        trace::rejected(self.reason.label(), self.key_id.as_ref());
        self.responses.metrics.refused(self.reason.label());
        if let Some(AuditSink { hook, clock }) = &self.responses.audit {
            let action = match &self.reason {
                Reason::Expired => Action::Expired,
                reason => Action::Rejected { reason: reason.label() },
            };
            let event = AuditEvent::new(clock.wall(), action);
            hook.record(&AuditEvent { key: self.key_id.clone(), ..event });
        }
    }
}
