//! Limits that the schema writes as numbers are those of the extension.

use welltrack_tests::TestDb;

#[test]
fn a_stored_record_may_be_as_large_as_the_extension_says() {
    let db = TestDb::new();
    let agreed: bool = db
        .admin()
        .query_one(
            "select exists (
               select from pg_constraint c
               where c.conrelid = 'public.wt_health_metrics'::regclass
                 and pg_get_constraintdef(c.oid)
                     = format('CHECK ((pg_column_size(raw_payload_json) <= %s))', welltrack.size_limit('stored_record_bytes')))",
            &[],
        )
        .expect("the catalogue can be read")
        .get(0);
    assert!(
        agreed,
        "the check of wt_health_metrics.raw_payload_json must be STORED_RECORD_BYTES of core/src/limits.rs"
    );
}
