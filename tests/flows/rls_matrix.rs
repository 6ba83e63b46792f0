//! Row-level security, proved by trying: every table of the catalogue, every actor, every operation.
//!
//! Promises: a table that nobody has classified fails here by its name, and so does every right that is wider or
//! narrower than its class says. Stops at the shape of tables (`shape`) and at whose parents a row may have
//! (`tenancy`).

use crate::classes::{KEPT_FROM_CLIENTS, OPERATIONS, Outcome, class_of, classified, outcome};
use postgres::Client;
use std::collections::BTreeSet;
use uuid::Uuid;
use welltrack_tests::catalogue::{Table, tables};
use welltrack_tests::rows::{Draft, Rows, id_of, insert};
use welltrack_tests::{Caller, Person, TestDb};

#[test]
fn every_table_has_a_class_and_every_class_entry_a_table() {
    let found: BTreeSet<String> =
        tables(&mut TestDb::new().admin()).into_iter().map(|table| table.name).collect();
    let listed: BTreeSet<String> = classified().map(str::to_owned).collect();
    let unclassified: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(
        unclassified.is_empty() && gone.is_empty(),
        "without a class (add them to classes.rs): {unclassified:?}; in classes.rs but not in the database: {gone:?}"
    );
}

/// Two people with a row in every table, and the four who try.
struct Stage {
    rows: Rows,
    admin: Client,
    owner: Person,
    actors: [Actor; 4],
    // Dropped last, when all connections are closed.
    _db: TestDb,
}

struct Actor {
    name: &'static str,
    client: Client,
    /// Whose rows a select may see: those of one person, or everything.
    sees: Option<Uuid>,
}

impl Stage {
    fn new() -> Self {
        let db = TestDb::new();
        let owner = db.sign_up("owner@example.org");
        let other = db.sign_up("other@example.org");
        let mut rows = Rows::new(&db);
        for (n, table) in (1..).zip(rows.tables()) {
            rows.make(&table.name, owner, 2 * n);
            rows.make(&table.name, other, 2 * n);
        }
        let actor = |name, caller, sees| Actor { name, client: db.api(caller), sees };
        let actors = [
            actor("anon", Caller::Anon, None),
            actor("owner", owner.caller(), Some(owner.user_id)),
            actor("other", other.caller(), Some(other.user_id)),
            actor("service", Caller::Service, None),
        ];
        Stage { rows, admin: db.admin(), owner, actors, _db: db }
    }

    /// Every byte of every row of `table` and where it lies, as the superuser sees it.
    fn print(&mut self, table: &str) -> String {
        let sql = format!(
            "select coalesce(string_agg(t::text || t.ctid || t.xmin, '|' order by t.ctid), '') from public.{table} t"
        );
        self.admin.query_one(&sql, &[]).expect("the superuser reads everything").get(0)
    }
}

#[test]
fn every_table_answers_every_actor_as_its_class_says() {
    let mut stage = Stage::new();
    let mut wrong = Vec::new();
    let mut cells = 0;
    for (n, table) in (1..).zip(stage.rows.tables()) {
        let Some(class) = class_of(&table.name) else { continue };
        let target = stage.rows.make(&table.name, stage.owner, 2 * n);
        let draft = stage.rows.draft(&table.name, stage.owner, 2 * n + 1);
        let everything = ids(&mut stage.admin, &table.name, None);
        for who in 0..stage.actors.len() {
            let marks = [class.anon, class.owner, class.other, class.service][who];
            for (operation, name) in OPERATIONS.iter().enumerate() {
                let expected = outcome(marks, operation);
                let before = stage.print(&table.name);
                let visible = match stage.actors[who].sees {
                    Some(person) if table.has_tenant() => ids(&mut stage.admin, &table.name, Some(person)),
                    _ => everything.clone(),
                };
                let actor = &mut stage.actors[who];
                let met = match *name {
                    "select" => select(&mut actor.client, &table.name, target, &visible),
                    _ => write(&mut actor.client, &table, name, target, &draft, expected),
                };
                let actor = actor.name;
                if met != Ok(expected) {
                    wrong.push(format!("{}: {actor} {name}: {expected:?} expected, met {met:?}", table.name));
                }
                if stage.print(&table.name) != before {
                    wrong.push(format!("{}: {actor} {name}: rows are not as they were", table.name));
                }
                cells += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cells, stage.rows.tables().len() * 4 * 4, "a table was left out");
}

fn ids(client: &mut Client, table: &str, of: Option<Uuid>) -> BTreeSet<Uuid> {
    let rows = match of {
        Some(person) => {
            client.query(&format!("select id from public.{table} where user_id = $1"), &[&person])
        }
        None => client.query(&format!("select id from public.{table}"), &[]),
    };
    rows.expect("the superuser reads everything").iter().map(|row| row.get(0)).collect()
}

/// `Nothing` where the target is not among the rows; an error where the rows are not exactly the `visible` ones.
fn select(
    client: &mut Client,
    table: &str,
    target: Uuid,
    visible: &BTreeSet<Uuid>,
) -> Result<Outcome, String> {
    match client.query(&format!("select id from public.{table}"), &[]) {
        Err(error) => refusal(&error),
        Ok(rows) => {
            let seen: BTreeSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            match (&seen == visible, seen.contains(&target)) {
                (false, _) => Err(format!("{} rows seen, {} are theirs to see", seen.len(), visible.len())),
                (true, true) => Ok(Outcome::Done),
                (true, false) => Ok(Outcome::Nothing),
            }
        }
    }
}

/// Tries it. What was expected to fail is committed if it doesn't, so that a comparison of the rows shows it.
fn write(
    client: &mut Client,
    table: &Table,
    operation: &str,
    target: Uuid,
    draft: &Draft,
    expected: Outcome,
) -> Result<Outcome, String> {
    let name = &table.name;
    let change = match name.as_str() {
        // A reading takes no notice of an update that changes nothing.
        "wt_health_metrics" => "value_num = value_num + 1".to_owned(),
        _ => writable_column(client, table).map_or("created_at = now()".to_owned(), |c| format!("{c} = {c}")),
    };
    let mut transaction = client.transaction().expect("a transaction begins");
    let tried = match operation {
        "insert" => insert(&mut transaction, name, draft),
        "update" => {
            transaction.execute(&format!("update public.{name} set {change} where id = $1"), &[&target])
        }
        _ => transaction.execute(&format!("delete from public.{name} where id = $1"), &[&target]),
    };
    let met = match tried {
        Err(error) => return refusal(&error),
        Ok(0) => Outcome::Nothing,
        Ok(_) => Outcome::Done,
    };
    match expected {
        Outcome::Done => transaction.rollback(),
        _ => transaction.commit(),
    }
    .expect("the transaction ends");
    Ok(met)
}

/// A column that the actor may update: which one is not what the matrix is about.
fn writable_column<'a>(client: &mut Client, table: &'a Table) -> Option<&'a str> {
    let may = "select has_column_privilege($1, $2, 'update')";
    let table_name = format!("public.{}", table.name);
    table
        .columns
        .iter()
        .filter(|column| !column.generated)
        .find(|column| {
            client.query_one(may, &[&table_name, &column.name]).expect("rights can be asked for").get(0)
        })
        .map(|column| column.name.as_str())
}

