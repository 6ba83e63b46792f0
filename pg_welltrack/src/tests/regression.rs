//! `linear_regression`, `predict`, `forecast`, `forecast_narrative`, `recovery_narrative`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    /// Numbers about a line, times of this century, from the seed that is returned for whoever wants to see them again.
    fn readings(rows: u32) -> String {
        let seed = text("select random()::text", &[]).expect("a number");
        run(&format!(
            "select setseed({seed});
             create table readings as select timestamptz '2026-01-01 00:00Z' + random() * 90 * interval '1 day' as at,
               slope, 0::float8 as value from (select (random() - 0.5)::float8 as slope from generate_series(1, {rows})) s;
             update readings set value = 70 + slope * 3 + 0.1 * extract(epoch from at - '2026-02-01 00:00Z') / 86400;"
        ));
        seed
    }

    #[pg_test]
    fn it_is_the_regression_of_postgres_to_twelve_digits() {
        let seed = readings(5_000);
        // Postgres sums in doubles, so its oracle is given times near zero.
        let worst = text(
            "with ours as (select (welltrack.linear_regression(value, at)).* from readings),
             theirs as (select regr_slope(value, x) as slope, regr_intercept(value, x) as intercept, regr_r2(value, x) as r2,
               regr_count(value, x) as n, sqrt((regr_syy(value, x) - regr_sxy(value, x) ^ 2 / regr_sxx(value, x))
                 / (regr_count(value, x) - 2)) as residual
               from (select value, (extract(epoch from at - '2026-02-14 00:00Z') / 86400)::float8 as x from readings) r)
             select case when num_nulls(slope_per_day, r_squared, residual_se, ours.intercept, slope, r2, residual) > 0 then 'NaN'
               else greatest(abs(slope_per_day / slope - 1), abs(r_squared / r2 - 1), abs(residual_se / residual - 1),
               abs((ours.intercept + slope_per_day * extract(epoch from timestamptz '2026-02-14 00:00Z') / 86400)
                 / theirs.intercept - 1), abs(ours.n - theirs.n)) end::text from ours, theirs",
            &[],
        );
        let worst: f64 = worst.expect("a number").parse().expect("a number");
        assert!(worst < 1e-12, "seed {seed}: {worst}");
    }

    #[pg_test]
    fn a_day_is_its_midnight_in_utc_whatever_the_session_thinks() {
        run("set local timezone = 'Pacific/Kiritimati';
             create temp table days as select date '2026-01-01' + i as day, (i * i % 7 - 0.3 * i)::float8 as y
             from generate_series(0, 29) i
             union all values (null::date, 1.0), ('infinity', 2.0), ('-infinity', 3.0), ('2026-02-01', 'NaN')");
        let same = text(
            "select ((d.r)::text = (t.r)::text and (d.r).n = 30)::text
             from (select welltrack.linear_regression(y, day) r from days) d,
                  (select welltrack.linear_regression(y, day::timestamp at time zone 'UTC') r from days) t",
            &[],
        );
        assert_eq!(same.as_deref(), Some("true"));
    }

    #[pg_test]
    fn parts_that_workers_summed_make_the_same_line() {
        let seed = readings(20_000);
        // One partial state for each partition, so that there is something to combine whichever worker is the quicker.
        run("create table parts (at timestamptz, value float8) partition by hash (at);
             do $$ begin for i in 0..3 loop
               execute format('create table part_%s partition of parts for values with (modulus 4, remainder %1$s)', i);
             end loop; end $$;
             insert into parts select at, value from readings; analyze parts;
             set local enable_partitionwise_aggregate = on; set local parallel_leader_participation = off;
             set local min_parallel_table_scan_size = 0; set local parallel_setup_cost = 0;
             set local parallel_tuple_cost = 0; set local max_parallel_workers_per_gather = 2;");
        let query = "select (welltrack.linear_regression(value, at)).* from parts";
        let rounded = format!(
            "select concat_ws(' ', n, slope_per_day::numeric(20, 14), intercept::numeric(20, 9), r_squared::numeric(20, 14),
               residual_se::numeric(20, 14), mean_x, mean_y::numeric(20, 12)) from ({query}) r"
        );
        let plan = Spi::connect(|client| {
            let rows = client.select(&format!("explain (costs off) {query}"), None, &[]).expect("a plan");
            rows.filter_map(|row| row.get::<String>(1).expect("text")).collect::<Vec<_>>().join("\n")
        });
        assert!(plan.contains("Gather") && plan.contains("Finalize Aggregate"), "{plan}");
        assert_eq!(plan.matches("Partial Aggregate").count(), 4, "{plan}");
        let together = text(&rounded, &[]);
        run("set local max_parallel_workers_per_gather = 0; set local enable_partitionwise_aggregate = off");
        assert_eq!(together, text(&rounded, &[]), "seed {seed}");
    }

    #[pg_test]
    fn degenerate_input_is_answered_and_never_nan() {
        let line = |rows: &str| {
            text(
                &format!("select welltrack.linear_regression(y, x)::text from (values {rows}) v (y, x)"),
                &[],
            )
            .expect("a line")
        };
        run("set local timezone = 'UTC'");
        assert_eq!(line("(null::float8, null::timestamptz)"), "(0,,,,,,,,)");
        assert_eq!(
            line("(1.5::float8, timestamptz '1970-01-02Z')"),
            "(1,,,,,,\"1970-01-02 00:00:00+00\",1.5,)"
        );
        assert_eq!(
            line(
                "(1::float8, timestamptz '1970-01-02Z'), (3, '1970-01-04Z'), (null, '1970-01-05Z'), (4, null), ('NaN', '1970-01-05Z'), ('infinity', '1970-01-05Z'), (1, 'infinity')"
            ),
            "(2,1,0,1,,,\"1970-01-03 00:00:00+00\",2,2)"
        );
        assert_eq!(
            line("(0.1::float8, timestamptz '1970-01-02Z'), (0.1, '1970-01-03Z'), (0.1, '1970-01-04Z')"),
            "(3,0,0.1,1,0,0,\"1970-01-03 00:00:00+00\",0.1,2)"
        );
    }

    #[pg_test]
    fn a_line_predicts_within_its_band() {
        let at = |arguments: &str| {
            text(
                &format!(
                    "select concat_ws(' ', p.value::numeric(9, 4), p.low::numeric(9, 4), p.high::numeric(9, 4)) from
                     (select welltrack.linear_regression(y, timestamptz '2026-01-01Z' + x * interval '1 day') r
                      from (values (1.0, 0), (2.1, 1), (2.9, 2), (4.2, 3), (4.8, 4)) v (y, x)) l,
                     welltrack.predict(r, {arguments}) p"
                ),
                &[],
            )
        };
        // By numpy and scipy: 1.06 + 0.97 x 6, t(0.975, 3) x 0.1742 x sqrt(1 + 1/5 + 16/10).
        assert_eq!(at("'2026-01-07Z'").as_deref(), Some("6.8800 5.9525 7.8075"));
        assert_eq!(at("'2026-01-07Z', 0.5").as_deref(), Some("6.8800 6.6571 7.1029"));
        assert_eq!(at("'infinity'").as_deref(), Some(""));
        for level in ["0", "1", "'NaN'", "-3"] {
            let call = format!(
                "select welltrack.predict(row(3, 1, 1, 1, 1, 1, now(), 1, 1)::welltrack.regression, now(), {level})"
            );
            assert_eq!(sqlstate(&call), "22023", "{level}");
        }
    }

    #[pg_test]
    fn a_goal_has_a_forecast_and_a_sentence() {
        run("create temp table weights as select (80 - 0.1 * i + case when i % 2 = 0 then 0.1 else -0.1 end)::float8 as kg,
               timestamptz '2026-01-01 00:00Z' + i * interval '1 day' as at from generate_series(0, 29) i");
        let ask = |target: &str, direction: &str| {
            text(
                &format!(
                    "select concat_ws(' ', f.status, f.projected_date, f.projected_low, f.projected_high, f.confidence::numeric(5, 3))
                     from (select welltrack.linear_regression(kg, at) r from weights) l,
                     welltrack.forecast(r, {target}, '{direction}', 77.2, '2026-01-30') f"
                ),
                &[],
            )
        };
        // By scipy: the line meets 75 after 49.76 days, the ends of its band after 47.18 and 52.49; R2 is 0.98704.
        assert_eq!(ask("75", "decrease").as_deref(), Some("on_track 2026-02-20 2026-02-18 2026-02-23 0.987"));
        let by = |deadline: &str| {
            text(
                &format!(
                    "select f.status from (select welltrack.linear_regression(kg, at) r from weights) l,
                     welltrack.forecast(r, 75, 'decrease', 77.2, '2026-01-30', {deadline}) f"
                ),
                &[],
            )
        };
        assert_eq!(by("'2026-02-20'").as_deref(), Some("on_track"));
        assert_eq!(by("'2026-02-19'").as_deref(), Some("late"));
        assert_eq!(by("'infinity'").as_deref(), Some("on_track"));
        assert_eq!(ask("78", "decrease").as_deref(), Some("reached"));
        assert_eq!(ask("90", "increase").as_deref(), Some("not_converging"));
        assert_eq!(ask("-1000", "decrease").as_deref(), Some("beyond_horizon 0.987"));
        assert_eq!(ask("null", "decrease").as_deref(), Some(""));
        let words = text(
            "select welltrack.forecast_narrative('weight', f.status, 77.2, 75, (r).slope_per_day, f.projected_date, null, null,
               f.confidence, units => 'imperial')
             from (select welltrack.linear_regression(kg, at) r from weights) l,
             welltrack.forecast(r, 75, 'decrease', 77.2, '2026-01-30') f",
            &[],
        );
        assert_eq!(
            words.as_deref(),
            Some(
                "Based on your current progress (1.6 lb/week average), you're on track to reach your 165.3 lb target by February 20, 2026."
            )
        );
    }

    #[pg_test]
    fn nulls_and_hostile_rows_are_borne_and_unknown_words_refused() {
        let forecast = |arguments: &str| text(&format!("select welltrack.forecast({arguments})::text"), &[]);
        assert_eq!(
            forecast("null, 75, 'decrease', 80, '2026-01-30'").as_deref(),
            Some("(too_few_points,,,,)")
        );
        assert_eq!(forecast("null, 75, null, 80, '2026-01-30'"), None);
        assert_eq!(forecast("null, 75, 'decrease', 80, null"), None);
        assert_eq!(forecast("null, 75, 'decrease', 80, 'infinity'"), None);
        for row in [
            "-1, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'infinity', 'NaN', 'NaN'",
            "9223372036854775807, -1e308, 0, 7, 1e-320, 0, '-infinity', 1e308, 5e-324",
            "30, -0.1, null, null, 0.1, 0.001, '294276-12-31', 80, 0",
            "null, null, null, null, null, null, null, null, null",
        ] {
            for day in ["5874897-12-31", "4713-01-01 BC", "2026-01-30"] {
                let call = format!("row({row})::welltrack.regression, 75, 'decrease', 80, '{day}'");
                assert_eq!(sqlstate(&format!("select welltrack.forecast({call})")), "00000", "{call}");
            }
            let call =
                format!("select welltrack.predict(row({row})::welltrack.regression, '294276-12-31', 0.9)");
            assert_eq!(sqlstate(&call), "00000", "{call}");
        }
        assert_eq!(sqlstate("select welltrack.forecast(null, 75, 'sideways', 80, '2026-01-30')"), "22023");
        let trend = |values: &str| {
            let line = format!(
                "select welltrack.linear_regression(v, day::date) r from (values {values}) s (day, v)"
            );
            text(&format!("select welltrack.recovery_narrative(r) from ({line}) l"), &[])
        };
        let rising = "('2026-01-01', 50), ('2026-01-02', 60), ('2026-01-03', 70.5), ('2026-01-04', 80)";
        assert!(trend(rising).is_some_and(|said| said.contains("upward")));
        assert_eq!(trend("('2026-01-01', 50), ('2026-01-02', 60)"), None);
        assert_eq!(text("select welltrack.recovery_narrative(null)", &[]), None);
        let narrative = |metric: &str, status: &str| {
            format!(
                "select welltrack.forecast_narrative({metric}, {status}, 'NaN', 'infinity', null, 'infinity', null, null, null)"
            )
        };
        assert_eq!(sqlstate(&narrative("'mood'", "'reached'")), "22023");
        assert_eq!(sqlstate(&narrative("'weight'", "'lost'")), "22023");
        assert_eq!(text(&narrative("null", "'reached'"), &[]), None);
        let said = text(&narrative("'weight'", "'on_track'"), &[]);
        assert_eq!(
            said.as_deref(),
            Some("Based on your current progress, you're on track to reach your target.")
        );
    }
}
