//! `json_text`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::text;
    use pgrx::prelude::*;

    #[pg_test]
    fn the_text_means_what_the_value_is() {
        let differing = text(
            r#"select string_agg(v::text, ' ') from (
                 select j.v from unnest(array['null', 'true', '0', '-1.50', '1e-20', '"x"', '""', '[]', '{}', '[[], {}, [{}]]',
                   '{"": ""}', '{"a": [1, {"b": null}, "c"], "d": {"e": false}}', '["\"\\/\b\f\n\r\t\u0001 ä €😀,:[{"]',
                   '[1e400, 123456789012345678901234567890.5]']::jsonb[]) j (v)
                 union all select to_jsonb(c) from pg_class c
                 union all select jsonb_agg(to_jsonb(t)) from pg_type t
                 union all select (repeat('[', 5000) || repeat(']', 5000))::jsonb) j
               where welltrack.json_text(v, 100000000)::jsonb is distinct from v"#,
            &[],
        );
        assert_eq!(differing, None);
    }

    #[pg_test]
    fn a_value_whose_text_would_be_longer_than_asked_for_has_none() {
        let lengths = text(
            r#"select string_agg(coalesce(length(welltrack.json_text(v, most))::text, '-'), ' ' order by n)
               from (values (1, '"four"'::jsonb, 6), (2, '"four"', 5), (3, '[1e131000]', 131003), (4, '[1e131000]', 131002),
                            (5, '{}', 2), (6, '{}', 1), (7, '{}', 0), (8, '{}', -1)) c (n, v, most)"#,
            &[],
        );
        assert_eq!(lengths.as_deref(), Some("6 - 131003 - 2 - - -"));
        // Twelve kilobytes that would be more than a gigabyte.
        let none = text(
            "select (welltrack.json_text(jsonb_agg('1e131000'::numeric), 1000000) is null)::text from generate_series(1, 10000)",
            &[],
        );
        assert_eq!(none.as_deref(), Some("true"));
    }
}
