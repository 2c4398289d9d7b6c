//! Requests, each created anew as in a server.

use std::sync::Arc;

use http::header::{ACCEPT, HOST};
use http::{HeaderName, HeaderValue, Request};
use tower_api_key::Principal;

use crate::order::Order;

/// An endless sequence of requests.
#[derive(Debug, Clone)]
pub struct Requests {
    credential: Option<HeaderName>,
    values: Arc<[HeaderValue]>,
    order: Arc<[u32]>,
    next: usize,
    principal: Option<Principal>,
    has_used_extensions: bool,
}

impl Requests {
    /// Creates requests that present these values in this header.
    pub fn new(header: &'static str, values: impl IntoIterator<Item = String>, order: Order) -> Self {
        // `Bytes` shared between threads would slow down even a service without a layer.
        let value = |text: String| HeaderValue::try_from(text).unwrap();
        let values: Arc<[_]> = values.into_iter().map(value).collect();
        let order = order.draw(values.len());
        let credential = Some(HeaderName::from_static(header));
        Self { credential, values, order, next: 0, principal: None, has_used_extensions: false }
    }

    /// Creates requests that present `Bearer` keys.
    pub fn bearer(texts: &[String], order: Order) -> Self {
        Self::new("authorization", texts.iter().map(|text| format!("Bearer {text}")), order)
    }

    /// Creates requests without a credential.
    pub fn anonymous() -> Self {
        Self { credential: None, ..Self::bearer(&[String::new()], Order::InTurn) }
    }

    /// Adds a principal to each request, as after an admission.
    pub fn of(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Adds an extension to each request, as axum does.
    pub fn with_used_extensions(self) -> Self {
        Self { has_used_extensions: true, ..self }
    }

    /// Skips this many requests of the order.
    pub fn skip(mut self, requests: usize) -> Self {
        self.next = requests % self.order.len();
        self
    }

    /// Returns one request for each key in turn, to warm a cache.
    pub fn each_once<B: Default>(&self) -> impl Iterator<Item = Request<B>> {
        (0..self.values.len()).map(|key| self.request(key))
    }

    /// Creates the next request.
    pub fn make<B: Default>(&mut self) -> Request<B> {
        let key = self.order[self.next];
        self.next = if self.next + 1 == self.order.len() { 0 } else { self.next + 1 };
        self.request(key as usize)
    }

    fn request<B: Default>(&self, key: usize) -> Request<B> {
        let mut request = Request::new(B::default());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(credential) = &self.credential {
            headers.insert(credential, self.values[key].clone());
        }
        if self.has_used_extensions {
            request.extensions_mut().insert("something");
        }
        if let Some(principal) = &self.principal {
            request.extensions_mut().insert(principal.clone());
        }
        request
    }
}
