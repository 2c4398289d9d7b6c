//! Calls over real sockets: HTTP/1, HTTP/2 and gRPC.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use regex::Regex;
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_client::HealthClient;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts a rejection over HTTP.
    pub(crate) fn assert_rejected(&self, status: StatusCode, detail: &str) {
        assert_eq!(self.status, status);
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_eq!(self.json(), serde_json::json!({ "detail": detail }));
    }

    /// Returns the first cookie that it sets, as a browser sends it.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Returns the first group of a pattern that the page matches.
    pub(crate) fn find(&self, pattern: &str) -> String {
        let html = std::str::from_utf8(&self.body).unwrap();
        Regex::new(pattern).unwrap().captures(html).unwrap_or_else(|| panic!("{html}"))[1].to_owned()
    }

    /// Asserts that an error is `{"detail": "…"}` and nothing else.
    pub(crate) fn assert_detail(&self) {
        assert_eq!(self.headers["content-type"], "application/json");
        let body = self.json();
        assert!(body["detail"].is_string() && body.as_object().unwrap().len() == 1, "{body}");
    }
}

/// Calls with a Bearer key, or none.
pub(crate) async fn get(url: &str, key: Option<&str>) -> Answer {
    send(request(Method::GET, url, key).body(Full::default()).unwrap()).await
}

pub(crate) async fn post(url: &str, key: Option<&str>, body: impl Into<Bytes>) -> Answer {
    let request = request(Method::POST, url, key).header("content-type", "application/json");
    send(request.body(Full::new(body.into())).unwrap()).await
}

/// Calls with a key in `X-API-Key`, or none.
pub(crate) async fn ask(method: Method, url: &str, key: Option<&str>, body: &str) -> Answer {
    let mut request = request(method, url, None);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    send(request.body(Full::new(body.to_owned().into())).unwrap()).await
}

/// Visits a page with cookies; with a form, sends it there.
pub(crate) async fn browse(url: &str, cookies: &str, form: &str) -> Answer {
    let method = if form.is_empty() { Method::GET } else { Method::POST };
    let request = request(method, url, None).header("cookie", cookies);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(Full::new(form.to_owned().into())).unwrap()).await
}

/// Goes where an application hands a browser over, and returns the cookie of the session.
pub(crate) async fn follow(handed_over: &Answer) -> String {
    assert_eq!(handed_over.status, StatusCode::SEE_OTHER);
    let (page, code) = handed_over.headers["location"].to_str().unwrap().split_once("?code=").unwrap();
    let signed_in = browse(page, &handed_over.cookie(), &format!("code={code}")).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    signed_in.cookie()
}

pub(crate) fn request(method: Method, url: &str, key: Option<&str>) -> http::request::Builder {
    let request = Request::builder().method(method).uri(url);
    match key {
        Some(key) => request.header("authorization", format!("Bearer {key}")),
        None => request,
    }
}

pub(crate) async fn send(request: Request<Full<Bytes>>) -> Answer {
    let http2 = request.version() == http::Version::HTTP_2;
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// Calls a gRPC method that no generated client knows, and returns the headers of the answer.
pub(crate) async fn call_method(url: &str, key: Option<&str>) -> Answer {
    let request = request(Method::POST, url, key)
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    // One message, empty and uncompressed.
    send(request.body(Full::new(Bytes::from_static(&[0; 5]))).unwrap()).await
}

pub(crate) type Health = HealthClient<InterceptedService<Channel, WithKey>>;

/// Adds an optional Bearer key to each call.
#[derive(Clone)]
pub(crate) struct WithKey(Option<String>);

impl tonic::service::Interceptor for WithKey {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(key) = &self.0 {
            let value: MetadataValue<_> = format!("Bearer {key}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

pub(crate) async fn health_client(url: &str, key: Option<&str>) -> Health {
    let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
    HealthClient::with_interceptor(channel, WithKey(key.map(Into::into)))
}

/// Asks for the health of the server, and returns the code of the answer.
pub(crate) async fn check(url: &str, key: Option<&str>) -> Code {
    let answer = health_client(url, key).await.check(tonic_health::pb::HealthCheckRequest::default()).await;
    match answer {
        Ok(response) => {
            assert_eq!(
                response.get_ref().status(),
                tonic_health::pb::health_check_response::ServingStatus::Serving
            );
            Code::Ok
        }
        Err(status) => status.code(),
    }
}
