//! Rules by the templates of routes.

// Layer 10 of 10: rim.

use crate::error::{ConfigError, ConfigErrorKind};
use crate::rules::{Access, By, Rules, Table, is_plain};

/// Rules by the templates of axum's routes, such as `/notes/{id}`, compared with the router's own
/// [`MatchedPath`](axum::extract::MatchedPath).
///
/// The router decides which route a path belongs to, so a rule holds for every spelling of the path that reaches the handler, and a
/// literal route precedes a template as it does there. A template is the whole one, as the outermost router knows it: `/api/notes/{id}`
/// for a route of a router that is nested at `/api`. The names in braces have to be those of the route.
///
/// # Where the layer belongs
///
/// Inside the router and after its routes, by `route_layer`, `layer`, or in a router that is nested or merged later: only there is the
/// matched route known.
///
/// | Layer added by | A known route | A path without a route |
/// |---|---|---|
/// | `Router::route_layer` | as its rule says | the router's fallback answers, such as 404 |
/// | `Router::layer` | as its rule says | 401 without a good key, and 404 with one; a fallback is never called, and the log says so once |
/// | `ServiceBuilder` or `Layer::layer` around the router | 403 with a good key, and an error in the log (feature `tracing`) | the same |
///
/// A service nested by `nest_service` keeps its routes to itself: for a layer outside of it, its paths have no route. Routes that are added
/// after the layer, a fallback beside a `route_layer`, and a `method_not_allowed_fallback` that is set after the layer are not covered.
/// [`test_util::assert_guarded`] finds such routes.
///
/// # Templates of other routers
///
/// The template is that of axum, which joins those of the routers that a request has passed:
///
/// - The route `/` of a router has the template `/api` below `nest("/api", …)`, and below `nest_service("/api", …)` it has `/api/` for a
///   request to `/api` and `/api//` for one to `/api/`. Such a root is forbidden unless a rule names it so.
/// - A router that is called by a handler or by `route_service` and finds no route leaves the template of the route outside. A layer in it
///   cannot tell the two apart, so its fallback answers as the rule of the route outside says: make that route public only if all behind it
///   may be, or add the layer in the inner router by `route_layer`.
///
/// axum adds `Allow` to a response, also to a 401 or 403 of this layer, if the route has no handler for the method: it shows a client without
/// a key which methods a route has.
///
/// ```
/// # #[cfg(feature = "test-util")]
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_api_key::axum::RouteRules;
/// use tower_api_key::rules::Access;
/// use tower_api_key::{Scopes, test_util};
///
/// let rules = RouteRules::new([
///     ("/docs/{page}", Access::Public),
///     ("GET /notes/{id}", Access::scope("notes.read")?),
///     ("DELETE /notes/{id}", Access::scope("notes.write")?),
/// ])?;
/// // An application takes `AuthenticateLayer::new(authenticator)`.
/// let scopes = Scopes::parse("notes.read")?;
/// let authenticate = test_util::layer("test", |record| record.scopes = scopes);
/// let app: Router = Router::new()
///     .route("/docs/{page}", get("a page"))
///     .route("/notes/{id}", get("a note").delete("deleted"))
///     .route_layer(authenticate.rules(rules));
///
/// for (method, path, without_key, with_key) in [
///     ("GET", "/docs/start", 200, 200),
///     ("GET", "/notes/7", 401, 200),
///     ("DELETE", "/notes/7", 401, 403),
///     ("GET", "/unknown", 404, 404),
/// ] {
///     let request = || Request::builder().method(method).uri(path);
///     let response = app.clone().oneshot(request().body(Body::empty())?).await?;
///     assert_eq!(response.status(), without_key, "{method} {path}");
///     let request = request().header("authorization", "Bearer test").body(Body::empty())?;
///     assert_eq!(app.clone().oneshot(request).await?.status(), with_key, "{method} {path}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// [`test_util::assert_guarded`]: https://docs.rs/tower-api-key/latest/tower_api_key/test_util/fn.assert_guarded.html
#[derive(Debug, Clone)]
pub struct RouteRules(Rules);

impl RouteRules {
    /// Creates rules, each for a route `/template` or `METHOD /template` with an [`Access`] or the text of the scopes that it requires.
    ///
    /// # Errors
    ///
    /// When a route is declared twice; when a template could match no route of axum 0.8, such as `/notes/:id` or `/files/*`; and when a
    /// public template has `%`, `//`, `;`, `\` or a segment `.` or `..`, as no request for it would be public.
    pub fn new<P, A>(rules: impl IntoIterator<Item = (P, A)>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        A: TryInto<Access, Error: Into<ConfigError>>,
    {
        let table = Table::new(rules, |template, access| {
            check_template(template)?;
            match access {
                Access::Public => check_public(template),
                _ => Ok(()),
            }
        })?;
        Ok(Self(Rules::new(table, By::Route)))
    }
}

impl From<RouteRules> for Rules {
    fn from(rules: RouteRules) -> Self {
        rules.0
    }
}

fn check_template(template: &str) -> Result<(), ConfigError> {
    let message = if !template.starts_with('/') {
        "a template must start with `/`, got another start"
    } else if template.split('/').any(|segment| segment.starts_with([':', '*'])) {
        "a template must have the form of axum 0.8, got a segment that starts with `:` or `*`: write `{name}` or `{*name}`"
    } else if !template.split('/').all(has_matching_braces) {
        "a template must have at most one `{name}` or `{*name}` in a segment, got unmatched, empty or repeated braces"
    } else if template.contains(['?', '#']) {
        "a template must be a path, got one with `?` or `#`"
    } else {
        return Ok(());
    };
    Err(ConfigError::new(ConfigErrorKind::Path, message))
}

/// Checks that a request for a public template can be public. Names of parameters are no part of a path.
fn check_public(template: &str) -> Result<(), ConfigError> {
    let literal = |segment: &str| match segment.replace("{{", "x").replace("}}", "x").split_once('{') {
        Some((before, rest)) => format!("{before}x{}", rest.split_once('}').map_or("", |(_, after)| after)),
        None => segment.to_owned(),
    };
    let segments: Vec<_> = template.split('/').map(literal).collect();
    if is_plain(&segments.join("/")) {
        return Ok(());
    }
    let message = "a public template must have no `%`, `//`, `;` or `\\`, no segment `.` or `..`, and nothing but visible ASCII, got one that no \
                   public request could match: such a route needs a key";
    Err(ConfigError::new(ConfigErrorKind::Path, message))
}

/// Returns whether a segment has no parameter or one. Doubled braces stand for themselves.
fn has_matching_braces(segment: &str) -> bool {
    let plain = segment.replace("{{", "").replace("}}", "");
    match plain.split_once('{') {
        None => !plain.contains('}'),
        Some((before, rest)) => match rest.split_once('}') {
            Some((name, after)) => {
                let name = name.strip_prefix('*').unwrap_or(name);
                !name.is_empty() && ![before, name, after].iter().any(|part| part.contains(['{', '}', '*']))
            }
            None => false,
        },
    }
}
