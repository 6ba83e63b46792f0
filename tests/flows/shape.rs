//! The rules that hold for every table (data model, "Rules that hold for every table"), read from the catalogue.
//!
//! Promises: a table that breaks one of them fails here by its name. Stops at what people may do with the rows: that is
//! tried in `rls_matrix` and `tenancy`.

use crate::classes::{Outcome, class_of, outcome};
use serde_json::json;
use welltrack_tests::catalogue::{Column, Table, tables};
use welltrack_tests::rows::{Rows, id_of, insert};
use welltrack_tests::{Caller, TestDb};

/// Rows that may belong to nobody: changes of reference data, errors without a person, events not yet matched to one.
const MAY_BE_NOBODYS: &[&str] = &["wt_audit_log", "wt_error_log", "wt_webhook_events"];

fn names(db: &TestDb, sql: &str) -> Vec<String> {
    let mut admin = db.admin();
    // So that the catalogue prints names in full.
    admin.batch_execute("set search_path = pg_catalog").expect("a setting can be set");
    admin.query(sql, &[]).expect("the catalogue can be read").iter().map(|row| row.get(0)).collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn everything_that_holds_rows_in_public_is_a_wt_table_with_forced_row_security() {
    let db = TestDb::new();
    let sql = "select c.relname || ' (' || c.relkind::text || ')' from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind not in ('i', 'I', 'S', 'c', 't')
                 and not (c.relkind in ('r', 'p') and c.relname like 'wt\\_%' and c.relrowsecurity and c.relforcerowsecurity)";
    assert_none(&names(&db, sql));
}

#[test]
fn every_policy_is_the_one_column_test_evaluated_once_for_a_statement() {
    let db = TestDb::new();
    let sql = "select tablename || '.' || policyname from pg_policies
               where schemaname = 'public' and policyname <> 'signup'
                 and not (roles = '{authenticated}' and permissive = 'PERMISSIVE'
                          and (coalesce(qual, with_check) = '(user_id = ( SELECT auth.uid() AS uid))'
                               or qual = 'true' and cmd = 'SELECT')
                          and (with_check is null or with_check = qual))";
    assert_none(&names(&db, sql));
    let readable_by_all =
        names(&db, "select tablename::text from pg_policies where schemaname = 'public' and qual = 'true'");
    for table in readable_by_all {
        assert_eq!(class_of(&table).map(|class| class.name), Some("reference"), "{table}");
    }
    let signup = names(
        &db,
        "select tablename || ' ' || cmd || ' ' || roles::text from pg_policies where policyname = 'signup' order by 1",
    );
    assert_eq!(signup, ["wt_profiles INSERT {supabase_auth_admin}", "wt_users INSERT {supabase_auth_admin}"]);
}

#[test]
fn every_table_has_the_columns_that_every_table_has() {
    let db = TestDb::new();
    let mut wrong = Vec::new();
    for table in tables(&mut db.admin()) {
        let has = |name: &str, type_name: &str| {
            table.column(name).is_some_and(|column: &Column| column.type_name == type_name)
        };
        for (column, type_name) in [
            ("id", "uuid"),
            ("created_at", "timestamp with time zone"),
            ("updated_at", "timestamp with time zone"),
        ] {
            if !has(column, type_name) {
                wrong.push(format!("{}: no {column} {type_name}", table.name));
            }
        }
        let reference = class_of(&table.name).is_some_and(|class| class.name == "reference");
        if has("user_id", "uuid") == reference {
            wrong
                .push(format!("{}: user_id belongs where rows belong to people, and only there", table.name));
        }
    }
    assert_none(&wrong);
    let keyless = "select c.relname::text from pg_class c
                   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not exists (
                     select from pg_constraint k join pg_attribute a on a.attrelid = c.oid and array[a.attnum] = k.conkey
                     where k.conrelid = c.oid and k.contype = 'p' and a.attname = 'id')";
    assert_none(&names(&db, keyless));
    let nullable = "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
                    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                      and a.attname in ('user_id', 'profile_id', 'created_at', 'updated_at') and not a.attnotnull
                    order by 1";
    let mut expected: Vec<String> = MAY_BE_NOBODYS.iter().map(|table| format!("{table}.user_id")).collect();
    // The trail of what the assistant did outlives the profile it was done for.
    expected.insert(0, "wt_ai_audit_log.profile_id".to_owned());
    assert_eq!(names(&db, nullable), expected);
}

#[test]
fn what_belongs_to_a_person_refers_to_parents_together_with_the_person() {
    let db = TestDb::new();
    let tables = tables(&mut db.admin());
    let tenant = |name: &str| tables.iter().any(|table: &Table| table.name == name && table.has_tenant());
    let mut wrong = Vec::new();
    for table in &tables {
        for key in &table.foreign_keys {
            let together =
                key.columns.iter().zip(&key.parent_columns).any(|(c, p)| c == "user_id" && p == "user_id");
            let to_the_account =
                ["wt_users", "auth.users"].contains(&key.parent.as_str()) && key.parent_columns == ["id"];
            if tenant(&key.parent) && !together && !to_the_account {
                wrong.push(format!("{}.{}: a reference without its person", table.name, key.name));
            }
        }
        // Its own key, or one to a parent of the same profile, whose own key implies it.
        let to_profile = table.foreign_keys.iter().any(|key| {
            let pairs: Vec<_> = key
                .columns
                .iter()
                .map(String::as_str)
                .zip(key.parent_columns.iter().map(String::as_str))
                .collect();
            let by_parent = [("profile_id", "profile_id"), ("user_id", "user_id")];
            key.parent == "wt_profiles" && pairs == [("profile_id", "id"), ("user_id", "user_id")]
                || by_parent.iter().all(|pair| pairs.contains(pair))
        });
        if table.column("profile_id").is_some() && !to_profile {
            wrong.push(format!("{}: profile_id without its person", table.name));
        }
        let rooted = table
            .foreign_keys
            .iter()
            .any(|key| key.columns.iter().any(|column| column == "user_id" || column == "id"));
        if table.has_tenant() && !rooted {
            wrong.push(format!("{}: nothing ties user_id to an account", table.name));
        }
    }
    assert_none(&wrong);
}

/// One person's endless day must not reach the jobs that work for everybody.
#[test]
fn no_time_that_a_client_may_write_is_endless() {
    let db = TestDb::new();
    let person = db.sign_up("ada@example.com");
    let writable = names(
        &db,
        "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0
           and a.atttypid in ('date'::regtype, 'timestamptz'::regtype)
           and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
                or has_column_privilege('authenticated', c.oid, a.attnum, 'update'))",
    );
    assert!(writable.len() > 40, "{writable:?}");
    let mut admin = db.admin();
    let mut rows = Rows::new(&db);
    let mut wrong = Vec::new();
    for (column, (table, name)) in
        writable.iter().map(|column| (column, column.split_once('.').expect("both")))
    {
        for endless in ["infinity", "-infinity"] {
            let mut transaction = admin.transaction().expect("a transaction begins");
            let mut draft = rows.draft(table, person, 7);
            draft.insert(name.to_owned(), json!(endless));
            match insert(&mut transaction, table, &draft) {
                // A check, or a time that has no hash.
                Err(error) if error.code().is_some_and(|code| ["23514", "22008"].contains(&code.code())) => {}
                Err(error) => wrong.push(format!("{column} = {endless}: {error:?}")),
                Ok(_) => {
                    let kept = format!("select isfinite({name}) from public.{table} where id = $1");
                    let kept = transaction.query_one(&kept, &[&id_of(&draft)]).expect("the row is there");
                    if !kept.get::<_, bool>(0) {
                        wrong.push(format!("{column} = {endless} is taken"));
                    }
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_foreign_key_leads_an_index() {
    let db = TestDb::new();
    // An index that begins with the key's first column finds the children of one parent; partial ones miss some.
    let sql = "select k.conrelid::regclass || '.' || k.conname from pg_constraint k
               where k.connamespace = 'public'::regnamespace and k.contype = 'f' and not exists (
                 select from pg_index i
                 where i.indrelid = k.conrelid and i.indpred is null and i.indisvalid and i.indkey[0] = k.conkey[1])";
    assert_none(&names(&db, sql));
}

/// What an update has to say to change a row of a table that ignores updates of nothing.
const REAL_CHANGES: &[(&str, &str)] = &[("wt_health_metrics", "value_num = 51, updated_at = '2001-01-01'")];

#[test]
fn updated_at_is_the_servers_word_and_moves_with_every_update() {
    let db = TestDb::new();
    let owner = db.sign_up("owner@example.org");
    let mut rows = Rows::new(&db);
    let mut admin = db.admin();
    let mut person = db.api(owner.caller());
    let mut service = db.api(Caller::Service);
    let mut wrong = Vec::new();
    for (n, table) in (1..).zip(rows.tables()) {
        let Some(class) = class_of(&table.name) else { continue };
        let id = rows.make(&table.name, owner, n);
        let change = REAL_CHANGES.iter().find(|(name, _)| *name == table.name).map(|(_, change)| *change);
        let change = change.unwrap_or("updated_at = '2001-01-01'");
        for (marks, client) in [(class.owner, &mut person), (class.service, &mut service)] {
            if outcome(marks, 2) != Outcome::Done {
                continue;
            }
            let version = format!(
                "select updated_at > now() - interval '1 minute', xmin::text from public.{} where id = $1",
                table.name
            );
            let before: String = admin.query_one(&version, &[&id]).expect("the row is there").get(1);
            let updated =
                client.execute(&format!("update public.{} set {change} where id = $1", table.name), &[&id]);
            let row = admin.query_one(&version, &[&id]).expect("the row is there");
            let (recent, written) = (row.get(0), row.get::<_, String>(1) != before);
            // A client who can't write the column at all is refused, which is as good.
            let fine =
                recent && (written || updated.is_err_and(|e| e.code().is_some_and(|c| c.code() == "42501")));
            if !fine {
                wrong.push(format!("{}: recent {recent}, written {written}", table.name));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_client_cant_date_a_new_row_into_the_future_or_its_last_change_into_the_past() {
    let db = TestDb::new();
    let owner = db.sign_up("owner@example.org");
    let mut rows = Rows::new(&db);
    let mut admin = db.admin();
    let mut person = db.api(owner.caller());
    let mut wrong = Vec::new();
    for (n, table) in (1..).zip(rows.tables()) {
        if class_of(&table.name).is_none_or(|class| outcome(class.owner, 1) != Outcome::Done) {
            continue;
        }
        let mut draft = rows.draft(&table.name, owner, n);
        draft.insert("created_at".to_owned(), json!("2999-01-01T00:00:00Z"));
        draft.insert("updated_at".to_owned(), json!("2001-01-01T00:00:00Z"));
        match insert(&mut person, &table.name, &draft) {
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {}
            Err(error) => wrong.push(format!("{}: {error:?}", table.name)),
            Ok(_) => {
                let sql = format!(
                    "select created_at <= now() and updated_at > now() - interval '1 minute' from public.{} where id = $1",
                    table.name
                );
                let kept: bool = admin.query_one(&sql, &[&id_of(&draft)]).expect("the row is there").get(0);
                if !kept {
                    wrong.push(format!("{}: the client's clock counts", table.name));
                }
            }
        }
    }
    assert_none(&wrong);
}
