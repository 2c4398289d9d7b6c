//! The store as others see it.

use std::time::Duration;

use super::Store;
use super::borrowed::{Borrowed, PATIENCE, ask, in_time};
use super::write::{Write, Written, write};
use super::{audit, owners, read};
use crate::backend::sql::KeyRow;
use crate::backend::{
    Actor, AuditEntry, AuditLog, Backend, BackendError, Changed, Feed, KeyAction, KeyChange, KeyFilter,
    KeyStore, OwnerChange, OwnerStore, Subscriber,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::{Organization, Project, User};
use crate::password_hash::PasswordHash;
use crate::record::Record;

impl Store {
    async fn write(&self, change: Write) -> Result<Written, BackendError> {
        let pool = self.pool.clone();
        self.changes.commit(move |announcement| write(pool, change, announcement)).await
    }
}

impl Backend for Store {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        // What a replica does not have may be new.
        if let Some(record) = self.find_on_replica(digest).await {
            return Ok(Some(record));
        }
        ask!(&self.pool, |connection| read::by_digest(connection, digest)).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<Feed> {
        Some(self.log())
    }

    fn look_ups_at_once(&self) -> usize {
        self.pool.options().get_max_connections() as usize
    }

    async fn first_used(&self, id: &KeyId, at: Timestamp) -> Result<(), BackendError> {
        self.write(Write::FirstUse(id.clone(), at)).await.map(drop)
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        ask!(&self.pool, |connection| owners::user(connection, email)).await
    }

    async fn rehashed(
        &self,
        email: &str,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<(), BackendError> {
        let rehash = OwnerChange::Rehash(email.into(), from.clone(), to.clone());
        self.change_owner(rehash, Actor::system()).await
    }
}

impl OwnerStore for Store {
    async fn change_owner(&self, change: OwnerChange, actor: Actor) -> Result<(), BackendError> {
        self.write(Write::Owner(change, Box::new(actor))).await.map(drop)
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        in_time(PATIENCE, ask!(&self.pool, |connection| owners::organization(connection, id))).await
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        let page = ask!(&self.pool, |connection| owners::members(connection, organization, after, limit));
        in_time(PATIENCE, page).await
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        in_time(PATIENCE, ask!(&self.pool, |connection| owners::project(connection, organization, id))).await
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        let page = ask!(&self.pool, |connection| owners::projects(connection, organization, after, limit));
        in_time(PATIENCE, page).await
    }
}

impl KeyStore for Store {
    async fn change(&self, change: KeyChange) -> Result<Changed, BackendError> {
        if let KeyAction::Insert(record) | KeyAction::Replace(record, ..) = &change.action {
            // What cannot be written is told before there is a transaction.
            KeyRow::encode(record)?;
        }
        let Written { record, keys, .. } = self.write(Write::Keys(Box::new(change))).await?;
        Ok(Changed { record, keys })
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        in_time(PATIENCE, ask!(&self.pool, |connection| read::by_id(connection, id))).await
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        in_time(PATIENCE, ask!(&self.pool, |connection| read::page(connection, filter, after, limit))).await
    }

    async fn taken_in(&self, within: Duration) -> bool {
        self.known_to_all(within).await
    }
}

impl AuditLog for Store {
    async fn audit_log(
        &self,
        key: Option<&KeyId>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        in_time(PATIENCE, ask!(&self.pool, |connection| audit::page(connection, key, after, limit))).await
    }

    async fn forget_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        let mut forgotten = 0;
        loop {
            let forgetting = ask!(&self.pool, |connection| audit::forget_some_before(connection, end));
            match in_time(PATIENCE, forgetting).await? {
                0 => return Ok(forgotten),
                some => forgotten += some,
            }
        }
    }
}
