//! What the pool promises beyond its answers: dropped calls roll back, a database that was away is found again, callers
//! don't leak into each other, names come from the catalogue only.

use crate::support::{Database, caller, with_database};
use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tokio_postgres::Client;
use welltrack_api::{
    jwt::{Caller, Role},
    rpc::Pool,
};

const STAGE: &str = "
    create table public.gw_rows (id int primary key);
    create function public.gw_wait(jsonb) returns jsonb language plpgsql as $$
        begin
            insert into public.gw_rows values (($1 ->> 'id')::int);
            perform pg_advisory_xact_lock(42);
            return '{}';
        end $$;
    create function public.gw_add(jsonb) returns jsonb language plpgsql as $$
        begin
            insert into public.gw_rows values (($1 ->> 'id')::int);
            return '{}';
        end $$;
    create function public.gw_who(jsonb) returns jsonb language sql as $$
        select jsonb_build_object('role', current_user, 'sub', current_setting('request.jwt.claims')::jsonb ->> 'sub',
                                  'id', current_setting('request.headers')::jsonb ->> 'x-request-id',
                                  'timeout', current_setting('statement_timeout')) $$;
    -- Simple enough to be inlined into the plan of its caller, its right to execute with it.
    create function public.gw_inlined(jsonb) returns jsonb language sql immutable as 'select $1';
    revoke all on function public.gw_inlined from public, anon, authenticated;
    -- What the short way must not call.
    create function public.gw_named(argument jsonb) returns jsonb language sql as 'select $1';
    create function public.gw_text(text) returns jsonb language sql as 'select to_jsonb($1)';
    create function public.gw_json(json) returns jsonb language sql as 'select $1::jsonb';
    create function public.gw_void(jsonb) returns void language sql as '';
    create function public.gw_set(jsonb) returns setof jsonb language sql as 'select $1';
    create function public.gw_variadic(variadic jsonb[]) returns jsonb language sql as 'select $1[1]';
    create function public.gw_twice(jsonb) returns jsonb language sql as 'select $1';
    create function public.gw_twice(text) returns jsonb language sql as 'select to_jsonb($1)';
    create procedure public.gw_procedure(jsonb) language sql as '';
";

async fn stage(database: &Database, size: usize) -> (Client, Pool) {
    let admin = database.admin().await;
    admin.batch_execute(STAGE).await.expect("the stage is set");
    let pool = Pool::connect(&database.url("authenticator"), size).await.expect("the URL is good");
    (admin, pool)
}

async fn call(pool: &Pool, function: &str, body: Value, caller: &Caller) -> (StatusCode, Value) {
    let answer = pool.call(function, body.to_string().into(), caller, "id").await;
    let body = serde_json::from_slice(answer.body()).expect("an answer is JSON");
    (answer.status(), body)
}

async fn count(admin: &Client) -> i64 {
    admin.query_one("select count(*) from public.gw_rows", &[]).await.expect("rows are counted").get(0)
}

const NO_LIMITS: &str = "
    do $$ begin
        execute format('alter role authenticator in database %I set statement_timeout = 0', current_database());
        execute format('alter role authenticator in database %I set lock_timeout = 0', current_database());
    end $$";

/// Waits until the database says so; the test's own time limit is the runner's.
async fn until(admin: &Client, condition: &str) {
    let sql = format!("select {condition}");
    while !admin.query_one(&sql, &[]).await.expect("a condition").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
}

const WAITING: &str = "exists (select from pg_stat_activity where datname = current_database()
                               and usename = 'authenticator' and wait_event_type = 'Lock')";
const NOBODY_LEFT: &str = "not exists (select from pg_stat_activity where datname = current_database()
                                       and usename = 'authenticator' and state <> 'idle')";

