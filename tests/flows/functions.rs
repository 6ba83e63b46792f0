//! Who may call which function, stated once and tried by calling.
//!
//! Promises: a function that nobody has listed fails here by its name, and so does one that more people can call than
//! are listed. Stops at what the functions do.

use postgres::{Client, NoTls};
use std::collections::{BTreeMap, BTreeSet};
use welltrack_tests::{Caller, TestDb};

const NOBODY: &[&str] = &[];
const SERVICE: &[&str] = &["service_role"];
const PEOPLE: &[&str] = &["authenticated", "service_role"];
/// The rules themselves: they read nothing, and run inside defaults, checks and triggers of whoever writes.
const WRITERS: &[&str] = &["authenticated", "service_role", "supabase_auth_admin"];

#[rustfmt::skip]
const CALLERS: &[(&str, &[&str])] = &[
    ("public.claim_webhook_events(jsonb)",                 SERVICE),
    ("public.create_oauth_state(jsonb)",                   SERVICE),
    ("public.discard_dead_letter(uuid)",                   SERVICE),
    ("public.disconnect_provider(jsonb)",                  SERVICE),
    ("public.end_goal(uuid)",                              PEOPLE),
    ("public.explain_recovery(uuid,date)",                 PEOPLE),
    ("public.export_my_data()",                            PEOPLE),
    ("public.find_connection(jsonb)",                      SERVICE),
    ("public.find_oauth_state(jsonb)",                     SERVICE),
    ("public.get_connection_token(jsonb)",                 SERVICE),
    ("public.ingest_health_metrics(uuid,jsonb)",           PEOPLE),
    ("public.lease_token_refresh(jsonb)",                  SERVICE),
    ("public.list_dead_letters(public.wt_provider,text,integer)", SERVICE),
    ("public.log_error(jsonb)",                            SERVICE),
    ("public.my_daily_summary(date)",                      PEOPLE),
    ("public.prune_logs(integer,integer,integer)",         SERVICE),
    ("public.purge_webhook_events(integer,integer)",       SERVICE),
    ("public.queue_stats(jsonb)",                          SERVICE),
    ("public.receive_webhook_events(jsonb)",               SERVICE),
    ("public.refresh_baselines(integer)",                  SERVICE),
    ("public.refresh_daily_values(integer)",               SERVICE),
    ("public.replay_dead_letters(uuid,public.wt_provider,text)", SERVICE),
    ("public.rotate_token(jsonb)",                         SERVICE),
    ("public.run_health_jobs()",                           SERVICE),
    ("public.run_performance_engine(date,uuid)",           PEOPLE),
    ("public.set_goal(uuid,public.wt_metric_type,double precision,text,public.wt_goal_direction,date)", PEOPLE),
    ("public.settle_webhook_events(jsonb)",                SERVICE),
    ("public.show_dead_letter(uuid)",                      SERVICE),
    ("public.store_connection(jsonb)",                     SERVICE),
    ("public.store_connection_token(jsonb)",               SERVICE),
    ("public.take_oauth_state(jsonb)",                     SERVICE),
    ("public.tokens_to_rotate(jsonb)",                     SERVICE),
    ("public.validate_pending_metrics(integer)",           SERVICE),
    ("public.whoami(jsonb)",                               PEOPLE),

    ("wt_private.admit_goal()",                            NOBODY),
    ("wt_private.admit_metric()",                          NOBODY),
    ("wt_private.audit()",                                 NOBODY),
    ("wt_private.batch_readings(uuid,uuid,jsonb,text)",    PEOPLE),
    ("wt_private.base64(bytea)",                           SERVICE),
    ("wt_private.birthday_changed()",                    NOBODY),
    ("wt_private.bury_lost_events()",                      SERVICE),
    ("wt_private.claim_suspect()",                          SERVICE),
    ("wt_private.delete_provider_records(wt_private.held_event[],jsonb)", SERVICE),
    ("wt_private.due_to_yield(text,bigint,bigint)",         SERVICE),
    ("wt_private.engine_portion(uuid,uuid,integer,date)",  SERVICE),
    ("wt_private.engine_start()",                          SERVICE),
    ("wt_private.export_caller()",                         PEOPLE),
    ("wt_private.find_due(bigint)",                         SERVICE),
    ("wt_private.forecast_goals(wt_private.claimed_profile[],date)", SERVICE),
    ("wt_private.forget_events()",                         NOBODY),
    ("wt_private.goal_changed()",                          NOBODY),
    ("wt_private.goal_forecasts(wt_private.claimed_profile[],date)", SERVICE),
    ("wt_private.hold_people(uuid[])",                     SERVICE),
    ("wt_private.hold_person()",                           NOBODY),
    ("wt_private.intensity(public.wt_workouts,date)",    NOBODY),
    ("wt_private.judge(uuid,uuid,integer)",              SERVICE),
    ("wt_private.keep_primary_profile()",                  NOBODY),
    ("wt_private.last_dependent(uuid,date)",             SERVICE),
    ("wt_private.lease_events(uuid[],text,integer)",       SERVICE),
    ("wt_private.loads_changed()",                         NOBODY),
    ("wt_private.local_date(uuid,public.wt_metric_type,timestamp with time zone,timestamp with time zone)", PEOPLE),
    ("wt_private.lock_accounts(wt_private.account_share[])", SERVICE),
    ("wt_private.mark_days(wt_private.profile_day[])",      NOBODY),
    ("wt_private.mark_provisioned()",                      NOBODY),
    ("wt_private.note_on_connections(wt_private.held_event[],jsonb)", SERVICE),
    ("wt_private.notify_lock()",                            SERVICE),
    ("wt_private.park_events(uuid[])",                     SERVICE),
    ("wt_private.park_lost_events()",                       SERVICE),
    ("wt_private.parking_lock()",                          SERVICE),
    ("wt_private.pick_events(wt_private.account_share[],bigint)", SERVICE),
    ("wt_private.protect(regclass,text,boolean,text[],boolean)", NOBODY),
    ("wt_private.provision_modules()",                     NOBODY),
    ("wt_private.reading_end(public.wt_metric_type,timestamp with time zone,timestamp with time zone)", PEOPLE),
    ("wt_private.readings_deleted()",                       NOBODY),
    ("wt_private.readings_inserted()",                      NOBODY),
    ("wt_private.readings_updated()",                       NOBODY),
    ("wt_private.recovery(uuid,date,double precision)",  PEOPLE),
    ("wt_private.reported_readings(wt_private.held_event[],jsonb)", SERVICE),
    ("wt_private.revise_metric()",                         NOBODY),
    ("wt_private.roll_up(uuid,uuid,integer)",              SERVICE),
    ("wt_private.run_engine(date,uuid)",                   SERVICE),
    ("wt_private.run_engine_for_caller(date)",             PEOPLE),
    ("wt_private.schedule_engines(integer)",               NOBODY),
    ("wt_private.score_days(wt_private.claimed_profile[])", SERVICE),
    ("wt_private.sees_goals(date,date)",                 SERVICE),
    ("wt_private.settle_days(wt_private.day_ref[])",        NOBODY),
    ("wt_private.settle_loads(wt_private.profile_period[])", NOBODY),
    ("wt_private.settle_priority(wt_private.day_ref[])",    NOBODY),
    ("wt_private.settle_results(text,jsonb)",              SERVICE),
    ("wt_private.sleep_target_changed()",                  NOBODY),
    ("wt_private.summed_days(wt_private.claimed_days[])",   SERVICE),
    ("wt_private.touch()",                                 NOBODY),
    ("wt_private.units_changed()",                       NOBODY),
    ("wt_private.wake_events()",                           NOBODY),
    ("wt_private.workout_days(wt_private.claimed_days[])", SERVICE),
    ("wt_private.workouts_changed()",                      NOBODY),
    ("wt_private.write_batch(uuid,uuid,text,jsonb,text)",   PEOPLE),
    ("wt_private.write_days(wt_private.claimed_days[])",    SERVICE),
    ("wt_private.write_provider_readings(wt_private.held_event[],jsonb)", SERVICE),
    ("wt_private.write_provider_workouts(wt_private.held_event[],jsonb)", SERVICE),
    ("wt_private.write_results(text,jsonb)",               SERVICE),
    ("welltrack.canonical_unit(text)",                     WRITERS),
    ("welltrack.changed_columns(anyelement,anyelement,text[])", WRITERS),
    ("welltrack.daily_aggregate(text)",                    WRITERS),
    ("welltrack.day_anchor(text,timestamp with time zone,timestamp with time zone)", WRITERS),
    ("welltrack.dedupe_hash(uuid,uuid,text,text,timestamp with time zone,timestamp with time zone)", WRITERS),
    ("welltrack.dedupe_text(uuid,uuid,text,text,timestamp with time zone,timestamp with time zone)", WRITERS),
    ("welltrack.enum_label(anyenum)",                      WRITERS),
    ("welltrack.farewell(text,text)",                      WRITERS),
    ("welltrack.forecast(welltrack.regression,double precision,text,double precision,date,date)", WRITERS),
    ("welltrack.forecast_narrative(text,text,double precision,double precision,double precision,date,date,date,double precision,text,date)", WRITERS),
    ("welltrack.grows_during_day(text)",                   WRITERS),
    ("welltrack.handle_new_user()",                        NOBODY),
    ("welltrack.intensity_factor(integer,double precision,double precision,text)", WRITERS),
    ("welltrack.is_timezone(text)",                        WRITERS),
    ("welltrack.json_text(jsonb,integer)",                 WRITERS),
    ("welltrack.linear_regression(double precision,date)", WRITERS),
    ("welltrack.linear_regression(double precision,timestamp with time zone)", WRITERS),
    ("welltrack.longer_period_wins(text)",                 WRITERS),
    ("welltrack.max_attempts(text)",                       WRITERS),
    ("welltrack.metrics()",                                WRITERS),
    ("welltrack.native_metrics(uuid,uuid,text)",           WRITERS),
    ("welltrack.predict(welltrack.regression,timestamp with time zone,double precision)", WRITERS),
    ("welltrack.recovery(date,double precision,date,double precision,double precision,double precision,double precision)", WRITERS),
    ("welltrack.recovery_curves()",                        WRITERS),
    ("welltrack.recovery_narrative(welltrack.regression)", WRITERS),
    ("welltrack.recovery_result(internal)",                WRITERS),
    ("welltrack.recovery_step(internal,date,double precision,date,double precision,double precision,double precision,double precision)", WRITERS),
    ("welltrack.regression_combine(internal,internal)",     WRITERS),
    ("welltrack.regression_deserial(bytea,internal)",       WRITERS),
    ("welltrack.regression_result(internal)",               WRITERS),
    ("welltrack.regression_serial(internal)",               WRITERS),
    ("welltrack.regression_step(internal,double precision,timestamp with time zone)", WRITERS),
    ("welltrack.regression_step_day(internal,double precision,date)", WRITERS),
    ("welltrack.reported_at(text)",                        WRITERS),
    ("welltrack.retry_delay(integer)",                     WRITERS),
    ("welltrack.retry_delay(text,integer)",                WRITERS),
    ("welltrack.same_start_is_same_reading(text)",         WRITERS),
    ("welltrack.size_limit(text)",                         WRITERS),
    ("welltrack.source_priority(text)",                    WRITERS),
    ("welltrack.to_canonical(text,double precision,text,text)", WRITERS),
    ("welltrack.uuid_v7()",                                WRITERS),
    ("welltrack.validate_metric(text,double precision,text,timestamp with time zone,timestamp with time zone,timestamp with time zone)", WRITERS),
];

