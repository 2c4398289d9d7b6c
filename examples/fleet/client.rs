//! Calls to a node.

use std::error::Error;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::fleet::Node;

/// An error that can move between tasks.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// Sends requests to one node, with one key. Clones share the connections.
#[derive(Clone)]
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    address: String,
    key: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(node: &Node, key: &str) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, address: node.address.clone(), key: key.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends a request, and reads the response as JSON.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failed> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let (parts, body) = self.http.request(request.body(Full::new(body.into()))?).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}