#[test]
fn a_dropped_call_is_rolled_back_and_its_place_is_free_again() {
    with_database(|database| async move {
        // No time limit of the database's own may do what the cancelling has to.
        database.admin().await.batch_execute(NO_LIMITS).await.expect("no limits");
        let (admin, pool) = stage(&database, 1).await;
        admin.batch_execute("select pg_advisory_lock(42)").await.expect("a lock");
        let service = caller(Role::ServiceRole);
        let waiting = {
            let (pool, service) = (pool.clone(), service.clone());
            tokio::spawn(async move {
                pool.call("gw_wait", Bytes::from_static(br#"{"id": 1}"#), &service, "id").await
            })
        };
        until(&admin, WAITING).await;
        waiting.abort();
        // The one connection is given back only when the statement is gone: this waits for it.
        let (status, _) = call(&pool, "gw_add", json!({ "id": 2 }), &service).await;
        assert_eq!(status, StatusCode::OK);
        admin.batch_execute("select pg_advisory_unlock(42)").await.expect("unlocked");
        until(&admin, NOBODY_LEFT).await;
        let left: Vec<i32> = admin
            .query("select id from public.gw_rows", &[])
            .await
            .expect("rows")
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(left, [2]);
    });
}

#[test]
fn calls_that_are_dropped_at_any_moment_leave_whole_rows_or_none_and_a_pool_that_works() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 4).await;
        let service = caller(Role::ServiceRole);
        let mut answered = 0;
        for id in 0..200_u32 {
            let body = json!({ "id": id }).to_string().into();
            let mut call = std::pin::pin!(pool.call("gw_add", body, &service, "id"));
            // A different number of polls for each call.
            for _ in 0..id % 8 {
                if let std::task::Poll::Ready(answer) = futures_util::poll!(&mut call) {
                    assert_eq!(answer.status(), StatusCode::OK);
                    answered += 1;
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let (status, _) = call(&pool, "gw_add", json!({ "id": 1000 }), &service).await;
        assert_eq!(status, StatusCode::OK);
        until(&admin, NOBODY_LEFT).await;
        let rows = count(&admin).await;
        assert!((answered + 1..=201).contains(&rows), "{answered} answered, {rows} rows");
    });
}

#[test]
fn a_database_that_hangs_up_is_answered_503_or_found_again_at_once() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 2).await;
        let service = caller(Role::ServiceRole);
        assert_eq!(call(&pool, "gw_add", json!({ "id": 1 }), &service).await.0, StatusCode::OK);
        admin.batch_execute("select pg_advisory_lock(42)").await.expect("a lock");
        let waiting = {
            let (pool, service) = (pool.clone(), service.clone());
            tokio::spawn(async move { call(&pool, "gw_wait", json!({ "id": 2 }), &service).await })
        };
        until(&admin, WAITING).await;
        admin
            .batch_execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                             where datname = current_database() and usename = 'authenticator'",
            )
            .await
            .expect("terminated");
        let (status, body) = waiting.await.expect("an answer");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        // The driver may still be reading the farewell of a connection that waited; from then on all is well.
        until(&admin, "not exists (select from pg_stat_activity where datname = current_database() and usename = 'authenticator')").await;
        while call(&pool, "gw_add", json!({ "id": 3 }), &service).await.0 != StatusCode::OK {}
        assert_eq!(count(&admin).await, 2);
    });
}

/// What [`Pool::sharing`] is for: calls that come while others are on their way share the next transaction.
#[test]
fn calls_in_company_share_a_commit_and_the_one_that_fails_fails_alone() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 4).await;
        let pool = pool.sharing(vec!["gw_add".to_owned()]);
        let service = caller(Role::ServiceRole);
        admin.batch_execute("insert into public.gw_rows values (13)").await.expect("a row in the way");
        let answers = join_all((0..40).map(|id| call(&pool, "gw_add", json!({ "id": id }), &service))).await;
        for (id, (status, body)) in answers.iter().enumerate() {
            let wanted =
                if id == 13 { (StatusCode::CONFLICT, json!("23505")) } else { (StatusCode::OK, Value::Null) };
            assert_eq!((*status, body["code"].clone()), wanted, "{id}");
        }
        assert_eq!(count(&admin).await, 40);

        admin.batch_execute("truncate public.gw_rows").await.expect("emptied");
        let answers = join_all((0..40).map(|id| call(&pool, "gw_add", json!({ "id": id }), &service))).await;
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK));
        let commits = admin.query_one("select count(distinct xmin::text) from public.gw_rows", &[]).await;
        let commits: i64 = commits.expect("counted").get(0);
        assert!(commits < 10, "{commits} commits for 40 calls");
    });
}

