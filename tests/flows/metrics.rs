//! What has to be there for every metric of the extension: an enum label, a column, a key that no log shows.
//!
//! A failure says what to add, and where.

use serde_json::{Value, json};
use welltrack_tests::catalogue::{metrics, tables};
use welltrack_tests::{Caller, TestDb};

#[test]
fn every_metric_has_its_enum_label_in_the_order_of_cores_table() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let labels: Vec<String> = admin
        .query_one("select enum_range(null::public.wt_metric_type)::text[]", &[])
        .expect("the type is there")
        .get(0);
    let expected: Vec<_> = metrics(&mut admin).iter().map(|metric| metric.label).collect();
    assert_eq!(
        labels, expected,
        "the labels of wt_metric_type must be those of core/src/metric/table.rs, in its order: add new ones at the end of both"
    );
}

#[test]
fn every_metric_has_its_column_of_daily_values() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let tables = tables(&mut admin);
    let daily = tables.iter().find(|table| table.name == "wt_daily_values").expect("the table is there");
    for metric in metrics(&mut admin) {
        let column = daily.column(metric.label);
        assert!(
            column.is_some_and(|column| column.type_name == "double precision"),
            "wt_daily_values lacks a column: add `{} double precision` to it",
            metric.label
        );
    }
}

#[test]
fn no_log_shows_the_value_of_any_metric() {
    let db = TestDb::new();
    let mut admin = db.admin();
    let metrics = metrics(&mut admin);
    let context: Value = metrics.iter().map(|metric| (metric.label.to_owned(), json!(42))).collect();
    let error = json!({"flow": "test", "error_code": "test", "message": "test", "context": context});
    db.api(Caller::Service).query_one("select public.log_error($1)", &[&error]).expect("it is logged");
    let kept: Value =
        admin.query_one("select context from public.wt_error_log", &[]).expect("one error").get(0);
    assert_eq!(kept, json!({}), "log_keys in core/src/metric/table.rs must match the metric's own label");
}