fn refusal(error: &postgres::Error) -> Result<Outcome, String> {
    match error.code() {
        Some(code) if code.code() == "42501" => Ok(Outcome::Refused),
        _ => Err(format!("{error:?}")),
    }
}

#[test]
fn rights_are_granted_no_wider_than_a_class_says_on_any_column() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let mut wrong = Vec::new();
    for table in tables(&mut admin) {
        let Some(class) = class_of(&table.name) else { continue };
        for (role, marks) in
            [("anon", class.anon), ("authenticated", class.owner), ("service_role", class.service)]
        {
            for (operation, name) in OPERATIONS.iter().enumerate() {
                let expected = outcome(marks, operation) != Outcome::Refused;
                // A column's own grant counts as well; rows can only be deleted whole.
                let sql = match *name {
                    "delete" => "select has_table_privilege($1::text::name, $2::text::regclass, $3)",
                    _ => "select has_any_column_privilege($1::text::name, $2::text::regclass, $3)",
                };
                let granted: bool = admin
                    .query_one(sql, &[&role, &format!("public.{}", table.name), name])
                    .expect("rights can be asked for")
                    .get(0);
                if granted != expected {
                    wrong.push(format!("{}: {name} is granted to {role}: {granted}", table.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_but_the_owner_holds_rights_beyond_the_four_operations() {
    let db = TestDb::new();
    let found = db
        .admin()
        .query(
            "select c.relname || ': ' || coalesce(r.rolname, 'public') || ' has ' || a.privilege_type
             from pg_class c
             cross join lateral aclexplode(c.relacl) a
             left join pg_roles r on r.oid = a.grantee
             where c.relnamespace = 'public'::regnamespace and a.grantee <> c.relowner
               and (a.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                    or a.is_grantable
                    or r.rolname is null
                    or r.rolname not in ('authenticated', 'service_role'))
             order by 1",
            &[],
        )
        .expect("the catalogue can be read");
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_the_database_decides_is_kept_from_clients() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let mut wrong = Vec::new();
    for table in tables(&mut admin) {
        let Some(class) = class_of(&table.name) else { continue };
        if outcome(class.owner, 2) != Outcome::Done {
            continue;
        }
        let kept =
            KEPT_FROM_CLIENTS.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, kept)| kept);
        for column in &table.columns {
            let may: bool = admin
                .query_one(
                    "select has_column_privilege('authenticated', $1::text::regclass, $2, 'insert, update')",
                    &[&format!("public.{}", table.name), &column.name],
                )
                .expect("rights can be asked for")
                .get(0);
            if may == kept.contains(&column.name.as_str()) {
                wrong.push(format!("{}.{}: clients may write it: {may}", table.name, column.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_i_insert_is_mine_though_i_leave_user_id_out() {
    let mut stage = Stage::new();
    for (n, table) in (1..).zip(stage.rows.tables()) {
        let class = class_of(&table.name).map(|class| class.name);
        if class != Some("owned") {
            continue;
        }
        let mut draft = stage.rows.draft(&table.name, stage.owner, 2 * n + 1);
        draft.remove("user_id");
        let me = &mut stage.actors[1].client;
        insert(me, &table.name, &draft).unwrap_or_else(|e| panic!("{} without user_id: {e:?}", table.name));
        let whose: Uuid = stage
            .admin
            .query_one(&format!("select user_id from public.{} where id = $1", table.name), &[&id_of(&draft)])
            .expect("the row is there")
            .get(0);
        assert_eq!(whose, stage.owner.user_id, "{}", table.name);
    }
}
