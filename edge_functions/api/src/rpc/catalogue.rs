//! Which functions the short way may call, read from the database's own catalogue and read again as it changes.
//!
//! A name is called only if the catalogue has exactly one function of that name in `public`, with one unnamed `jsonb` in and one
//! `jsonb` out. A new function is found within a second, a changed one within half a minute. Who may execute what is for the
//! database to decide at each call.

use crate::jwt::Role;
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use tokio_postgres::Client;

/// After this the next call reads the catalogue again.
const LIFETIME: Duration = Duration::from_secs(30);
/// Unknown names ask again no more often than this, so that guessing names costs nothing.
const MISS_LIFETIME: Duration = Duration::from_secs(1);

const FUNCTIONS: &str = "
    select p.proname::text,
           p.provolatile <> 'v',
           p.prokind = 'f' and p.pronargs = 1 and p.proargtypes[0] = 'jsonb'::regtype and p.proargnames is null
               and p.provariadic = 0 and not p.proretset and p.prorettype = 'jsonb'::regtype
               and count(*) over (partition by p.proname) = 1
      from pg_catalog.pg_proc p
     where p.pronamespace = to_regnamespace('public')";

// PostgREST gives each transaction the settings of its role: `alter role anon set statement_timeout` means requests.
const ROLE_SETTINGS: &str = "
    select r.rolname::text, split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
      from pg_catalog.pg_roles r
      join pg_catalog.pg_db_role_setting d on d.setrole = r.oid and d.setdatabase = 0
     cross join lateral unnest(d.setconfig) as s (setting)
      join pg_catalog.pg_settings g on g.name = split_part(s.setting, '=', 1) and g.context = 'user'
     where r.rolname in ('anon', 'authenticated', 'service_role')
       and g.name not in ('role', 'search_path', 'default_transaction_isolation')";

/// What to send for one function.
#[derive(Debug)]
pub(super) struct Plan {
    /// Opens the transaction. A function that promises not to write is held to it.
    pub(super) begin: &'static str,
    /// `public.f` of each body, one text for each role (in the order of [`Role::ALL`]): a plan may have a function inlined,
    /// and with it the right to execute it, so no two roles share one.
    pub(super) call: [Arc<str>; 3],
    /// Role, claims and path, with the settings that the role carries.
    pub(super) settings: [Arc<str>; 3],
}

/// What the catalogue knows of a name.
#[derive(Clone)]
pub(super) enum Known {
    Function(Arc<Plan>),
    Nothing,
}

#[derive(Default)]
pub(super) struct Catalogue {
    snapshot: RwLock<Option<Snapshot>>,
    /// Held while reading, so that many calls at once read once.
    reading: Mutex<()>,
}

#[derive(Clone)]
struct Snapshot {
    plans: Arc<HashMap<String, Arc<Plan>>>,
    read_at: Instant,
}

impl Catalogue {
    /// What is known without asking the database, or nothing if it has to be asked.
    pub(super) fn remembered(&self, function: &str) -> Option<Known> {
        let guard = self.snapshot.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let snapshot = guard.as_ref()?;
        let age = snapshot.read_at.elapsed();
        match snapshot.plans.get(function) {
            Some(plan) if age < LIFETIME => Some(Known::Function(plan.clone())),
            None if age < MISS_LIFETIME => Some(Known::Nothing),
            _ => None,
        }
    }

    /// What is known, asking the database if need be.
    pub(super) async fn find(&self, client: &Client, function: &str) -> Result<Known, tokio_postgres::Error> {
        let _reading = self.reading.lock().await;
        // Somebody else may have read it while this call waited.
        if let Some(known) = self.remembered(function) {
            return Ok(known);
        }
        let plans = Arc::new(read(client).await?);
        let known = plans.get(function).cloned().map_or(Known::Nothing, Known::Function);
        self.replace(Some(Snapshot { plans, read_at: Instant::now() }));
        Ok(known)
    }

    /// Makes the next call read again.
    pub(super) fn forget(&self) {
        self.replace(None);
    }

    fn replace(&self, snapshot: Option<Snapshot>) {
        *self.snapshot.write().unwrap_or_else(std::sync::PoisonError::into_inner) = snapshot;
    }
}

async fn read(client: &Client) -> Result<HashMap<String, Arc<Plan>>, tokio_postgres::Error> {
    let (functions, role_settings) =
        tokio::try_join!(client.query(FUNCTIONS, &[]), client.query(ROLE_SETTINGS, &[]))?;
    let role_settings: Vec<(String, String, String)> =
        role_settings.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let settings = Role::ALL.map(|role| settings_statement(role, &role_settings));
    let callable = functions.iter().filter(|row| row.get(2));
    Ok(callable
        .map(|row| {
            let (name, read_only): (String, bool) = (row.get(0), row.get(1));
            let begin = match read_only {
                true => "begin isolation level read committed read only",
                false => "begin isolation level read committed",
            };
            let call = Role::ALL.map(|role| call_statement(&name, role));
            (name, Arc::new(Plan { begin, call, settings: settings.clone() }))
        })
        .collect())
}

/// For bodies (`jsonb[]`) and headers of the request (`text[]`): the result, and what the function may have said about the
/// answer's status and headers. Of several calls each finds the settings as if it were alone: the condition is worked out
/// for a row before its call is made, and the row is finished before the next.
fn call_statement(function: &str, role: Role) -> Arc<str> {
    format!(
        "select public.{}(call.body), nullif(current_setting('response.status', true), ''), \
         nullif(current_setting('response.headers', true), '') \
         from unnest($1::jsonb[], $2::text[]) as call (body, headers) \
         where concat(set_config('request.headers', call.headers, true), set_config('response.status', '', true), \
         set_config('response.headers', '', true)) is not null /* {} */",
        quoted(function, '"'),
        role.name()
    )
    .into()
}

/// In PostgREST's order: the role's own settings while still the authenticator, then the role, then the request.
fn settings_statement(role: Role, all: &[(String, String, String)]) -> Arc<str> {
    let mut sql = "select ".to_owned();
    for (_, name, value) in all.iter().filter(|(of, ..)| of == role.name()) {
        // Writing to a String can't fail.
        let _ = write!(sql, "set_config({}, {}, true), ", literal(name), literal(value));
    }
    let _ = write!(
        sql,
        "set_config('role', '{}', true), set_config('request.jwt.claims', $1, true), \
         set_config('request.method', 'POST', true), set_config('request.path', $2, true), \
         set_config('request.cookies', '{{}}', true)",
        role.name()
    );
    sql.into()
}

fn literal(text: &str) -> String {
    // The E form reads the same whatever standard_conforming_strings says.
    format!("E{}", quoted(&text.replace('\\', r"\\"), '\''))
}

fn quoted(text: &str, quote: char) -> String {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
