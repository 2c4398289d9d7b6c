//! A rejection without a decision: the same answer from a service that has it from the start.

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{ServiceExt, service_fn};
use tower_api_key::Rejection;

use super::{Body, Stack};

/// Creates a service that gives the answer of `stack` to a request to all requests.
pub async fn alone(mut stack: impl Stack<Body>, request: Request<Body>) -> impl Stack<Body> {
    let (answer, body) = stack.ready().await.unwrap().call(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let headers: Vec<(HeaderName, HeaderValue)> =
        answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let rejection = answer.extensions.get::<Rejection>().unwrap().clone();
    service_fn(move |_| {
        let response = build(answer.status, &headers, text.clone(), rejection.clone());
        async { Ok(response) }
    })
}

fn build(
    status: StatusCode,
    headers: &[(HeaderName, HeaderValue)],
    text: String,
    rejection: Rejection,
) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().append(name, value.clone());
    }
    response.extensions_mut().insert(rejection);
    response
}
