//! A browser that keeps cookies.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use tower_api_key::console::SignInUrl;

use crate::console::browser::{Browser, FORM, Page, form};

#[derive(Clone)]
pub(crate) struct Visitor {
    /// The origin and the base of the console, as the test reaches it.
    pub(crate) base: String,
    pub(crate) jar: BTreeMap<String, String>,
}

impl Visitor {
    pub(crate) fn new(base: impl Into<String>) -> Self {
        Self { base: base.into(), jar: BTreeMap::new() }
    }

    /// Returns a browser that the application sends to a URL, with its cookie, and the code of the URL.
    pub(crate) fn sent(base: impl Into<String>, to: &SignInUrl) -> (Self, String) {
        let mut visitor = Self::new(base);
        visitor.keep(to.set_cookie().to_str().unwrap());
        (visitor, code(to.url()))
    }

    fn keep(&mut self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if set_cookie.contains("Max-Age=0;") {
            self.jar.remove(name);
        } else {
            self.jar.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(crate) fn cookies(&self) -> String {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Returns the text of the session.
    pub(crate) fn session(&self) -> &str {
        let own = self.jar.iter().find(|(_, value)| value.starts_with("console_session_"));
        own.map(|(_, value)| &**value).expect("a session")
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.jar.values().any(|value| value.starts_with("console_session_"))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], Full::default()).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, &[("sec-fetch-site", "same-origin"), FORM], form(fields)).await
    }

    pub(crate) async fn send<B>(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: B,
    ) -> Page
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let cookies = self.cookies();
        let headers: Vec<_> = headers.iter().copied().chain([("cookie", &*cookies)]).collect();
        let browser = Browser { base: self.base.clone(), user: "" };
        let page = browser.send(method, path, &headers, body).await;
        for cookie in page.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        page
    }

    pub(crate) async fn redeem(&mut self, code: &str) -> Page {
        self.post("/sign-in", &[("code", code)]).await
    }

    /// Presents a key on the form.
    pub(crate) async fn paste(&mut self, key: &str) -> Page {
        let token = self.get("/sign-in").await.field("token");
        self.post("/sign-in", &[("token", &token), ("key", key)]).await
    }

    /// Returns whether the list of keys is shown. Otherwise the visitor is led to the form to sign in.
    pub(crate) async fn is_in(&mut self) -> bool {
        let page = self.get("/keys").await;
        if page.status != StatusCode::OK {
            assert!(page.location().starts_with("./sign-in"), "{page:?}");
        }
        page.status == StatusCode::OK
    }

    /// Creates a key by the form, and returns its page.
    pub(crate) async fn create(&mut self, permissions: &[&str]) -> Page {
        let page = self.get("/new").await;
        let form = page.field("form");
        let fields = [("form", &*form), ("name", "CI"), ("expires", "30")];
        let permissions = permissions.iter().map(|scope| ("permission", *scope));
        let fields: Vec<_> = fields.into_iter().chain(permissions).collect();
        self.post("/new", &fields).await
    }
}

pub(crate) fn code(url: &str) -> String {
    url.split_once("/sign-in?code=").expect("a code").1.to_owned()
}
