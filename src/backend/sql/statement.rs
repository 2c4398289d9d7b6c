//! An SQL statement and its values.

// Layer 3 of 10: storage.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;

/// A value of a statement. A missing one has a type too, by which PostgreSQL prepares the statement.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    Int(Option<i64>),
    /// A number of characters, which PostgreSQL accepts only as an integer of 32 bits.
    Count(i32),
    Bool(Option<bool>),
}

macro_rules! values {
    ($($from:ty: $value:ident => $to:expr,)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

values! {
    String: text => Self::Text(Some(text)),
    Option<String>: text => Self::Text(text),
    &str: text => Self::Text(Some(text.to_owned())),
    Option<&str>: text => Self::Text(text.map(str::to_owned)),
    &KeyId: id => id.as_str().into(),
    Vec<u8>: bytes => Self::Blob(Some(bytes)),
    Option<&Digest>: digest => Self::Blob(digest.map(|digest| digest.as_bytes().to_vec())),
    &Digest: digest => Some(digest).into(),
    i64: number => Self::Int(Some(number)),
    Option<i64>: number => Self::Int(number),
    usize: number => i64::try_from(number).unwrap_or(i64::MAX).into(),
    Timestamp: time => time.unix_millis().into(),
    i32: count => Self::Count(count),
    bool: flag => Self::Bool(Some(flag)),
    Option<bool>: flag => Self::Bool(flag),
}

/// An SQL statement. Its text has a placeholder for each value from outside; literals in it are constants of the crate.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    /// Whether the connection keeps the prepared statement.
    pub(super) is_persistent: bool,
}

impl Statement {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new(), is_persistent: true }
    }

    /// Binds the next placeholder of the text.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends SQL.
    pub(super) fn push(mut self, sql: &str) -> Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Appends a placeholder, and binds it.
    pub(super) fn push_bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let _ = write!(self.sql.to_mut(), "${}", self.values.len());
        self
    }

    /// Appends placeholders in parentheses.
    pub(super) fn push_list(self, values: impl IntoIterator<Item = Value>) -> Self {
        let list =
            |list: Self, (index, value)| list.push(if index == 0 { "(" } else { ", " }).push_bind(value);
        values.into_iter().enumerate().fold(self, list).push(")")
    }

    /// Appends rows for an insertion.
    pub(super) fn push_rows(self, rows: impl IntoIterator<Item: IntoIterator<Item = Value>>) -> Self {
        let row =
            |rows: Self, (index, row)| rows.push(if index == 0 { "VALUES " } else { ", " }).push_list(row);
        rows.into_iter().enumerate().fold(self, row)
    }

    /// Has the statement prepared for one execution: its text differs from call to call.
    pub(super) fn once(self) -> Self {
        Self { is_persistent: false, ..self }
    }
}
