//! Requests that pass without authentication, but carry a key.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};

use crate::secrecy::keys::Keys;
use crate::secrecy::service::Handler;
use crate::secrecy::transcript::Transcript;

#[tokio::test]
async fn a_key_does_not_show_on_paths_without_authentication() {
    let transcript = Transcript::default();
    let keys = Keys::mint(&transcript);
    let authenticator = Authenticator::builder(MemoryStore::new()).build().unwrap();
    let layer = AuthenticateLayer::new(authenticator).public("/health").unwrap().allow_preflight();
    for layer in [layer.clone(), layer.strip()] {
        for (method, path) in [(Method::GET, "/health"), (Method::OPTIONS, "/notes")] {
            let mut request = Request::new(Full::<Bytes>::default());
            *request.method_mut() = method;
            *request.uri_mut() = path.parse().unwrap();
            let headers = [
                ("x-api-key", keys.good.text.as_str()),
                ("origin", "https://example.com"),
                ("access-control-request-method", "GET"),
            ];
            for (name, value) in headers {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            let response = layer.layer(Handler::noting_in(&transcript)).oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    }
    assert!(transcript.has("handler", "https://example.com"));
    assert_eq!(transcript.leaks(&keys.secrets), Vec::<String>::new());
}
