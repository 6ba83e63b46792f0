//! A transaction on a connection of the pool, with one call or several in it.
//!
//! A connection goes back to the pool only with nothing of a call left on it. Dropping a transaction cancels its statement and
//! throws the connection away. All calls are made, or none.

use super::{catalogue::Plan, response::Answer};
use crate::{
    database::{Connection, Connector},
    jwt::Role,
};
use bytes::{BufMut, Bytes, BytesMut};
use deadpool::managed::Object;
use serde_json::json;
use std::{error::Error as StdError, fmt, time::Duration};
use tokio_postgres::{
    Error, Statement,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

/// A cancel request that comes between two statements is lost, so it is sent again until the connection is quiet.
const CANCEL_AGAIN: Duration = Duration::from_millis(100);
/// After this a connection that does not answer is left to the database's own timeouts.
const CANCEL_ATTEMPTS: usize = 50;

/// What a transaction sends.
pub(super) struct Statements {
    settings: Statement,
    call: Statement,
}

impl Statements {
    pub(super) async fn prepare(connection: &mut Connection, plan: &Plan, role: Role) -> Result<Self, Error> {
        Ok(Self {
            settings: connection.prepared(&plan.settings[role as usize]).await?,
            call: connection.prepared(&plan.call[role as usize]).await?,
        })
    }
}

/// What the calls of a transaction have in common.
pub(super) struct Common<'a> {
    pub(super) function: &'a str,
    pub(super) role: Role,
    pub(super) claims: &'a str,
}

/// What each call has of its own.
#[derive(Clone)]
pub(super) struct Call {
    /// The JSON text; empty for an SQL null.
    pub(super) body: Bytes,
    /// The request's id.
    pub(super) id: String,
}

/// A connection with calls under way.
pub(super) struct Transaction {
    /// Taken out when the transaction has ended.
    connection: Option<Object<Connector>>,
}

impl Transaction {
    pub(super) fn new(connection: Object<Connector>) -> Self {
        Self { connection: Some(connection) }
    }

    /// The answers of the calls, in their order.
    pub(super) async fn run(
        mut self,
        plan: &Plan,
        statements: &Statements,
        common: &Common<'_>,
        calls: &[Call],
    ) -> Result<Vec<Answer>, Error> {
        let connection = self.connection.as_ref().expect("a transaction is run once");
        let path = format!("/rpc/{}", common.function);
        let of_all: [&(dyn ToSql + Sync); 2] = [&Hidden(common.claims), &path];
        let bodies: Vec<_> = calls.iter().map(|c| (!c.body.is_empty()).then_some(Json(&c.body))).collect();
        let headers: Vec<_> = calls.iter().map(|c| json!({ "x-request-id": c.id }).to_string()).collect();
        let of_each: [&(dyn ToSql + Sync); 2] = [&bodies, &headers];

        // Polled once in this order, all four are on their way before the first is answered.
        let (begin, set, called, commit) = tokio::join!(
            biased;
            connection.batch_execute(plan.begin),
            connection.query(&statements.settings, &of_all),
            connection.query(&statements.call, &of_each),
            connection.batch_execute("commit"),
        );
        // Answered by the database to the last, the connection is free again; a broken one says so when it is reused. Where the
        // commit itself failed (a statement timeout can hit it), the transaction may still be open: that connection is closed.
        if let Some(connection) = self.connection.take()
            && commit.is_err()
        {
            drop(Object::take(connection));
        }
        begin?;
        set?;
        let rows = called?;
        commit?;
        rows.iter()
            .map(|row| {
                Ok(Answer {
                    body: row.try_get::<_, Option<JsonText>>(0)?.map(|text| text.0),
                    status: row.try_get(1)?,
                    headers: row.try_get(2)?,
                })
            })
            .collect()
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Without a runtime there is nobody left to wait for, and closing the connection is all that can be done.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(abandon(connection));
        }
    }
}

/// Cancels what runs until the connection has nothing more to say, and closes it. The connection's place in the pool stays
/// taken meanwhile, so that callers who give up can't open connections without bound.
async fn abandon(connection: Object<Connector>) {
    let token = connection.cancel_token();
    {
        // Answered only after all that was sent before.
        let mut quiet = std::pin::pin!(connection.batch_execute(""));
        for _ in 0..CANCEL_ATTEMPTS {
            let cancel = async {
                let _ = token.cancel_query(connection.tls.clone()).await;
                tokio::time::sleep(CANCEL_AGAIN).await;
            };
            tokio::select! {
                biased;
                _ = &mut quiet => break,
                () = cancel => {}
            }
        }
    }
    drop(Object::take(connection));
}

/// A text parameter that the driver's debug log doesn't show.
struct Hidden<'a>(&'a str);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl ToSql for Hidden<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&str as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

/// JSON text as `jsonb`, sent as it came: the database reads it, nobody before.
struct Json<'a>(&'a Bytes);

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// The version byte in front of the text in the binary form of `jsonb`.
const JSONB_VERSION: u8 = 1;

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_u8(JSONB_VERSION);
        out.put_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

/// The text of a `jsonb`.
struct JsonText(Bytes);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        match raw.split_first() {
            Some((&JSONB_VERSION, text)) => Ok(Self(Bytes::copy_from_slice(text))),
            _ => Err("unknown version of jsonb".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}
