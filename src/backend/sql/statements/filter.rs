//! Key filters as SQL conditions.

use sqlx::QueryBuilder;

use super::dialect::Database;
use crate::backend::{Invalidation, KeyFilter};
use crate::environment::Environment;
use crate::record::KeyState;

/// Adds the conditions of a filter to a statement with a `WHERE`. Values are bound, and never become part of the statement.
pub(super) fn restrict(query: &mut QueryBuilder<Database>, filter: &KeyFilter) {
    let texts = [
        (" AND owner_organization = ", filter.organization.as_deref()),
        (" AND owner_project = ", filter.project.as_deref()),
        (" AND owner_email = ", filter.user.as_deref()),
        (" AND environment = ", filter.environment.map(Environment::label)),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            query.push(condition).push_bind(text.to_owned());
        }
    }
    if filter.outside_projects {
        query.push(" AND owner_project IS NULL");
    }
    if let Some((state, now)) = filter.state {
        let now = now.unix_millis();
        match state {
            KeyState::Revoked => query.push(" AND revoked_at IS NOT NULL"),
            KeyState::Expired => query.push(" AND revoked_at IS NULL AND expires_at <= ").push_bind(now),
            KeyState::Active => query
                .push(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ")
                .push_bind(now)
                .push(")"),
        };
    }
    if let Some(end) = filter.created_before {
        query.push(" AND created_at < ").push_bind(end.unix_millis());
    }
    if let Some(start) = &filter.starts_with {
        let characters = i32::try_from(start.chars().count()).unwrap_or(i32::MAX);
        query.push(" AND substr(hint, 1, ").push_bind(characters).push(") = ").push_bind(start.to_string());
    }
}

/// Adds the condition that a key is one of those that were changed.
pub(super) fn restrict_to(query: &mut QueryBuilder<Database>, changes: &[Invalidation]) {
    query.push("digest IN (");
    let mut digests = query.separated(", ");
    for change in changes {
        if let Invalidation::Revoked(digest) | Invalidation::Changed(digest) = change {
            digests.push_bind(digest.as_bytes().to_vec());
        }
    }
    query.push(")");
}
