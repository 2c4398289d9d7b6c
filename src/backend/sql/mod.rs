//! The SQL stores. Their statements are data, and the same code for each database: its differences are a [`Dialect`], its driver
//! is a [`Session`].
//!
//! [`Dialect`]: dialect::Dialect
//! [`Session`]: session::Session

// Layer 3 of 10: storage.

#![allow(unnameable_types, reason = "the databases of `SqlStore` are sealed")]

// Above `keys`, `owners`, `plans`, `audit` and `usage`, whose traits it implements; nothing in the backend is above it. Bottom to top, a file
// importing only those before it:
// - of statements: `dialect`, `namespace`, `statement`, `session`
// - of connections: `derived_pool`, `pooled_connection`, `connections`, `pools`, `database`
// - of rows: `key_row`, `owner_state`, `change_codec`, `lookups`
// - the store of any database: `schema`, `statements`, `invalidators`, `store`
// - the databases, which do not import each other: `sqlite`, `postgres`, `self`

mod change_codec;
mod connections;
mod database;
mod derived_pool;
mod dialect;
mod invalidators;
mod key_row;
mod lookups;
mod namespace;
mod owner_state;
mod pooled_connection;
mod pools;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
mod statements;
mod store;

#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "postgres")]
pub(crate) use postgres::{BlockRequest, BlockReturn, QuotaBlock, QuotaTable};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::SqlStore;
