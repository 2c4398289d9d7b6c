//! The store, and the traits that it implements: takes connections and runs statements, with no SQL of its own but a count of nodes.

// Layer 3 of 10: storage.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::database::{DataSource, Database};
use super::dialect::Lookups;
use super::key_row::KeyRow;
use super::namespace::Namespace;
use super::pooled_connection::{ADMIN_QUERY_TIMEOUT, detached, run, with_timeout};
use super::pools::Pools;
use super::session::{Row, Session, begin};
use super::statement::Statement;
use super::statements::digests::{self, NewDigest};
use super::statements::plans::{self, PlanChange};
use super::statements::write::{Write, write};
use super::statements::written::Written;
use super::statements::{audit, owners, read, usage};
use crate::backend::{
    AuditEntry, AuditLog, AuditQuery, Backend, BackendError, BoxedChangeFeed, ChangeOutcome, Invalidator,
    KeyAction, KeyChange, KeyFilter, KeyStore, OwnerChange, OwnerStore, PlanStore, Propagation,
    SearchPosition, Subscriber, UsageBatch, UsageLine, UsageQuery, UsageStore, WriteBack,
};
use crate::clock::{Day, Timestamp};
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::limit::Plan;
use crate::owner::{Organization, Project, User};
use crate::record::Record;

/// The pause between two batches of a retirement.
const RETIRE_PAUSE: Duration = Duration::from_millis(250);

/// A store in a database of sqlx: [`SqliteStore`](super::SqliteStore) or [`PostgresStore`](super::PostgresStore). Clones share the
/// connections.
#[derive(Debug)]
pub struct SqlStore<D: Database> {
    pub(super) connections: Arc<Pools<D>>,
    pub(super) namespace: Namespace,
    pub(super) invalidator: Invalidator,
    pub(super) data_source: D::DataSource,
}

impl<D: Database> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self {
            connections: Arc::clone(&self.connections),
            namespace: self.namespace.clone(),
            invalidator: self.invalidator.clone(),
            data_source: self.data_source.clone(),
        }
    }
}

impl<D: Database> SqlStore<D> {
    /// Closes all connections, once the work in progress has ended.
    pub async fn close(&self) {
        self.connections.close().await;
        self.data_source.close().await;
    }

    async fn write(&self, change: Write) -> Result<Written, BackendError> {
        self.check_data_source().await?;
        let (connections, namespace) =
            (change.connections(&self.connections).clone(), self.namespace.clone());
        self.invalidator.commit(move |pending| write(connections, namespace, change, pending)).await
    }

    /// Runs a management query in a read-only transaction, with a timeout that the database enforces as well. Once it has a
    /// connection, it runs in a task: if the client disconnects, the query would keep the connection busy otherwise.
    async fn read<T: Send + Sync + 'static>(
        &self,
        query: Statement,
        decode: impl Fn(&Row) -> Result<T, BackendError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, BackendError> {
        self.check_data_source().await?;
        let mut connection = self.connections.reads.acquire().await?;
        let namespace = self.namespace.clone();
        let reading =
            async move { run!(connection, read_on::<D, T>(&mut connection, &namespace, &query, &decode)) };
        detached(with_timeout(ADMIN_QUERY_TIMEOUT, reading)).await
    }

    async fn check_data_source(&self) -> Result<(), BackendError> {
        with_timeout(ADMIN_QUERY_TIMEOUT, self.data_source.check()).await
    }
}

async fn read_on<D: Database, T: Send>(
    connection: &mut D::Connection,
    namespace: &Namespace,
    query: &Statement,
    decode: &(impl Fn(&Row) -> Result<T, BackendError> + Sync),
) -> Result<Vec<T>, BackendError> {
    let reading = async {
        D::begin_limit(connection).await?;
        let mut transaction = begin::<D>(connection, namespace.begin(D::DIALECT.begin_read)).await?;
        let session: &mut dyn Session = &mut *transaction;
        let rows = session.fetch(query, decode).await?;
        // Nothing was changed.
        transaction.rollback().await.map_err(BackendError::unavailable)?;
        Ok(rows)
    };
    let rows = reading.await;
    D::end_limit(connection).await?;
    rows
}

impl<D: Database> Backend for SqlStore<D> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.find_any(std::slice::from_ref(digest)).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        self.data_source.last_check()?;
        // A key that the replica lacks may be new.
        if let Some(replica) = self.data_source.find_on_replica(digests)
            && let Some(record) = replica.await?
        {
            return Ok(Some(record));
        }
        let Lookups { by_digest, by_digests, .. } = D::DIALECT.lookups;
        let mut connection = self.connections.lookups.acquire().await?;
        let statements = [by_digest, by_digests];
        run!(connection, read::find(&mut *connection, digests, statements, &self.namespace))
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.data_source.last_check()?;
        let list = Statement::new(self.namespace.qualify(digests::FINGERPRINTS).0);
        let mut connection = self.connections.lookups.acquire().await?;
        run!(connection, digests::fingerprints(&mut *connection, &list)).map(Some)
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.invalidator.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(self.data_source.change_feed(&self.connections.polling))
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.connections.lookups.max()
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.data_source.last_check()?;
        let find = Statement::new(self.namespace.qualify(D::DIALECT.lookups.user).0).bind(email);
        owners::decode_user(email, self.connections.lookups.fetch_optional(&find).await)
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        let write = match write {
            WriteBack::FirstUse { id, at } => Write::FirstUse(id, at),
            WriteBack::Digest { id, digest, digester, at } => {
                Write::Digest(Box::new(NewDigest { id, digest, digester, at }))
            }
            WriteBack::PasswordHash { email, from, to } => {
                Write::Owner(Box::new(OwnerChange::rehash(&email, from, to)))
            }
        };
        self.write(write).await.map(drop)
    }
}

