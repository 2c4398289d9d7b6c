//! The catalogue of the scopes that keys can be granted.

// Layer 9 of 10: management.

use std::collections::HashSet;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::scope::Scope;

/// The permissions that keys can be granted: the scopes of an application with their descriptions, in groups.
///
/// A [`KeyManager`](super::KeyManager::with_permissions) that has them grants no other scope, the routes list them, and a page or an OpenAPI
/// document reads them from [`KeyManager::permissions`](super::KeyManager::permissions).
///
/// A scope that covers others is a permission of its own: it is granted only if it is listed.
///
/// ```
/// use tower_api_key::Scope;
/// use tower_api_key::manage::Permissions;
///
/// const READ: Scope = Scope::from_static("notes.read");
///
/// let permissions = Permissions::new()
///     .group("Notes", [(READ, "Read notes"), ("notes.*".parse()?, "Read and change notes")])?
///     .group("Keys", [("keys.read", "List keys"), ("keys.write", "Create, change and revoke keys")])?;
/// assert!(permissions.contains(&READ));
/// assert!(!permissions.contains(&Scope::new("notes.write")?));
///
/// let group = permissions.groups().next().unwrap();
/// assert_eq!((&*group.name, &*group.permissions[0].description), ("Notes", "Read notes"));
/// let scopes: Vec<_> = permissions.scopes().map(Scope::as_str).collect();
/// assert_eq!(scopes, ["notes.read", "notes.*", "keys.read", "keys.write"]);
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    groups: Vec<PermissionGroup>,
    scopes: HashSet<Scope>,
}

/// A group of [`Permissions`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionGroup {
    /// The name, for people.
    pub name: Box<str>,
    /// At least one permission.
    pub permissions: Box<[Permission]>,
}

/// A scope with its description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// The scope.
    pub scope: Scope,
    /// What a key with the scope may do, for people.
    pub description: Box<str>,
}

impl Permissions {
    /// Creates permissions without a group, which permit no scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a group of scopes with their descriptions.
    ///
    /// # Errors
    ///
    /// When a scope is not a scope token or is listed twice, a group has no scope or the name of another one, or the name or a description is
    /// empty:
    ///
    /// ```
    /// use tower_api_key::manage::Permissions;
    ///
    /// let error = Permissions::new().group("Notes", [("notes.read", "Read"), ("notes.read", "Write")]).unwrap_err();
    /// assert_eq!(error.to_string(), "permissions are invalid: the scope `notes.read` is listed twice");
    /// ```
    pub fn group<S, D>(
        mut self,
        name: impl Into<Box<str>>,
        permissions: impl IntoIterator<Item = (S, D)>,
    ) -> Result<Self, ConfigError>
    where
        S: TryInto<Scope, Error: Into<ConfigError>>,
        D: Into<Box<str>>,
    {
        let name = name.into();
        if name.trim().is_empty() {
            return Err(invalid("the name of a group must not be empty"));
        }
        if self.groups.iter().any(|group| group.name == name) {
            return Err(invalid(&format!("the group `{name}` is listed twice")));
        }
        let mut group = Vec::new();
        for (scope, description) in permissions {
            let (scope, description) = (scope.try_into().map_err(Into::into)?, description.into());
            if description.trim().is_empty() {
                return Err(invalid(&format!("the description of `{scope}` must not be empty")));
            }
            if !self.scopes.insert(scope.clone()) {
                return Err(invalid(&format!("the scope `{scope}` is listed twice")));
            }
            group.push(Permission { scope, description });
        }
        if group.is_empty() {
            return Err(invalid(&format!("the group `{name}` must have at least one scope")));
        }
        self.groups.push(PermissionGroup { name, permissions: group.into() });
        Ok(self)
    }

    /// Returns the groups in the order in which they were added.
    pub fn groups(&self) -> impl Iterator<Item = &PermissionGroup> {
        self.groups.iter()
    }

    /// Returns the scopes of all groups in order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.groups().flat_map(|group| &group.permissions).map(|permission| &permission.scope)
    }

    /// Returns whether `scope` itself is listed; wildcards are not applied.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope)
    }
}

fn invalid(rule: &str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Permissions, format!("permissions are invalid: {rule}"))
}
