//! The scopes that a request requires.

use std::collections::HashMap;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::principal::Principal;
use crate::reason::{Forbidden, Reason};
use crate::scope::Requirement;

/// The scopes that a request requires.
#[derive(Debug, Clone)]
pub(super) enum Rules {
    /// The same for every request.
    One(Requirement),
    /// By the whole path; paths that are not declared are forbidden.
    ByPath(HashMap<Box<str>, Requirement>),
}

impl Rules {
    pub(super) fn by_path<P>(rules: impl IntoIterator<Item = (P, Requirement)>) -> Result<Self, ConfigError>
    where
        P: Into<Box<str>>,
    {
        let mut by_path = HashMap::new();
        for (path, requirement) in rules {
            let path = path.into();
            let starts_right = path.starts_with('/');
            let is_new = by_path.insert(path, requirement).is_none();
            if !starts_right || !is_new {
                let found = if is_new { "another start" } else { "one of them twice" };
                let message = format!("the paths must differ and start with `/`, got {found}");
                return Err(ConfigError::new(ConfigErrorKind::Path, message));
            }
        }
        Ok(Self::ByPath(by_path))
    }

    /// Returns why `principal` may not call `path`.
    pub(super) fn check<'p>(&self, principal: &Principal, path: impl FnOnce() -> &'p str) -> Option<Reason> {
        let requirement = match self {
            Self::One(requirement) => Some(requirement),
            Self::ByPath(by_path) => by_path.get(path()),
        };
        match requirement {
            Some(requirement) if principal.meets(requirement) => None,
            Some(requirement) => Some(Reason::MissingScope(requirement.clone())),
            None => Some(Reason::Forbidden(Forbidden::Undeclared)),
        }
    }
}
