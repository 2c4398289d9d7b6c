//! The store as others see it.

use std::time::Duration;

use super::Store;
use super::borrowed::{PATIENCE, in_time};
use super::write::{Write, Written, write};
use super::{Borrowed, audit, owners, read};
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
        let mut connection = Borrowed::from(&self.pool).await?;
        let found = read::by_digest(&mut *connection, digest).await;
        connection.give_back(found)
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<Feed> {
        Some(self.log())
    }

    async fn first_used(&self, id: &KeyId, at: Timestamp) -> Result<(), BackendError> {
        self.edit(id, Edit::FirstUse(at)).await.map(drop)
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        let mut connection = Borrowed::from(&self.pool).await?;
        let found = owners::user(&mut *connection, email).await;
        connection.give_back(found)
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
        owners::organization(&self.pool, id).await
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        owners::members(&self.pool, organization, after, limit).await
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        owners::project(&self.pool, organization, id).await
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        owners::projects(&self.pool, organization, after, limit).await
    }
}

impl KeyStore for Store {
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        // What cannot be written is told before there is a transaction.
        let row = Box::new(KeyRow::encode(&record)?);
        self.write(Write::Insert(row, record.digest)).await.map(drop)
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        let reading = async {
            let mut connection = Borrowed::from(&self.pool).await?;
            let found = read::by_id(&mut *connection, id).await;
            connection.give_back(found)
        };
        in_time(PATIENCE, reading).await
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        let reading = async {
            let mut connection = Borrowed::from(&self.pool).await?;
            let page = read::page(&mut *connection, filter, after, limit).await;
            connection.give_back(page)
        };
        in_time(PATIENCE, reading).await
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
        audit::page(&self.pool, key, after, limit).await
    }

    async fn forget_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        audit::forget_before(&self.pool, end).await
    }
}
