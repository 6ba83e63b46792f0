//! Each way in which a guest can take too much, what is answered, and that the next request is served.

use serde_json::Value;

use crate::support::{Host, Setup};

const SMALL: &str = "
[functions.hostile]
cpu_ms = 100
memory_mb = 8
first_byte_s = 2
idle_s = 1
total_s = 4
";

async fn refused(host: &Host, behaviour: &str, status: u16, code: &str, reason: &str) {
    let answer = host.get(&format!("hostile/{behaviour}")).await;
    assert_eq!(answer.status(), status, "{behaviour}");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["code"], code, "{behaviour}");
    assert!(body["message"].is_string(), "{behaviour}");
    let line = host.logged(|line| line.contains(&id));
    assert!(line.contains(&format!("\"reason\":\"{reason}\"")), "{behaviour}: {line}");
    assert_eq!(
        host.log().iter().filter(|line| line.contains(&id)).count(),
        1,
        "{behaviour}: one line tells it"
    );
    let counted = format!("welltrack_edge_failures_total{{function=\"hostile\",reason=\"{reason}\"}}");
    assert!(host.figure(&counted).await.is_some_and(|count| count >= 1.0), "{behaviour}");
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn an_endless_loop_is_ended_by_its_processor_limit() {
    refused(&Setup::new(SMALL).start(), "loop", 546, "WORKER_LIMIT", "cpu_limit").await;
}

#[tokio::test]
async fn loops_do_not_keep_others_from_being_served() {
    let host = Setup::new(&SMALL.replace("cpu_ms = 100", "cpu_ms = 1500")).start();
    let loops = futures_util::future::join_all((0..8).map(|_| host.get("hostile/loop")));
    let others = async {
        for _ in 0..50 {
            host.serves_on("hostile").await;
        }
    };
    let (loops, ()) = tokio::join!(loops, others);
    assert!(loops.iter().all(|answer| [546, 504].contains(&answer.status().as_u16())));
}

#[tokio::test]
async fn waiting_is_no_processor_time() {
    let host = Setup::new(&SMALL.replace("cpu_ms = 100", "cpu_ms = 50")).start();
    let answer = host.get("hostile/sleep?1000").await;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "awake"));
}

#[tokio::test]
async fn a_memory_hog_gets_no_more_than_its_cap() {
    let host = Setup::new(SMALL).start();
    refused(&host, "hog", 546, "WORKER_LIMIT", "memory_limit").await;
    let peak = host.figure("welltrack_edge_memory_peak_bytes{function=\"hostile\"}").await.unwrap();
    assert!(peak <= 8.0 * 1024.0 * 1024.0, "{peak}");
}

#[tokio::test]
async fn a_guest_can_not_pile_up_handles_in_the_hosts_memory() {
    let host = Setup::new(SMALL).start();
    assert_eq!(host.get("hostile/handles?500").await.text().await.unwrap(), "500");
    refused(&host, "handles?2000", 500, "WORKER_ERROR", "trap").await;
}

#[tokio::test]
async fn a_trap_is_an_error_of_that_request_alone() {
    refused(&Setup::new(SMALL).start(), "trap", 500, "WORKER_ERROR", "trap").await;
}

#[tokio::test]
async fn an_endless_recursion_ends_in_a_trap() {
    refused(&Setup::new(SMALL).start(), "deep", 500, "WORKER_ERROR", "trap").await;
}

#[tokio::test]
async fn an_exit_ends_the_instance_and_not_the_host() {
    refused(&Setup::new(SMALL).start(), "exit", 500, "WORKER_ERROR", "exit").await;
}

#[tokio::test]
async fn an_error_in_place_of_an_answer_is_an_error() {
    refused(&Setup::new(SMALL).start(), "fail", 500, "WORKER_ERROR", "no_answer").await;
}

#[tokio::test]
async fn a_function_that_does_not_begin_to_answer_is_ended() {
    refused(&Setup::new(SMALL).start(), "sleep?60000", 504, "IDLE_TIMEOUT", "first_byte_limit").await;
}

#[tokio::test]
async fn an_answer_that_stands_still_is_cut() {
    let host = Setup::new(SMALL).start();
    let answer = host.get("hostile/drip?60000").await;
    assert_eq!(answer.status(), 200, "the head is there before the body stands still");
    assert!(answer.bytes().await.is_err(), "a body that was cut must not look whole");
    host.logged(|line| line.contains("idle_limit"));
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn an_answer_that_moves_is_not_cut_before_the_total_limit_and_is_then() {
    let host = Setup::new(SMALL).start();
    // Ten pieces of 200 ms each: longer than idle_s and first_byte_s allow for one step, shorter than total_s.
    assert_eq!(host.get("hostile/drip?200").await.text().await.unwrap(), "drop\n".repeat(10));
    // Ten pieces of 800 ms.
    assert!(host.get("hostile/drip?800").await.bytes().await.is_err());
    host.logged(|line| line.contains("total_limit"));
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn a_trap_in_the_middle_of_an_answer_cuts_it() {
    let host = Setup::new(SMALL).start();
    let answer = host.get("hostile/trap-in-body").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err(), "half an answer must not look whole");
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn more_requests_than_allowed_wait_and_are_then_told_to_come_again() {
    let settings = "[functions.hostile]\nconcurrency = 1\nqueue_wait_ms = 300\n";
    let host = Setup::new(settings).start();
    let (long, short) = tokio::join!(host.get("hostile/sleep?5000"), async {
        // The first has its turn once the host says so.
        while host.figure("welltrack_edge_instances{function=\"hostile\"}").await != Some(1.0) {
            tokio::task::yield_now().await;
        }
        host.get("hostile/hello").await
    });
    assert_eq!(long.status(), 200);
    assert_eq!(short.status(), 503);
    assert!(short.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    host.serves_on("hostile").await;
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_gets_it() {
    let host = Setup::new("[functions.hostile]\nconcurrency = 1\nqueue_wait_ms = 30000\n").start();
    let answers = futures_util::future::join_all((0..20).map(|_| host.get("hostile/sleep?10"))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
}

#[tokio::test]
async fn instances_are_limited_for_all_functions_together() {
    let settings =
        "[host]\nmax_instances = 2\n[functions.a]\nqueue_wait_ms = 200\n[functions.b]\nqueue_wait_ms = 200\n";
    let host = Setup::new(settings).start();
    let answers = futures_util::future::join_all(
        ["a/sleep?2000", "a/sleep?2000", "b/sleep?2000", "b/sleep?2000"].map(|path| host.get(path)),
    )
    .await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status() == status).count();
    assert_eq!((count(200), count(503)), (2, 2));
    host.serves_on("a").await;
}
