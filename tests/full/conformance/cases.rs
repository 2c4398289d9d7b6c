//! The table of cases. A field that is not declared here fails the case that uses it.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_norway::{Mapping, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) meta: Meta,
    /// Parsed one by one, because skipped cases may have unsupported fields.
    pub(crate) cases: Vec<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Meta {
    pub(crate) count: usize,
    pub(crate) default_config: Mapping,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) clause: String,
    pub(crate) request: Option<Request>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    pub(crate) expect: Expect,
    #[serde(default)]
    pub(crate) config: Mapping,
    pub(crate) backend: Option<String>,
    #[serde(default)]
    pub(crate) unit: bool,
    #[serde(default)]
    pub(crate) same_connection: bool,
    pub(crate) status_recommended: Option<u16>,
    #[serde(rename = "level")]
    _level: IgnoredAny,
    #[serde(default, rename = "rfc_permits")]
    _rfc_permits: Option<IgnoredAny>,
    /// Repeats in words a property of every case's server.
    #[serde(default, rename = "scope")]
    _scope: Option<IgnoredAny>,
}

impl Case {
    /// Returns the steps; a single request is one step.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let lone = self.request.clone().map(Step::Request);
        lone.into_iter().chain(self.steps.clone()).collect()
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Request(Request),
    /// An action, in words.
    Action(String),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) proto: Proto,
    /// Always the case over HTTP/1.1: the client writes bytes and normalises nothing.
    #[serde(default)]
    pub(crate) raw_http1: bool,
    #[serde(default)]
    pub(crate) escape: bool,
    pub(crate) body: Option<String>,
    pub(crate) body_is: Option<String>,
    pub(crate) send_body: Option<bool>,
    pub(crate) extensions: Option<BTreeMap<String, String>>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) drop_first_after_ms: Option<u64>,
    pub(crate) drop_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Proto {
    #[default]
    #[serde(rename = "http1")]
    Http1,
    #[serde(rename = "h2")]
    Http2,
    #[serde(rename = "h2-raw")]
    Http2Frames,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    pub(crate) status: Option<u16>,
    pub(crate) status_any: Option<StatusAny>,
    pub(crate) statuses: Option<Vec<u16>>,
    pub(crate) last_status: Option<u16>,
    pub(crate) headers_present: Vec<String>,
    pub(crate) headers_absent: Vec<String>,
    pub(crate) headers_match: BTreeMap<String, String>,
    pub(crate) headers_not_match: BTreeMap<String, String>,
    pub(crate) header_lines: BTreeMap<String, Vec<String>>,
    pub(crate) body_length: Option<usize>,
    pub(crate) body_not_match: Option<String>,
    pub(crate) interim_responses: Option<Vec<u16>>,
    pub(crate) end_stream_on_headers: Option<bool>,
    pub(crate) max_ms: Option<String>,
    pub(crate) inner_calls: Option<usize>,
    pub(crate) inner_calls_authenticated_route: Option<usize>,
    pub(crate) inner_headers_absent: Vec<String>,
    pub(crate) backend_calls: Option<u64>,
    pub(crate) backend_calls_for_valid: Option<u64>,
    /// `Some(None)` expects that no principal was found.
    #[serde(deserialize_with = "present")]
    pub(crate) principal: Option<Option<String>>,
    pub(crate) principals: Option<Vec<Option<String>>>,
    pub(crate) extracted: Option<Vec<String>>,
    pub(crate) build_error: Option<bool>,
    pub(crate) check: Option<String>,
    pub(crate) invariant: Option<String>,
    /// For readers.
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum StatusAny {
    OfEach(Vec<u16>),
    ByStep(Vec<Vec<u16>>),
}

/// Distinguishes a null value from an absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The configuration of a case's layer: the defaults of the table, overridden by the case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) sources: Vec<String>,
    pub(crate) realm: String,
    pub(crate) environment: String,
    pub(crate) public: Vec<String>,
    pub(crate) on_multiple: String,
    pub(crate) max_credential_bytes: usize,
    pub(crate) allow_preflight: bool,
    pub(crate) strip: bool,
    pub(crate) grpc: bool,
    pub(crate) deadline_ms: u64,
    pub(crate) retry_after_s: u64,
    #[serde(default = "yes")]
    pub(crate) private_by_default: bool,
    #[serde(default)]
    pub(crate) nested: bool,
    pub(crate) inner: Option<String>,
}

impl Config {
    pub(crate) fn new(defaults: &Mapping, case: &Case) -> Self {
        let mut merged = defaults.clone();
        merged.extend(case.config.clone());
        serde_norway::from_value(Value::Mapping(merged)).expect("a valid configuration")
    }
}

fn yes() -> bool {
    true
}
