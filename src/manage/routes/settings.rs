//! Settings of the routes.

// Layer 9 of 10: management.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::IntoResponse;

use super::super::ExternalCaller;
use super::error::{RouteError, Shape};
use super::resolver::Resolver;
use crate::backend::{AuditEntry, AuditLog, AuditQuery, BoxFuture};
use crate::credential::Scheme;
use crate::reject::Payload;
use crate::scope::Requirement;

/// The default timeout of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of the [`routes`](super::routes): the scopes that callers need, and the shape of errors.
#[derive(Clone)]
#[non_exhaustive]
pub struct ManageSettings {
    /// Required to read keys and their usage.
    pub read: Requirement,
    /// Required to create, update, rotate and revoke keys.
    pub write: Requirement,
    /// How long the body of a request may take to arrive. Default: 10 s.
    pub body_timeout: Duration,
    pub(super) external_callers: bool,
    pub(super) resolver: Option<Resolver>,
    pub(super) at_root: bool,
    pub(super) self_routes: bool,
    pub(super) across_environments: bool,
    pub(super) sources: Box<[Scheme]>,
    pub(super) cross_site: bool,
    pub(super) shows_nodes: bool,
    pub(super) shape: Option<Shape>,
    pub(super) audit_log: Option<ReadLog>,
}

/// Reads an audit log.
pub(super) type ReadLog = Arc<dyn Fn(AuditQuery) -> BoxFuture<'static, Vec<AuditEntry>> + Send + Sync>;

impl ManageSettings {
    /// Creates settings with these requirements, and errors in the default shape.
    pub fn new(read: Requirement, write: Requirement) -> Self {
        Self {
            read,
            write,
            body_timeout: BODY_TIMEOUT,
            external_callers: false,
            resolver: None,
            at_root: false,
            self_routes: false,
            across_environments: false,
            sources: Box::default(),
            cross_site: false,
            shows_nodes: false,
            shape: None,
            audit_log: None,
        }
    }