impl<D: Database> OwnerStore for SqlStore<D> {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        self.write(Write::Owner(Box::new(change))).await.map(drop)
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        let own = id.to_owned();
        Ok(self
            .read(owners::organization(id), move |row| owners::decode_organization(&own, row))
            .await?
            .pop())
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        let own = organization.to_owned();
        let members = owners::members(organization, after, limit);
        self.read(members, move |row| owners::decode_member(&own, row)).await
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        let own = organization.to_owned();
        let project = owners::project(organization, id);
        Ok(self.read(project, move |row| owners::decode_project(&own, row)).await?.pop())
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        let own = organization.to_owned();
        let projects = owners::projects(organization, after, limit);
        self.read(projects, move |row| owners::decode_project(&own, row)).await
    }
}

impl<D: Database> PlanStore for SqlStore<D> {
    async fn put_plan(&self, plan: &Plan) -> Result<(), BackendError> {
        self.write(Write::Plan(PlanChange::Put(plan.clone()))).await.map(drop)
    }

    async fn delete_plan(&self, name: &str) -> Result<(), BackendError> {
        self.write(Write::Plan(PlanChange::Delete(name.into()))).await.map(drop)
    }

    async fn plan(&self, name: &str) -> Result<Option<Plan>, BackendError> {
        Ok(self.read(plans::get(name), plans::decode).await?.pop())
    }

    async fn plans(&self, after: Option<&str>, limit: usize) -> Result<Vec<Plan>, BackendError> {
        self.read(plans::page(after, limit), plans::decode).await
    }
}

impl<D: Database> KeyStore for SqlStore<D> {
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
            if let KeyAction::RevokeBatch(..) = change.action {
                // The caller goes on.
                changed.last = after.take().map(Into::into);
            }
            if after.is_some() && matches!(change.action, KeyAction::RetireDigests(..)) {
                // Each batch invalidates entries of all nodes, and other changes wait for it.
                let _ = timeout(RETIRE_PAUSE, pending::<()>()).await;
            }
        }
        Ok(changed)
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        Ok(self.read(read::by_id(D::DIALECT, id), read::decode).await?.pop())
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        self.read(read::page(D::DIALECT, filter, after, limit), read::decode).await
    }

    async fn search(
        &self,
        filter: &KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        self.read(read::search(D::DIALECT, filter, after, limit), read::decode).await
    }

    async fn count_unrevoked(&self, filter: &KeyFilter, most: usize) -> Result<usize, BackendError> {
        let count = read::count_unrevoked(filter, most);
        let keys = self.read(count, digests::decode_count).await?.pop().unwrap_or_default();
        Ok(usize::try_from(keys).unwrap_or(usize::MAX))
    }

    fn lists_nodes(&self) -> bool {
        D::DataSource::LISTS_NODES
    }

    async fn count_nodes(&self) -> Result<Option<u64>, BackendError> {
        if !D::DataSource::LISTS_NODES {
            return Ok(None);
        }
        let count = Statement::new("SELECT count(*) AS keys FROM tower_api_key_node WHERE expires_at > ");
        Ok(self.read(count.push(D::DIALECT.now), digests::decode_count).await?.pop())
    }

    async fn wait_applied(&self, lease: Duration, at_most: Duration) -> Propagation {
        self.data_source.wait_for_nodes(lease, at_most).await
    }

    async fn keys_without(&self, digester: &Fingerprint, now: Timestamp) -> Result<u64, BackendError> {
        let count = digests::count_without(digester, now);
        Ok(self.read(count, digests::decode_count).await?.pop().unwrap_or_default())
    }
}

impl<D: Database> AuditLog for SqlStore<D> {
    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, BackendError> {
        self.read(audit::select(query), audit::decode).await
    }

    async fn purge_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        self.check_data_source().await?;
        let purge = Statement::new(self.namespace.qualify(audit::PURGE).0).bind(end).bind(audit::PURGE_BATCH);
        let mut deleted = 0;
        loop {
            match with_timeout(ADMIN_QUERY_TIMEOUT, self.connections.writes.execute(&purge)).await? {
                0 => return Ok(deleted),
                some => deleted += some,
            }
        }
    }
}

impl<D: Database> UsageStore for SqlStore<D> {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        self.check_data_source().await?;
        usage::add(&self.connections.background, &self.namespace, batch).await
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        self.read(usage::select(query), usage::decode).await
    }

    async fn purge_usage_before(&self, day: Day) -> Result<u64, BackendError> {
        self.check_data_source().await?;
        let mut deleted = 0;
        loop {
            let purge = usage::purge(&self.connections.writes, &self.namespace, day);
            match with_timeout(ADMIN_QUERY_TIMEOUT, purge).await? {
                0 => return Ok(deleted),
                some => deleted += some,
            }
        }
    }
}
