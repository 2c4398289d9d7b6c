//! The head of a request, as far as the response to its rejection, or its cost for a limit, may depend on it.

// Layer 5 of 10: outcomes.

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::challenge::Challenges;

/// The head of a request: for a rejection that names the request or is in its language, and for the cost of a request.
///
/// It shows no header that the sources of the authenticator read, no `Authorization`, `Proxy-Authorization` or `Cookie`, and none that is
/// marked as sensitive. A key that a client put elsewhere, such as into the query, is for the body to leave out.
///
/// ```
/// use http::Request;
/// use tower_api_key::reject::RequestHead;
///
/// let request = Request::get("/notes").header("x-request-id", "7").header("cookie", "session=1").body(())?;
/// let head = RequestHead::from(&request);
/// assert_eq!(head.uri().path(), "/notes");
/// assert_eq!(head.header("x-request-id").unwrap(), "7");
/// assert_eq!(head.header("cookie"), None);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    pub(super) version: Version,
    pub(super) headers: &'r HeaderMap,
    pub(super) extensions: &'r Extensions,
    /// Those of the authenticator, whose schemes name the headers of keys.
    challenges: Option<&'r Challenges>,
}

impl<'r> RequestHead<'r> {
    /// Returns the method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the URI. In a nested axum router it lacks the prefix, and the extension `OriginalUri` has the whole one.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the first value of a header that holds no secret.
    pub fn header(&self, name: &str) -> Option<&'r HeaderValue> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let is_secret = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(&name)
            || self.challenges.is_some_and(|challenges| challenges.is_of_header(&name));
        self.headers.get(name).filter(|value| !is_secret && !value.is_sensitive())
    }

    /// Hides the headers of keys.
    pub(super) fn hiding(self, challenges: &'r Challenges) -> Self {
        Self { challenges: Some(challenges), ..self }
    }

    /// Returns the extensions, in which layers outside leave the id of the request and the like.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

impl<'r, B> From<&'r Request<B>> for RequestHead<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
            challenges: None,
        }
    }
}

impl<'r> From<&'r Parts> for RequestHead<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
            challenges: None,
        }
    }
}

/// Shows no header and no extension: either may hold a secret.
impl std::fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}
