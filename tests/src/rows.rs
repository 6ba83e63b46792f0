//! Rows of any table for any person, made from the catalogue, parents included.
//!
//! Promises: a row that the table accepts, with no more than its keys and what it asks for, and different ones for
//! different people and numbers. Stops at plausibility: the values mean nothing. A check that a made-up value can't satisfy needs
//! a line in [`GIVEN`].

use crate::catalogue::{Column, Table, tables};
use crate::{Person, TestDb};
use postgres::{Client, GenericClient};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A row as the API takes it.
pub type Draft = Map<String, Value>;

/// Where a check constraint wants something in particular: table, column, JSON.
const GIVEN: &[(&str, &str, &str)] = &[
    ("wt_audit_log", "operation", r#""INSERT""#),
    // The canonical one, whatever the metric.
    ("wt_goals", "unit", "null"),
    ("wt_health_metrics", "value_num", "50"),
    ("wt_health_metrics", "unit", "null"),
    // What adds up needs one.
    ("wt_health_metrics", "end_time", r#""2026-12-31T00:00:00Z""#),
    ("wt_sync_mutations", "table_name", r#""wt_meals""#),
    ("wt_training_loads", "load_type", r#""workout""#),
];

/// Makes rows as the superuser: it sets the stage and is never what is tested.
pub struct Rows {
    client: Client,
    tables: BTreeMap<String, Table>,
    made: HashMap<(String, Uuid, u32), Uuid>,
}

impl Rows {
    /// For the tables that `db` has now.
    pub fn new(db: &TestDb) -> Self {
        let mut client = db.admin();
        let tables = tables(&mut client).into_iter().map(|table| (table.name.clone(), table)).collect();
        // Every plan tier has its limits already, and one only: without this no row could be added.
        client.batch_execute("delete from public.wt_ai_plan_limits").expect("limits can be removed");
        Rows { client, tables, made: HashMap::new() }
    }

    /// The tables, by name.
    pub fn tables(&self) -> Vec<Table> {
        self.tables.values().cloned().collect()
    }

    /// The id of row `n` of `table` for `owner`; the first call inserts it, with parents of the same number.
    ///
    /// An account's row is there since the signup, and so is profile 0, the primary one. A row that belongs to nobody is
    /// the same one for everybody.
    pub fn make(&mut self, table: &str, owner: Person, n: u32) -> Uuid {
        match (table, n) {
            ("wt_users", _) => return owner.user_id,
            ("wt_profiles", 0) => return owner.profile_id,
            _ => {}
        }
        let shared = self.tables.get(table).is_some_and(|table| !table.has_tenant());
        let key = (table.to_owned(), if shared { Uuid::nil() } else { owner.user_id }, n);
        if let Some(id) = self.made.get(&key) {
            return *id;
        }
        let id = if table == "auth.users" {
            self.make_user()
        } else {
            let draft = self.draft(table, owner, n);
            insert(&mut self.client, table, &draft)
                .unwrap_or_else(|e| panic!("{table} takes {draft:?}: {e:?}"));
            if table == "wt_workouts" {
                // A workout's load comes with it; here every table gets its rows by name.
                let load = "delete from public.wt_training_loads where workout_id = $1";
                self.client.execute(load, &[&id_of(&draft)]).expect("a load can be removed");
            }
            id_of(&draft)
        };
        self.made.insert(key, id);
        id
    }

    /// What an insert of row `n` would say. Its parents exist afterwards, the row itself doesn't.
    pub fn draft(&mut self, table: &str, owner: Person, n: u32) -> Draft {
        let table = self.tables.get(table).unwrap_or_else(|| panic!("no table {table}")).clone();
        let mut draft = Draft::from_iter([("id".to_owned(), json!(Uuid::new_v4()))]);
        for column in table.columns.iter().filter(|column| !column.generated) {
            let key = table.foreign_keys.iter().find(|key| key.pointer() == column.name);
            let given = GIVEN.iter().find(|(t, c, _)| *t == table.name && *c == column.name);
            let value = if column.name == "user_id" {
                json!(owner.user_id)
            } else if let Some((_, _, json)) = given {
                serde_json::from_str(json).expect("GIVEN holds JSON")
            } else if let Some(key) = key {
                json!(self.make(&key.parent, owner, n))
            } else if column.required && column.name == "profile_id" {
                // Its parent says whose it is.
                json!(self.make("wt_profiles", owner, n))
            } else if (column.required || column.keyed) && column.name != "id" {
                made_up(column, owner, n)
            } else {
                continue;
            };
            draft.insert(column.name.clone(), value);
        }
        draft
    }

    /// A user who has no account yet, as if the signup's trigger hadn't run.
    fn make_user(&mut self) -> Uuid {
        let id = Uuid::new_v4();
        let mut transaction = self.client.transaction().expect("a transaction begins");
        transaction
            .batch_execute("set local session_replication_role = replica")
            .expect("triggers can be off");
        transaction.execute("insert into auth.users (id) values ($1)", &[&id]).expect("a user is made");
        transaction.commit().expect("a user is made");
        id
    }
}

/// Inserts `draft` the way PostgREST does, without asking for anything back.
///
/// # Errors
///
/// What the database has against it.
pub fn insert(client: &mut impl GenericClient, table: &str, draft: &Draft) -> Result<u64, postgres::Error> {
    let columns = draft.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    client.execute(
        &format!(
            "insert into public.{table} ({columns})
             select {columns} from jsonb_populate_record(null::public.{table}, $1)"
        ),
        &[&Value::Object(draft.clone())],
    )
}

/// The row's id.
///
/// # Panics
///
/// When the draft has none.
pub fn id_of(draft: &Draft) -> Uuid {
    serde_json::from_value(draft["id"].clone()).expect("a draft's id is a uuid")
}

fn made_up(column: &Column, owner: Person, n: u32) -> Value {
    if !column.labels.is_empty() {
        return json!(column.labels[n as usize % column.labels.len()]);
    }
    let person = owner.user_id.as_fields().0;
    match column.type_name.as_str() {
        "uuid" => json!(Uuid::new_v4()),
        "text" => json!(format!("x{n}-{person:08x}")),
        "smallint" | "integer" | "bigint" | "double precision" | "numeric" => json!(n % 10),
        "boolean" => json!(false),
        "date" => json!(format!("2026-{:02}-{:02}", 1 + n / 28 % 12, 1 + n % 28)),
        "time without time zone" => json!("08:00"),
        "timestamp with time zone" => json!(format!("2026-01-{:02}T{:02}:00:00Z", 1 + n / 24 % 28, n % 24)),
        "jsonb" => json!({}),
        "bytea" => json!(format!("\\x{}", Uuid::new_v4().simple())),
        array if array.ends_with("[]") => json!([]),
        other => panic!("no rule makes a {other}; add one for {}", column.name),
    }
}
