//! The response to a rejected request, and the report of the rejection to the log, the metrics, the usage of its caller and the audit hook.

// Layer 5 of 10: outcomes.

use http::Response;

use super::body::RejectionBody;
use super::head::RequestHead;
use super::protocol::RequestProtocol;
use super::rejection::{AuditSink, Rejection};
use super::{grpc, http_response};
use crate::audit::{Action, AuditEvent};
use crate::path::template;
use crate::reason::Reason;
use crate::trace;

impl Rejection {
    /// Reports the rejection to the log, the metrics, the [usage](crate::usage) of an admitted caller and the audit hook, and returns the
    /// response to `request`: with status, challenges and body as the authenticator is configured to, and the rejection in its extensions. Behind a layer that answers
    /// [gRPC](crate::AuthenticateLayer::grpc), a call gets the response of gRPC.
    ///
    /// For services without a framework, such as one that upgrades a connection before it calls a layer. `Response::from(rejection)` does
    /// the same where the request is out of reach; its body cannot depend on the request, and a connection with an unread body stays open.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower_api_key::{Authenticator, MemoryStore};
    ///
    /// async fn upgrade(authenticator: &Authenticator, request: Request<()>) -> Response<Full<Bytes>> {
    ///     match authenticator.authenticate(request.headers()).await {
    ///         Ok(principal) => Response::new(Full::from(principal.key_id().to_string())),
    ///         Err(rejection) => rejection.into_response_to(&request),
    ///     }
    /// }
    ///
    /// let authenticator = Authenticator::builder(MemoryStore::new()).build()?;
    /// let response = upgrade(&authenticator, Request::new(())).await;
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_response_to<'r, B: RejectionBody>(self, request: impl Into<RequestHead<'r>>) -> Response<B> {
        // Before the application's code, which a request may make panic.
        let request = request.into();
        self.report(template(request.extensions));
        let mut response = self.render(Some(request));
        self.attach_to(&mut response);
        response
    }

    /// Returns the response to a request, without a report.
    // Part of each rejection, whose response would be moved once more.
    #[inline(always)]
    pub(crate) fn render<B: RejectionBody>(&self, request: Option<RequestHead<'_>>) -> Response<B> {
        let protocol = request.map(RequestProtocol::of).unwrap_or_default();
        let mut response = match protocol.call {
            Some(call) => grpc::response(&self.reason, call),
            None => http_response::response(self, request),
        };
        protocol.announce_close(&mut response);
        response
    }

    /// Puts a reported rejection into the extensions of its response.
    pub(crate) fn attach_to<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self);
    }

    /// Reports a rejection to the log, the metrics, the usage of its caller and the audit hook. Called only for a response: a rejection may also be created and
    /// dropped, as when a credential is optional. `route` is the template of the route, if it is known.
    pub(crate) fn report(&self, route: Option<&str>) {
        let resource = match &self.reason {
            Reason::Forbidden(forbidden) => Some(forbidden.label()),
            _ => None,
        };
        trace::rejected(self.reason.label(), resource, route, self.key_id());
        self.count();
        self.responses.metrics.rejected(self.reason.label());
        if let Some(AuditSink { hook, clock }) = &self.responses.audit {
            let action = match &self.reason {
                Reason::Expired => Action::Expired,
                reason => Action::Rejected { reason: reason.label() },
            };
            let event = AuditEvent::new(clock.wall(), action);
            hook.record(&AuditEvent { key: self.key_id().cloned(), ..event });
        }
    }
}

/// Reports the rejection, and responds over HTTP to an unknown request.
impl<B: RejectionBody> From<Rejection> for Response<B> {
    fn from(rejection: Rejection) -> Self {
        rejection.report(None);
        let mut response = rejection.render(None);
        rejection.attach_to(&mut response);
        response
    }
}
