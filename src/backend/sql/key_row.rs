//! A key as a row of a table. A row that cannot be decoded is an error, never a guess.

// Layer 3 of 10: storage.

use std::time::Duration;

use super::session::Row;
use super::statement::Value;
use crate::backend::BackendError;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::digest::Digest;
use crate::environment::Environment;
use crate::key::{KeyId, RetrievableKey};
use crate::limit::Plan;
use crate::owner::{Organization, Owner};
use crate::record::{Disabling, Record, Revocation, Session};
use crate::scope::Scopes;

/// Defines the columns of a key once: their names, a row of them, and their order in statements. They are always named: a prepared
/// `SELECT *` fails once another process has added a column.
macro_rules! key_row {
    ($(#[$attribute:meta])* $visibility:vis struct $row:ident { $first:ident: $first_type:ty, $($column:ident: $type:ty,)* }) => {
        /// The names of the columns.
        macro_rules! columns {
            () => {
                concat!(stringify!($first), $(", ", stringify!($column)),*)
            };
        }

        $(#[$attribute])*
        $visibility struct $row {
            $visibility $first: $first_type,
            $($visibility $column: $type,)*
        }

        impl $row {
            /// Reads the columns of a row, which [`decode`](Self::decode) makes a record.
            $visibility fn from_row(row: &Row) -> Result<Self, BackendError> {
                Ok(Self {
                    $first: row.get(stringify!($first))?,
                    $($column: row.get(stringify!($column))?,)*
                })
            }

            /// Returns the values in the order of the columns.
            $visibility fn values(self) -> impl IntoIterator<Item = Value> {
                [self.$first.into(), $(self.$column.into(),)*]
            }
        }
    };
}

key_row! {
    /// A key as a row.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(super) struct KeyRow {
        id: String,
        digest: Vec<u8>,
        hint: String,
        name: String,
        owner_kind: String,
        owner_organization: Option<String>,
        owner_email: Option<String>,
        owner_project: Option<String>,
        environment: String,
        scopes: String,
        sources: String,
        created_at: Option<i64>,
        created_by: Option<String>,
        expires_at: Option<i64>,
        revoked_at: Option<i64>,
        revoked_reason: Option<String>,
        rotated_from: Option<String>,
        first_rotated_from: Option<String>,
        rotated_to: Option<String>,
        last_used_at: Option<i64>,
        first_use_grace: Option<i64>,
        metadata: String,
        revoked_by: Option<String>,
        retrievable: Option<String>,
        labels: String,
        disabled_at: Option<i64>,
        disabled_reason: Option<String>,
        disabled_by: Option<String>,
        disabled_locked: Option<bool>,
        limits: String,
        plan: Option<String>,
        session_opener: Option<String>,
        session_state: Option<String>,
    }
}
pub(super) use columns;

impl KeyRow {
    /// Encodes a record.
    ///
    /// # Errors
    ///
    /// If the record has a value without a column, rather than to lose it.
    pub(super) fn encode(record: &Record) -> Result<Self, BackendError> {
        let owner = OwnerColumns::encode(&record.owner)?;
        let text = |text: &str| text.to_owned();
        let millis = |time: Timestamp| time.unix_millis();
        Ok(Self {
            id: text(record.id.as_str()),
            digest: record.digest.as_bytes().to_vec(),
            hint: text(&record.hint),
            name: text(&record.name),
            owner_kind: text(owner.kind),
            owner_organization: owner.organization.map(text),
            owner_email: owner.email.map(text),
            owner_project: owner.project.map(text),
            environment: text(record.environment.label()),
            scopes: record.scopes.to_string(),
            sources: record.sources.iter().map(Scheme::to_string).collect::<Vec<_>>().join(" "),
            created_at: record.created_at.map(millis),
            created_by: record.created_by.as_deref().map(text),
            expires_at: record.expires_at.map(millis),
            revoked_at: record.revoked.as_ref().map(|revoked| millis(revoked.at)),
            revoked_reason: record.revoked.as_ref().map(|revoked| text(&revoked.reason)),
            rotated_from: record.rotated_from.as_ref().map(|id| text(id.as_str())),
            first_rotated_from: record.first_rotated_from.as_ref().map(|id| text(id.as_str())),
            rotated_to: record.rotated_to.as_ref().map(|id| text(id.as_str())),
            last_used_at: record.last_used_at.map(millis),
            first_use_grace: record.first_use_grace.map(encode_grace).transpose()?,
            metadata: serde_json::to_string(&record.metadata).map_err(BackendError::invalid)?,
            labels: serde_json::to_string(&record.labels).map_err(BackendError::invalid)?,
            retrievable: record.retrievable.as_ref().map(|key| text(key.as_str())),
            revoked_by: record.revoked.as_ref().and_then(|revoked| revoked.by.as_deref()).map(text),
            disabled_at: record.disabled.as_ref().map(|disabled| millis(disabled.at)),
            disabled_reason: record.disabled.as_ref().map(|disabled| text(&disabled.reason)),
            disabled_by: record.disabled.as_ref().and_then(|disabled| disabled.by.as_deref()).map(text),
            disabled_locked: record.disabled.as_ref().map(|disabled| disabled.locked),
            limits: record.limits.to_string(),
            plan: record.plan.as_ref().map(|plan| text(plan.name())),
            session_opener: record.session.as_ref().map(|session| text(&session.opener)),
            session_state: record.session.as_ref().map(|session| text(&session.state)),
        })
    }

    /// Decodes a record. The limits of its plan are in another table.
    ///
    /// # Errors
    ///
    /// If a column has an unexpected value.
    pub(super) fn decode(self) -> Result<Record, BackendError> {
        let time = Timestamp::from_unix_millis;
        let id = KeyId::new(&self.id).map_err(BackendError::corrupt)?;
        let digest = decode_digest(&self.digest)?;
        let owner = OwnerColumns {
            kind: &self.owner_kind,
            organization: self.owner_organization.as_deref(),
            email: self.owner_email.as_deref(),
            project: self.owner_project.as_deref(),
        };
        let mut record = Record::imported(id, digest, owner.decode()?);
        record.hint = self.hint.into();
        record.name = self.name.into();
        record.environment = Environment::from_label(&self.environment)
            .ok_or_else(|| unexpected("live or test", "something else"))?;
        record.scopes = Scopes::parse(&self.scopes).map_err(BackendError::corrupt)?;
        record.sources = decode_sources(&self.sources)?;
        record.created_at = self.created_at.map(time);
        record.created_by = self.created_by.map(Into::into);
        record.expires_at = self.expires_at.map(time);
        record.revoked = match (self.revoked_at, self.revoked_reason, self.revoked_by) {
            (None, None, None) => None,
            (Some(at), Some(reason), by) => {
                Some(Revocation { by: by.map(Into::into), ..Revocation::new(time(at), reason) })
            }
            _ => return Err(unexpected("a revocation with a time and a reason", "one without the other")),
        };
        record.disabled =
            match (self.disabled_at, self.disabled_reason, self.disabled_by, self.disabled_locked) {
                (None, None, None, None) => None,
                (Some(at), Some(reason), by, Some(locked)) => {
                    Some(Disabling { by: by.map(Into::into), locked, ..Disabling::new(time(at), reason) })
                }
                _ => return Err(unexpected("a disabling with a time, a reason and a lock", "a part of it")),
            };
        let linked = |id: Option<String>| id.as_deref().map(KeyId::new).transpose();
        record.rotated_from = linked(self.rotated_from).map_err(BackendError::corrupt)?;
        record.first_rotated_from = linked(self.first_rotated_from).map_err(BackendError::corrupt)?;
        record.rotated_to = linked(self.rotated_to).map_err(BackendError::corrupt)?;
        record.last_used_at = self.last_used_at.map(time);
        record.retrievable = self.retrievable.map(RetrievableKey::new);
        record.first_use_grace = self.first_use_grace.map(decode_grace).transpose()?;
        // The parser's error would show the contents.
        record.metadata = serde_json::from_str(&self.metadata)
            .map_err(|_| unexpected("metadata that are a JSON object of texts", "something else"))?;
        record.labels = serde_json::from_str(&self.labels)
            .map_err(|_| unexpected("labels that are a JSON object of texts", "something else"))?;
        record.limits = self.limits.parse().map_err(BackendError::corrupt)?;
        record.plan = self.plan.as_deref().map(Plan::named).transpose().map_err(BackendError::corrupt)?;
        record.session = match (self.session_opener, self.session_state) {
            (None, None) => None,
            (Some(opener), Some(state)) => Some(Session::new(opener, state)),
            _ => return Err(unexpected("a session with an opener and a state", "one without the other")),
        };
        Ok(record)
    }
}

/// Decodes a digest.
pub(super) fn decode_digest(bytes: &[u8]) -> Result<Digest, BackendError> {
    let wrong = |_| unexpected("a digest of 32 bytes", &format!("{} bytes", bytes.len()));
    bytes.try_into().map(Digest::from_bytes).map_err(wrong)
}

fn encode_grace(grace: Duration) -> Result<i64, BackendError> {
    i64::try_from(grace.as_millis()).map_err(BackendError::invalid)
}

fn decode_grace(millis: i64) -> Result<Duration, BackendError> {
    u64::try_from(millis).map(Duration::from_millis).map_err(BackendError::corrupt)
}

fn decode_sources(list: &str) -> Result<Box<[Scheme]>, BackendError> {
    let scheme = |name| Scheme::from_label(name).ok_or_else(|| unexpected("schemes", "something else"));
    list.split(' ').filter(|name| !name.is_empty()).map(scheme).collect()
}

pub(super) fn unexpected(expected: &str, found: &str) -> BackendError {
    BackendError::corrupt(format!("expected {expected}, found {found}"))
}

struct OwnerColumns<'o> {
    kind: &'o str,
    organization: Option<&'o str>,
    email: Option<&'o str>,
    project: Option<&'o str>,
}