/// The functions that run with more rights than their caller's, all of them.
const DEFINERS: [&str; 15] = [
    "public.prune_logs(integer,integer,integer)",
    "wt_private.audit()",
    "wt_private.birthday_changed()",
    "wt_private.export_caller()",
    "wt_private.goal_changed()",
    "wt_private.hold_people(uuid[])",
    "wt_private.loads_changed()",
    "wt_private.readings_deleted()",
    "wt_private.readings_inserted()",
    "wt_private.readings_updated()",
    "wt_private.run_engine_for_caller(date)",
    "wt_private.settle_priority(wt_private.day_ref[])",
    "wt_private.sleep_target_changed()",
    "wt_private.units_changed()",
    "wt_private.workouts_changed()",
];

struct Function {
    signature: String,
    /// The statement that calls it, every argument null.
    call: String,
    /// Of those roles that are neither superusers nor the migrations' own.
    callers: BTreeSet<String>,
    is_trigger: bool,
    is_definer: bool,
    is_pinned: bool,
    is_extensions: bool,
    owner: String,
}

fn functions(db: &TestDb) -> Vec<Function> {
    let mut admin = db.admin();
    admin.batch_execute("set search_path = pg_catalog").expect("a setting can be set");
    let sql = "
        select p.oid::regprocedure::text,
               case p.prokind when 'p' then 'call ' else 'select * from ' end
                 || format('%I.%I(%s)', n.nspname, p.proname, (
                      select string_agg('null::' || case a.type
                                          when 'anyelement'::regtype then 'text'
                                          when 'anyenum'::regtype then 'public.wt_metric_type'
                                          else format_type(a.type, null) end, ', ' order by a.position)
                      from unnest(p.proargtypes) with ordinality a (type, position))),
               array(select r.rolname::text from pg_roles r
                     where not r.rolsuper and r.rolname !~ '^pg_' and r.rolname <> 'postgres'
                       and has_function_privilege(r.oid, p.oid, 'execute')
                       and has_schema_privilege(r.oid, n.oid, 'usage')),
               p.prorettype = 'trigger'::regtype, p.prosecdef,
               coalesce('search_path=\"\"' = any (p.proconfig), false),
               exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'),
               p.proowner::regrole::text
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('public', 'wt_private', 'welltrack')
        order by 1";
    let function = |row: &postgres::Row| Function {
        signature: row.get(0),
        call: row.get(1),
        callers: row.get::<_, Vec<String>>(2).into_iter().collect(),
        is_trigger: row.get(3),
        is_definer: row.get(4),
        is_pinned: row.get(5),
        is_extensions: row.get(6),
        owner: row.get(7),
    };
    admin.query(sql, &[]).expect("the catalogue can be read").iter().map(function).collect()
}

