//! Which scopes a request needs.

use std::collections::HashMap;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::principal::Principal;
use crate::reject::{Forbidden, Reason};
use crate::scope::Requirement;

/// Which scopes a request needs.
#[derive(Debug, Clone)]
pub(super) enum Rules {
    /// The same for every request.
    One(Requirement),
    /// By the whole path; what is not declared is forbidden.
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
            let wrong = |expected: &str| {
                Err(ConfigError::new(ConfigErrorKind::Path, format!("expected {expected}, found {path:?}")))
            };
            if !path.starts_with('/') {
                return wrong("a path that starts with `/`");
            }
            if by_path.contains_key(&path) {
                return wrong("each path once");
            }
            by_path.insert(path, requirement);
        }
        Ok(Self::ByPath(by_path))
    }

    /// Says what speaks against letting `principal` call `path`.
    pub(super) fn objection(&self, principal: &Principal, path: &str) -> Option<Reason> {
        let requirement = match self {
            Self::One(requirement) => Some(requirement),
            Self::ByPath(by_path) => by_path.get(path),
        };
        match requirement {
            Some(requirement) if principal.meets(requirement) => None,
            Some(requirement) => Some(Reason::MissingScope(requirement.clone())),
            None => Some(Reason::Forbidden(Forbidden::Undeclared)),
        }
    }
}
