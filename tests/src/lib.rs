//! What the black-box tests share: a database of their own, and people in it.
//!
//! Every test gets a fresh database, cloned from the template that the real migrations made, and throws it away. It
//! speaks to it the way the API does: a connection as `authenticator` that becomes `anon`, `authenticated` or
//! `service_role` with the claims of a verified token. Nothing here knows a table's columns beyond those of signup.

pub mod catalogue;
pub mod rows;
pub mod simulator;

use postgres::{Client, Config, NoTls};
use serde_json::{Value, json};
use std::str::FromStr;
use uuid::Uuid;

/// Names the environment variable that holds the superuser's URL of the test cluster; `cargo xtask test` sets it.
pub const ADMIN_URL: &str = "WELLTRACK_TEST_ADMIN_URL";
/// Names the environment variable that holds the name of the template database.
pub const TEMPLATE: &str = "WELLTRACK_TEST_TEMPLATE";

/// Whom a connection speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody: the publishable key alone.
    Anon,
    /// A signed-in person.
    Person(Uuid),
    /// The service key.
    Service,
}

/// A database of the test's own; dropped, connections and all, when it goes out of scope.
pub struct TestDb {
    admin: Config,
    name: String,
}

/// A person who has just signed up.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// `auth.users.id`, the tenant key.
    pub user_id: Uuid,
    /// Their primary profile.
    pub profile_id: Uuid,
}

impl TestDb {
    /// Clones the template. Panics with the command to run when there is no test cluster.
    pub fn new() -> Self {
        let url = std::env::var(ADMIN_URL).unwrap_or_else(|_| {
            panic!("{ADMIN_URL} is not set: run these tests with `cargo xtask test flows`")
        });
        let template = std::env::var(TEMPLATE).unwrap_or_else(|_| "wt_template".to_owned());
        let admin = Config::from_str(&url).expect("the URL of the test cluster is well-formed");
        let name = format!("wt_test_{}", Uuid::new_v4().simple());
        let mut client = admin.connect(NoTls).expect("the test cluster answers");
        client
            .batch_execute(&format!(
                "create database {name} template {template} owner postgres strategy wal_log"
            ))
            .expect("the template can be cloned");
        TestDb { admin, name }
    }

    fn connect_as(&self, role: &str) -> Client {
        self.config_as(role).connect(NoTls).expect("the test database answers")
    }

    /// Connection settings of `role` for this database (all local roles have the same well-known password).
    pub fn config_as(&self, role: &str) -> Config {
        let mut config = self.admin.clone();
        config.user(role).password("postgres").dbname(&self.name);
        config
    }

    /// A superuser's connection: for looking at what happened and for setting the stage, never for what is tested.
    pub fn admin(&self) -> Client {
        self.connect_as("supabase_admin")
    }

    /// The migrations' own role, which also runs the scheduled jobs.
    pub fn owner(&self) -> Client {
        self.connect_as("postgres")
    }

    /// A connection as the API opens it for `caller`.
    pub fn api(&self, caller: Caller) -> Client {
        let mut client = self.connect_as("authenticator");
        become_caller(&mut client, caller);
        client
    }

    /// Signs somebody up by e-mail the way GoTrue does: its own role inserts into `auth.users`.
    pub fn sign_up(&self, email: &str) -> Person {
        self.sign_up_with(&json!({"email": email}))
    }

    /// Signs somebody up with any of `auth.users`' columns: `email`, `phone`, `raw_user_meta_data`, `is_anonymous`.
    pub fn sign_up_with(&self, fields: &Value) -> Person {
        let user_id = Uuid::new_v4();
        let mut row = fields.clone();
        row["id"] = json!(user_id);
        row["aud"] = json!("authenticated");
        row["role"] = json!("authenticated");
        let columns: Vec<&str> =
            row.as_object().expect("fields are an object").keys().map(String::as_str).collect();
        let columns = columns.join(", ");
        self.connect_as("supabase_auth_admin")
            .execute(
                &format!(
                    "insert into auth.users ({columns}) select {columns} from jsonb_populate_record(null::auth.users, $1)"
                ),
                &[&row],
            )
            .expect("the signup goes through");
        let profile_id = self
            .admin()
            .query_one("select id from public.wt_profiles where user_id = $1 and is_primary", &[&user_id])
            .expect("a signup makes one primary profile")
            .get(0);
        Person { user_id, profile_id }
    }

    /// Runs the background jobs, as a scheduler does, until they find nothing more to do; answers what they did.
    pub fn run_jobs(&self) -> Value {
        let mut owner = self.owner();
        let (mut judged, mut baselines, mut days) = (0, 0, 0);
        loop {
            let done: Value =
                owner.query_one("select public.run_health_jobs()", &[]).expect("the jobs run").get(0);
            let count = |key: &str| done[key].as_u64().expect("the jobs count");
            judged += count("judged");
            baselines += count("baselines");
            days += count("days");
            if count("judged") + count("baselines") + count("days") == 0 {
                return json!({"judged": judged, "baselines": baselines, "days": days});
            }
        }
    }
}

impl Default for TestDb {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Ok(mut client) = self.admin.connect(NoTls) {
            let _ = client.batch_execute(&format!("drop database if exists {} with (force)", self.name));
        }
    }
}

impl Person {
    /// This person as a caller.
    pub fn caller(self) -> Caller {
        Caller::Person(self.user_id)
    }
}

/// Takes on `caller`'s role and claims for the rest of the session, as PostgREST does for each request.
pub fn become_caller(client: &mut Client, caller: Caller) {
    let (role, claims) = match caller {
        Caller::Anon => ("anon", json!({"role": "anon"})),
        Caller::Person(id) => {
            ("authenticated", json!({"role": "authenticated", "sub": id, "aud": "authenticated"}))
        }
        Caller::Service => ("service_role", json!({"role": "service_role"})),
    };
    client
        .batch_execute(&format!("reset role; set role {role}"))
        .expect("authenticator may become the API roles");
    client
        .execute("select set_config('request.jwt.claims', $1, false)", &[&claims.to_string()])
        .expect("claims can be set");
}

/// The SQLSTATE of a failed statement, or a panic with what came instead.
pub fn sqlstate<T: std::fmt::Debug>(result: Result<T, postgres::Error>) -> String {
    let error = result.expect_err("the statement is refused");
    error.code().map(|c| c.code().to_owned()).unwrap_or_else(|| panic!("not a database error: {error}"))
}
