//! The table as it is written. A key that is not named here fails the case that uses it.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_norway::{Mapping, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) meta: Meta,
    /// Read one by one, because cases that are left out may hold what nobody here understands.
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
    /// Says in words what the server of every case requires anyway.
    #[serde(default, rename = "scope")]
    _scope: Option<IgnoredAny>,
}

impl Case {
    /// The steps, of which a lone request is one.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let lone = self.request.clone().map(Step::Request);
        lone.into_iter().chain(self.steps.clone()).collect()
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Request(Request),
    /// Something else that happens, in words.
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
    /// Always so over HTTP/1.1: the client here writes bytes and normalises nothing.
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
    /// `Some(None)` is an expectation too: that there is none.
    #[serde(deserialize_with = "present")]
    pub(crate) principal: Option<Option<String>>,
    pub(crate) principals: Option<Vec<Option<String>>>,
    pub(crate) extracted: Option<Vec<String>>,
    pub(crate) build_error: Option<bool>,
    pub(crate) check: Option<String>,
    pub(crate) invariant: Option<String>,
    /// For people.
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum StatusAny {
    OfEach(Vec<u16>),
    ByStep(Vec<Vec<u16>>),
}

/// Tells a key whose value is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How the layer of a case is configured: the defaults of the table, overridden by the case.
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
        serde_norway::from_value(Value::Mapping(merged)).expect("a configuration that is understood")
    }
}

fn yes() -> bool {
    true
}
