//! The fields of a form or of a query, in their order.

// Layer 10 of 10: rim.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use tokio::time::timeout;

use super::page::Problem;
use super::shared::Shared;
use crate::backend::KeyFilter;
use crate::error::InvalidValue;
use crate::limit::{Limits, Plan};
use crate::owner::{Organization, Owner};
use crate::scope::Scopes;

/// How long the body of a request may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Most fields of a form, some times those of a key with 100 permissions or 50 labels.
const MAX_FIELDS: usize = 1_000;
/// Most characters that a form shows again of a text.
const MAX_SHOWN: usize = 255;

/// The fields of a query that may be any text, and that links repeat.
const TEXTS: [&str; 5] = ["organization", "project", "user", "name", "actor"];

/// The fields that name an owner.
const OWNER: [&str; 3] = ["organization", "project", "user"];

/// The fields of a submitted form.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// The fields of a query.
pub(super) struct Filters(Fields);

impl<S: Send + Sync> FromRequest<Arc<Shared<S>>> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared<S>>) -> Result<Self, Problem> {
        let incomplete = |rejection: FormRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large", "Shorten its texts.")
            }
            status => {
                Problem::new(status, "The form did not arrive as a whole", "Go back, and send it again.")
            }
        };
        let late = || {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "The form took too long to arrive",
                "Go back, and send it again.",
            )
        };
        let form = timeout(BODY_TIMEOUT, Form::from_request(request, shared)).await;
        let Form(fields): Form<Vec<(String, String)>> = form.map_err(|_| late())?.map_err(incomplete)?;
        if fields.len() > MAX_FIELDS {
            let text = format!("It has more than {MAX_FIELDS} fields.");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large", &text));
        }
        Ok(Self(fields))
    }
}

impl<S: Send + Sync> FromRequestParts<Arc<Shared<S>>> for Filters {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, shared: &Arc<Shared<S>>) -> Result<Self, Problem> {
        let Query(fields): Query<Vec<(String, String)>> =
            Query::from_request_parts(head, shared).await.map_err(|_| invalid_address())?;
        // PostgreSQL keeps no such character.
        let is_text = fields.iter().all(|(_, text)| !text.contains('\0'));
        let mut filters = is_text.then_some(Self(Fields(fields))).ok_or_else(invalid_address)?;
        for name in TEXTS {
            // One more than a text may have: it matches nothing, and the page stays small.
            filters.shorten(name, MAX_SHOWN + 1);
        }
        Ok(filters)
    }
}

impl Fields {
    /// Returns the first field of this name without spaces around it; an empty text if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Returns the start of a field, to show it again. Longer texts are invalid.
    pub(super) fn shown(&self, name: &str) -> &str {
        start(self.text(name), MAX_SHOWN)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.exact(name).map(str::trim)
    }

    /// Returns the fields of this name with the spaces around them.
    pub(super) fn exact(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, text)| &**text)
    }

    /// Returns all fields with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }

    /// Returns the visitor that the form was made for; an empty text if it does not say.
    pub(super) fn visitor(&self) -> &str {
        self.text("visitor")
    }

    /// Returns the fields of this name as scopes.
    pub(super) fn scopes(&self, name: &str) -> Result<Scopes, InvalidValue> {
        Scopes::new(self.all(name))
    }

    /// Returns the field `limits` as limits, which spaces separate.
    pub(super) fn limits(&self) -> Result<Limits, String> {
        self.text("limits").parse().map_err(|error| format!("Limits: {error}"))
    }

    /// Returns the field `plan` as a plan, by its name; `None` if it is empty.
    pub(super) fn plan(&self) -> Result<Option<Plan>, String> {
        match self.text("plan") {
            "" => Ok(None),
            name => Plan::named(name).map(Some).map_err(|error| format!("Plan: {error}")),
        }
    }

    /// Returns the owner that the fields name: an organization, a project of one, or a user.
    pub(super) fn owner(&self) -> Option<Owner> {
        match [self.text("organization"), self.text("project"), self.text("user")] {
            ["", "", user] if !user.is_empty() => Some(Owner::user(user, [])),
            [organization, "", ""] if !organization.is_empty() => Some(Owner::organization(organization)),
            [organization, project, ""] if !organization.is_empty() => {
                Some(Owner::project(Organization::new(organization), project))
            }
            _ => None,
        }
    }

    /// Returns a filter for the owner, as far as it is named.
    pub(super) fn owners(&self) -> KeyFilter {
        let named = |name| Some(self.text(name)).filter(|id| !id.is_empty());
        let mut filter = named("user").map_or_else(KeyFilter::all, KeyFilter::of_user);
        filter.organization = named("organization").map(Into::into);
        filter.project = named("project").map(Into::into);
        filter
    }
}

impl Filters {
    /// Returns whether the form has a field, also without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.exact(name).next().is_some()
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.0.text(name)
    }

    /// Returns the start of a field, to show it again.
    pub(super) fn shown(&self, name: &str) -> &str {
        self.0.shown(name)
    }

    /// Cuts a field to some characters.
    pub(super) fn shorten(&mut self, name: &str, most: usize) {
        for (own, text) in &mut self.0.0 {
            if own == name {
                *text = start(text.trim(), most).to_owned();
            }
        }
    }

    /// Parses an optional field.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.text(name) {
            "" => Ok(None),
            text => read(text).map(Some).ok_or_else(invalid_address),
        }
    }

    /// Returns a filter for the owner, as far as it is named.
    pub(super) fn owner(&self) -> KeyFilter {
        self.0.owners()
    }

    /// Drops the fields of an owner, which the pages of a customer ignore: no link repeats them.
    pub(super) fn without_owner(mut self) -> Self {
        self.0.0.retain(|(name, _)| !OWNER.contains(&&**name));
        self
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.0
    }

    pub(super) fn into_fields(self) -> Fields {
        self.0
    }

    /// Returns a query with these fields and another one, for a link. A text that is longer than any id or name was cut when it was
    /// read, to one that is still too long: the link selects nothing else.
    pub(super) fn with(&self, names: &[&str], name: &str, text: &str) -> String {
        let given = names.iter().map(|name| (*name, self.text(name))).filter(|(_, text)| !text.is_empty());
        let all = given.chain([(name, text)]);
        let pairs: Vec<_> = all.map(|(name, text)| format!("{name}={}", encode(text))).collect();
        pairs.join("&")
    }
}

/// Returns the first characters of a text.
pub(super) fn start(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Escapes all but unreserved characters (RFC 3986, 2.3).
pub(super) fn encode(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn invalid_address() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "The address has a value that this page does not know",
        "Go back, and select the filters anew.",
    )
}
