//! Errors with an exit status.

use std::fmt;
use std::process::ExitCode;

use tower_api_key::KeyId;
use tower_api_key::backend::{BackendError, BackendErrorKind};
use tower_api_key::manage::{ManageError, ManageErrorKind};

/// An error message and an exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Creates an error about an invalid argument.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// Creates an error about a missing database, or an output that cannot be written.
    pub(crate) fn outside(message: impl Into<String>) -> Self {
        Self { code: 5, message: message.into() }
    }

    /// Converts an error about the key with this id. An unknown id may be the text of a key that was pasted by mistake, so it is shown
    /// only if it has the form of an id.
    pub(crate) fn of_key(id: &KeyId, error: ManageError) -> Self {
        match error.kind() {
            ManageErrorKind::NotFound if has_form_of_id(id) => {
                Self { message: format!("no key with id {id}"), ..error.into() }
            }
            ManageErrorKind::NotFound => Self { message: "no key with this id".into(), ..error.into() },
            ManageErrorKind::Conflict => {
                Self { message: format!("cannot change {id}: {error}"), ..error.into() }
            }
            _ => error.into(),
        }
    }

    /// Replaces the message.
    pub(crate) fn saying(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// Names the line of a file that an error is about, and what was done before.
    pub(crate) fn of_line(self, line: usize, before: &str) -> Self {
        Self { message: format!("line {line}: {}; {before}", self.message), ..self }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        let code = if error.kind() == BackendErrorKind::Invalid { 2 } else { 5 };
        Self { code, message: error.to_string() }
    }
}

impl From<ManageError> for Failure {
    fn from(error: ManageError) -> Self {
        let code = match error.kind() {
            ManageErrorKind::Invalid | ManageErrorKind::Forbidden => 2,
            ManageErrorKind::NotFound => 3,
            ManageErrorKind::Conflict => 4,
            _ => 5,
        };
        Self { code, message: error.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns whether an id may be a generated one: `key_` and up to 26 lower-case letters and digits.
fn has_form_of_id(id: &KeyId) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = id.as_str().strip_prefix("key_");
    rest.is_some_and(|rest| rest.len() <= 26 && rest.bytes().all(is_symbol))
}
