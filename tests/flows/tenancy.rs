//! Nobody hangs a row on somebody else's parent, whatever the policies say.
//!
//! Promises: every foreign key between rows of people is tried, with the person's own rights and with rights that know
//! no policy. Stops at rows without a parent: those are the matrix's.

use crate::classes::{Outcome, class_of, outcome};
use serde_json::json;
use welltrack_tests::TestDb;
use welltrack_tests::catalogue::{ForeignKey, Table};
use welltrack_tests::rows::{Rows, insert};

/// The foreign keys from one person's row to another row of that person.
fn family_ties(tables: &[Table]) -> Vec<(Table, ForeignKey)> {
    let belongs = |name: &str| tables.iter().any(|table| table.name == name && table.has_tenant());
    let mut ties = Vec::new();
    for table in tables.iter().filter(|table| table.has_tenant()) {
        for key in &table.foreign_keys {
            if belongs(&key.parent) && key.pointer() != "user_id" {
                ties.push((table.clone(), key.clone()));
            }
        }
    }
    ties
}

fn refused(tried: Result<u64, postgres::Error>) -> bool {
    tried.is_err_and(|e| e.code().is_some_and(|code| ["23503", "42501"].contains(&code.code())))
}

#[test]
fn no_row_of_mine_can_have_a_parent_of_somebody_else() {
    let db = TestDb::new();
    let me = db.sign_up("me@example.org");
    let stranger = db.sign_up("stranger@example.org");
    let mut rows = Rows::new(&db);
    let mut unbound = db.admin();
    let mut client = db.api(me.caller());
    let mut wrong = Vec::new();
    let ties = family_ties(&rows.tables());
    assert!(ties.len() > 30, "the catalogue shows {} foreign keys between people's rows", ties.len());
    for (n, (table, key)) in (1..).zip(ties) {
        let pointer = key.pointer();
        let mine = rows.make(&table.name, me, 2 * n);
        let theirs = rows.make(&key.parent, stranger, 2 * n);
        let mut draft = rows.draft(&table.name, me, 2 * n + 1);
        draft.insert(pointer.to_owned(), json!(theirs));
        let update = format!("update public.{} set {pointer} = $1 where id = $2", table.name);

        // The key itself refuses: no policy binds a superuser.
        let mut note = |what: &str, held: bool| {
            if !held {
                wrong.push(format!("{}.{}: {what}", table.name, key.name));
            }
        };
        note("an unbound insert went through", refused(insert(&mut unbound, &table.name, &draft)));
        let tried = unbound.execute(&update, &[&theirs, &mine]);
        // A row keeps its id, whoever says what.
        let there = format!("select from public.{} where id = $1", table.name);
        let unmoved = pointer == "id" && unbound.query_one(&there, &[&mine]).is_ok();
        note("an unbound update went through", refused(tried) || unmoved);

        if class_of(&table.name).is_some_and(|class| outcome(class.owner, 1) == Outcome::Done) {
            note("my insert went through", refused(insert(&mut client, &table.name, &draft)));
            note("my update went through", refused(client.execute(&update, &[&theirs, &mine])));
            // Giving the row away together with its parent is the policies' to refuse.
            draft.insert("user_id".to_owned(), json!(stranger.user_id));
            note("my gift went through", refused(insert(&mut client, &table.name, &draft)));
            let give = format!("update public.{} set user_id = $3, {pointer} = $1 where id = $2", table.name);
            note(
                "my row was given away",
                refused(client.execute(&give, &[&theirs, &mine, &stranger.user_id])),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
