//! `longer_period_wins`, `same_start_is_same_reading`, `reported_at`, `farewell`.

#[pgrx::pg_schema]
mod tests {
    use crate::tests::{sqlstate, text};
    use pgrx::prelude::*;
    use welltrack_core::providers::Provider;

    #[pg_test]
    fn every_provider_has_the_rules_of_the_table() {
        for provider in Provider::ALL {
            let rules = provider.rules();
            let told = text(
                "select concat_ws(' ', welltrack.longer_period_wins($1), welltrack.same_start_is_same_reading($1),
                                  welltrack.reported_at($1))",
                &[provider.label().into()],
            );
            let letter = |fact| if fact { "t" } else { "f" };
            let [longer, same] = [rules.longer_period_wins, rules.same_start_is_same_reading].map(letter);
            assert_eq!(told, Some(format!("{longer} {same} {}", rules.reported_at.label())));
        }
    }

    #[pg_test]
    fn a_farewell_is_found_by_its_type_and_payload() {
        for (source, event_type, payload, expected) in [
            ("garmin", "deregistrations", "null", "true"),
            ("garmin", "userPermissionsChange", "{}", "true"),
            ("garmin", "dailies", "{}", "false"),
            ("garmin", "athlete.delete", "{}", "false"),
            ("strava", "athlete.delete", "{}", "true"),
            ("strava", "athlete.update", r#"{"updates": {"authorized": "false"}}"#, "true"),
            ("strava", "athlete.update", r#"{"updates": {"authorized": false}}"#, "true"),
            ("strava", "athlete.update", r#"{"updates": {"authorized": "true"}}"#, "false"),
            ("strava", "athlete.update", r#"{"updates": "false"}"#, "false"),
            ("strava", "athlete.update", "[]", "false"),
        ] {
            let told = text(
                "select coalesce($3::jsonb @? welltrack.farewell($1, $2)::jsonpath, false)::text",
                &[source.into(), event_type.into(), payload.into()],
            );
            assert_eq!(told.as_deref(), Some(expected), "{source} {event_type} {payload}");
        }
    }

    #[pg_test]
    fn an_unknown_provider_has_its_sqlstate() {
        for call in [
            "longer_period_wins('manual')",
            "same_start_is_same_reading('x')",
            "reported_at('')",
            "farewell('fitbit', 'x')",
            "retry_delay('', 1)",
            "max_attempts('x')",
        ] {
            assert_eq!(sqlstate(&format!("select welltrack.{call}")), "22023", "{call}");
        }
    }
}