impl<'o> OwnerColumns<'o> {
    fn encode(owner: &'o Owner) -> Result<Self, BackendError> {
        let none = Self { kind: "", organization: None, email: None, project: None };
        let plain = |organization: &'o Organization| {
            let is_plain =
                !organization.disabled && !organization.requires_sso && organization.plan.is_none();
            is_plain.then_some(Some(&*organization.id)).ok_or_else(|| {
                BackendError::invalid(
                    "whether an organization is disabled, requires SSO or has a plan is not kept with a key",
                )
            })
        };
        match owner {
            Owner::Organization(own) => Ok(Self { kind: "organization", organization: plain(own)?, ..none }),
            Owner::Project(own) => {
                let organization = plain(&own.organization)?;
                Ok(Self { kind: "project", organization, project: Some(&own.id), ..none })
            }
            Owner::User(own) if own.memberships.is_empty() && own.plan.is_none() => {
                Ok(Self { kind: "user", email: Some(&own.email), ..none })
            }
            Owner::User(_) => {
                Err(BackendError::invalid("the memberships and the plan of a user are not kept with a key"))
            }
        }
    }

    fn decode(&self) -> Result<Owner, BackendError> {
        match (self.kind, self.organization, self.email, self.project) {
            ("organization", Some(organization), None, None) => Ok(Owner::organization(organization)),
            ("user", None, Some(email), None) => Ok(Owner::user(email, [])),
            ("project", Some(organization), None, Some(project)) => {
                Ok(Owner::project(Organization::new(organization), project))
            }
            _ => Err(unexpected("the columns of one kind of owner", "others")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn row() -> KeyRow {
        let id = KeyId::new("key_1").unwrap();
        let mut record = Record::imported(id, Digest::from_bytes([7; 32]), Owner::organization("acme"));
        record.sources = [Scheme::Bearer, Scheme::Header(HeaderName::from_static("basic"))].into();
        record.revoked = Some(Revocation::new(Timestamp::from_unix_millis(-1), "lost").by("admin-7"));
        record.disabled = Some(Disabling::new(Timestamp::from_unix_millis(-2), "seen").by("admin-8"));
        record.limits = "burst=100/60s daily=9/day/owner".parse().unwrap();
        record.plan = Some(Plan::named("pro").unwrap());
        record.session = Some(Session::new("external user:17", "{}"));
        KeyRow::encode(&record).unwrap()
    }

    #[test]
    fn a_row_that_was_written_reads_back_the_same() {
        let record = row().decode().unwrap();
        assert_eq!(KeyRow::encode(&record).unwrap(), row());
    }

    #[test]
    fn a_row_that_was_tampered_with_is_an_error() {
        let tamper: [fn(&mut KeyRow); 23] = [
            |row| row.id = "a b".into(),
            |row| row.digest = vec![7; 31],
            |row| row.owner_kind = "unknown".into(),
            |row| row.owner_organization = None,
            |row| row.owner_email = Some("a@example.com".into()),
            |row| row.environment = "LIVE".into(),
            |row| row.scopes = "a\"b".into(),
            |row| row.sources = "X-API-Key".into(),
            |row| row.revoked_at = None,
            |row| row.revoked_reason = None,
            |row| row.disabled_at = None,
            |row| row.disabled_reason = None,
            |row| row.disabled_locked = None,
            |row| row.session_opener = None,
            |row| row.session_state = None,
            |row| row.rotated_to = Some(String::new()),
            |row| row.first_use_grace = Some(-1),
            |row| row.metadata = "[]".into(),
            |row| row.labels = "[]".into(),
            |row| row.limits = "burst=0/60s".into(),
            |row| row.limits = "burst=1/60s burst=2/60s".into(),
            |row| row.plan = Some("Pro".into()),
            |row| {
                (row.revoked_at, row.revoked_reason, row.revoked_by) = (None, None, Some("admin-7".into()));
            },
        ];
        for (index, tamper) in tamper.iter().enumerate() {
            let mut row = row();
            tamper(&mut row);
            let error = row.decode().expect_err(&format!("tampering {index}"));
            assert_eq!(error.kind(), crate::backend::BackendErrorKind::Corrupt);
        }
    }
}
