//! A client that keeps to what a browser does without scripts.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use regex::Regex;

/// The header of a form.
pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A user with a session.
pub(crate) struct Browser {
    /// The origin and the base of the console.
    pub(crate) base: String,
    pub(crate) user: &'static str,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// Returns the value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let field = Regex::new(&format!(r#"name="{name}"[^>]* value="([^"]*)""#)).unwrap();
        field.captures(&self.html).unwrap_or_else(|| panic!("no {name} in {}", self.html))[1].to_owned()
    }

    /// Returns the text of the new key that the page shows.
    pub(crate) fn secret(&self) -> String {
        let secret = Regex::new(r#"<code id="key"[^>]*>([^<]+)</code>"#).unwrap();
        secret.captures(&self.html).unwrap_or_else(|| panic!("no key in {}", self.html))[1].to_owned()
    }

    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.html);
        self.headers["location"].to_str().unwrap()
    }
}

impl Browser {
    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[], Full::default()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from("same-origin", path, fields).await
    }

    /// Sends a form of a page of another or the same site.
    pub(crate) async fn post_from(&self, site: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let headers = [("sec-fetch-site", site), FORM];
        self.send(Method::POST, path, &headers, form(fields)).await
    }

    pub(crate) async fn send<B>(&self, method: Method, path: &str, headers: &[(&str, &str)], body: B) -> Page
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("x-user", self.user);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, html }
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> Full<Bytes> {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    Full::new(pairs.join("&").into())
}
