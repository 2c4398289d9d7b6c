//! A response as received.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The statuses of preceding 1xx responses.
    pub(crate) interim: Vec<u16>,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the response ended with its headers. HTTP/2 only.
    pub(crate) end_stream_on_headers: Option<bool>,
    /// From the first byte of the request to the last of the response.
    pub(crate) took: Duration,
}

impl Answer {
    /// Returns the key id that the handler received.
    pub(crate) fn key_id(&self) -> Option<&str> {
        let admitted = self.status == 200 && !self.body.is_empty();
        admitted.then(|| std::str::from_utf8(&self.body).expect("a key id"))
    }

    /// Returns the values of a header.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// Returns the parts to compare: everything but the date.
    pub(crate) fn comparable(&self) -> (u16, HeaderMap, Bytes) {
        let mut headers = self.headers.clone();
        headers.remove(header::DATE);
        (self.status, headers, self.body.clone())
    }
}
