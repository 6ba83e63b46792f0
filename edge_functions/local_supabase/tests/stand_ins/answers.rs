//! The short way answers as the long way does, and in company as alone: one table of cases, run against all three.
//!
//! Status, content type, `content-range`, `www-authenticate`, what `response.headers` sets, and the body are compared byte for
//! byte, with one known difference taken out first: postrust reads a `jsonb` and writes it again without spaces, PostgREST
//! and the short way pass on the database's text. Where postrust is wrong in other ways the case says how, and what
//! PostgREST answers stands beside it.

use crate::support::{Database, caller, token_of, verifier, with_database};
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, header};
use serde_json::Value;
use tower::ServiceExt;
use welltrack_api::{
    jwt::{Caller, Role},
    rpc::Pool,
};
use welltrack_local::rest::{Rest, RestSettings};

const STAGE: &str = r#"
    create function public.gw_echo(jsonb) returns jsonb language sql immutable as 'select $1';
    create function public.gw_null(jsonb) returns jsonb language sql as 'select null::jsonb';
    create function public.gw_who(jsonb) returns jsonb language sql stable as $$
        select jsonb_build_object('user', current_user, 'session', session_user,
            'claims', current_setting('request.jwt.claims')::jsonb, 'method', current_setting('request.method'),
            'path', current_setting('request.path'), 'cookies', current_setting('request.cookies'),
            'isolation', current_setting('transaction_isolation'), 'durable', current_setting('synchronous_commit')) $$;
    create function public.gw_read_only(jsonb) returns jsonb language sql volatile as
        $$ select to_jsonb(current_setting('transaction_read_only')) $$;
    create function public.gw_raise(jsonb) returns jsonb language plpgsql as $$
        begin
            raise exception using errcode = $1 ->> 'code', message = coalesce($1 ->> 'message', 'no'),
                detail = coalesce($1 ->> 'detail', ''), hint = coalesce($1 ->> 'hint', '');
        end $$;
    create function public.gw_raise_bare(jsonb) returns jsonb language plpgsql as $$
        begin raise exception 'nothing more to say' using errcode = $1 ->> 'code'; end $$;
    create function public.gw_respond(jsonb) returns jsonb language plpgsql as $$
        begin
            perform set_config('response.status', $1 ->> 'status', true), set_config('response.headers', $1 ->> 'headers', true);
            return '{"done": true}';
        end $$;
    create table public.gw_parent (id int primary key);
    create table public.gw_child (id int primary key check (id > 0), parent int not null references public.gw_parent deferrable initially deferred);
    create table public.gw_closed (id int);
    revoke all on public.gw_closed from anon, authenticated;
    create function public.gw_insert(jsonb) returns jsonb language plpgsql as $$
        begin
            insert into public.gw_child values (($1 ->> 'id')::int, ($1 ->> 'parent')::int);
            return '{}';
        end $$;
    create function public.gw_stable_insert(jsonb) returns jsonb language plpgsql stable as $$
        begin perform public.gw_insert($1); return '{}'; end $$;
    create function public.gw_select_closed(jsonb) returns jsonb language sql as 'select to_jsonb(count(*)) from public.gw_closed';
    create function public.gw_closed_function(jsonb) returns jsonb language sql as 'select $1';
    revoke all on function public.gw_closed_function from public, anon, authenticated;
    create function public.gw_fault(jsonb) returns jsonb language plpgsql as $$
        begin
            case $1 ->> 'kind'
                when 'division' then return to_jsonb(1 / ($1 ->> 'by')::int);
                when 'cast' then return to_jsonb(($1 ->> 'text')::int);
                when 'table' then execute 'select * from public.no_such_table';
                when 'function' then execute 'select public.no_such_function()';
                when 'recursion' then return public.gw_fault($1);
                when 'rows' then return to_jsonb((select n from generate_series(1, 2) n));
                when 'role' then execute 'set local role nobody_at_all';
                -- A time limit that is set here would hold from the next statement on: the commit.
                when 'cancel' then raise query_canceled using message = 'canceling statement due to statement timeout';
            end case;
            return '{}';
        end $$;
    create function public."gw Odd ""name"""(jsonb) returns jsonb language sql as 'select $1';
    notify pgrst, 'reload schema';
"#;

/// A call and, where postrust is wrong, what PostgREST answers.
struct Case {
    name: &'static str,
    function: &'static str,
    body: &'static str,
    role: Role,
    postgrest: Option<Postgrest>,
}

/// Why the long way is not the measure, and the measure.
struct Postgrest {
    because: &'static str,
    status: u16,
    body: &'static str,
}

