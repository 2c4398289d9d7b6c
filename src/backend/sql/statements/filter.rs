//! Key filters as SQL conditions.

// Layer 3 of 10: storage.

use crate::backend::sql::statement::Statement;
use crate::backend::{Invalidation, KeyFilter, RecordKind};
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::record::KeyState;

/// Adds the conditions of a filter to a statement about the table of keys, which has sessions as well.
pub(super) fn restrict_keys(statement: Statement, filter: &KeyFilter) -> Statement {
    let statement = match filter.kind {
        RecordKind::Keys => statement.push(" AND session_opener IS NULL"),
        RecordKind::Sessions => statement.push(" AND session_opener IS NOT NULL"),
        RecordKind::All => statement,
    };
    restrict(statement, filter)
}

/// Adds the conditions of a filter to a statement with a `WHERE`. Values are bound, and never become part of the statement.
pub(super) fn restrict(mut statement: Statement, filter: &KeyFilter) -> Statement {
    let texts = [
        (" AND owner_organization = ", filter.organization.as_deref()),
        (" AND owner_project = ", filter.project.as_deref()),
        (" AND owner_email = ", filter.user.as_deref()),
        (" AND environment = ", filter.environment.map(Environment::label)),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            statement = statement.push(condition).push_bind(text);
        }
    }
    if filter.outside_projects {
        statement = statement.push(" AND owner_project IS NULL");
    }
    if let Some((state, now)) = filter.state {
        statement = match state {
            KeyState::Revoked => statement.push(" AND revoked_at IS NOT NULL"),
            KeyState::Expired => statement.push(" AND revoked_at IS NULL AND expires_at <= ").push_bind(now),
            KeyState::Active => not_ended(statement, now).push(" AND disabled_at IS NULL"),
            KeyState::Disabled => not_ended(statement, now).push(" AND disabled_at IS NOT NULL"),
        };
    }
    if let Some(end) = filter.created_before {
        statement = statement.push(" AND created_at < ").push_bind(end);
    }
    if let Some(start) = &filter.starts_with {
        let characters = i32::try_from(start.chars().count()).unwrap_or(i32::MAX);
        statement = statement.push(" AND substr(hint, 1, ").push_bind(characters);
        statement = statement.push(") = ").push_bind(&**start);
    }
    if let Some(start) = &filter.name_starts_with {
        let characters = i32::try_from(start.chars().count()).unwrap_or(i32::MAX);
        statement = statement.push(" AND lower(substr(name, 1, ").push_bind(characters);
        statement = statement.push(")) = ").push_bind(start.to_ascii_lowercase());
    }
    statement
}

/// Adds the condition that a key is neither revoked nor expired.
pub(super) fn not_ended(statement: Statement, now: Timestamp) -> Statement {
    let statement = statement.push(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ");
    statement.push_bind(now).push(")")
}

/// Adds the condition that a key is one of those that were changed.
pub(super) fn restrict_to(statement: Statement, changes: &[Invalidation]) -> Statement {
    let digests = changes.iter().filter_map(|change| match change {
        Invalidation::Revoked(digest) | Invalidation::Changed(digest) => Some(digest.into()),
        Invalidation::Everything => None,
    });
    statement.push("digest IN ").push_list(digests)
}
