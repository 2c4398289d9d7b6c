//! What all pages have in common: their frame, their headers, and errors.

// Layer 10 of 10: rim.

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::look::Look;
use super::signed_in::SessionLinks;
use crate::manage::{FieldError, ManageError, ManageErrorKind};
use crate::trace::{self, Failure};

/// The headers of each response, with the one that forbids to store it.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    // With `no-referrer`, browsers send `Origin: null` with forms, so those without `Sec-Fetch-Site` could send none. Nothing leaves the origin.
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What is around the content of a page.
pub(super) struct Shell<'a> {
    pub(super) look: &'a Look,
    /// Names the style and the script, which change with it.
    pub(super) version: &'a str,
    /// The relative path to the base of the console: links work wherever it is nested, also behind a proxy that removes a prefix.
    pub(super) root: String,
    /// Whose keys the visitor manages.
    pub(super) whose: String,
    /// Tells the forms of the visitor from those of others.
    pub(super) visitor: String,
    pub(super) is_operator: bool,
    pub(super) may_change: bool,
    /// Within which time all servers refuse a key that has ended: the lease that the manager was told.
    pub(super) lease: String,
    /// Whether there are pages of members.
    pub(super) has_members: bool,
    /// Whether there is a page of plans.
    pub(super) has_plans: bool,
    /// The links of a session of this crate.
    pub(super) session: Option<SessionLinks>,
}

/// A page that says why there is no other one.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    title: String,
    pub(super) texts: Vec<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    shell: Shell<'a>,
    problem: Problem,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &str, text: &str) -> Self {
        Self { status, title: title.to_owned(), texts: vec![text.to_owned()] }
    }

    /// Writes the page.
    pub(super) fn render(self, shell: Shell<'_>) -> Response {
        render(self.status, &ProblemPage { shell, problem: self })
    }

    /// Writes the problem without a page.
    pub(super) fn as_text(&self) -> Response {
        respond(self.status, "text/plain; charset=utf-8", self.title.clone())
    }

    /// Returns what is wrong, for a page that has done something before.
    pub(super) fn lines(self) -> Vec<String> {
        [self.title].into_iter().chain(self.texts).filter(|line| !line.is_empty()).collect()
    }

    /// Returns the errors of fields, for a form that is shown again; the problem itself if it has no fields.
    pub(super) fn of_fields(error: ManageError) -> Result<(StatusCode, Vec<String>), Self> {
        let has_fields = !error.fields().is_empty();
        let problem = Self::from(error);
        if has_fields { Ok((problem.status, problem.texts)) } else { Err(problem) }
    }
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        let (status, title, text) = match error.kind() {
            ManageErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "Some values are not valid", ""),
            ManageErrorKind::NotFound => (StatusCode::NOT_FOUND, "No such key", "It may have been deleted."),
            ManageErrorKind::Forbidden => (
                StatusCode::FORBIDDEN,
                "You may not make this change",
                "You can change and create only keys with permissions that you have yourself.",
            ),
            ManageErrorKind::Conflict => (
                StatusCode::CONFLICT,
                "The key does not permit this change",
                "It was revoked, has expired, or was replaced by now. Look at the key again.",
            ),
            ManageErrorKind::LastManager => (
                StatusCode::CONFLICT,
                "This is the last key that can manage keys",
                "Create another one before you end it.",
            ),
            ManageErrorKind::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many changes at once", "Try again in a moment.")
            }
            ManageErrorKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The keys cannot be reached",
                "Whether a change was made is not known. Try again in a moment.",
            ),
        };
        if error.kind() == ManageErrorKind::Unavailable {
            // The visitor is told nothing of the cause.
            trace::failed("console request", &Failure::Other(&error));
        }
        let fields = |FieldError { field, message }: &FieldError| format!("{}: {message}", label(field));
        match error.fields() {
            [] => Self::new(status, title, text),
            errors => Self { status, title: title.to_owned(), texts: errors.iter().map(fields).collect() },
        }
    }
}

/// Returns the label of a field on the pages.
fn label(field: &str) -> &str {
    match field {
        "name" => "Name",
        "scopes" => "Permissions",
        "expires_at" => "Expiry",
        "environment" => "Environment",
        "labels" => "Labels",
        "limits" => "Limits",
        "plan" => "Plan",
        "organization" => "Organization",
        "project" => "Project",
        "user" => "User",
        "owner" => "Owner",
        "grace_seconds" => "Grace",
        "reason" => "Reason",
        "role" => "Role",
        "own_key" => "Your key",
        other => other,
    }
}

/// Returns a response whose page `frame` writes.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Returns the relative path from a page to the base.
pub(super) fn root(path: &str) -> String {
    match path.matches('/').count() {
        0 | 1 => "./".to_owned(),
        slashes => "../".repeat(slashes - 1),
    }
}

pub(super) fn render(status: StatusCode, template: &impl Template) -> Response {
    // Enough for most pages: a text that grows would leave copies of a key behind.
    let mut html = String::with_capacity(32 * 1024);
    match template.render_into(&mut html) {
        Ok(()) => respond(status, "text/html; charset=utf-8", html),
        // Formatting a value failed, of which all are texts and numbers.
        Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
    }
}

pub(super) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Returns a redirection to a relative path, which the browser follows by GET.
pub(super) fn redirect(path: &str) -> Response {
    let mut response = respond(StatusCode::SEE_OTHER, "text/plain", Body::empty());
    match HeaderValue::from_str(path) {
        Ok(path) => _ = response.headers_mut().insert(LOCATION, path),
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn a_page_knows_the_way_to_the_base() {
        for (path, way) in
            [("/keys", "./"), ("/keys/key_1", "../"), ("/keys/key_1/rotate", "../../"), ("/", "./")]
        {
            assert_eq!(root(path), way);
        }
    }
}
