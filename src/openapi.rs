//! The security part of an application's OpenAPI document, from its layers.
//!
//! [`Security`] knows where a layer reads keys and which routes it protects. It writes the security schemes into the document, and for each
//! operation the schemes that a client may choose from, with the scopes that it needs.
//!
//! ```
//! use serde_json::json;
//! use tower_api_key::openapi::Security;
//! use tower_api_key::rules::{Access, PathRules};
//! use tower_api_key::{AuthenticateLayer, MemoryStore};
//!
//! let rules = PathRules::new([
//!     ("/health", Access::Public),
//!     ("/whoami", Access::AnyKey),
//!     ("POST /notes", Access::scope("notes.write")?),
//! ])?;
//! let layer = AuthenticateLayer::new(MemoryStore::new()).rules(rules);
//!
//! // With utoipa: `let mut document = serde_json::to_value(&api)?;`
//! let mut document = json!({
//!     "openapi": "3.1.0",
//!     "info": { "title": "Notes", "version": "1" },
//!     "paths": { "/health": { "get": {} }, "/whoami": { "get": {} }, "/notes": { "post": {} } },
//! });
//! Security::of(&layer).describe(&mut document)?;
//!
//! assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
//! let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
//! assert_eq!(security("/health", "get"), json!([]));
//! assert_eq!(security("/whoami", "get"), json!([{ "bearer": [] }, { "apiKey": [] }]));
//! assert_eq!(security("/notes", "post"), json!([{ "bearer": ["notes.write"] }, { "apiKey": ["notes.write"] }]));
//! # Ok::<(), tower_api_key::ConfigError>(())
//! ```

// Layer 10 of 10: rim.
// Above `authenticate` and `rules`; nothing imports it.

use http::Method;
use serde_json::{Map, Value, json};

use crate::authenticate::AuthenticateLayer;
use crate::credential::Scheme;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::rules::{Access, Rules};

/// Where a layer reads keys, and which routes need which scopes. See the [module](self) for an example.
#[derive(Debug, Clone)]
pub struct Security {
    layer: AuthenticateLayer,
    inner: Vec<Rules>,
}

/// The methods whose operations OpenAPI describes.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
    Method::HEAD,
    Method::PATCH,
    Method::TRACE,
];

/// The alternatives of an operation: the scopes of any one are enough.
type Alternatives = Vec<Vec<String>>;

impl Security {
    /// Takes the sources, the public paths and the rules of a layer.
    pub fn of(layer: &AuthenticateLayer) -> Self {
        Self { layer: layer.clone(), inner: Vec::new() }
    }

    /// Adds the rules of a [`RequireScopeLayer`](crate::RequireScopeLayer) inside the layer. They add to those of the layer: a caller meets
    /// both. An operation whose path they do not name is taken for one that their layer does not cover: the parameters of a path have the
    /// names of the rule. May be called again.
    #[must_use]
    pub fn rules(mut self, rules: impl Into<Rules>) -> Self {
        self.inner.push(rules.into());
        self
    }

    /// Returns the security schemes of the layer's sources by name, for `components.securitySchemes`: `bearer`, `basic`, `apiKey` for
    /// `X-API-Key`, and each other header under its own name.
    pub fn schemes(&self) -> Map<String, Value> {
        self.sources().into_iter().map(|(name, scheme)| (name, object(scheme))).collect()
    }

    /// Writes the schemes into `components.securitySchemes`, and `security` into each operation under `paths`.
    ///
    /// An operation that has a `security` of its own keeps it: so does one that the layer does not cover, such as a sign-up. A scheme of
    /// the document with a name of these stays if it is of the same kind, such as an HTTP bearer scheme for other tokens.
    ///
    /// A path of the document has to be the whole path, without a part of it in `servers`. `/files/{name}` also stands for axum's
    /// `/files/{*name}`.
    ///
    /// # Errors
    ///
    /// The document stays as it was, and the error of the kind [`Document`](ConfigErrorKind::Document) names the first fault, when the
    /// document is not one of OpenAPI 3.1 or later, whose schemes may list scopes; when it has another scheme under a name of these; and when
    /// the rules of the layer do not declare an operation, which is then forbidden.
    pub fn describe(&self, document: &mut Value) -> Result<(), ConfigError> {
        let mut described = document.clone();
        check_version(&described)?;
        self.describe_schemes(&mut described)?;
        let paths = described.get_mut("paths").and_then(Value::as_object_mut);
        for (path, item) in paths.ok_or_else(|| error("must have an object `paths`"))? {
            for (method, operation) in operations(path, item)? {
                if !operation.contains_key("security") {
                    operation.insert("security".to_owned(), self.security(&method, path)?);
                }
            }
        }
        *document = described;
        Ok(())
    }

    fn describe_schemes(&self, document: &mut Value) -> Result<(), ConfigError> {
        let schemes = ["components", "securitySchemes"].into_iter().try_fold(document, |value, name| {
            value.as_object_mut().map(|object| object.entry(name).or_insert_with(|| json!({})))
        });
        let schemes = schemes.and_then(Value::as_object_mut);
        let schemes =
            schemes.ok_or_else(|| error("`components` and its `securitySchemes` must be objects"))?;
        for (name, own) in self.schemes() {
            let found = schemes.entry(&name).or_insert_with(|| own.clone());
            if ["type", "scheme", "in", "name"].iter().any(|member| found.get(member) != own.get(member)) {
                return Err(error(format!("must have no other security scheme under the name `{name}`")));
            }
        }
        Ok(())
    }

