//! The service of a client, which attaches its key to each request; and the future of its response. `attachment` keeps the key, under its lock: a
//! request may wait until the key is read, and a response that rejects it makes the next request read it again.

// Layer 10 of 10: rim.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::attachment::Attachment;
use super::error::{AttachKeyError, BoxError};
use crate::inner_service::{POLLED_AFTER_COMPLETION, inner_service_accessors};

/// Middleware that attaches an API key to each request, and refuses those that would show it to another server.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct AttachKey<S> {
    inner: S,
    attachment: Arc<Attachment>,
}

impl<S> AttachKey<S> {
    pub(super) fn new(inner: S, attachment: Arc<Attachment>) -> Self {
        Self { inner, attachment }
    }
}

inner_service_accessors!(AttachKey);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AttachKey<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The polled service is ready. Its clone is not, and stays behind to be polled.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let attachment = Arc::clone(&self.attachment);

        let state = match attachment.check(&request) {
            Err(error) => State::Refused { error: Some(error) },
            Ok(()) => {
                let waiting = Waiting { attachment, inner, request };
                match self.attachment.header_in_memory() {
                    Some(value) => waiting.send(value),
                    None => State::Pending {
                        value: Box::pin(Arc::clone(&self.attachment).read_header()),
                        waiting: Some(waiting),
                    },
                }
            }
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// Response future for [`AttachKey`](super::AttachKey).
    pub struct ResponseFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody>,
    }
}

type BoxedValue = Pin<Box<dyn Future<Output = Result<HeaderValue, AttachKeyError>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Refused { error: Option<AttachKeyError> },
        Pending { value: BoxedValue, waiting: Option<Waiting<S, ReqBody>> },
        Sent { #[pin] response: S::Future, attachment: Arc<Attachment> },
    }
}

/// A request that waits for its key, and the service that is ready for it.
struct Waiting<S, ReqBody> {
    attachment: Arc<Attachment>,
    inner: S,
    request: Request<ReqBody>,
}

impl<S, ReqBody> Waiting<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn send(mut self, value: HeaderValue) -> State<S, ReqBody> {
        self.attachment.attach(value, self.request.headers_mut());
        State::Sent { response: self.inner.call(self.request), attachment: self.attachment }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Refused { error } => {
                    return Poll::Ready(Err(error.take().expect(POLLED_AFTER_COMPLETION).into()));
                }
                StateProjection::Sent { response, attachment } => {
                    let response = ready!(response.poll(context)).map_err(Into::into)?;
                    attachment.note_rejection(&response);
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Pending { value, waiting } => match ready!(value.as_mut().poll(context)) {
                    Ok(value) => waiting.take().expect(POLLED_AFTER_COMPLETION).send(value),
                    Err(error) => State::Refused { error: Some(error) },
                },
            };
            this.state.set(next);
        }
    }
}

impl<S, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Refused { .. } => "ResponseFuture(refused)",
            State::Pending { .. } => "ResponseFuture(pending)",
            State::Sent { .. } => "ResponseFuture(sent)",
        })
    }
}
