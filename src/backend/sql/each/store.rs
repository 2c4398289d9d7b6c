//! The store as others see it.

use std::time::Duration;

use super::Store;
use super::borrowed::{Borrowed, PATIENCE, ask, in_time};
use super::write::{Write, Written, write};
use super::{audit, owners, read};
use crate::backend::edit::Edit;
use crate::backend::sql::KeyRow;
use crate::backend::{
    AuditEntry, AuditLog, Backend, BackendError, Feed, KeyFilter, KeyStore, KeyUpdate, OwnerChange,
    OwnerStore, Rotation, Subscriber,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::{Organization, Project, User};
use crate::password_hash::PasswordHash;
use crate::record::{Record, Revocation};

impl Store {
    async fn write(&self, change: Write) -> Result<Written, BackendError> {
        let pool = self.pool.clone();
        self.changes.commit(move |announcement| write(pool, change, announcement)).await
    }

    async fn edit(&self, id: &KeyId, edit: Edit) -> Result<Record, BackendError> {
        let written = self.write(Write::Edit(id.clone(), edit)).await?;
        written.record.ok_or_else(BackendError::not_found)
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
        self.edit(id, Edit::FirstUse(at)).await.map(drop)
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
        self.change_owner(OwnerChange::Rehash(email.into(), from.clone(), to.clone())).await
    }
}

impl OwnerStore for Store {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        self.write(Write::Owner(change)).await.map(drop)
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
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        // What cannot be written is told before there is a transaction.
        let row = Box::new(KeyRow::encode(&record)?);
        self.write(Write::Insert(row, record.digest)).await.map(drop)
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

    async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, BackendError> {
        self.edit(id, Edit::Update(update)).await
    }

    async fn rotate(&self, id: &KeyId, rotation: Rotation) -> Result<Record, BackendError> {
        self.edit(id, Edit::Rotate(rotation)).await
    }

    async fn revoke(&self, id: &KeyId, revocation: Revocation) -> Result<(), BackendError> {
        self.write(Write::Revoke(id.clone(), revocation)).await.map(drop)
    }

    async fn revoke_all(&self, filter: &KeyFilter, revocation: Revocation) -> Result<u64, BackendError> {
        let written = self.write(Write::RevokeAll(filter.clone(), revocation)).await?;
        Ok(written.changes.len() as u64)
    }

    async fn taken_in(&self, within: Duration) -> bool {
        self.known_to_all(within).await
    }

    async fn delete_ended(&self, before: Timestamp) -> Result<u64, BackendError> {
        let written = self.write(Write::DeleteEnded(before)).await?;
        Ok(written.changes.len() as u64)
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
