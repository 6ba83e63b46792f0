//! The second half of the demo: both providers connected, and what they push goes through the running host.
//!
//! Promises: everything goes over HTTP as the app and the providers do it (sign-in, consent in a browser, signed webhooks);
//! the latencies are those of these very pushes. The providers are the stand-in of `tests/`, and the report says so. The
//! host is the development stack's, started anew with the stand-in's settings; in the end it is as it was.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use welltrack_core::providers::oauth;
use welltrack_stack::edge::{Edge, Extras, Profile, program};
use welltrack_stack::{Stack, cmd, ui, well_known};

use super::api::{Api, FromSource, PASSWORD};
use super::chapter::Chapter;
use super::history::DAYS;

/// How long the queue may take to empty.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(120);
/// Where the app wants to be called back; no server listens there.
const APP: &str = "http://127.0.0.1:3000/connected";
/// A workout every so many days.
const EVERY: usize = 5;
/// For the local tokens of the demo only.
const TOKEN_KEYS: &str = "demo:ZGVtby1rZXktb2YtMzItYnl0ZXMtZm9yLWRlbW9zISE=";

/// What became of the pushes.
pub(super) struct Delivered {
    /// Where the pushed days come from.
    pub(super) source: String,
    pub(super) pushes: usize,
    /// From the provider's request to its answer.
    pub(super) acks: Vec<Duration>,
    /// From the request to the rows.
    pub(super) ends: Vec<Duration>,
    /// First names, and what came to them from each source.
    pub(super) kept: Vec<(&'static str, Vec<FromSource>)>,
    pub(super) workouts: i64,
}

/// Connects everybody to both providers and lets these push.
pub(super) fn deliver(stack: &Stack, api: &mut Api, people: &[Chapter]) -> Result<Delivered> {
    let simulator = ui::step("Starting a stand-in for Garmin and Strava", || Simulator::start(stack))?;
    let edge = Edge::dev(&stack.layout, stack)?;
    let was_running = edge.pid().is_some();
    if was_running {
        edge.stop()?;
    }
    let told = told(stack, api, people, &simulator, &edge);
    edge.stop()?;
    if was_running {
        edge.start(&stack.layout, stack, &Extras::default())?;
    }
    told
}

fn told(
    stack: &Stack,
    api: &mut Api,
    people: &[Chapter],
    simulator: &Simulator,
    edge: &Edge,
) -> Result<Delivered> {
    edge.start(&stack.layout, stack, &simulator.extras()?)?;
    let hook = |what: &str| format!("{}/functions/v1/{what}", edge.url());
    ui::step("Connecting three people to both providers, in a browser's steps", || {
        for (number, chapter) in people.iter().enumerate() {
            let token = sign_in(edge, &chapter.person.email())?;
            connect(edge, simulator, &token, "garmin", &garmin_user(number))?;
            connect(edge, simulator, &token, "strava", &athlete(number).to_string())?;
        }
        Ok(())
    })?;

    let garmin_hook = hook(&format!("garmin-webhook/{}", simulator.setting("GARMIN_WEBHOOK_SECRET")?));
    let (mut acks, mut source) = (Vec::new(), String::new());
    ui::step(
        &format!("Garmin pushes {DAYS} days of each, tentative first, then final; Strava their workouts"),
        || {
            for (number, _) in people.iter().enumerate() {
                let days =
                    json!({"to": garmin_hook, "user": garmin_user(number), "days": DAYS, "person": number});
                let answer = simulator.control("POST", "push/days", &days)?;
                if answer["pushes"] != answer["acknowledged"] {
                    bail!("of {} pushes {} were acknowledged", answer["pushes"], answer["acknowledged"]);
                }
                source = answer["source"].as_str().unwrap_or_default().to_owned();
                acks.extend(micros(&answer["ack_micros"]));
                for workout in (0..DAYS as usize).step_by(EVERY) {
                    acks.extend(simulator.push_workout(number, workout, &hook("strava-webhook"))?);
                }
            }
            Ok(())
        },
    )?;
    ui::step("The worker turns them into readings", || drained(api, edge))?;

    let members: Vec<_> = people.iter().map(|chapter| chapter.member).collect();
    ui::step("Judging what is new", || api.run_jobs(&members))?;
    let kept = people
        .iter()
        .map(|chapter| Ok((chapter.person.first_name(), api.by_source(chapter.member)?)))
        .collect::<Result<_>>()?;
    Ok(Delivered {
        source,
        pushes: acks.len(),
        acks,
        ends: api.end_to_end()?,
        kept,
        workouts: api.workouts()?,
    })
}

fn garmin_user(number: usize) -> String {
    format!("demo-garmin-{number}")
}

fn athlete(number: usize) -> u64 {
    900_001 + number as u64
}

fn micros(list: &Value) -> impl Iterator<Item = Duration> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).map(Duration::from_micros)
}

