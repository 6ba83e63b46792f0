//! `native_metrics`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    const IDS: &str =
        "'00000000-0000-0000-0000-000000000001'::uuid, '00000000-0000-0000-0000-000000000002'::uuid";

    #[pg_test]
    fn a_batch_becomes_one_row_a_record() {
        let batch = r#"{"source": "healthkit", "ingestion_version": "2.1", "records": [
          {"type": "weight", "value": 176.37, "unit": "lb", "id": "w", "start_time": "2026-03-01T08:00:00+01:00"},
          {"type": "weight", "value": 80, "id": "w", "start_time": "2026-03-01T08:00:00+01:00"},
          {"type": "mood", "value": 1, "start_time": "2026-03-01T08:00:00Z"},
          {"type": "blood_pressure", "value": {"systolic": 120, "diastolic": 80}, "start_time": "2026-03-01T08:00:00Z"}
        ]}"#;
        let rows = text(
            &format!(
                "set local timezone = 'UTC';
                 select string_agg(concat_ws(' ', ordinal, outcome, reason, source, metric_type, value_num, value_text,
                   unit, start_time, end_time, recorded_at, source_record_id, ingestion_version,
                   dedupe_hash = welltrack.dedupe_hash({IDS}, source, metric_type, start_time, end_time)), e'\\n'
                   order by ordinal)
                 from welltrack.native_metrics({IDS}, $1)"
            ),
            &[batch.into()],
        );
        assert_eq!(
            rows.as_deref(),
            Some(
                "0 merged merged into record 1\n\
                 1 row healthkit weight 80 kg 2026-03-01 07:00:00+00 2026-03-01 07:00:00+00 w 2.1 t\n\
                 2 rejected unknown_metric: \"mood\" is not a metric\n\
                 3 row healthkit blood_pressure 120 120/80 mmHg 2026-03-01 08:00:00+00 2026-03-01 08:00:00+00 2.1 t"
            )
        );
    }

    #[pg_test]
    fn what_is_no_batch_has_its_sqlstate() {
        let state = |payload: &str| {
            sqlstate(&format!("select welltrack.native_metrics({IDS}, $batch${payload}$batch$)"))
        };
        for payload in
            ["", "7", "{}", "[NaN]", r#"{"records": 7}"#, r#"{"records": [], "ingestion_version": []}"#]
        {
            assert_eq!(state(payload), "22023", "{payload}");
        }
        let many = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert_eq!(state(&many(10_001)), "54000");
        assert_eq!(state(&many(10_000)), "00000");
    }

    #[pg_test]
    fn a_null_argument_gives_no_rows() {
        let rows = text(&format!("select count(*)::text from welltrack.native_metrics({IDS}, null)"), &[]);
        assert_eq!(rows.as_deref(), Some("0"));
    }

    // Rows point into the payload while they are handed out, so it must stay where it is between two rows.
    #[pg_test]
    fn a_large_payload_from_a_table_survives_until_the_last_row() {
        run(r#"create table batches (id int, payload text);
               insert into batches select b, json_build_object('source', 'manual', 'records', json_agg(json_build_object(
                 'type', 'steps', 'value', i, 'id', md5(b || '-' || i),
                 'start_time', '2026-01-01'::timestamptz + i * interval '1 minute',
                 'end_time', '2026-01-01'::timestamptz + (i + 1) * interval '1 minute')))::text
               from generate_series(1, 3) b, generate_series(1, 2000) i group by b;"#);
        for query in [
            // As a table, and in a select list, where Postgres asks for one row at a time.
            format!("select id, m.* from batches, lateral welltrack.native_metrics({IDS}, payload) m"),
            format!("select id, (welltrack.native_metrics({IDS}, payload)).* from batches"),
            format!(
                "select id, (m).* from (select id, welltrack.native_metrics({IDS}, payload) m from batches) x"
            ),
        ] {
            let answer = text(
                &format!(
                    "select count(*) || ' ' || count(distinct source_record_id) || ' '
                       || bool_and(source_record_id = md5(id || '-' || value_num)) from ({query}) q"
                ),
                &[],
            );
            assert_eq!(answer.as_deref(), Some("6000 6000 true"), "{query}");
        }
        // Not read to the end.
        let first = text(
            &format!(
                "select source_record_id from welltrack.native_metrics({IDS}, (select payload from batches where id = 2)) limit 1"
            ),
            &[],
        );
        assert!(first.is_some());
    }
}