#[test]
fn who_shares_keeps_their_own_role_claims_and_request_id() {
    with_database(|database| async move {
        let (_, pool) = stage(&database, 4).await;
        let pool = pool.sharing(vec!["gw_who".to_owned()]);
        let callers = Role::ALL.map(caller);
        let ids: Vec<String> = (0..60).map(|number| format!("request-{number}")).collect();
        let answers = join_all(ids.iter().zip(callers.iter().cycle()).map(|(id, caller)| {
            let pool = &pool;
            async move { pool.call("gw_who", Bytes::from_static(b"{}"), caller, id).await }
        }));
        for ((answer, id), caller) in answers.await.iter().zip(&ids).zip(callers.iter().cycle()) {
            let said: Value = serde_json::from_slice(answer.body()).expect("JSON");
            assert_eq!((&said["role"], &said["id"]), (&json!(caller.role.name()), &json!(id)));
        }
    });
}

#[test]
fn a_shared_call_goes_on_while_one_caller_waits_and_is_cancelled_when_none_does() {
    with_database(|database| async move {
        database.admin().await.batch_execute(NO_LIMITS).await.expect("no limits");
        let (admin, pool) = stage(&database, 4).await;
        let pool = pool.sharing(vec!["gw_wait".to_owned()]);
        let service = caller(Role::ServiceRole);
        let begin = |id: u32| {
            let (pool, service) = (pool.clone(), service.clone());
            tokio::spawn(async move { call(&pool, "gw_wait", json!({ "id": id }), &service).await })
        };
        admin.batch_execute("select pg_advisory_lock(42)").await.expect("a lock");
        let gone = begin(1);
        until(&admin, WAITING).await;
        gone.abort();
        until(&admin, NOBODY_LEFT).await;
        assert_eq!(count(&admin).await, 0, "nobody waited for it");

        // A flight is on its way, so those who come now share the next.
        let first = begin(2);
        until(&admin, WAITING).await;
        let second = begin(3);
        let gone = begin(4);
        let stays = begin(5);
        tokio::task::yield_now().await;
        gone.abort();
        admin.batch_execute("select pg_advisory_unlock(42)").await.expect("unlocked");
        for waiting in [first, second, stays] {
            assert_eq!(waiting.await.expect("an answer").0, StatusCode::OK);
        }
        let rows = count(&admin).await;
        assert!((3..=4).contains(&rows), "{rows} rows");
    });
}

#[test]
fn a_shared_call_whose_connection_breaks_is_503_for_everybody_and_the_next_is_served() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 4).await;
        let pool = pool.sharing(vec!["gw_wait".to_owned()]);
        let service = caller(Role::ServiceRole);
        admin.batch_execute("select pg_advisory_lock(42)").await.expect("a lock");
        let begin = |id: u32| {
            let (pool, service) = (pool.clone(), service.clone());
            tokio::spawn(async move { call(&pool, "gw_wait", json!({ "id": id }), &service).await })
        };
        let first = begin(0);
        until(&admin, WAITING).await;
        // These gather behind the first, and fly together when it has crashed.
        let mut waiting: Vec<_> = [first].into_iter().chain((1..6).map(begin)).collect();
        while !waiting.iter().all(tokio::task::JoinHandle::is_finished) {
            const END: &str =
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
                               and usename = 'authenticator' and wait_event_type = 'Lock'";
            admin.batch_execute(END).await.expect("ended");
        }
        for call in waiting.drain(..) {
            assert_eq!(call.await.expect("an answer").0, StatusCode::SERVICE_UNAVAILABLE);
        }
        admin.batch_execute("select pg_advisory_unlock(42)").await.expect("unlocked");
        assert_eq!(begin(7).await.expect("an answer").0, StatusCode::OK);
        assert_eq!(count(&admin).await, 1);
    });
}

#[test]
fn a_database_that_is_away_is_503_and_served_nonetheless() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // A port that was free a moment ago.
        let port = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port")
            .local_addr()
            .expect("bound")
            .port();
        let url = format!("postgresql://authenticator:hidden-password@127.0.0.1:{port}/postgres");
        let pool = Pool::connect(&url, 1).await.expect("the URL is good");
        assert!(pool.serves("anything").await, "so that it is answered here");
        let (status, body) = call(&pool, "anything", json!({}), &caller(Role::ServiceRole)).await;
        assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("PGRST000")));
        assert!(!format!("{body}{pool:?}").contains("hidden-password"));
    });
}

