//! `dedupe_hash`, `dedupe_text`, `enum_label`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    const VECTORS: &str = include_str!("../../../core/vectors/dedupe_hash.json");

    #[pg_test]
    fn every_published_vector_holds_in_postgres() {
        let answer = text(
            "select (count(*) > 80) || ', ' || count(*) filter (where
               welltrack.dedupe_text(user_id, profile_id, source, metric_type, start_time, end_time) is distinct from text
               or encode(welltrack.dedupe_hash(user_id, profile_id, source, metric_type, start_time, end_time), 'hex')
                  is distinct from sha256) || ' wrong'
             from jsonb_to_recordset($1::jsonb -> 'vectors') as v (user_id uuid, profile_id uuid, source text,
               metric_type text, start_time timestamptz, end_time timestamptz, text text, sha256 text)",
            &[VECTORS.into()],
        );
        assert_eq!(answer.as_deref(), Some("true, 0 wrong"));
    }

    #[pg_test]
    fn the_hash_is_postgres_own_sha256_of_the_documented_expression_on_random_rows() {
        let seed =
            text("select (extract(microseconds from clock_timestamp())::bigint % 1000 / 1000.0)::text", &[]);
        let seed = seed.expect("a seed");
        run(&format!(
            r#"select setseed({seed});
               create temp table random_rows as
               select gen_random_uuid() as u, gen_random_uuid() as p, substr(md5(i::text), 1, 1 + i % 32) as s,
                      substr(md5('m' || i), 1, 1 + i % 32) as m,
                      case when i % 7 > 0 then '0001-01-01 00:00:00+00'::timestamptz
                        + floor(random() * 315537897599) * interval '1 second'
                        + floor(random() * 1000000) * interval '1 microsecond' end as a,
                      case when i % 5 > 0 then now() - random() * interval '60 years' end as b
               from generate_series(1, 10000) i;"#
        ));
        let wrong = text(
            r#"with texts as (
                 select *, u || '|' || p || '|' || s || '|' || m
                   || '|' || coalesce(to_char(a at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')
                   || '|' || coalesce(to_char(b at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '') as expected
                 from random_rows)
               select string_agg(expected, e'\n') from (
                 select expected from texts
                 where welltrack.dedupe_hash(u, p, s, m, a, b) is distinct from sha256(convert_to(expected, 'UTF8'))
                    or welltrack.dedupe_text(u, p, s, m, a, b) is distinct from expected limit 3) wrong"#,
            &[],
        );
        assert_eq!(wrong, None, "seed {seed}");
    }

    #[pg_test]
    fn a_null_time_is_hashed_and_any_other_null_gives_null() {
        let nulls = |arguments: &str| text(&format!("select welltrack.dedupe_text({arguments})"), &[]);
        let id = "'00000000-0000-0000-0000-000000000001'::uuid";
        assert!(
            nulls(&format!("{id}, {id}, 'manual', 'hr', null, null"))
                .is_some_and(|text| text.ends_with("|hr||"))
        );
        for arguments in [
            format!("null, {id}, 'manual', 'hr', now(), now()"),
            format!("{id}, null, 'manual', 'hr', now(), now()"),
            format!("{id}, {id}, null, 'hr', now(), now()"),
            format!("{id}, {id}, 'manual', null, now(), now()"),
        ] {
            assert_eq!(nulls(&arguments), None, "{arguments}");
        }
    }

    #[pg_test]
    fn times_without_a_canonical_text_are_22008_and_impossible_labels_22023() {
        let state = |function: &str, source: &str, time: &str| {
            sqlstate(&format!(
                "select welltrack.{function}(gen_random_uuid(), gen_random_uuid(), '{source}', 'hr', '{time}', null)"
            ))
        };
        for function in ["dedupe_hash", "dedupe_text"] {
            for time in
                ["infinity", "-infinity", "10000-01-01Z", "0001-12-31Z BC", "294276-12-31Z", "4713-01-01Z BC"]
            {
                assert_eq!(state(function, "manual", time), "22008", "{time}");
            }
            for label in ["", "a|b", &"x".repeat(64)] {
                assert_eq!(state(function, label, "2026-01-01Z"), "22023", "{label}");
            }
        }
    }

    #[pg_test]
    fn a_generated_column_can_hash_enums_and_a_unique_index_holds_it() {
        run("create type mood as enum ('garmin', 'it''s \"odd\"', 'ünï');
             create table readings (id uuid default gen_random_uuid(), source mood,
               hash bytea generated always as (
                 welltrack.dedupe_hash(id, id, welltrack.enum_label(source), 'hr', null, null)) stored unique);
             insert into readings (source) values ('garmin'), ('it''s \"odd\"'), ('ünï');
             update readings set source = 'ünï' where source = 'garmin';");
        let wrong = text(
            "select count(*)::text from readings
             where hash <> welltrack.dedupe_hash(id, id, source::text, 'hr', null, null)
                or welltrack.enum_label(source) <> source::text",
            &[],
        );
        assert_eq!(wrong.as_deref(), Some("0"));
    }

    #[pg_test]
    fn enum_label_takes_enums_only_and_null_for_null() {
        assert_eq!(sqlstate("select welltrack.enum_label('text'::text)"), "42883");
        run("create type mood as enum ('calm')");
        assert_eq!(text("select welltrack.enum_label(null::mood)", &[]), None);
    }
}
