//! `recovery`, `recovery_curves`, `intensity_factor`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{run, sqlstate, text};
    use pgrx::prelude::*;

    /// Thirty-one days that end on 2026-03-31, each with some of the four inputs.
    const MONTH: &str = "create temp table month as
        select date '2026-03-31' - i as local_date, case when i % 3 > 0 then 20.0 + i end::float8 as stress,
          (400 + i)::float8 as sleep, (50 + i % 4)::float8 as hr, case when i % 2 = 0 then 60.0 end::float8 as training_load
        from generate_series(0, 30) i";
    const SCORE: &str =
        "select (welltrack.recovery('2026-03-31', 8, local_date, stress, sleep, hr, training_load";

    #[pg_test]
    fn a_month_becomes_one_row_whatever_its_order() {
        run(MONTH);
        let forwards = text(&format!("{SCORE} order by local_date))::text from month"), &[]);
        assert_eq!(forwards, text(&format!("{SCORE} order by local_date desc))::text from month"), &[]));
        assert_eq!(forwards, text(&format!("{SCORE} order by hr, sleep desc))::text from month"), &[]));
        let row = text(
            &format!(
                "select concat_ws(' ', r.status, r.days_missing, r.stress_component is null, r.sleep_component::numeric(9, 3),
                   r.hr_component::numeric(9, 3), r.load_component::numeric(9, 3), r.recovery_score::numeric(9, 3),
                   r.weights_used, r.missing_inputs, r.raw_data)
                 from ({SCORE})).* from month) r"
            ),
            &[],
        );
        // By numpy: 400 / 480; baseline 50 to 53 of the fourteen days before; 4 loads of 60 against 7 x 14 x 60 / 28.
        assert_eq!(
            row.as_deref(),
            Some(
                "scored 0 t 83.333 91.198 100.000 90.986 \
                 {\"hr\": 0.26666666666666666, \"load\": 0.3333333333333333, \"sleep\": 0.39999999999999997} {stress} \
                 (,400,8,50,51.5,1.0919284281983377,14,240,210,28,31)"
            )
        );
    }

    #[pg_test]
    fn a_day_about_which_nothing_is_known_has_no_row() {
        run(MONTH);
        assert_eq!(text(&format!("{SCORE}))::text from month where false"), &[]), None);
        assert_eq!(text(&format!("{SCORE}))::text from month where local_date < '2026-03-20'"), &[]), None);
        let calibrating = text(&format!("{SCORE})).status from month where local_date > '2026-03-20'"), &[]);
        assert_eq!(calibrating.as_deref(), Some("calibrating"));
    }

    #[pg_test]
    fn rows_without_a_date_or_outside_the_window_are_passed_over() {
        run(MONTH);
        let before = text(&format!("{SCORE}))::text from month"), &[]);
        run("insert into month values (null, 1, 1, 1, 1), ('2026-04-01', 1, 1, 1, 1), ('2026-02-28', 1, 1, 1, 1),
               ('infinity', 1, 1, 1, 1), ('-infinity', 1, 1, 1, 1)");
        assert_eq!(text(&format!("{SCORE}))::text from month"), &[]), before);
    }

    #[pg_test]
    fn what_makes_no_score_has_its_sqlstate() {
        run(MONTH);
        let call = |arguments: &str| sqlstate(&format!("select welltrack.recovery({arguments}) from month"));
        assert_eq!(call("'2026-03-31', 8, '2026-03-30', 1, 1, 1, 1"), "21000");
        assert_eq!(call("local_date, 8, local_date, 1, 1, 1, 1"), "22023");
        assert_eq!(call("'2026-03-31', 8 + hr, local_date, 1, 1, 1, 1"), "22023");
        assert_eq!(call("'2026-03-31', 0, local_date, 1, 1, 1, 1"), "22023");
        assert_eq!(call("'2026-03-31', 'NaN', local_date, 1, 1, 1, 1"), "22023");
        assert_eq!(call("null, 8, local_date, 1, 1, 1, 1"), "00000");
    }

    #[pg_test]
    fn every_group_has_its_own_state() {
        run("create temp table people as select p, date '2026-03-31' - i as day, (p * 30 + i)::float8 as sleep, 50.0::float8 as hr
             from generate_series(1, 12) p, generate_series(0, 30) i");
        let together = text(
            "select string_agg(r::text, ' ' order by p) from (select p, welltrack.recovery('2026-03-31', 8, day, null, sleep, hr, null) r
             from people group by p) x",
            &[],
        );
        let apart = text(
            "select string_agg(r::text, ' ' order by p) from generate_series(1, 12) p, lateral
             (select welltrack.recovery('2026-03-31', 8, day, null, sleep, hr, null) r from people where people.p = p.p) x",
            &[],
        );
        assert!(together.is_some());
        assert_eq!(together, apart);
    }

    #[pg_test]
    fn the_curves_say_how_a_score_is_made() {
        let curves = text(
            "select string_agg(component || ' ' || weight, ', ') || ' v' || min(formula_version) || ' ' || sum(weight)
             from welltrack.recovery_curves() where formula <> '' and source <> ''",
            &[],
        );
        assert_eq!(curves.as_deref(), Some("stress 0.25, sleep 0.3, hr 0.2, load 0.25 v1 1"));
    }

    #[pg_test]
    fn a_workout_has_an_intensity_and_nulls_are_unknown() {
        let factors = text(
            "select concat_ws(' ', welltrack.intensity_factor(7, 150, 40, 'Run'), welltrack.intensity_factor(null, 170, 40, 'Run')::numeric(5, 2),
               welltrack.intensity_factor(null, 150, null, 'Yoga'), welltrack.intensity_factor(null, null, null, null),
               welltrack.intensity_factor(null, 'NaN', 'infinity', 'Walk'))",
            &[],
        );
        assert_eq!(factors.as_deref(), Some("7 9.89 2 4 3"));
    }
}
