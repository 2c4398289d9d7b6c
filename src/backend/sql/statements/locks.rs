//! Locks of keys while a change is made.

// Layer 3 of 10: storage.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::backend::filter::OwnerIds;
use crate::backend::sql::session::Session;
use crate::backend::sql::statement::Statement;
use crate::backend::{Actor, BackendError, Subject};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::Owner;
use crate::record::{Record, Session as OpenedSession};

/// The locks of the keys that a change writes, and of those of its actor. They are acquired in one order, so that two changes
/// do not deadlock, and granted in the order of the requests: a change of a key waits only for changes that depend on it already,
/// unlike with shared row locks.
#[derive(Debug, Default)]
pub(super) struct KeyLocks(BTreeMap<i64, Mode>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Shared,
    Exclusive,
}

impl KeyLocks {
    pub(super) fn of(actor: &Actor) -> Self {
        let mut locks = Self::default();
        for subject in actor.subjects() {
            if let Subject::Key(id) = subject {
                locks.add(id.as_str(), Mode::Shared);
            }
        }
        locks
    }

    /// Adds the lock of all changes that must leave this owner a key that can manage its keys.
    pub(super) fn keeping_manager(mut self, owner: &Owner) -> Self {
        let OwnerIds { organization, project, user } = OwnerIds::of(owner);
        // Its spaces tell it from the id of a key.
        self.add(&[organization, project, user].map(Option::unwrap_or_default).join(" "), Mode::Exclusive);
        self
    }

    /// Adds keys that are written.
    pub(super) fn writing<'k>(mut self, keys: impl IntoIterator<Item = &'k KeyId>) -> Self {
        keys.into_iter().for_each(|id| self.add(id.as_str(), Mode::Exclusive));
        self
    }

    /// Adds the lock of a digest that a key gets.
    pub(super) fn digest(mut self, digest: &Digest) -> Self {
        // Its start tells it from the id of a key.
        let name =
            digest.as_bytes().iter().fold(String::from("digest "), |name, byte| format!("{name}{byte:02x}"));
        self.add(&name, Mode::Exclusive);
        self
    }

    /// Adds the lock of the sessions of an opener for a change that opens the session of this record, or one in place of it. Adds none for a key.
    pub(super) fn opening_session_of(mut self, record: &Record) -> Self {
        if let Some(OpenedSession { opener, .. }) = &record.session {
            self.add(&sessions_of(opener), Mode::Shared);
        }
        self
    }

    /// Adds the lock of the sessions of an opener for a change that ends those that are there: it has to see all of them.
    pub(super) fn ending_sessions(mut self, opener: &str) -> Self {
        self.add(&sessions_of(opener), Mode::Exclusive);
        self
    }

    fn add(&mut self, name: &str, mode: Mode) {
        let held = self.0.entry(lock_id(name)).or_insert(mode);
        *held = mode.max(*held);
    }

    /// Acquires the locks, which last until the transaction ends. Does nothing in a database without such locks, whose writers exclude each
    /// other.
    pub(super) async fn acquire(self, session: &mut dyn Session) -> Result<(), BackendError> {
        let locks = session.dialect().key_locks.filter(|_| !self.0.is_empty());
        let Some((exclusive, shared)) = locks else { return Ok(()) };
        let mut acquire = Statement::new("SELECT ");
        for (index, (number, mode)) in self.0.into_iter().enumerate() {
            acquire = acquire.push(if index == 0 { "" } else { ", " });
            acquire = acquire.push(if mode == Mode::Exclusive { exclusive } else { shared });
            acquire = acquire.push("(").push_bind(number).push(")");
        }
        session.execute(&acquire).await.map(drop)
    }
}

/// Returns the name of the lock of the sessions of an opener. Its space tells it from the id of a key.
fn sessions_of(opener: &str) -> String {
    format!("sessions {opener}")
}

/// Returns the number of a lock. Two with the same number wait for each other, which is rare.
fn lock_id(name: &str) -> i64 {
    let digest = Sha256::new().chain_update(b"tower_api_key\0").chain_update(name).finalize();
    i64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}
