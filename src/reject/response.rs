//! The response to a rejected request.

use http::Response;

use super::body::RejectionBody;
use super::protocol::RequestProtocol;
use super::rejection::{AuditSink, Rejection};
use super::{grpc, http as plain};
use crate::audit::{Action, AuditEvent};
use crate::reason::Reason;
use crate::trace;

impl Rejection {
    /// Reports the rejection and returns the response, which has it in its extensions.
    pub(crate) fn into_response_to<B: RejectionBody>(self, request: RequestProtocol) -> Response<B> {
        self.report();
        let response = match request.call {
            Some(call) => grpc::response(&self.reason, call),
            None => plain::response(&self),
        };
        let mut response = response.map(B::from_bytes);
        request.close(&mut response);
        response.extensions_mut().insert(self);
        response
    }

    /// Reports a rejection to the log, the metrics and the audit hook. Called only for a response: a rejection may also be created and
    /// dropped, as when a credential is optional.
    pub(crate) fn report(&self) {
        trace::rejected(self.reason.label(), self.key_id.as_ref());
        self.responses.metrics.rejected(self.reason.label());
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
