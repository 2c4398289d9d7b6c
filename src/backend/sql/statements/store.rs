//! The traits that a store implements.

use std::time::Duration;

use super::Store;
use super::dialect::{begin_read, end_read};
use super::pooled_connection::{ADMIN_QUERY_TIMEOUT, detached, read_bounded, run, run_on, with_timeout};
use super::write::{Write, write};
use super::written::Written;
use super::{audit, owners, read};
use crate::backend::sql::KeyRow;
use crate::backend::{
    AuditEntry, AuditLog, Backend, BackendError, BoxedChangeFeed, ChangeOutcome, KeyAction, KeyChange,
    KeyFilter, KeyStore, OwnerChange, OwnerStore, Propagation, Subscriber, WriteBack,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::{Organization, Project, User};
use crate::record::Record;

impl Store {
    async fn write(&self, change: Write) -> Result<Written, BackendError> {
        with_timeout(ADMIN_QUERY_TIMEOUT, self.check_source()).await?;
        let (connections, namespace) =
            (change.connections(&self.connections).clone(), self.namespace.clone());
        self.changes.commit(move |pending| write(connections, namespace, change, pending)).await
    }
}

impl Backend for Store {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.last_check()?;
        // A key that the replica lacks may be new.
        if let Some(record) = self.find_on_replica(digest).await {
            return Ok(Some(record));
        }
        run!(self.connections.lookups, |connection| read::by_digest(connection, &self.namespace, digest))
            .await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(self.change_feed())
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.connections.lookups.max()
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.last_check()?;
        run!(self.connections.lookups, |connection| owners::user_without_transaction(
            connection,
            &self.namespace,
            email
        ))
        .await
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        let write = match write {
            WriteBack::FirstUse { id, at } => Write::FirstUse(id, at),
            WriteBack::PasswordHash { email, from, to } => {
                Write::Owner(Box::new(OwnerChange::rehash(&email, from, to)))
            }
        };
        self.write(write).await.map(drop)
    }
}

impl OwnerStore for Store {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        self.write(Write::Owner(Box::new(change))).await.map(drop)
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        let id = id.to_owned();
        read_bounded!(self, |connection| owners::organization(connection, &id)).await
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        let (organization, after) = (organization.to_owned(), after.map(str::to_owned));
        read_bounded!(self, |connection| owners::members(connection, &organization, after.as_deref(), limit))
            .await
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        let (organization, id) = (organization.to_owned(), id.to_owned());
        read_bounded!(self, |connection| owners::project(connection, &organization, &id)).await
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        let (organization, after) = (organization.to_owned(), after.map(str::to_owned));
        read_bounded!(self, |connection| owners::projects(connection, &organization, after.as_deref(), limit))
            .await
    }
}

impl KeyStore for Store {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        if let KeyAction::Insert(record) | KeyAction::InsertExclusive(record, ..) = &change.action {
            // Records that cannot be encoded are refused before the transaction.
            KeyRow::encode(record)?;
        }
        let (mut changed, mut after) = (ChangeOutcome::default(), Some(String::new()));
        // Between batches, other changes are made.
        while let Some(start) = after {
            let write = Write::Keys(Box::new(change.clone()), start);
            let Written { record, keys, last, .. } = self.write(write).await?;
            (changed.record, changed.keys, after) = (record, changed.keys + keys, last);
        }
        Ok(changed)
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        let id = id.clone();
        read_bounded!(self, |connection| read::by_id(connection, &id)).await
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        let (filter, after) = (filter.clone(), after.cloned());
        read_bounded!(self, |connection| read::page(connection, &filter, after.as_ref(), limit)).await
    }

    fn lists_nodes(&self) -> bool {
        Self::LISTS_NODES
    }

    async fn wait_applied(&self, lease: Duration, at_most: Duration) -> Propagation {
        self.wait_for_nodes(lease, at_most).await
    }
}

impl AuditLog for Store {
    async fn audit_log(
        &self,
        key: Option<&KeyId>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, BackendError> {
        let key = key.cloned();
        read_bounded!(self, |connection| audit::page(connection, key.as_ref(), after, limit)).await
    }

    async fn purge_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        with_timeout(ADMIN_QUERY_TIMEOUT, self.check_source()).await?;
        let mut deleted = 0;
        loop {
            let deleting = run!(self.connections.writes, |connection| audit::purge_batch_before(
                connection,
                &self.namespace,
                end
            ));
            match with_timeout(ADMIN_QUERY_TIMEOUT, deleting).await? {
                0 => return Ok(deleted),
                some => deleted += some,
            }
        }
    }
}
