//! A request of the table with its fixtures expanded.

use crate::conformance::cases::{Proto, Request};
use crate::conformance::fixtures::{Fixtures, unescaped};

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) proto: Proto,
    pub(crate) method: String,
    pub(crate) path: Vec<u8>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn new(request: &Request, fixtures: &Fixtures) -> Self {
        assert!(!request.raw_http1 || request.proto == Proto::Http1, "either raw HTTP/1.1 or HTTP/2");
        let expand = |text: &str| fixtures.expand(text, request.escape);
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.clone(), expand(value))).collect();
        let mut message = Self {
            proto: request.proto,
            method: request.method.clone(),
            path: expand(&request.path),
            headers,
            body: request.body.as_deref().map(expand).unwrap_or_default(),
        };
        if let Some(words) = &request.body_is {
            assert!(request.body.is_none(), "one body");
            message.body = repeated(words, message.declared_length());
        }
        if let Some(send_body) = request.send_body {
            assert!(!send_body && message.body.is_empty(), "a body that is declared but not sent");
        }
        message
    }

    /// Creates a request without headers.
    pub(crate) fn plain(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.as_bytes().to_vec());
        Self { proto: Proto::Http1, method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn bearer(mut self, key: &str) -> Self {
        self.headers.push(("Authorization".to_owned(), format!("Bearer {key}").into_bytes()));
        self
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.header(name).is_some()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    fn declared_length(&self) -> usize {
        let length = self.header("content-length").expect("a declared length");
        std::str::from_utf8(length).unwrap().parse().unwrap()
    }
}

/// Fills a body with whole requests that start with `words`.
fn repeated(words: &str, length: usize) -> Vec<u8> {
    let start = words.strip_suffix("... repeated").expect("a body that repeats something");
    let request = format!("{}Host: localhost\r\n\r\n", unescaped(start));
    request.bytes().cycle().take(length).collect()
}
