//! A row of the table of keys with a value of any type in each column, and its record if it is valid.

use http::HeaderName;
use std::time::Duration;

use tower_api_key::credential::Scheme;
use tower_api_key::digest::Digest;
use tower_api_key::key::RetrievableKey;
use tower_api_key::limit::Plan;
use tower_api_key::owner::Organization;
use tower_api_key::record::{Disabling, Revocation, Session};
use tower_api_key::{Environment, KeyId, Owner, Record, Scopes, Timestamp};

use crate::json;

pub const COLUMNS: [&str; 33] = [
    "id",
    "digest",
    "hint",
    "name",
    "owner_kind",
    "owner_organization",
    "owner_email",
    "owner_project",
    "environment",
    "scopes",
    "sources",
    "created_at",
    "created_by",
    "expires_at",
    "revoked_at",
    "revoked_reason",
    "rotated_from",
    "first_rotated_from",
    "rotated_to",
    "last_used_at",
    "first_use_grace",
    "metadata",
    "revoked_by",
    "retrievable",
    "labels",
    "disabled_at",
    "disabled_reason",
    "disabled_by",
    "disabled_locked",
    "limits",
    "plan",
    "session_opener",
    "session_state",
];

/// The only plan of the store.
pub const PLAN: &str = "pro";
pub const PLAN_LIMITS: &str = "burst=100/60s";

/// A value of SQLite. Text may be invalid UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

#[derive(Debug)]
pub struct Row([Value; COLUMNS.len()]);

impl Row {
    /// Parses a row from lines `COLUMN KIND VALUE`, where the kind is one of `null`, `integer`, `real`, `text`, `blob`, `hextext`
    /// and `hexblob`. Other lines are ignored. Columns without a line have the values of a plain key.
    pub fn parse(data: &[u8]) -> Self {
        let mut row = Self::plain();
        for line in data.split(|&byte| byte == b'\n') {
            let mut parts = line.splitn(3, |&byte| byte == b' ');
            let (Some(name), Some(kind)) = (parts.next(), parts.next()) else { continue };
            let column = COLUMNS.iter().position(|column| column.as_bytes() == name);
            if let (Some(column), Some(value)) = (column, read(kind, parts.next().unwrap_or_default())) {
                row.0[column] = value;
            }
        }
        row
    }

    fn plain() -> Self {
        let text = |text: &str| Value::Text(text.into());
        Self(COLUMNS.map(|column| match column {
            "id" => text("key_1"),
            "digest" => Value::Blob(vec![7; 32]),
            "owner_kind" => text("organization"),
            "owner_organization" => text("acme"),
            "environment" => text("live"),
            "metadata" | "labels" => text("{}"),
            "hint" | "name" | "scopes" | "sources" | "limits" => text(""),
            _ => Value::Null,
        }))
    }

