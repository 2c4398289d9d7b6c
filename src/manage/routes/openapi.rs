//! The OpenAPI description of the routes.

// Layer 9 of 10: management.

use serde_json::{Map, Value, json};

use super::settings::ManageSettings;
use crate::credential::Scheme;

/// The OpenAPI 3.1 description of [`routes`](super::routes) in JSON, for documentation and generated clients.
///
/// It has what any [`ManageSettings`] can add; [`ManageSettings::openapi`] leaves out what yours do not. The paths are relative to where the routes are nested. Its security schemes and the shape of errors are the defaults; change them if
/// yours differ. `openapi::Security` (feature `openapi`) writes those of your layers into a document that holds yours and these routes. An application that describes its routes by utoipa nests it: `api.nest("/account", serde_json::from_str::<OpenApi>(OPENAPI)?)`.
/// A schema of the application precedes one with the same name here, such as `Key` or `Error`.
///
/// ```
/// let mut description: serde_json::Value = serde_json::from_str(tower_api_key::manage::OPENAPI)?;
/// description["servers"] = serde_json::json!([{ "url": "https://api.example.com/admin" }]);
/// assert_eq!(description["paths"]["/keys"]["post"]["operationId"], "createKey");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// The schema `Scope` describes the scopes of requests. An application that has [`Permissions`](super::super::Permissions) enumerates them there; responses may show
/// scopes that were listed before:
///
/// ```
/// use serde_json::Value;
/// use tower_api_key::Scope;
/// use tower_api_key::manage::{OPENAPI, Permissions};
///
/// let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
/// let mut description: Value = serde_json::from_str(OPENAPI)?;
/// let scope = &mut description["components"]["schemas"]["Scope"];
/// scope["enum"] = permissions.scopes().map(Scope::as_str).collect();
/// assert_eq!(scope["enum"], serde_json::json!(["notes.read", "notes.write"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const OPENAPI: &str = include_str!("openapi.json");

impl ManageSettings {
    /// Returns [`OPENAPI`] for routes with these settings that are nested under `prefix`: with their whole paths, and without the routes and
    /// fields that they do not have.
    ///
    /// ```
    /// use tower_api_key::Requirement;
    /// use tower_api_key::manage::ManageSettings;
    ///
    /// let admin = Requirement::all_of(["admin"])?;
    /// let settings = ManageSettings::new(admin.clone(), admin).at_root();
    /// let description: serde_json::Value = serde_json::from_str(&settings.openapi("/v1/account/api-keys"))?;
    /// assert_eq!(description["paths"]["/v1/account/api-keys"]["post"]["operationId"], "createKey");
    /// assert!(description["paths"].get("/v1/account/api-keys/self").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn openapi(&self, prefix: &str) -> String {
        // OK because a test parses it.
        let mut document: Value = serde_json::from_str(OPENAPI).expect("the document is JSON");
        let whole = |path: &str| match self.path(path).as_str() {
            // As a router nests it.
            "/" if !prefix.is_empty() => prefix.to_owned(),
            path => format!("{prefix}{path}"),
        };
        if let Value::Object(paths) = document["paths"].take() {
            let is_served = |path: &str| {
                (self.self_routes || !path.starts_with("/keys/self"))
                    && (self.audit_log.is_some() || !path.ends_with("/audit"))
            };
            let served = paths.into_iter().filter(|(path, _)| is_served(path));
            document["paths"] = served.map(|(path, item)| (whole(&path), item)).collect::<Map<_, _>>().into();
        }
        document["servers"] = json!([{ "url": "/" }]);
        if let Value::Object(fields) = &mut document["components"]["schemas"]["NewKey"]["properties"] {
            fields["sources"]["items"]["enum"] = self.sources.iter().map(Scheme::to_string).collect();
            fields.retain(|field, _| match field.as_str() {
                "environment" => self.across_environments,
                "sources" => !self.sources.is_empty(),
                _ => true,
            });
        }
        document.to_string()
    }
}