    /// Sets how long the body of a request may take to arrive. A slower one gets 408.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> Self {
        Self { body_timeout: timeout, ..self }
    }

    /// Lets callers whose keys another backend keeps change keys. The store cannot check them in the transaction of a change; they are
    /// [rechecked](crate::Principal::recheck) right before it. By default, their changes are rejected; they read the keys of the owner with the
    /// same id here.
    ///
    /// It applies to all callers, also to those whose keys are in this store: of two backends in one layer, nest the routes behind a layer for
    /// each.
    #[must_use]
    pub fn external_callers(self) -> Self {
        Self { external_callers: true, ..self }
    }

    /// Sets the function that returns the caller of a request, for users whom the login of the application has authenticated. Its argument is any
    /// extractor, such as a session, a tuple of extractors, or the [`Parts`](http::request::Parts) of the request. Its error is the response,
    /// which caches may not store. The caller needs the scopes of `read` and `write`, as others do.
    ///
    /// It is called before the body is read, and again right before each change, with the head of the request as it arrived: look at the
    /// session itself each time, in its store, so that a user who signs out while the body arrives changes nothing. An extension that a
    /// middleware has filled shows what held before. The last caller counts.
    ///
    /// The caller is always that of this function, also behind an [`AuthenticateLayer`](crate::AuthenticateLayer), which then only decides
    /// whether the request arrives. A session travels in a cookie, which a browser sends with the requests of any page of the same site:
    /// do not [allow other sites](Self::allow_cross_site), and give the cookie `SameSite=Lax` or `Strict`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use axum::body::Body;
    /// use axum::http::{HeaderMap, Request, StatusCode};
    /// use tower::ServiceExt;
    /// use tower_api_key::manage::{ExternalCaller, KeyManager, ManageSettings, routes};
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// async fn signed_in(headers: HeaderMap) -> Result<ExternalCaller, StatusCode> {
    ///     match headers.get("x-session") { // in place of a session of the application
    ///         Some(session) if session == "17" => {}
    ///         _ => return Err(StatusCode::UNAUTHORIZED),
    ///     }
    ///     let scopes = "keys.read keys.write notes.read".parse().expect("valid scopes");
    ///     let caller = ExternalCaller::new("user:17", Owner::organization("acme"));
    ///     Ok(caller.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.scopes(scopes))
    /// }
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// let settings = ManageSettings::new("keys.read".parse()?, "keys.write".parse()?).resolve_callers(signed_in);
    /// let app = routes(manager, settings);
    /// for (session, expected) in [("17", 201), ("18", 401)] {
    ///     let request = Request::post("/keys").header("x-session", session).body(Body::empty())?;
    ///     assert_eq!(app.clone().oneshot(request).await?.status(), expected);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn resolve_callers<E, F, R>(self, resolve: impl Fn(E) -> F + Send + Sync + 'static) -> Self
    where
        E: FromRequestParts<()> + Send + 'static,
        F: Future<Output = Result<ExternalCaller, R>> + Send + 'static,
        R: IntoResponse + 'static,
    {
        Self { resolver: Some(Resolver::new(resolve)), ..self }
    }

    /// Serves the list of keys at the root, for a path of your own: `GET /` and `/{id}` in place of `/keys` and `/keys/{id}`. Ids that are
    /// equal to another route's first segment, such as `usage`, then have no route; no generated id is.
    ///
    /// With `nest`, the list has no trailing slash; `nest_service` serves it with one as well.
    ///
    /// ```
    /// use axum::Router;
    /// use tower_api_key::manage::{KeyManager, ManageSettings, routes};
    /// use tower_api_key::{AuthenticateLayer, KeyFormat, MemoryStore, Requirement};
    ///
    /// let store = MemoryStore::new();
    /// let manager = KeyManager::new(store.clone(), KeyFormat::new("demo")?);
    /// let admin = Requirement::all_of(["admin"])?;
    /// let settings = ManageSettings::new(admin.clone(), admin).at_root();
    /// let app: Router = Router::new()
    ///     .nest("/v1/account/api-keys", routes(manager, settings))
    ///     .layer(AuthenticateLayer::new(store));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn at_root(self) -> Self {
        Self { at_root: true, ..self }
    }

    /// Lets every key look at, rotate and revoke itself, whatever its scopes: `GET` and `DELETE /keys/self`, `POST /keys/self/rotate`. A job
    /// can then replace its own key without the right to manage others. By default, such routes do not exist, because a thief
    /// could rotate a stolen key away from its owner, who then has to find and revoke the successor. A key that
    /// expires renews itself so, unless the manager is set to [keep its end](super::super::KeyManager::rotation_renews).
    ///
    /// A caller with a password, or with a key of [another backend](Self::external_callers), has no key here and gets 404. A key whose id is
    /// `self` has no route of its own.
    #[must_use]
    pub fn self_routes(self) -> Self {
        Self { self_routes: true, ..self }
    }

    /// Lets live callers manage the keys of all environments, as [`Delegate::across_environments`](super::super::Delegate::across_environments)
    /// does, and name the `environment` of a new key. By default, a new key has that of the caller.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { across_environments: true, ..self }
    }

    /// Lets callers limit a new key to some of these sources, by a list such as `"sources": ["Bearer", "x-api-key"]`. A caller whose own key
    /// is limited can name only its own. By default, a new key has the sources of the caller.
    #[must_use]
    pub fn sources(self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        Self { sources: sources.into_iter().map(Into::into).collect(), ..self }
    }

    /// Permits changes that a browser sends from pages of other sites. `Sec-Fetch-Site` shows these, or an `Origin` other than the requested
    /// host. By default they are rejected with 403, because a browser sends stored Basic credentials with the requests of any page. A page
    /// that manages keys from another site needs this in addition to CORS. Clients other than browsers send neither header.
    ///
    /// Dangerous with [`resolve_callers`](Self::resolve_callers) by a cookie: any page could change the keys of a user who is signed in.
    #[must_use]
    pub fn allow_cross_site(self) -> Self {
        Self { cross_site: true, ..self }
    }

    /// Adds a header `Revocation-Missing` to the response to `wait=fleet` for each node that has not acknowledged a revocation. By default,
    /// only the log names these nodes: callers need not know the machines of a service.
    #[must_use]
    pub fn show_nodes(self) -> Self {
        Self { shows_nodes: true, ..self }
    }

    /// Adds `GET /audit` and `GET /keys/{id}/audit`, by which callers read the audit log of their own keys. `log` is the store of the manager,
    /// or a replica of it. Without it, these routes do not exist.
    ///
    /// ```
    /// use tower_api_key::manage::{KeyManager, ManageSettings, routes};
    /// use tower_api_key::{KeyFormat, MemoryStore, Requirement};
    ///
    /// let (store, admin) = (MemoryStore::new(), Requirement::all_of(["admin"])?);
    /// let settings = ManageSettings::new(admin.clone(), admin).audit_log(store.clone());
    /// let app = routes(KeyManager::new(store, KeyFormat::new("demo")?), settings);
    /// # let _: axum::Router = app;
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn audit_log(self, log: impl AuditLog) -> Self {
        let log = Arc::new(log);
        let read = move |query: AuditQuery| -> BoxFuture<'static, Vec<AuditEntry>> {
            let log = Arc::clone(&log);
            Box::pin(async move { log.audit_log(&query).await })
        };
        Self { audit_log: Some(Arc::new(read)), ..self }
    }

    /// Sets the bodies of errors. [`Respond`](crate::reject::Respond) sets those of the authenticator, including that for a caller that lacks
    /// `read` or `write`. Status and headers stay.
    ///
    /// ```
    /// use tower_api_key::Requirement;
    /// use tower_api_key::manage::{ManageSettings, RouteError};
    /// use tower_api_key::reject::Payload;
    ///
    /// let admin = Requirement::all_of(["admin"])?;
    /// let settings = ManageSettings::new(admin.clone(), admin)
    ///     .respond(|error: &RouteError| Payload::json(serde_json::json!({ "error": error.to_string() }).to_string()));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn respond(self, respond: impl Fn(&RouteError) -> Payload + Send + Sync + 'static) -> Self {
        Self { shape: Some(Arc::new(respond)), ..self }
    }

    /// Returns the path of a route, given the one below `/keys` by default.
    pub(super) fn path(&self, path: &str) -> String {
        match path.strip_prefix("/keys").filter(|_| self.at_root) {
            Some("") => "/".to_owned(),
            Some(rest) => rest.to_owned(),
            None => path.to_owned(),
        }
    }
}

impl fmt::Debug for ManageSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManageSettings")
            .field("read", &self.read)
            .field("write", &self.write)
            .finish_non_exhaustive()
    }
}