#[test]
fn callers_do_not_leak_into_each_other() {
    with_database(|database| async move {
        // One connection for all.
        let (_, pool) = stage(&database, 1).await;
        for round in 0..3 {
            for (role, timeout) in
                [(Role::Anon, "3s"), (Role::Authenticated, "8s"), (Role::ServiceRole, "8s")]
            {
                let (status, body) = call(&pool, "gw_who", json!({}), &caller(role)).await;
                let sub = "a0000000-0000-4000-8000-000000000001";
                let wanted = json!({ "role": role.name(), "sub": sub, "id": "id", "timeout": timeout });
                assert_eq!((status, body), (StatusCode::OK, wanted), "round {round}");
            }
            let (_, body) = call(&pool, "gw_who", json!({}), &Caller::anonymous()).await;
            assert_eq!((&body["role"], &body["sub"]), (&json!("anon"), &Value::Null));
        }
    });
}

#[test]
fn a_right_to_execute_is_asked_of_each_caller_even_where_the_plan_has_the_function_inlined() {
    with_database(|database| async move {
        let (_, pool) = stage(&database, 1).await;
        // Often enough for Postgres to keep a plan that it made for the service role.
        for _ in 0..10 {
            let (status, _) = call(&pool, "gw_inlined", json!({}), &caller(Role::ServiceRole)).await;
            assert_eq!(status, StatusCode::OK);
        }
        let (status, _) = call(&pool, "gw_inlined", json!({}), &caller(Role::Authenticated)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn only_one_unnamed_jsonb_to_jsonb_of_public_is_served() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 1).await;
        assert!(pool.serves("gw_who").await);
        let others = [
            "gw_named",
            "gw_text",
            "gw_json",
            "gw_void",
            "gw_set",
            "gw_variadic",
            "gw_twice",
            "gw_procedure",
            "gw_rows",
            "jsonb_pretty",
            "to_jsonb",
            "pg_sleep",
            "",
            "gw_who(jsonb)",
            "gw_who\"",
            "public.gw_who",
            "gw_who($1); drop table public.gw_rows; --",
            "\0",
            "wt_private.protect",
        ];
        for name in others {
            assert!(!pool.serves(name).await, "{name}");
            let (status, body) = call(&pool, name, json!({}), &caller(Role::ServiceRole)).await;
            assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("PGRST202")), "{name}");
        }
        assert_eq!(count(&admin).await, 0);
    });
}

#[test]
fn functions_that_come_change_and_go_are_noticed() {
    with_database(|database| async move {
        let (admin, pool) = stage(&database, 1).await;
        let service = caller(Role::ServiceRole);
        let define = |body: &str| {
            format!(
                "create or replace function public.gw_new(jsonb) returns jsonb language sql as 'select ''{body}''::jsonb'"
            )
        };
        admin.batch_execute(&define("1")).await.expect("made");
        // Unknown names are asked for again after a second.
        while !pool.serves("gw_new").await {
            tokio::task::yield_now().await;
        }
        assert_eq!(call(&pool, "gw_new", json!({}), &service).await, (StatusCode::OK, json!(1)));
        admin.batch_execute(&define("2")).await.expect("changed");
        assert_eq!(call(&pool, "gw_new", json!({}), &service).await, (StatusCode::OK, json!(2)));
        admin.batch_execute("drop function public.gw_new").await.expect("dropped");
        for _ in 0..2 {
            let (status, _) = call(&pool, "gw_new", json!({}), &service).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
        }
        admin.batch_execute(&define("3")).await.expect("made again");
        while call(&pool, "gw_new", json!({}), &service).await != (StatusCode::OK, json!(3)) {}
    });
}

#[test]
fn a_bad_url_is_an_error_that_does_not_quote_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error =
        runtime.block_on(Pool::connect("postgresql://authenticator:hidden@[nowhere", 1)).expect_err("no URL");
    assert!(!format!("{error} {error:?}").contains("hidden"));
}
