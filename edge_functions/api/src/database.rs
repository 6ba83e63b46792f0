//! Pools of connections to Postgres, for the short way and for the stand-in for GoTrue.
//!
//! A connection that broke is not handed out again. A database that is away is asked again at every need.

use deadpool::managed::{self, Manager, Metrics, QueueMode, RecycleError, RecycleResult, Timeouts};
use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};
use tokio_postgres::{Client, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Address, AddressError};

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection: PostgREST's own.
const ACQUISITION_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to a database.
pub type Pool = managed::Pool<Connector>;

/// A pool of at most `size` connections (at least one), opened as they are needed.
///
/// # Errors
/// When the URL can't be read.
pub fn pool(url: &str, size: usize, search_path: &str) -> Result<Pool, AddressError> {
    let mut address = Address::parse(url)?;
    let config = &mut address.config;
    let options = format!("{} -c search_path={search_path}", config.get_options().unwrap_or_default());
    config.options(options.trim()).application_name("welltrack-edge").connect_timeout(CONNECT_TIMEOUT);
    managed::Pool::builder(Connector { address })
        .max_size(size.max(1))
        // The connection used last has the warmest caches.
        .queue_mode(QueueMode::Lifo)
        .runtime(deadpool::Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(ACQUISITION_TIMEOUT), ..Timeouts::default() })
        .build()
        .map_err(|_| AddressError::Unreadable)
}

/// Opens connections for a pool.
pub struct Connector {
    address: Address,
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        let (client, driver) = self.address.connect().await?;
        // Ends with the client, or when the database goes away; either way the client knows.
        tokio::spawn(async move {
            let _ = driver.await;
        });
        Ok(Connection { client, tls: self.address.tls.clone(), statements: HashMap::new() })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        match connection.client.is_closed() {
            true => Err(RecycleError::message("closed")),
            false => Ok(()),
        }
    }
}

/// A connection and what is prepared on it.
pub struct Connection {
    client: Client,
    /// For a cancel request, which goes over a connection of its own.
    pub(crate) tls: MakeRustlsConnect,
    statements: HashMap<Arc<str>, Statement>,
}

impl Connection {
    /// The prepared form of a statement, prepared at its first use.
    pub(crate) async fn prepared(&mut self, sql: &Arc<str>) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.clone(), statement.clone());
        Ok(statement)
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
