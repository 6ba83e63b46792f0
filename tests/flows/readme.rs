//! The README's reference tables name everything that the database offers: a function, a table or a metric that is missing there
//! fails here by its name.

use std::path::Path;

use welltrack_tests::TestDb;

use crate::classes::{Outcome, class_of, classified, outcome};
use crate::functions::callable_by_clients;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    std::fs::read_to_string(path).expect("README.md lies in the checkout")
}

fn assert_all_named(what: &str, names: impl Iterator<Item = String>) {
    let text = readme();
    let missing: Vec<String> = names.filter(|name| !text.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "README.md, \"From an app\", does not name these {what}: {missing:?}");
}

#[test]
fn readme_names_every_public_function() {
    assert_all_named("functions", callable_by_clients().map(|name| format!("`{name}(")));
}

#[test]
fn readme_names_every_table_that_people_read() {
    let read = classified()
        .filter(|table| class_of(table).is_some_and(|class| outcome(class.owner, 0) == Outcome::Done));
    assert_all_named("tables", read.map(|table| format!("`{table}`")));
}

#[test]
fn readme_names_every_metric() {
    let labels = TestDb::new()
        .admin()
        .query("select unnest(enum_range(null::public.wt_metric_type))::text", &[])
        .expect("the enum can be read");
    assert!(!labels.is_empty());
    assert_all_named("metrics", labels.iter().map(|row| format!("`{}`", row.get::<_, String>(0))));
}