fn drained(api: &mut Api, edge: &Edge) -> Result<()> {
    let start = Instant::now();
    loop {
        let (waiting, dead) = api.queue()?;
        if dead > 0 {
            bail!("{dead} pushes could not be processed: `cargo xtask queue list` says why");
        }
        if waiting == 0 {
            return Ok(());
        }
        if cmd::interrupted() {
            bail!(cmd::Interrupted);
        }
        if start.elapsed() > QUEUE_TIMEOUT {
            bail!("{waiting} pushes still wait; the host's log is {}", edge.log().display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sign_in(edge: &Edge, email: &str) -> Result<String> {
    let answer = http("POST", &format!("{}/auth/v1/token?grant_type=password", edge.url()), |request| {
        request.header("apikey", well_known::ANON_KEY)
    })
    .json(&json!({"email": email, "password": PASSWORD}))?;
    Ok(answer["access_token"].as_str().context("signing in gave no token")?.to_owned())
}

/// What a browser does when somebody consents: asks for the address, agrees, and is sent back.
fn connect(edge: &Edge, simulator: &Simulator, token: &str, provider: &str, account: &str) -> Result<()> {
    let asked = http("POST", &format!("{}/functions/v1/provider-connect/authorize", edge.url()), |request| {
        request.header("authorization", format!("Bearer {token}")).header("apikey", well_known::ANON_KEY)
    })
    .json(&json!({"provider": provider, "redirect_to": APP}))?;
    let page = asked["url"].as_str().context("no address to consent at")?;
    if !page.starts_with(&simulator.url) {
        bail!("the consent page is not the stand-in's: {page}");
    }
    let consent = http("GET", &format!("{page}&as={account}"), |request| request).location()?;
    let back = http("GET", &consent, |request| request).location()?;
    if !back.starts_with(APP) {
        bail!("the browser was sent to {back}");
    }
    // From here on it is the app's page, which holds the person's token.
    let query = back.split_once('?').map_or("", |(_, query)| query);
    let handed_on = |name: &str| oauth::parameter(query, name);
    let completed =
        http("POST", &format!("{}/functions/v1/provider-connect/complete", edge.url()), |request| {
            request.header("authorization", format!("Bearer {token}")).header("apikey", well_known::ANON_KEY)
        })
        .json(
            &json!({"state": handed_on("state"), "code": handed_on("code"), "scope": handed_on("scope")}),
        )?;
    if completed["status"] != "connected" {
        bail!("{provider} was not connected: {completed}");
    }
    Ok(())
}

/// The stand-in as a program of its own; ended when this goes out of scope.
struct Simulator {
    child: Child,
    url: String,
    environment: Value,
}

impl Simulator {
    fn start(stack: &Stack) -> Result<Self> {
        let program = program(&stack.layout, Profile::Host, "welltrack_tests", "provider-simulator")?;
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start provider-simulator")?;
        let mut said = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        let first = said.next().transpose()?.unwrap_or_default();
        let url = first.split_whitespace().last().unwrap_or_default().to_owned();
        let mut simulator = Self { child, url, environment: Value::Null };
        simulator.environment = simulator.control("GET", "environment", &Value::Null)?;
        Ok(simulator)
    }

    fn setting(&self, name: &str) -> Result<&str> {
        self.environment[name].as_str().with_context(|| format!("the stand-in names no {name}"))
    }

    /// What the host needs to meet this stand-in instead of the providers.
    fn extras(&self) -> Result<Extras> {
        let mut environment: Vec<(String, String)> =
            serde_json::from_value::<std::collections::BTreeMap<_, _>>(self.environment.clone())?
                .into_iter()
                .collect();
        environment.push(("WELLTRACK_TOKEN_KEYS".into(), TOKEN_KEYS.into()));
        environment.push(("PROVIDER_REDIRECT_URLS".into(), APP.into()));
        Ok(Extras { environment, allowed_host: Some(self.url.trim_start_matches("http://").to_owned()) })
    }

    fn control(&self, method: &'static str, path: &str, body: &Value) -> Result<Value> {
        http(method, &format!("{}/_control/{path}", self.url), |request| request).json(body)
    }

    /// A workout appears at Strava, which tells us.
    fn push_workout(&self, person: usize, day: usize, to: &str) -> Result<Vec<Duration>> {
        let athlete = athlete(person);
        let id = athlete * 1000 + day as u64;
        // The first of March 2025, 17:30 UTC, and so many days later.
        let start = 1_740_850_200 + day as i64 * 86_400;
        let metres = 4_000.0 + 250.0 * (day / EVERY) as f64;
        let activity = json!({
            "id": id, "athlete": athlete, "name": "Evening run", "sport": "Run", "start": start, "offset": 0,
            "moving": (metres * 0.36) as u32, "elapsed": (metres * 0.39) as u32, "distance": metres, "climb": 35.0,
            "average_hr": 148.0, "max_hr": 171.0, "calories": (metres * 0.065).round(), "is_private": false,
        });
        self.control("PUT", "activities", &activity)?;
        let subscription: u64 = self.setting("STRAVA_SUBSCRIPTION_ID")?.parse()?;
        let event = json!({
            "object_type": "activity", "object_id": id, "aspect_type": "create", "owner_id": athlete,
            "subscription_id": subscription, "event_time": start + 3_600, "updates": {},
        });
        let answer = self.control("POST", "push/strava", &json!({"to": to, "event": event}))?;
        if answer["acknowledged"] != true {
            bail!("Strava's event was not acknowledged: {answer}");
        }
        Ok(micros(&answer["ack_micros"]).collect())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        drop((self.child.kill(), self.child.wait()));
    }
}

/// One request; redirects are not followed.
struct Exchange {
    method: &'static str,
    url: String,
    builder: ureq::http::request::Builder,
}

fn http(
    method: &'static str,
    url: &str,
    headers: impl FnOnce(ureq::http::request::Builder) -> ureq::http::request::Builder,
) -> Exchange {
    let builder = headers(ureq::http::Request::builder().method(method).uri(url));
    Exchange { method, url: url.to_owned(), builder }
}

impl Exchange {
    /// Sends JSON (nothing, if it is null) and reads the JSON that comes back; none is null.
    fn json(self, body: &Value) -> Result<Value> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.builder.header("content-type", "application/json").body(text)?;
        let (method, url) = (self.method, self.url);
        let mut answer = agent().run(request).with_context(|| format!("{method} {url}"))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string()?;
        if !status.is_success() {
            bail!("{method} {url} answered {status}: {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Where a redirect leads.
    fn location(self) -> Result<String> {
        let mut answer = agent().run(self.builder.body(String::new())?)?;
        match answer.headers().get("location") {
            Some(place) if answer.status().is_redirection() => Ok(place.to_str()?.to_owned()),
            _ => bail!("no redirect but {}: {}", answer.status(), answer.body_mut().read_to_string()?),
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(QUEUE_TIMEOUT))
        .build()
        .into()
}