    /// Returns the values in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// Returns the digest to look the row up by, if it is valid.
    pub fn digest(&self) -> Option<[u8; 32]> {
        match self.at("digest") {
            Value::Blob(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }

    /// Returns the id to look the row up by, if it is valid.
    pub fn id(&self) -> Option<KeyId> {
        id(self.text("id")?)
    }

    /// Returns the record of the row, if all columns are as the store writes them.
    pub fn record(&self) -> Option<Record> {
        let digest = match self.at("digest") {
            // A digest stored as text is found by the row's id alone, and read like bytes.
            Value::Blob(bytes) | Value::Text(bytes) => bytes.as_slice().try_into().ok()?,
            _ => return None,
        };
        let mut record = Record::imported(self.id()?, Digest::from_bytes(digest), self.owner()?);
        record.hint = self.text("hint")?.into();
        record.name = self.text("name")?.into();
        record.environment = match self.text("environment")? {
            "live" => Environment::Live,
            "test" => Environment::Test,
            _ => return None,
        };
        record.scopes = scopes(self.text("scopes")?)?;
        record.sources = names(self.text("sources")?).map(scheme).collect::<Option<_>>()?;
        record.created_at = self.time("created_at")?;
        record.created_by = self.optional("created_by")?.map(Into::into);
        record.expires_at = self.time("expires_at")?;
        record.revoked = match (
            self.time("revoked_at")?,
            self.optional("revoked_reason")?,
            self.optional("revoked_by")?,
        ) {
            (Some(at), Some(reason), None) => Some(Revocation::new(at, reason)),
            (Some(at), Some(reason), Some(by)) => Some(Revocation::new(at, reason).by(by)),
            (None, None, None) => None,
            _ => return None,
        };
        let locked = match self.at("disabled_locked") {
            Value::Null => None,
            Value::Integer(flag) => Some(*flag != 0),
            _ => return None,
        };
        record.disabled = match (self.time("disabled_at")?, self.optional("disabled_reason")?, locked) {
            (Some(at), Some(reason), Some(locked)) => {
                let mut disabling = Disabling::new(at, reason);
                (disabling.by, disabling.locked) = (self.optional("disabled_by")?.map(Into::into), locked);
                Some(disabling)
            }
            (None, None, None) if self.optional("disabled_by")?.is_none() => None,
            _ => return None,
        };
        record.rotated_from = self.link("rotated_from")?;
        record.first_rotated_from = self.link("first_rotated_from")?;
        record.rotated_to = self.link("rotated_to")?;
        record.retrievable = self.optional("retrievable")?.map(RetrievableKey::new);
        record.last_used_at = self.time("last_used_at")?;
        record.first_use_grace = match self.at("first_use_grace") {
            Value::Null => None,
            Value::Integer(millis) => Some(Duration::from_millis((*millis).try_into().ok()?)),
            _ => return None,
        };
        record.metadata = json::texts(self.text("metadata")?)?;
        record.labels = json::texts(self.text("labels")?)?;
        record.limits = self.text("limits")?.parse().ok()?;
        record.plan = match self.optional("plan")? {
            None => None,
            Some(PLAN) => Some(Plan::new(PLAN, PLAN_LIMITS.parse().expect("limits")).expect("a plan")),
            Some(_) => return None,
        };
        record.session = match (self.optional("session_opener")?, self.optional("session_state")?) {
            (Some(opener), Some(state)) => Some(Session::new(opener, state)),
            (None, None) => None,
            _ => return None,
        };
        Some(record)
    }

    fn owner(&self) -> Option<Owner> {
        let column = |name| self.optional(name);
        let (organization, project) = (column("owner_organization")?, column("owner_project")?);
        match (self.text("owner_kind")?, organization, column("owner_email")?, project) {
            ("organization", Some(id), None, None) => Some(Owner::organization(id)),
            ("user", None, Some(email), None) => Some(Owner::user(email, [])),
            ("project", Some(id), None, Some(project)) => {
                Some(Owner::project(Organization::new(id), project))
            }
            _ => None,
        }
    }

    fn at(&self, name: &str) -> &Value {
        let column = COLUMNS.iter().position(|column| *column == name);
        &self.0[column.expect("a column")]
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.at(name) {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    fn optional(&self, name: &str) -> Option<Option<&str>> {
        if *self.at(name) == Value::Null { Some(None) } else { self.text(name).map(Some) }
    }

    fn time(&self, name: &str) -> Option<Option<Timestamp>> {
        match self.at(name) {
            Value::Null => Some(None),
            Value::Integer(millis) => Some(Some(Timestamp::from_unix_millis(*millis))),
            _ => None,
        }
    }

    fn link(&self, name: &str) -> Option<Option<KeyId>> {
        match self.optional(name)? {
            None => Some(None),
            Some(text) => id(text).map(Some),
        }
    }
}

fn read(kind: &[u8], value: &[u8]) -> Option<Value> {
    let text = || std::str::from_utf8(value).ok();
    match kind {
        b"null" => Some(Value::Null),
        b"integer" => text()?.parse().ok().map(Value::Integer),
        // SQLite stores a NaN as NULL.
        b"real" => {
            text()?.parse().ok().map(|real: f64| if real.is_nan() { Value::Null } else { Value::Real(real) })
        }
        b"text" => Some(Value::Text(value.to_vec())),
        b"blob" => Some(Value::Blob(value.to_vec())),
        b"hextext" => hex(value).map(Value::Text),
        b"hexblob" => hex(value).map(Value::Blob),
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

fn id(text: &str) -> Option<KeyId> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (plain && (1..=64).contains(&text.len())).then(|| KeyId::new(text).expect("an id"))
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(' ').filter(|name| !name.is_empty())
}

fn scopes(list: &str) -> Option<Scopes> {
    let wrong = |character: char| !('!'..='~').contains(&character) || matches!(character, '"' | '\\');
    (!names(list).any(|name| name.contains(wrong))).then(|| Scopes::new(names(list)).expect("scopes"))
}

fn scheme(name: &str) -> Option<Scheme> {
    match name {
        "Bearer" => Some(Scheme::Bearer),
        "Basic" => Some(Scheme::Basic),
        name => HeaderName::from_lowercase(name.as_bytes()).ok().map(Scheme::Header),
    }
}
