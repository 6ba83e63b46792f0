//! Who may do what with which table: the oracle, written by hand and independent of `sql/`.
//!
//! Promises: every table is said to be of one class, and what a class means is one line. Stops at saying: `rls_matrix`
//! and `shape` hold the database to it.

/// What somebody meets who touches the rows of the table's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It works, and a select sees exactly what it should.
    Done,
    /// Nothing is there to be touched.
    Nothing,
    /// SQLSTATE 42501.
    Refused,
}

/// Rights of one class: for each actor what happens on select, insert, update, delete.
/// `+` goes through, `0` finds nothing, `-` is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) anon: &'static str,
    pub(crate) owner: &'static str,
    pub(crate) other: &'static str,
    pub(crate) service: &'static str,
}

#[rustfmt::skip]
const CLASSES: [Class; 6] = [
    Class { name: "account",   anon: "----", owner: "+-+-", other: "0-0-", service: "++++" },
    Class { name: "owned",     anon: "----", owner: "++++", other: "0-00", service: "++++" },
    Class { name: "read_own",  anon: "----", owner: "+---", other: "0---", service: "++++" },
    Class { name: "append",    anon: "----", owner: "+---", other: "0---", service: "++--" },
    Class { name: "reference", anon: "----", owner: "+---", other: "+---", service: "++++" },
    Class { name: "service",   anon: "----", owner: "----", other: "----", service: "++++" },
];

/// The operations in the order of a [`Class`]'s marks.
pub(crate) const OPERATIONS: [&str; 4] = ["select", "insert", "update", "delete"];

#[rustfmt::skip]
const TABLES: &[(&str, &str)] = &[
    ("wt_ai_audit_log",            "append"),
    ("wt_ai_memory",               "owned"),
    ("wt_ai_plan_limits",          "reference"),
    ("wt_ai_usage",                "read_own"),
    ("wt_audit_log",               "append"),
    ("wt_baselines",               "read_own"),
    ("wt_connection_tokens",       "service"),
    ("wt_daily_logs",              "owned"),
    ("wt_daily_values",            "read_own"),
    ("wt_engine_marks",            "service"),
    ("wt_error_log",               "service"),
    ("wt_exercises",               "reference"),
    ("wt_forecasts",               "read_own"),
    ("wt_goals",                   "owned"),
    ("wt_health_connections",      "read_own"),
    ("wt_health_metrics",          "owned"),
    ("wt_insights",                "read_own"),
    ("wt_leftovers",               "owned"),
    ("wt_meal_nutrient_breakdown", "owned"),
    ("wt_meals",                   "owned"),
    ("wt_nutrient_targets",        "owned"),
    ("wt_nutrients",               "reference"),
    ("wt_oauth_states",            "service"),
    ("wt_pantry_items",            "owned"),
    ("wt_plan_items",              "owned"),
    ("wt_plans",                   "owned"),
    ("wt_profile_modules",         "owned"),
    ("wt_profiles",                "owned"),
    ("wt_recipe_ingredients",      "owned"),
    ("wt_recipe_steps",            "owned"),
    ("wt_recipes",                 "owned"),
    ("wt_recovery_scores",         "read_own"),
    ("wt_reminders",               "owned"),
    ("wt_supplement_logs",         "owned"),
    ("wt_supplement_protocols",    "owned"),
    ("wt_supplements",             "owned"),
    ("wt_sync_mutations",          "read_own"),
    ("wt_training_loads",          "read_own"),
    ("wt_users",                   "account"),
    ("wt_webhook_events",          "service"),
    ("wt_workout_logs",            "owned"),
    ("wt_workouts",                "owned"),
];

/// Columns that a client can't write in tables where they write the others.
#[rustfmt::skip]
pub(crate) const KEPT_FROM_CLIENTS: &[(&str, &[&str])] = &[
    ("wt_health_metrics", &["dedupe_hash", "is_primary", "validation_status", "rejection_reason", "processing_status",
                            "created_at", "updated_at", "reported_at", "finality"]),
    ("wt_profiles",       &["profile_type", "is_primary", "modules_provisioned_at"]),
    ("wt_users",          &["id", "user_id", "plan_tier", "created_at", "updated_at"]),
];

/// The names of all tables that are said to be of a class.
pub(crate) fn classified() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(table, _)| *table)
}

/// The class of a table, if it is said to be of one.
pub(crate) fn class_of(table: &str) -> Option<Class> {
    let (_, name) = TABLES.iter().find(|(listed, _)| *listed == table)?;
    CLASSES.iter().find(|class| class.name == *name).copied()
}

/// What a mark stands for.
pub(crate) fn outcome(marks: &str, operation: usize) -> Outcome {
    match marks.as_bytes()[operation] {
        b'+' => Outcome::Done,
        b'0' => Outcome::Nothing,
        _ => Outcome::Refused,
    }
}
