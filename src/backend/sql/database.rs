//! The parts of a store that differ between databases beyond their SQL, as traits that `sqlite` and `postgres` implement, and `store` and
//! `schema` call.

// Layer 3 of 10: storage.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use super::connections::Connections;
use super::namespace::Namespace;
use super::session::Driver;
use crate::backend::{BackendError, BoxFuture, BoxedChangeFeed, Propagation};
use crate::digest::Digest;
use crate::record::Record;

/// A database that has a store.
pub trait Database: Driver {
    type DataSource: DataSource<Self>;

    /// Finds the schema of the tables, and sets it for the transaction that migrates them.
    fn enter_namespace(transaction: &mut Self::Connection) -> BoxFuture<'_, Namespace>;

    /// Limits the time of a query where its transaction does not.
    fn begin_limit(_: &mut Self::Connection) -> BoxFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    /// Removes this limit from a connection, which also makes changes.
    fn end_limit(_: &mut Self::Connection) -> BoxFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

/// The file or the server of a store. No [`Source`](crate::Source) of credentials.
pub trait DataSource<D: Database>: Clone + Debug + Send + Sync + 'static {
    /// Whether the nodes that follow the changes are listed.
    const LISTS_NODES: bool = false;

    fn change_feed(&self, polling: &Connections<D>) -> BoxedChangeFeed;

    /// Checks that this is still the data source that was opened.
    fn check(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    /// Returns the result of the last check.
    fn last_check(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Looks a record up on a replica, if one is in use.
    fn find_on_replica<'a>(&'a self, _: &'a [Digest]) -> Option<BoxFuture<'a, Option<Record>>> {
        None
    }

    /// Waits until all nodes have applied the changes that are visible now.
    fn wait_for_nodes(
        &self,
        lease: Duration,
        at_most: Duration,
    ) -> Pin<Box<dyn Future<Output = Propagation> + Send + '_>> {
        Box::pin(Propagation::after(lease, at_most))
    }

    /// Closes the connections that only this database has.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}