    /// Returns the `security` of an operation.
    fn security(&self, method: &Method, path: &str) -> Result<Value, ConfigError> {
        let undeclared = || error(format!("describes {method} {path}, which the rules do not declare"));
        let mut alternatives = vec![Vec::new()];
        let is_public = match self.layer.route_rules().map(|rules| access(rules, method, path)) {
            Some(Some(own)) => restrict(&mut alternatives, own.ok_or_else(undeclared)?),
            Some(None) if !self.layer.is_public_path(path) => return Err(undeclared()),
            Some(None) | None => self.layer.is_public_path(path),
        };
        let mut is_open = is_public || self.layer.is_optional();
        for own in self.inner.iter().filter_map(|rules| access(rules, method, path)) {
            let is_public_inside = restrict(&mut alternatives, own.ok_or_else(undeclared)?);
            if is_public && !is_public_inside {
                let message =
                    format!("describes {method} {path}, which is public, and needs a key by rules inside");
                return Err(error(message));
            }
            is_open &= is_public_inside;
        }
        if is_public {
            return Ok(json!([]));
        }
        let sources = self.sources();
        let each = alternatives
            .iter()
            .flat_map(|scopes| sources.iter().map(move |(name, _)| json!({ name: scopes })));
        Ok(each.chain(is_open.then(|| json!({}))).collect())
    }

    /// Returns the layer's schemes and their names, each once.
    fn sources(&self) -> Vec<(String, &Scheme)> {
        let mut sources: Vec<(String, &Scheme)> = Vec::new();
        for scheme in self.layer.schemes() {
            if sources.iter().all(|(_, known)| *known != scheme) {
                sources.push((name(scheme), scheme));
            }
        }
        sources
    }
}

/// Adds what a rule needs to each alternative, and returns whether it needs no key.
fn restrict(alternatives: &mut Alternatives, access: &Access) -> bool {
    if let Access::Scopes(requirement) = access {
        let added = requirement.alternatives();
        let each =
            alternatives.iter().flat_map(|scopes| added.iter().map(move |more| [&scopes[..], more].concat()));
        *alternatives = each.collect();
    }
    *access == Access::Public
}

/// Finds the rule of an operation; `Some(None)` if the rules name its path with other methods only. OpenAPI has no parameter of several
/// segments, so its last one also stands for such a one.
fn access<'r>(rules: &'r Rules, method: &Method, path: &str) -> Option<Option<&'r Access>> {
    let of_rest = || {
        let (start, last) = path.rsplit_once("/{")?;
        rules.access(method, &format!("{start}/{{*{last}"))
    };
    rules.access(method, path).or_else(of_rest)
}

/// Returns the operations of a path by their methods.
fn operations<'d>(
    path: &str,
    item: &'d mut Value,
) -> Result<impl Iterator<Item = (Method, &'d mut Map<String, Value>)> + use<'d>, ConfigError> {
    let members = item.as_object_mut().ok_or_else(|| error(format!("must have an object under `{path}`")))?;
    Ok(members.iter_mut().filter_map(|(member, operation)| {
        let method = METHODS.iter().find(|method| method.as_str().eq_ignore_ascii_case(member))?;
        Some((method.clone(), operation.as_object_mut()?))
    }))
}

/// Checks that the document is one whose schemes may list scopes (OpenAPI 3.1, Security Requirement Object).
fn check_version(document: &Value) -> Result<(), ConfigError> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or("no version");
    let minor = version.strip_prefix("3.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if minor.is_some_and(|minor| minor >= 1) {
        return Ok(());
    }
    Err(error(format!("must be of OpenAPI 3.1 or later, got {version:?}")))
}

/// Returns the name of a scheme in the document, of letters, digits, `.`, `-` and `_`.
fn name(scheme: &Scheme) -> String {
    let is_valid = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    match scheme {
        Scheme::Bearer => "bearer".to_owned(),
        Scheme::Basic => "basic".to_owned(),
        Scheme::Header(name) if name == "x-api-key" => "apiKey".to_owned(),
        Scheme::Header(name) => name.as_str().replace(|character| !is_valid(character), "_"),
    }
}

/// Returns the Security Scheme Object of a scheme.
fn object(scheme: &Scheme) -> Value {
    match scheme {
        Scheme::Bearer => json!({ "type": "http", "scheme": "bearer", "description": "An API key." }),
        Scheme::Basic => {
            json!({ "type": "http", "scheme": "basic", "description": "An e-mail, and an API key as its password." })
        }
        Scheme::Header(name) if name == "x-api-key" => api_key("X-API-Key"),
        Scheme::Header(name) => api_key(name.as_str()),
    }
}

fn api_key(header: &str) -> Value {
    json!({ "type": "apiKey", "in": "header", "name": header, "description": "An API key, in a header of its own." })
}

fn error(message: impl AsRef<str>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Document, format!("the OpenAPI document {}", message.as_ref()))
}
