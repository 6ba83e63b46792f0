//! What the catalogue says about the extension's functions.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, text};
    use pgrx::prelude::*;

    const FUNCTIONS: &str = "
        select p.proname || ' ' || case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end
               || case when p.proisstrict then ' strict' else '' end || ' parallel '
               || case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end as line,
               p.prosecdef, n.nspname
        from pg_depend d join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_welltrack'
        join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
        join pg_namespace n on n.oid = p.pronamespace
        where d.deptype = 'e' and n.nspname <> 'tests'";

    #[pg_test]
    fn every_function_says_truthfully_how_it_behaves() {
        let lines = text(&format!("select string_agg(line, e'\\n' order by line) from ({FUNCTIONS}) f"), &[]);
        assert_eq!(
            lines.as_deref(),
            Some(
                "canonical_unit immutable strict parallel safe\n\
                 changed_columns stable strict parallel safe\n\
                 daily_aggregate immutable strict parallel safe\n\
                 day_anchor immutable parallel safe\n\
                 dedupe_hash immutable parallel safe\n\
                 dedupe_text immutable parallel safe\n\
                 enum_label immutable strict parallel safe\n\
                 farewell immutable strict parallel safe\n\
                 forecast immutable parallel safe\n\
                 forecast_narrative immutable parallel safe\n\
                 grows_during_day immutable strict parallel safe\n\
                 handle_new_user volatile parallel unsafe\n\
                 intensity_factor immutable parallel safe\n\
                 is_timezone stable strict parallel safe\n\
                 json_text immutable strict parallel safe\n\
                 linear_regression immutable parallel safe\n\
                 linear_regression immutable parallel safe\n\
                 longer_period_wins immutable strict parallel safe\n\
                 max_attempts immutable parallel safe\n\
                 metrics immutable strict parallel safe\n\
                 native_metrics immutable strict parallel safe\n\
                 predict immutable strict parallel safe\n\
                 recovery immutable parallel safe\n\
                 recovery_curves immutable strict parallel safe\n\
                 recovery_narrative immutable strict parallel safe\n\
                 recovery_result immutable parallel safe\n\
                 recovery_step immutable parallel safe\n\
                 regression_combine immutable parallel safe\n\
                 regression_deserial immutable strict parallel safe\n\
                 regression_result immutable parallel safe\n\
                 regression_serial immutable strict parallel safe\n\
                 regression_step immutable parallel safe\n\
                 regression_step_day immutable parallel safe\n\
                 reported_at immutable strict parallel safe\n\
                 retry_delay immutable strict parallel safe\n\
                 retry_delay immutable strict parallel safe\n\
                 same_start_is_same_reading immutable strict parallel safe\n\
                 size_limit immutable strict parallel safe\n\
                 source_priority immutable strict parallel safe\n\
                 to_canonical immutable parallel safe\n\
                 uuid_v7 volatile strict parallel safe\n\
                 validate_metric stable parallel safe"
            )
        );
    }

    #[pg_test]
    fn beside_functions_with_their_callers_rights_the_extension_holds_only_their_result_types() {
        let others = text(
            "select string_agg(pg_describe_object(d.classid, d.objid, 0), ', ' order by pg_describe_object(d.classid, d.objid, 0))
             from pg_depend d join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_welltrack'
             where d.deptype = 'e' and d.classid not in ('pg_proc'::regclass, 'pg_namespace'::regclass)",
            &[],
        );
        let types = ["goal_forecast", "prediction", "recovery_day", "recovery_inputs", "regression"];
        assert_eq!(others, Some(types.map(|name| format!("type welltrack.{name}")).join(", ")));
        let odd = text(
            &format!(
                "select string_agg(line, ', ') from ({FUNCTIONS}) f where prosecdef or nspname <> 'welltrack'"
            ),
            &[],
        );
        assert_eq!(odd, None);
    }

    #[pg_test]
    fn parallel_workers_give_the_same_answers() {
        run("create type mood as enum ('garmin', 'manual');
             create table readings as select gen_random_uuid() as id, now() - i * interval '1 minute' as at,
               (array['garmin', 'manual'])[1 + i % 2]::mood as source from generate_series(1, 20000) i;
             analyze readings;
             set local min_parallel_table_scan_size = 0; set local parallel_setup_cost = 0;
             set local parallel_tuple_cost = 0; set local max_parallel_workers_per_gather = 2;");
        let query = "select md5(string_agg(h, '' order by h)) from (select
            encode(welltrack.dedupe_hash(id, id, welltrack.enum_label(source), 'hr', at, null), 'hex')
            || welltrack.to_canonical('hr', 60, 'bpm', welltrack.enum_label(source))
            || welltrack.day_anchor('hr', at, at) || welltrack.is_timezone('Europe/Berlin')
            || welltrack.changed_columns(readings, readings, '{}')::text
            || (select status from welltrack.validate_metric('hr', 60, null, at, at, at)) as h from readings) x";
        let plan = Spi::connect(|client| {
            let rows = client.select(&format!("explain (costs off) {query}"), None, &[]).expect("a plan");
            rows.filter_map(|row| row.get::<String>(1).expect("text")).collect::<Vec<_>>().join("\n")
        });
        assert!(plan.contains("Parallel Seq Scan"), "{plan}");
        let together = text(query, &[]);
        run("set local max_parallel_workers_per_gather = 0");
        assert_eq!(text(query, &[]), together);
    }
}