const fn case(name: &'static str, function: &'static str, body: &'static str) -> Case {
    Case { name, function, body, role: Role::ServiceRole, postgrest: None }
}

const fn case_of(role: Role, name: &'static str, function: &'static str, body: &'static str) -> Case {
    Case { name, function, body, role, postgrest: None }
}

const CASES: &[Case] = &[
    case("an object comes back", "gw_echo", r#"{"b": 1, "a": [true, null, "ä\u00e9\n"]}"#),
    case(
        "numbers keep their digits",
        "gw_echo",
        r#"{"n": 12345678901234567890.123456789, "e": 1e3, "z": -0.10}"#,
    ),
    case("a text comes back", "gw_echo", r#""text""#),
    case("a number comes back", "gw_echo", "42"),
    case("a null comes back", "gw_echo", "null"),
    case("a list of like objects comes back", "gw_echo", r#"[{"a": 1}, {"a": 2}]"#),
    case("an empty list comes back", "gw_echo", "[]"),
    case("an empty object comes back", "gw_echo", "{}"),
    case("an object named like the function comes back whole", "gw_echo", r#"{"gw_echo": 1}"#),
    case("no body is the null", "gw_echo", ""),
    case("an SQL null is a null", "gw_null", "{}"),
    case(
        "keys with quotes and a long body come back",
        "gw_echo",
        concat!(r#"{"a\"b\\": "#, r#""0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"}"#),
    ),
    case("no JSON is refused", "gw_echo", "{"),
    case("text after the JSON is refused", "gw_echo", "{} {}"),
    case("a bare word is refused", "gw_echo", "word"),
    case("a list of unlike objects is refused", "gw_echo", r#"[{"a": 1}, {"b": 2}]"#),
    case("a list of numbers is refused", "gw_echo", "[1, 2]"),
    case("white space is no JSON", "gw_echo", "  "),
    case("a null character is the database's to refuse", "gw_echo", r#"{"a": "\u0000"}"#),
    case("half a surrogate is refused", "gw_echo", r#"{"a": "\ud800"}"#),
    case("the service role is itself", "gw_who", "{}"),
    case_of(Role::Authenticated, "a person is themselves", "gw_who", "{}"),
    case_of(Role::Anon, "nobody is nobody", "gw_who", "{}"),
    case("a volatile function may write", "gw_read_only", "{}"),
    case("PT400 is 400", "gw_raise", r#"{"code": "PT400", "message": "m", "detail": "d", "hint": "h"}"#),
    case("PT404 is 404", "gw_raise", r#"{"code": "PT404", "message": "m"}"#),
    case("PT401 is 401", "gw_raise", r#"{"code": "PT401", "message": "m"}"#),
    case("PT409 is 409", "gw_raise", r#"{"code": "PT409", "message": "m"}"#),
    case("PT429 is 429", "gw_raise", r#"{"code": "PT429", "message": "m"}"#),
    case("PT503 is 503", "gw_raise", r#"{"code": "PT503", "message": "m"}"#),
    case("PT without a number is a fault", "gw_raise", r#"{"code": "PTABC", "message": "m"}"#),
    case("detail and hint are null when there are none", "gw_raise_bare", r#"{"code": "PT418"}"#),
    case("a raise without a code is 400", "gw_raise_bare", r#"{"code": "P0001"}"#),
    case("no data found is a fault", "gw_raise_bare", r#"{"code": "P0002"}"#),
    case("class 08 is 503", "gw_raise_bare", r#"{"code": "08000"}"#),
    case("class 09 is 500", "gw_raise_bare", r#"{"code": "09000"}"#),
    case("class 0L is 403", "gw_raise_bare", r#"{"code": "0L000"}"#),
    case("class 0P is 403", "gw_raise_bare", r#"{"code": "0P000"}"#),
    case("a conflict of keys is 409", "gw_raise_bare", r#"{"code": "23505"}"#),
    case("a missing parent is 409", "gw_raise_bare", r#"{"code": "23503"}"#),
    case("a null where there must be none is 400", "gw_raise_bare", r#"{"code": "23502"}"#),
    case("class 25 is 500", "gw_raise_bare", r#"{"code": "25000"}"#),
    case("a write in a read-only transaction is 405", "gw_raise_bare", r#"{"code": "25006"}"#),
    case("class 28 is 403", "gw_raise_bare", r#"{"code": "28000"}"#),
    case("class 2D is 500", "gw_raise_bare", r#"{"code": "2D000"}"#),
    case("class 38 is 500", "gw_raise_bare", r#"{"code": "38000"}"#),
    case("class 39 is 500", "gw_raise_bare", r#"{"code": "39000"}"#),
    case("class 3B is 500", "gw_raise_bare", r#"{"code": "3B000"}"#),
    case("class 40 is 500", "gw_raise_bare", r#"{"code": "40001"}"#),
    case("a missing function is 404", "gw_raise_bare", r#"{"code": "42883"}"#),
    case("a missing table is 404", "gw_raise_bare", r#"{"code": "42P01"}"#),
    case("a recursion of policies is 500", "gw_raise_bare", r#"{"code": "42P17"}"#),
    case("class 42 is 400", "gw_raise_bare", r#"{"code": "42601"}"#),
    case("class 53 is 503", "gw_raise_bare", r#"{"code": "53000"}"#),
    case("a limit of the configuration is 500", "gw_raise_bare", r#"{"code": "53400"}"#),
    case("class 54 is 500", "gw_raise_bare", r#"{"code": "54000"}"#),
    case("class 55 is 500", "gw_raise_bare", r#"{"code": "55000"}"#),
    case("class 57 is 500", "gw_raise_bare", r#"{"code": "57000"}"#),
    case("a shutdown is 503", "gw_raise_bare", r#"{"code": "57P01"}"#),
    case("class 58 is 500", "gw_raise_bare", r#"{"code": "58000"}"#),
    case("class F0 is 500", "gw_raise_bare", r#"{"code": "F0000"}"#),
    case("class HV is 500", "gw_raise_bare", r#"{"code": "HV000"}"#),
    case("class XX is 500", "gw_raise_bare", r#"{"code": "XX000"}"#),
    case("an unknown class is 400", "gw_raise_bare", r#"{"code": "ZZ123"}"#),
    case("a missing role is 401", "gw_fault", r#"{"kind": "role"}"#),
    case("a right that the service lacks is 403", "gw_raise_bare", r#"{"code": "42501"}"#),
    case_of(
        Role::Authenticated,
        "a right that a person lacks is 403",
        "gw_raise_bare",
        r#"{"code": "42501"}"#,
    ),
    case_of(Role::Anon, "a right that nobody lacks is 401", "gw_raise_bare", r#"{"code": "42501"}"#),
    case_of(Role::Authenticated, "a closed table is 403 for a person", "gw_select_closed", "{}"),
    case_of(Role::Anon, "a closed table is 401 for nobody", "gw_select_closed", "{}"),
    case_of(Role::Authenticated, "a closed function is 403 for a person", "gw_closed_function", "{}"),
    case_of(Role::Anon, "a closed function is 401 for nobody", "gw_closed_function", "{}"),
    case("a closed function answers the service", "gw_closed_function", "{}"),
    case(
        "a status and headers of the function's own",
        "gw_respond",
        r#"{"status": "202", "headers": [{"x-one": "1"}, {"cache-control": "no-store"}]}"#,
    ),
    case("no status at all", "gw_respond", r#"{"status": "", "headers": ""}"#),
    case("a status that is none", "gw_respond", r#"{"status": "teapot", "headers": ""}"#),
    case("headers that are none", "gw_respond", r#"{"status": "", "headers": "x-one: 1"}"#),
    case("headers that are an object", "gw_respond", r#"{"status": "", "headers": {"x-one": "1"}}"#),
    case("a check that fails", "gw_insert", r#"{"id": -1, "parent": 1}"#),
    case("a parent that is missing at the commit", "gw_insert", r#"{"id": 1, "parent": 1}"#),
    Case {
        postgrest: Some(Postgrest {
            because: "postrust lets every function write; PostgREST holds a stable one to its promise",
            status: 405,
            body: r#"{"code":"25006","details":null,"hint":null,"message":"cannot execute INSERT in a read-only transaction"}"#,
        }),
        ..case("a stable function may not write", "gw_stable_insert", r#"{"id": 1, "parent": 1}"#)
    },
    case("a division by zero", "gw_fault", r#"{"kind": "division", "by": 0}"#),
    case("a cast that fails", "gw_fault", r#"{"kind": "cast", "text": "seven"}"#),
    case("a table that is gone", "gw_fault", r#"{"kind": "table"}"#),
    case("a function that is gone", "gw_fault", r#"{"kind": "function"}"#),
    case("two rows where one belongs", "gw_fault", r#"{"kind": "rows"}"#),
    case("a case that is not foreseen", "gw_fault", r#"{"kind": "other"}"#),
    case("a function without end", "gw_fault", r#"{"kind": "recursion"}"#),
    case("a statement that took too long", "gw_fault", r#"{"kind": "cancel"}"#),
    case(
        "a raised response",
        "gw_raise",
        r#"{"code": "PGRST", "message": "{\"code\":\"123\",\"message\":\"m\",\"hint\":\"h\"}", "detail": "{\"status\":419,\"headers\":{\"x-why\":\"because\"}}"}"#,
    ),
    case(
        "a raised response with a bad message",
        "gw_raise",
        r#"{"code": "PGRST", "message": "m", "detail": "{\"status\":419,\"headers\":{}}"}"#,
    ),
    case(
        "a raised response with a bad detail",
        "gw_raise",
        r#"{"code": "PGRST", "message": "{\"code\":\"1\",\"message\":\"m\"}", "detail": "d"}"#,
    ),
    case("a raised response without a detail", "gw_raise_bare", r#"{"code": "PGRST"}"#),
    case("a function that isn't there", "gw_nothing", "{}"),
    case("a function that isn't there, with an argument", "gw_nothing", r#"{"a": 1}"#),
    case("a function that isn't there, with two", "gw_nothing", r#"{"a": 1, "b": 2}"#),
];

#[test]
fn the_short_way_answers_as_the_long_way_alone_and_in_company() {
    with_database(|database| async move {
        database.admin().await.batch_execute(STAGE).await.expect("the stage is set");
        let (short, long) = both(&database).await;
        let shared = short.clone().sharing(CASES.iter().map(|case| case.function.to_owned()).collect());
        let mut differences = Vec::new();
        for case in CASES {
            let mine = shown(
                short
                    .call(
                        case.function,
                        Bytes::from_static(case.body.as_bytes()),
                        &caller_of(case.role),
                        "id",
                    )
                    .await,
            );
            let theirs = shown(through(&long, case).await);
            // More than fly at once, so that some share.
            let crowd = (0..8).map(|_| {
                let body = Bytes::from_static(case.body.as_bytes());
                async { shown(shared.call(case.function, body, &caller_of(case.role), "id").await) }
            });
            for crowded in join_all(crowd).await {
                if crowded != mine {
                    differences.push(format!("{}\n  alone  {mine:?}\n  shared {crowded:?}", case.name));
                }
            }
            let wanted = match &case.postgrest {
                None => theirs.clone(),
                Some(answer) => {
                    assert_ne!(mine, theirs, "{}: no longer differs ({})", case.name, answer.because);
                    Shown { status: answer.status, body: answer.body.to_owned(), ..mine.clone() }
                }
            };
            if mine != wanted {
                differences.push(format!("{}\n  wanted {wanted:?}\n  got    {mine:?}", case.name));
            }
        }
        assert!(
            differences.is_empty(),
            "{} of {} differ:\n{}",
            differences.len(),
            CASES.len(),
            differences.join("\n")
        );
    });
}

#[test]
fn a_name_that_needs_quotes_is_called_by_its_name() {
    with_database(|database| async move {
        database.admin().await.batch_execute(STAGE).await.expect("the stage is set");
        let (short, _) = both(&database).await;
        let answer =
            short.call(r#"gw Odd "name""#, Bytes::from_static(b"[]"), &caller(Role::Anon), "id").await;
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"[]".as_slice()));
    });
}

/// Nobody sends no token.
fn caller_of(role: Role) -> Caller {
    if role == Role::Anon { Caller::anonymous() } else { caller(role) }
}

async fn both(database: &Database) -> (Pool, Rest) {
    let url = database.url("authenticator");
    let short = Pool::connect(&url, 2).await.expect("the URL is good");
    let long =
        Rest::start(RestSettings { db_url: url.into(), verifier: verifier(), max_rows: None, pool_size: 2 })
            .await
            .expect("postrust starts");
    (short, long)
}

async fn through(long: &Rest, case: &Case) -> Response<Bytes> {
    let mut request = Request::post(format!("/rest/v1/rpc/{}", case.function))
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-request-id", "id");
    if case.role != Role::Anon {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token_of(case.role)));
    }
    let request = request.body(Body::from(case.body)).expect("a request");
    let (parts, body) = long.router().oneshot(request).await.expect("an answer").into_parts();
    Response::from_parts(parts, to_bytes(body, usize::MAX).await.expect("a body"))
}

/// What is compared of an answer.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn shown(response: Response<Bytes>) -> Shown {
    const HEADERS: [&str; 6] =
        ["content-type", "content-range", "www-authenticate", "x-one", "cache-control", "x-why"];
    let headers = HEADERS
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), response.headers().get(*name)?.to_str().ok()?.to_owned()))
        })
        .collect();
    // Order of keys and digits of numbers stay as they are; only white space goes.
    let body = match serde_json::from_slice::<Value>(response.body()) {
        Ok(value) => value.to_string(),
        Err(_) => String::from_utf8_lossy(response.body()).into_owned(),
    };
    Shown { status: response.status().as_u16(), headers, body }
}
