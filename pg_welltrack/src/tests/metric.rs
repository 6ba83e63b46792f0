//! `canonical_unit`, `to_canonical`, `source_priority`, `daily_aggregate`, `day_anchor`, `validate_metric`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{sqlstate, text};
    use pgrx::prelude::*;
    use welltrack_core::metric::METRICS;

    #[pg_test]
    fn every_metric_has_the_facts_of_the_table() {
        for spec in &METRICS {
            let facts = text(
                "select concat_ws(' ', welltrack.canonical_unit($1), welltrack.daily_aggregate($1),
                                  welltrack.grows_during_day($1))",
                &[spec.label.into()],
            );
            let grows = if spec.grows_during_day() { "t" } else { "f" };
            assert_eq!(facts, Some(format!("{} {} {grows}", spec.unit.symbol(), spec.aggregate.label())));
        }
    }

    #[pg_test]
    fn metrics_lists_the_table_in_its_order() {
        let listed = text(
            "select string_agg(concat_ws(' ', metric_type, unit, lowest, highest, daily_aggregate, day_anchor,
                                         grows_during_day), ', ')
             from welltrack.metrics()",
            &[],
        );
        let expected: Vec<_> = METRICS
            .iter()
            .map(|spec| {
                let grows = if spec.grows_during_day() { "t" } else { "f" };
                let (least, greatest) = spec.range;
                let [aggregate, anchor] = [spec.aggregate.label(), spec.anchor.label()];
                format!(
                    "{} {} {least} {greatest} {aggregate} {anchor} {grows}",
                    spec.label,
                    spec.unit.symbol()
                )
            })
            .collect();
        assert_eq!(listed, Some(expected.join(", ")));
    }

    #[pg_test]
    fn values_are_converted_and_nulls_stay_null() {
        let converted =
            |arguments: &str| text(&format!("select welltrack.to_canonical({arguments})::text"), &[]);
        assert_eq!(converted("'sleep', 7.5, 'h', 'garmin'").as_deref(), Some("450"));
        assert_eq!(converted("'spo2', 0.97, '%', 'healthkit'").as_deref(), Some("97"));
        assert_eq!(converted("'weight', 80, null, null").as_deref(), Some("80"));
        assert_eq!(converted("'weight', null, 'furlong', null"), None);
        assert_eq!(converted("null, 80, 'kg', null"), None);
    }

    #[pg_test(error = "\"furlong\" is not a unit of weight")]
    fn an_unknown_unit_is_named() {
        let _ = text("select welltrack.to_canonical('weight', 1, 'furlong', null)::text", &[]);
    }

    #[pg_test]
    fn bad_arguments_have_their_sqlstate() {
        for (call, state) in [
            ("canonical_unit('mood')", "22023"),
            ("daily_aggregate('mood')", "22023"),
            ("day_anchor('mood', now(), now())", "22023"),
            ("grows_during_day('mood')", "22023"),
            ("source_priority('fitbit')", "22023"),
            ("to_canonical('mood', 1, 'kg', 'garmin')", "22023"),
            ("to_canonical('weight', 1, 'furlong', 'garmin')", "22023"),
            ("to_canonical('weight', 1, 'kg', 'fitbit')", "22023"),
            ("to_canonical('weight', 'NaN', 'kg', null)", "22003"),
            ("to_canonical('weight', 'infinity', null, null)", "22003"),
            ("to_canonical('distance', 1e308, 'mi', null)", "22003"),
            ("validate_metric('mood', 1, null, now(), now(), now())", "22023"),
            ("validate_metric(null, 1, null, now(), now(), now())", "22023"),
        ] {
            assert_eq!(sqlstate(&format!("select welltrack.{call}")), state, "{call}");
        }
    }

    #[pg_test]
    fn the_hint_names_the_accepted_units() {
        let hint = text(
            "create function pg_temp.hint() returns text language plpgsql as $$
             declare said text;
             begin
               perform welltrack.to_canonical('weight', 1, 'furlong', null);
             exception when others then
               get stacked diagnostics said = pg_exception_hint;
               return said;
             end $$;
             select pg_temp.hint()",
            &[],
        );
        assert_eq!(hint.as_deref(), Some("Units of weight: kg, g, lb, st, oz."));
    }

    #[pg_test]
    fn sources_are_ranked_from_worn_to_typed() {
        let ranked = text(
            "select string_agg(s, ' ' order by welltrack.source_priority(s))
             from unnest('{manual,strava,health_connect,healthkit,garmin}'::text[]) s",
            &[],
        );
        assert_eq!(ranked.as_deref(), Some("garmin healthkit health_connect strava manual"));
    }

    #[pg_test]
    fn the_anchor_is_the_instant_itself_whatever_it_is() {
        let anchor = |arguments: &str| {
            text(&format!("select (welltrack.day_anchor({arguments}) at time zone 'UTC')::text"), &[])
        };
        assert_eq!(anchor("'sleep', '2026-01-01Z', '2026-01-02Z'").as_deref(), Some("2026-01-02 00:00:00"));
        assert_eq!(anchor("'sleep', '2026-01-01Z', null").as_deref(), Some("2026-01-01 00:00:00"));
        assert_eq!(anchor("'steps', '2026-01-01Z', '2026-01-02Z'").as_deref(), Some("2026-01-01 00:00:00"));
        assert_eq!(anchor("'steps', 'infinity', null").as_deref(), Some("infinity"));
        assert_eq!(anchor("'steps', '294276-12-31Z', null").as_deref(), Some("294276-12-31 00:00:00"));
        assert_eq!(anchor("'steps', null, now()"), None);
        assert_eq!(anchor("null, now(), now()"), None);
    }

    #[pg_test]
    fn a_reading_is_validated_or_rejected_with_a_reason() {
        let verdict = |arguments: &str| {
            text(
                &format!(
                    "select status || coalesce(' ' || reason, '') from welltrack.validate_metric({arguments})"
                ),
                &[],
            )
        };
        let yesterday = "now() - interval '1 day', now(), now()";
        assert_eq!(verdict(&format!("'steps', 5, null, {yesterday}")).as_deref(), Some("validated"));
        assert_eq!(
            verdict(&format!("'steps', 200000, null, {yesterday}")).as_deref(),
            Some("rejected out_of_range: steps 200000 is outside 0..100000 count")
        );
        for (arguments, code) in [
            (format!("'stress', null, 'unavailable', {yesterday}"), "unavailable"),
            (format!("'stress', 'NaN', null, {yesterday}"), "not_finite"),
            (format!("'blood_pressure', 120, '120/130', {yesterday}"), "inconsistent"),
            ("'steps', 5, null, now() + interval '25 hours', null, null".to_owned(), "in_future"),
            ("'steps', 5, null, now(), null, now() - interval '25 hours'".to_owned(), "in_future"),
            ("'steps', 5, null, '-infinity', 'infinity', now()".to_owned(), "time_out_of_range"),
            ("'steps', 5, null, null, null, null".to_owned(), "missing_field"),
        ] {
            let verdict = verdict(&arguments).expect("a verdict");
            assert!(verdict.starts_with(&format!("rejected {code}: ")), "{arguments}: {verdict}");
        }
    }
}
