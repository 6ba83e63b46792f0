//! What the database itself says about its tables: the side of a test that a new table can't be left out of.
//!
//! Promises: every table of the schema `public` with its columns and foreign keys, as they are now. Stops at facts:
//! what ought to be is for each test to say.

use postgres::types::ToSql;
use postgres::{Client, Row};

/// A table of the schema `public`.
#[derive(Clone, Debug)]
pub struct Table {
    /// Without the schema: `wt_meals`.
    pub name: String,
    /// In the table's order.
    pub columns: Vec<Column>,
    /// All of them, also those that leave the schema.
    pub foreign_keys: Vec<ForeignKey>,
}

/// A column of a [`Table`].
#[derive(Clone, Debug)]
pub struct Column {
    /// As the catalogue spells it.
    pub name: String,
    /// Postgres's name of the type, without the schema: `text`, `uuid[]`, `timestamp with time zone`.
    pub type_name: String,
    /// The labels in order, if the type is an enum.
    pub labels: Vec<String>,
    /// Must be given on insert: not null, no default.
    pub required: bool,
    /// Part of a unique key.
    pub keyed: bool,
    /// Computed from the others, so it can't be given.
    pub generated: bool,
}

/// A foreign key of a [`Table`].
#[derive(Clone, Debug)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The referred table; with its schema where that is not `public`: `wt_profiles`, `auth.users`.
    pub parent: String,
    /// The referred columns, in the order of `columns`.
    pub parent_columns: Vec<String>,
}

impl Table {
    /// Whether its rows belong to people.
    #[must_use]
    pub fn has_tenant(&self) -> bool {
        self.column("user_id").is_some()
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ForeignKey {
    /// The referring column that says which row it is; the others say whose.
    #[must_use]
    pub fn pointer(&self) -> &str {
        self.columns.iter().find(|column| *column != "user_id").map_or("user_id", String::as_str)
    }
}

/// A metric, as the extension describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its enum label.
    pub label: &'static str,
    /// The unit of stored values.
    pub unit: &'static str,
    /// The least plausible value.
    pub least: f64,
    /// The greatest plausible value.
    pub greatest: f64,
}

impl Metric {
    /// Whether one number says it all: a blood pressure has two.
    #[must_use]
    pub fn is_one_number(&self) -> bool {
        self.label != "blood_pressure"
    }
}

/// Every metric, in the order in which `welltrack.metrics()` lists them.
///
/// # Panics
///
/// When the extension can't be asked.
pub fn metrics(client: &mut Client) -> Vec<Metric> {
    // Test data is made of static texts; these are a few words for the life of a test.
    let text = |row: &Row, column| row.get::<_, String>(column).leak();
    client
        .query("select metric_type, unit, lowest, highest from welltrack.metrics()", &[])
        .expect("the extension lists its metrics")
        .iter()
        .map(|row| Metric {
            label: text(row, 0),
            unit: text(row, 1),
            least: row.get(2),
            greatest: row.get(3),
        })
        .collect()
}

const TABLES: &str = "
    select oid, relname::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    order by relname";

const COLUMNS: &str = "
    select a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
           array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder),
           a.attnotnull and not a.atthasdef,
           exists (select from pg_index i where i.indrelid = $1 and i.indisunique and a.attnum = any (i.indkey)),
           a.attgenerated <> ''
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
    order by a.attnum";

const FOREIGN_KEYS: &str = "
    select k.conname::text,
           array(select a.attname::text from unnest(k.conkey) with ordinality c (num, position)
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.num order by c.position),
           case p.relnamespace when 'public'::regnamespace then '' else p.relnamespace::regnamespace || '.' end
             || p.relname,
           array(select a.attname::text from unnest(k.confkey) with ordinality c (num, position)
                 join pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.num order by c.position)
    from pg_constraint k join pg_class p on p.oid = k.confrelid
    where k.conrelid = $1 and k.contype = 'f'
    order by k.conname";

/// All tables of the schema `public`, by name.
///
/// # Panics
///
/// When the catalogue can't be read.
pub fn tables(client: &mut Client) -> Vec<Table> {
    let mut read = |sql: &str, of: &[&(dyn ToSql + Sync)]| {
        client.query(sql, of).expect("everybody may read the catalogue")
    };
    read(TABLES, &[])
        .into_iter()
        .map(|table| {
            let oid: u32 = table.get(0);
            Table {
                name: table.get(1),
                columns: columns(read(COLUMNS, &[&oid])),
                foreign_keys: foreign_keys(read(FOREIGN_KEYS, &[&oid])),
            }
        })
        .collect()
}

fn columns(rows: Vec<Row>) -> Vec<Column> {
    let column = |row: Row| Column {
        name: row.get(0),
        type_name: row.get(1),
        labels: row.get(2),
        required: row.get(3),
        keyed: row.get(4),
        generated: row.get(5),
    };
    rows.into_iter().map(column).collect()
}

fn foreign_keys(rows: Vec<Row>) -> Vec<ForeignKey> {
    let key = |row: Row| ForeignKey {
        name: row.get(0),
        columns: row.get(1),
        parent: row.get(2),
        parent_columns: row.get(3),
    };
    rows.into_iter().map(key).collect()
}