fn callers_of(signature: &str) -> Option<&'static [&'static str]> {
    CALLERS.iter().find(|(listed, _)| *listed == signature).map(|(_, roles)| *roles)
}

/// The names of the functions that the API serves to anybody.
pub(crate) fn callable_by_clients() -> impl Iterator<Item = &'static str> {
    CALLERS.iter().filter_map(|(signature, _)| signature.strip_prefix("public.")?.split('(').next())
}

#[test]
fn every_function_is_listed_and_granted_to_those_it_is_listed_for() {
    let found: BTreeMap<String, BTreeSet<String>> =
        functions(&TestDb::new()).into_iter().map(|f| (f.signature, f.callers)).collect();
    let listed: BTreeMap<String, BTreeSet<String>> = CALLERS
        .iter()
        .map(|(signature, roles)| {
            ((*signature).to_owned(), roles.iter().map(|role| (*role).to_owned()).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for signature in found.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        if found.get(signature) != listed.get(signature) {
            wrong.push(format!(
                "{signature}: listed for {:?}, found for {:?}",
                listed.get(signature),
                found.get(signature)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_function_of_the_project_answers_anon() {
    for function in functions(&TestDb::new()) {
        assert!(!function.callers.contains("anon"), "{}", function.signature);
    }
}

/// Those who come from outside, each with a connection of their own.
fn callers(db: &TestDb) -> Vec<(&'static str, Client)> {
    let person = db.sign_up("person@example.org");
    let signup = db.config_as("supabase_auth_admin").connect(NoTls).expect("GoTrue's role may connect");
    vec![
        ("anon", db.api(Caller::Anon)),
        ("authenticated", db.api(person.caller())),
        ("service_role", db.api(Caller::Service)),
        ("supabase_auth_admin", signup),
    ]
}

#[test]
fn calling_a_function_without_the_right_to_is_refused() {
    let db = TestDb::new();
    let functions = functions(&db);
    let mut wrong = Vec::new();
    for (role, mut client) in callers(&db) {
        // A trigger function can't be called at all, only attached; a part of an aggregate has arguments that nobody can write.
        let callable =
            |function: &&Function| !function.is_trigger && !function.signature.contains("internal");
        for function in functions.iter().filter(callable) {
            let Some(listed) = callers_of(&function.signature) else { continue };
            let refused = match client.batch_execute(&function.call) {
                Ok(()) => false,
                Err(error) => error.code().is_some_and(|code| code.code() == "42501"),
            };
            if refused == listed.contains(&role) {
                wrong.push(format!("{} by {role}: refused is {refused}", function.signature));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_from_outside_can_attach_a_trigger_function_to_a_table_of_their_own() {
    let db = TestDb::new();
    let functions = functions(&db);
    let mut wrong = Vec::new();
    for (role, mut client) in callers(&db) {
        client
            .batch_execute("create temporary table mine (id uuid)")
            .expect("a temporary table is anybody's");
        for function in functions.iter().filter(|function| function.is_trigger) {
            let tried = client.batch_execute(&format!(
                "create trigger mine after insert on mine for each row execute function {}",
                function.signature
            ));
            if tried.as_ref().err().and_then(|error| error.code()).map(|code| code.code()) != Some("42501") {
                wrong.push(format!("{role} attached {}: {tried:?}", function.signature));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_runs_with_more_rights_than_its_caller_is_listed_pinned_and_not_in_the_extension() {
    let db = TestDb::new();
    let functions = functions(&db);
    let definers: Vec<&str> =
        functions.iter().filter(|f| f.is_definer).map(|function| function.signature.as_str()).collect();
    assert_eq!(definers, DEFINERS);
    for function in &functions {
        assert_eq!(
            function.is_extensions,
            function.signature.starts_with("welltrack."),
            "{}",
            function.signature
        );
        assert!(
            function.is_pinned || function.is_extensions,
            "{} looks names up anywhere",
            function.signature
        );
        if function.is_definer {
            assert!(!function.is_extensions, "{} would run as a superuser", function.signature);
            assert_eq!(function.owner, "postgres", "{}", function.signature);
        }
    }
}
