//! The layer: its settings. It decides nothing.

// Layer 8 of 10: decision.

use std::sync::Arc;

use tower_layer::Layer;

use super::additions::Additions;
use super::admission::Options;
use super::alternatives::Alternatives;
use super::caching::VaryNames;
use super::service::Authenticate;
use crate::authenticator::Authenticator;
#[cfg(feature = "openapi")]
use crate::credential::{Scheme, Source};
use crate::error::ConfigError;
use crate::rules::Rules;

/// Layer that applies [`Authenticate`].
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct AuthenticateLayer {
    options: Arc<Options>,
}

impl AuthenticateLayer {
    /// Creates a layer that protects the services inside it, from an authenticator, or from a store or another
    /// [`Backend`](crate::backend::Backend) with the default configuration.
    ///
    /// ```
    /// use tower_api_key::{AuthenticateLayer, Authenticator, Environment, MemoryStore};
    ///
    /// let layer = AuthenticateLayer::new(MemoryStore::new());
    /// let live = Authenticator::builder(MemoryStore::new()).environment(Environment::Live).build()?;
    /// let layer = AuthenticateLayer::new(live);
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn new(authenticator: impl Into<Authenticator>) -> Self {
        let authenticator = authenticator.into();
        let options = Options {
            additions: Additions::CacheHeaders(VaryNames::of(authenticator.sources().iter())),
            authenticator,
            extras: None,
            guard: None,
            optional: false,
            strip: false,
            grpc: false,
        };
        Self { options: Arc::new(options) }
    }

