//! A database for each fault, with its URLs.

use std::env;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::{KeyId, PostgresStore, Timestamp};

use crate::keys;
use support::postgres::Server;

/// The address of a server.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Socket(PathBuf),
    Port(String, u16),
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl Address {
    pub(crate) async fn connect(&self) -> std::io::Result<Pin<Box<dyn Stream>>> {
        Ok(match self {
            Self::Socket(path) => Box::pin(UnixStream::connect(path).await?),
            Self::Port(host, port) => Box::pin(TcpStream::connect((host.as_str(), *port)).await?),
        })
    }
}

/// A new database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    server: String,
    pub(crate) name: String,
}

impl Database {
    /// Creates a database in the server that the tests are given.
    pub(crate) async fn create() -> Self {
        Self::create_in(&env::var("TEST_POSTGRES_URL").unwrap()).await
    }

    /// Creates a database with `keys` keys, in the given server if any, and returns it with a store that uses no proxy.
    pub(crate) async fn with_keys(own: Option<&Server>, keys: usize) -> (Self, PostgresStore) {
        let database = match own {
            Some(server) => Self::create_in(server.url()).await,
            None => Self::create().await,
        };
        let outside = PostgresStore::open(&database.url()).await.unwrap();
        for key in 0..keys {
            outside.change(KeyChange::insert(keys::record(key))).await.unwrap();
        }
        (database, outside)
    }

    async fn create_in(server: &str) -> Self {
        let name = format!("fleet_{}", KeyId::generate(Timestamp::from_unix_millis(0)).unwrap());
        let mut connection = PgConnection::connect(server).await.unwrap();
        let command = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(command).execute(&mut connection).await.unwrap();
        Self { server: server.to_owned(), name }
    }

    /// Returns the same database in a standby, which has replicated it.
    pub(crate) fn in_standby(&self, server: &str) -> Self {
        Self { server: server.to_owned(), name: self.name.clone() }
    }

    pub(crate) fn address(&self) -> Address {
        let options = PgConnectOptions::from_str(&self.server).unwrap();
        let port = options.get_port();
        match options.get_socket() {
            Some(folder) => Address::Socket(folder.join(format!(".s.PGSQL.{port}"))),
            None => Address::Port(options.get_host().to_owned(), port),
        }
    }

    /// Returns the URL of the database without a proxy.
    pub(crate) fn url(&self) -> String {
        let (before, _, settings) = self.parts();
        format!("{before}/{}?{}", self.name, settings.join("&"))
    }

    /// Returns the URL of the database by way of a proxy at a local port.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let (_, login, settings) = self.parts();
        let kept = settings.into_iter().filter(|setting| !setting.starts_with("host"));
        let settings = kept.chain(["sslmode=disable"]).collect::<Vec<_>>().join("&");
        format!("postgres://{login}127.0.0.1:{port}/{}?{settings}", self.name)
    }

    pub(crate) async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.unwrap()
    }

    /// Splits the server's URL: the part before the name of a database, the login (with an `@`), and the settings.
    fn parts(&self) -> (&str, &str, Vec<&str>) {
        let (address, settings) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let host = address.find("//").map_or(0, |slashes| slashes + 2);
        let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
        let login = address[host..end].rfind('@').map_or("", |at| &address[host..=host + at]);
        (&address[..end], login, settings.split('&').filter(|setting| !setting.is_empty()).collect())
    }
}
