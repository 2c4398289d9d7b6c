//! The permissions to select from, by group.

// Layer 10 of 10: rim.

use super::keys::Keys;
use crate::backend::KeyStore;
use crate::manage::{Permission, Permissions};
use crate::scope::{Scope, Scopes};

pub(super) struct Group {
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
}

pub(super) struct Choice {
    pub(super) scope: String,
    pub(super) description: String,
    pub(super) is_checked: bool,
}

/// Returns the permissions that a visitor can grant, and those of `checked` beside them.
pub(super) fn picker<S: KeyStore + Clone>(
    permissions: &Permissions,
    keys: &Keys<'_, S>,
    checked: &Scopes,
) -> Vec<Group> {
    let choice = |scope: &Scope, description: &str| Choice {
        scope: scope.to_string(),
        description: description.to_owned(),
        is_checked: checked.contains(scope),
    };
    let is_offered = |scope: &Scope| permissions.contains(scope) && keys.can_grant(scope);
    let offered = permissions.groups().map(|group| {
        let granted = group.permissions.iter().filter(|permission| keys.can_grant(&permission.scope));
        let choices = granted.map(|Permission { scope, description, .. }| choice(scope, description));
        Group { name: group.name.to_string(), choices: choices.collect() }
    });
    let listed = |scope: &Scope| {
        permissions.groups().flat_map(|group| &group.permissions).find(|own| own.scope == *scope)
    };
    let other = |scope| choice(scope, listed(scope).map_or("No longer offered", |own| &own.description));
    let others = checked.iter().filter(|scope| !is_offered(scope)).map(other);
    let others = Group { name: "Other permissions of this key".to_owned(), choices: others.collect() };
    offered.chain([others]).filter(|group| !group.choices.is_empty()).collect()
}