    /// Creates a layer that admits the callers of each of several authenticators: keys of two stores, live keys by one header and device keys
    /// by another, or two services that become one.
    ///
    /// Each authenticator reads its own sources, and alone decides about the credentials in them, with its own cache, environment, challenges
    /// and bodies. None is asked because another one rejected a credential, or could not reach its store.
    ///
    /// The request as a whole still presents one credential. Two are rejected as [`Ambiguous`](crate::Reason::Ambiguous), also if both
    /// are good. That rejection, and that of a request without a credential, have the body of the first authenticator, go to its audit hook and
    /// its metrics, and list the challenges of all. Headers of all are marked as sensitive, named in `Vary`, and removed by
    /// [`strip`](Self::strip).
    ///
    /// # Errors
    ///
    /// When `authenticators` is empty, or two of them read the same scheme or header without a [prefix](crate::Source::prefix) each that tells
    /// their credentials apart.
    ///
    /// ```
    /// use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Source};
    ///
    /// let people = Authenticator::builder(MemoryStore::new()).sources([Source::bearer(), Source::basic()]).build()?;
    /// let devices = Authenticator::builder(MemoryStore::new()).sources([Source::header("Device-Key")?]).build()?;
    /// let layer = AuthenticateLayer::any_of([people.clone(), devices])?;
    ///
    /// let error = AuthenticateLayer::any_of([people.clone(), people]).unwrap_err();
    /// assert!(error.to_string().contains("two read Bearer"));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn any_of(authenticators: impl IntoIterator<Item = Authenticator>) -> Result<Self, ConfigError> {
        let alternatives = Alternatives::new(authenticators.into_iter().collect())?;
        let all = alternatives.authenticators();
        let mut layer = Self::new(all[0].clone());
        let sources = all.iter().flat_map(|authenticator| authenticator.sources().iter());
        let options = layer.edit();
        options.additions = Additions::CacheHeaders(VaryNames::of(sources));
        options.extras.get_or_insert_default().alternatives = Some(alternatives);
        Ok(layer)
    }

    /// Lets any client call this path, without a principal. May be called again for further paths.
    ///
    /// Prefer to layer only protected routes. The path is the whole path as the client sent it, compared byte for byte:
    /// inside a nested axum router it is `/api/health`, not `/health`. All methods are public; [`rules`](Self::rules) tell methods apart, and
    /// templates such as `/docs/{page}`.
    ///
    /// A key on a public path is not looked up, good or bad: neither a bad key nor an outage of the store keeps a client from it, and
    /// its response depends on no caller. A path where a key is optional takes a layer that is [`optional`](Self::optional).
    ///
    /// A [`RequireScopeLayer`](crate::RequireScopeLayer) inside lets requests for public paths pass as well, unless its rules name the path.
    ///
    /// Of two layers, the inner one decides about its principal: on a path that is public for it, a handler has none, even if the outer layer
    /// has admitted a caller. What an outer layer, or one in between, has left is no proof for this one.
    ///
    /// # Errors
    ///
    /// When `path` does not start with `/`, is a template, or could never match: a request whose path has `%`, `//`, `;`, `\`, a
    /// segment `.` or `..`, or anything but visible ASCII is never public.
    pub fn public(mut self, path: &str) -> Result<Self, ConfigError> {
        self.edit().guard.get_or_insert_default().add_public_path(path)?;
        Ok(self)
    }

    /// Lets any client call this path and every path below it, like [`public`](Self::public).
    ///
    /// `/docs` opens `/docs` and `/docs/a`, and leaves `/docs-internal` closed.
    ///
    /// It opens every route below it that [`rules`](Self::rules) of this layer do not name, also one that is added later or whose rule has a
    /// mistake in its path. It does not open what a [`RequireScopeLayer`](crate::RequireScopeLayer) inside guards: that answers 401, and an
    /// error in the log (feature `tracing`) names the prefix. Where both are wanted, name the open paths by [`public`](Self::public), or
    /// all routes by rules.
    ///
    /// ```
    /// # #[cfg(feature = "axum")]
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tower::ServiceExt;
    /// use tower_api_key::{AuthenticateLayer, MemoryStore, RequireScopeLayer};
    ///
    /// let app = Router::new()
    ///     .route("/docs/drafts", get("a draft").layer(RequireScopeLayer::scope("drafts.read")?))
    ///     .route("/docs/{page}", get("a page"))
    ///     .layer(AuthenticateLayer::new(MemoryStore::new()).public_prefix("/docs")?);
    /// for (path, status) in [("/docs/start", 200), ("/docs/drafts", 401)] {
    ///     let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
    ///     assert_eq!(response.status(), status, "{path}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`public`](Self::public), and when the prefix would open everything.
    pub fn public_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        self.edit().guard.get_or_insert_default().add_public_prefix(prefix)?;
        Ok(self)
    }

    /// Sets [rules](crate::rules) that say which routes are public, need any key, or need scopes. All others are forbidden. Replaces earlier
    /// rules.
    ///
    /// A [`public`](Self::public) path that the rules do not name stays public. One for which they require a key needs it, and the
    /// contradiction is an error in the log (feature `tracing`). Beside `axum::RouteRules`, a path is public only if it belongs to a route of
    /// the router: any other, such as one below `nest_service` or for a fallback, needs a key and is answered 404, as the rules cannot name
    /// it. Add such a service, or the layer by `route_layer`, so that it is not covered.
    ///
    /// With rules, [`optional`](Self::optional) has no effect, whichever is called first: declare what needs no key
    /// [`Access::Public`](crate::rules::Access::Public).
    ///
    /// ```
    /// use tower_api_key::rules::{Access, PathRules};
    /// use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};
    ///
    /// let authenticator = Authenticator::builder(MemoryStore::new()).build()?;
    /// let layer = AuthenticateLayer::new(authenticator).rules(PathRules::new([
    ///     ("/health", Access::Public),
    ///     ("GET /notes", Access::scope("notes.read")?),
    /// ])?);
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn rules(mut self, rules: impl Into<Rules>) -> Self {
        self.edit().guard.get_or_insert_default().rules = Some(rules.into());
        self
    }

    /// Lets CORS preflights pass, without a principal: `OPTIONS` requests with `Origin` and
    /// `Access-Control-Request-Method`. A [`RequireScopeLayer`](crate::RequireScopeLayer) inside lets them pass as well.
    /// Default: they need a key like all other requests.
    ///
    /// A router may send a preflight to a handler that serves all methods, such as axum's `any`: it is then called without a key. And a layer
    /// that changes the method belongs around the router, so that no other request becomes a preflight after its handler was chosen.
    #[must_use]
    pub fn allow_preflight(mut self) -> Self {
        self.edit().extras.get_or_insert_default().preflight = true;
        self
    }

    /// Lets requests without a credential pass, without a principal. An invalid credential is still rejected. With [`rules`](Self::rules), they
    /// pass only where those say that the route is public.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.edit().optional = true;
        self
    }

    /// Answers gRPC and gRPC-Web calls in their own protocol: with HTTP status 200, and the reason in `grpc-status`. A call is a `POST` with
    /// gRPC's content type, over HTTP/2 unless it is gRPC-Web. Layers inside answer alike. Default: every rejection has an HTTP
    /// status.
    ///
    /// A client chooses the content type. So do not enable this behind a proxy that goes by the HTTP status, such as nginx's
    /// `auth_request`: it would read a rejection as an admission.
    #[must_use]
    pub fn grpc(mut self) -> Self {
        self.edit().grpc = true;
        self
    }

    /// Leaves `Cache-Control` and `Vary` of responses to the application. By default, a response to a caller is `private` unless the handler
    /// has set `Cache-Control`, and every response names the headers that sources read in one line of `Vary`, so that no shared
    /// cache serves it to another caller (RFC 9111 §3.5, §4.1). Responses of public paths and to preflights are left as they are.
    #[must_use]
    pub fn leave_cache_headers(mut self) -> Self {
        self.edit().additions.leave_cache_headers();
        self
    }

    /// Puts the [`Principal`](crate::Principal) of each admitted request into the extensions of its response too, where layers outside find
    /// it: an access log, or a counter of requests by owner. Default: responses do not have it.
    ///
    /// A caller whose request the [`rules`](Self::rules) of this layer reject is named as well. A [`Rejection`](crate::Rejection) is in the
    /// extensions of its response in any case, with the id of the key if it is known, so one log line has who and why not.
    /// A response made outside of this layer, such as that of a timeout, has neither.
    ///
    /// ```
    /// # #[cfg(feature = "test-util")]
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_api_key::{Principal, Rejection, test_util};
    ///
    /// let service = ServiceBuilder::new()
    ///     .map_response(|response: Response<Full<Bytes>>| {
    ///         let found = response.extensions();
    ///         let caller = found.get::<Principal>().map_or("-", |principal| principal.key_id().as_str());
    ///         let reason = found.get::<Rejection>().map_or("-", |rejection| rejection.reason().label());
    ///         format!("{} {caller} {reason}", response.status().as_u16())
    ///     })
    ///     .layer(test_util::layer("test", |_| {}).principal_in_response())
    ///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::default())));
    ///
    /// let with_key = Request::get("/").header("x-api-key", "test").body(())?;
    /// assert_eq!(service.clone().oneshot(with_key).await?, "200 key_test -");
    /// assert_eq!(service.oneshot(Request::default()).await?, "401 - missing");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn principal_in_response(mut self) -> Self {
        self.edit().additions.add_principal();
        self
    }

    /// Removes credentials before the inner service sees the request, such as `Authorization: Bearer`, but not
    /// `Authorization` of a scheme that no source has. Default: they are only marked as sensitive.
    #[must_use]
    pub fn strip(mut self) -> Self {
        self.edit().strip = true;
        self
    }

    fn edit(&mut self) -> &mut Options {
        Arc::make_mut(&mut self.options)
    }
}

/// What a description of the layer is made of.
#[cfg(feature = "openapi")]
impl AuthenticateLayer {
    /// Returns the schemes by which all authenticators expect credentials.
    pub(crate) fn schemes(&self) -> impl Iterator<Item = &Scheme> {
        let all = match self.options.extras.as_ref().and_then(|extras| extras.alternatives.as_ref()) {
            Some(alternatives) => alternatives.authenticators(),
            None => std::slice::from_ref(&self.options.authenticator),
        };
        all.iter().flat_map(|authenticator| authenticator.sources().iter()).map(Source::scheme)
    }

    pub(crate) fn route_rules(&self) -> Option<&Rules> {
        self.options.guard.as_ref().and_then(|guard| guard.rules.as_ref())
    }

    /// Returns whether [`public`](Self::public) or [`public_prefix`](Self::public_prefix) opens a path.
    pub(crate) fn is_public_path(&self, path: &str) -> bool {
        self.options.guard.as_ref().is_some_and(|guard| guard.opens_path(path))
    }

    /// Returns whether requests without a credential pass.
    pub(crate) fn is_optional(&self) -> bool {
        self.options.optional && self.route_rules().is_none()
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticate::new(inner, Arc::clone(&self.options))
    }
}
