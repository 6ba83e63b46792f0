//! Twenty thousand payloads that no provider should send, over HTTP: each gets a clear answer, and what was answered
//! 200 is in the queue.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use welltrack_tests::simulator::courier::{Courier, Parcel};
use welltrack_tests::simulator::strava::Activity;
use welltrack_tests::simulator::{garmin, history};

use crate::mutate::{mutate, noise};
use crate::stage::Stage;
use crate::{seed, short};

const AT_ONCE: usize = 8;

/// A payload that carries a mark, and what was said to it.
struct Told {
    mark: String,
    /// The mark is in what the payload means, not only in its bytes.
    is_marked: bool,
    body: Vec<u8>,
    answer: Result<u16, String>,
}

/// Payload `number`: mostly a spoilt one of either provider's.
fn payload(seed: u64, number: usize) -> (Parcel, Vec<u8>, String) {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number as u64));
    let mark = format!("mark{number:07}x");
    if chance.random_range(0..20) == 0 {
        let body = noise(&mut chance);
        return (Parcel::garmin_bytes(body.clone()), body, mark);
    }
    if chance.random_range(0..4) == 0 {
        let body = mutate(&strava_event(&mark, &mut chance), &mut chance);
        return (Parcel::strava_bytes(body.clone()), body, mark);
    }
    let user = ["g0", "g1", "nobody"][chance.random_range(0..3_usize)];
    let day = &history::generated(seed, 0, 60, 0).days[chance.random_range(0..60_usize)];
    let mut summaries = garmin::of_day(user, day);
    summaries.push(garmin::unknown(user, day));
    let keep = chance.random_range(1..4);
    while summaries.len() > keep {
        summaries.swap_remove(chance.random_range(0..summaries.len()));
    }
    for summary in &mut summaries {
        summary.json["standInMark"] = json!(mark);
    }
    let body = mutate(&garmin::envelope(&summaries), &mut chance);
    (Parcel::garmin_bytes(body.clone()), body, mark)
}

fn strava_event(mark: &str, chance: &mut Xoshiro256PlusPlus) -> Value {
    let aspect = ["create", "update", "delete"][chance.random_range(0..3_usize)];
    // Somebody else's, or the first farewell would end the connection and park all that follows.
    let (object, owner) =
        if chance.random_range(0..8) == 0 { ("athlete", 7_000_002) } else { ("activity", 7_000_001) };
    json!({
        "object_type": object,
        "object_id": chance.random_range(0..u32::MAX),
        "aspect_type": aspect,
        "owner_id": owner,
        "subscription_id": welltrack_tests::simulator::Settings::default().strava_subscription_id,
        "event_time": 1_740_000_000,
        "updates": {"title": mark},
    })
}

async fn tell(courier: &Courier, urls: [&str; 2], seed: u64, count: usize) -> Vec<Told> {
    let next = AtomicUsize::new(0);
    let lanes = (0..AT_ONCE).map(|_| async {
        let mut told = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return told;
            }
            let (parcel, body, mark) = payload(seed, number);
            let url = urls[usize::from(parcel.is_strava())];
            let delivery = courier.deliver(&parcel, |_| url.to_owned()).await;
            let parsed: Option<Value> = serde_json::from_slice(&body).ok();
            let is_marked = parsed.is_some_and(|value| value.to_string().contains(&mark));
            let answer = delivery.attempts[0].answer.clone();
            told.push(Told { mark, is_marked, body, answer });
        }
    });
    futures_util::future::join_all(lanes).await.into_iter().flatten().collect()
}

#[test]
fn spoilt_payloads_get_clear_answers_and_none_that_was_accepted_is_lost() {
    let _alone = crate::alone();
    let seed = seed();
    let count = if short() { 3_000 } else { 20_000 };
    let stage = Stage::new("payloads", seed, 1);
    for user in ["g0", "g1"] {
        stage.connect_garmin(stage.sign_up(user), user);
    }
    let athlete = stage.sign_up("athlete");
    stage.connect_strava(athlete, 7_000_001);
    stage.simulator.put_activity(Activity::timed(1, 7_000_001));

    let mut courier = stage.simulator.courier();
    (courier.garmin.attempts, courier.strava.attempts) = (1, 1);
    courier.strava.deadline = courier.garmin.deadline;
    let origin = stage.hosts[0].origin();
    let settings = stage.simulator.settings();
    let urls = [settings.garmin_webhook(&origin), settings.strava_webhook(&origin)];
    let told = stage.simulator.handle().block_on(tell(&courier, [&urls[0], &urls[1]], seed, count));

    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for told in &told {
        *answers.entry(format!("{:?}", told.answer)).or_default() += 1;
    }
    println!("{count} payloads: {answers:?}");
    // 503 is the host's word for "busy, send it again", and providers do; any other 5xx would be a fault.
    let unclear: Vec<String> = told
        .iter()
        .filter(|told| !matches!(told.answer, Ok(200 | 400 | 401 | 403 | 413 | 503)))
        .map(|told| format!("{:?} to {}", told.answer, start_of(&told.body)))
        .collect();
    assert!(unclear.is_empty(), "{} unclear answers, such as\n{}", unclear.len(), some(&unclear));

    let stored = stored_marks(&stage);
    let accepted = |told: &&Told| told.answer == Ok(200);
    let lost: Vec<String> = told
        .iter()
        .filter(accepted)
        .filter(|told| told.is_marked && !stored.contains_key(&told.mark))
        .map(|told| start_of(&told.body))
        .collect();
    assert!(lost.is_empty(), "{} were answered 200 and are not there, such as\n{}", lost.len(), some(&lost));
    let refused: Vec<String> = told
        .iter()
        .filter(|told| !accepted(told) && stored.contains_key(&told.mark))
        .map(|told| format!("{:?} to {}", told.answer, start_of(&told.body)))
        .collect();
    assert!(refused.is_empty(), "{} were refused and stored, such as\n{}", refused.len(), some(&refused));

    let queue = stage.drain();
    println!("{queue:?}\n{}", stage.troubled());
    let lost_by_workers: i64 = stage
        .admin()
        .query_one("select count(*) from public.wt_webhook_events where last_error like 'lease_lost%'", &[])
        .expect("the queue can be read")
        .get(0);
    assert_eq!(lost_by_workers, 0, "a worker did not survive them");
    let log = std::fs::read_to_string(stage.hosts[0].log()).expect("the host has a log");
    let panics: Vec<String> =
        log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect();
    assert!(panics.is_empty(), "the log speaks of panics, such as\n{}", some(&panics));
}

/// The marks in the queue, with the number of events that carry each.
fn stored_marks(stage: &Stage) -> BTreeMap<String, i64> {
    let sql = "
        select m[1], count(*) from public.wt_webhook_events e
        cross join lateral regexp_matches(e.payload::text, 'mark[0-9]{7}x', 'g') m group by 1";
    let rows = stage.admin().query(sql, &[]).expect("the queue can be read");
    rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn some(lines: &[String]) -> String {
    lines[..lines.len().min(5)].join("\n")
}

fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned()
}
