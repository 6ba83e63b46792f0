//! The demo's report, for people.
//!
//! Promises: plain text of at most [`WIDTH`](table::WIDTH) columns; colours only where the terminal and NO_COLOR agree.
//! Stops at words: every figure was read back from the database or measured.

mod recovery;
mod table;

use std::fmt::Write as _;
use std::time::Duration;

use console::{style, truncate_str};
use serde_json::Value;
use welltrack_core::{MetricType, Source};
use welltrack_stack::ui;

use super::chapter::{Chapter, FIRST_SYNC, SAME_AGAIN};
use super::cohort::Cohort;
use super::figures::{DAYS_PER_BAR, grouped, number, sparkline, wrapped};
use super::history::DAYS;
use super::providers::Delivered;
use super::weights::Weights;
use table::table;

/// What there is to tell in the end.
pub(super) struct Report {
    pub(super) source: String,
    pub(super) people: Vec<Chapter>,
    /// Readings in the whole database.
    pub(super) total: i64,
    pub(super) delivered: Delivered,
    pub(super) signing_up: Duration,
    pub(super) jobs: Duration,
    pub(super) engine: Duration,
    /// Everybody in the data set; nobody where readings are generated.
    pub(super) cohort: Option<Cohort>,
    /// What the scores were computed with.
    pub(super) weights: Weights,
}

/// The whole report.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    let mut section = |title: &str, caption: &str, body: &str| {
        let _ = write!(text, "\n{}\n{}\n\n{body}", style(title).bold().cyan(), style(caption).dim());
    };
    section(
        "Who",
        &format!(
            "Names, time zones and phones are invented; the days are {}.\n\
             Signing up made an account and a profile, an answer about goals laid out the modules.",
            report.source
        ),
        &people(&report.people),
    );
    section(
        "What came in",
        "Each line is one call of ingest_health_metrics as that person; unchanged records cost no write.\n\
         The odd records are made up for the demo.",
        &syncs(&report.people),
    );
    section(
        "What was dropped, and why",
        "Malformed records stay outside. Implausible ones are kept, marked and never counted.",
        &dropped(&report.people),
    );
    for chapter in &report.people {
        section(
            &format!("{}'s {} days", chapter.person.first_name(), DAYS),
            &format!(
                "Sent in all batches, kept as readings that count; a bar is {DAYS_PER_BAR} days.\n\
                 The baseline is the mean ± standard deviation of the last 14 days that have a reading."
            ),
            &metrics(chapter),
        );
    }
    let days = recovery::all_days(&report.people);
    section(
        "How they recovered",
        &format!(
            "Each ran the engine for themselves, as of their last day; a bar is {DAYS_PER_BAR} days.\n\
             {}, each 0 to 100:\n\
             a rule of thumb about training and rest, without medical meaning.",
            report.weights.formula()
        ),
        &recovery::by_person(&report.people),
    );
    section(
        "Which days have a score",
        "A score needs 14 days to know somebody, and two inputs of the four.",
        &recovery::shares(&days),
    );
    section("How the scores are distributed", "All three people together.", &recovery::distribution(&days));
    if let Some(Cohort { people, days }) = &report.cohort {
        let days: Vec<_> = days.iter().map(Option::as_ref).collect();
        section(
            &format!("The same for all {people} people of the data set"),
            "From the first to the last day of each; they came by the same doors and have left again.",
            &format!("{}\n{}", recovery::shares(&days), recovery::distribution(&days)),
        );
    }
    section(
        "Where their goals are heading",
        "A line through the last 30 days; a date only where its slope is more than chance.",
        &recovery::goals(&report.people),
    );
    let delivered = &report.delivered;
    section(
        "What the providers pushed",
        &format!(
            "Garmin and Strava are stand-ins; their days are {}.\n\
             Connected by OAuth, pushed to the running host: {} pushes, each day tentative first,\n\
             then longer, then final, and {} workouts. What is stored, and what of it counts.",
            delivered.source,
            grouped(delivered.pushes as i64),
            delivered.workouts
        ),
        &by_source(delivered),
    );
    section(
        "How long the providers waited",
        "Answered: from the push to 200, the event safe on disk.\n\
         In the tables: from its arrival to its readings.",
        &latencies(delivered),
    );
    section(
        "Who sees what",
        "Row-level security, asked as each of them: select count(*) from wt_health_metrics.",
        &visible(report),
    );
    section("How long it took", "Over a local connection; each request is one transaction.", &times(report));
    section(
        "What to try next",
        "The database keeps running; these three stay until the next demo.",
        &next(report),
    );
    text
}

fn people(people: &[Chapter]) -> String {
    let rows = people.iter().map(|chapter| {
        let history = &chapter.history;
        vec![
            style(chapter.person.name).bold().to_string(),
            chapter.person.zone_name().to_owned(),
            phone(chapter.person.phone).to_owned(),
            format!("{}, {} to {}", history.origin, history.first_day, history.last_day),
            format!("{} modules", chapter.modules),
        ]
    });
    table(&["name", "time zone", "phone", "whose days", "onboarded"], rows, &[])
}

fn by_source(delivered: &Delivered) -> String {
    let rows = delivered.kept.iter().flat_map(|(name, sources)| {
        sources.iter().enumerate().map(move |(index, from)| {
            let name = if index == 0 { style(name).bold().to_string() } else { String::new() };
            vec![name, from.source.clone(), grouped(from.stored), grouped(from.counting)]
        })
    });
    table(&["", "source", "stored", "count"], rows, &[2, 3])
}

fn latencies(delivered: &Delivered) -> String {
    let row = |what: &str, times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len().saturating_sub(1) as f64 * share).round() as usize;
            times.get(place).map_or_else(String::new, |time| ui::took(*time))
        };
        vec![what.to_owned(), at(0.5), at(0.95), at(0.99)]
    };
    let rows = [row("answered", &delivered.acks), row("in the tables", &delivered.ends)];
    table(&["", "p50", "p95", "p99"], rows, &[1, 2, 3])
}

fn phone(source: Source) -> &'static str {
    match source {
        Source::Healthkit => "iPhone",
        _ => "Android",
    }
}

fn syncs(people: &[Chapter]) -> String {
    let mut rows = Vec::new();
    for chapter in people {
        for (index, sync) in chapter.syncs.iter().enumerate() {
            let name = if index == 0 {
                style(chapter.person.first_name()).bold().to_string()
            } else {
                String::new()
            };
            let answer = &sync.answer;
            rows.push(vec![
                name,
                sync.what.to_owned(),
                grouped(answer.received.into()),
                shade(answer.inserted, console::Style::new().green()),
                shade(answer.updated, console::Style::new().yellow()),
                shade(answer.unchanged, console::Style::new()),
                shade(answer.merged, console::Style::new()),
                shade(answer.rejected, console::Style::new().red()),
            ]);
        }
    }
    let head = ["", "batch", "received", "inserted", "updated", "unchanged", "merged", "rejected"];
    table(&head, rows, &[2, 3, 4, 5, 6, 7])
}

fn shade(count: u32, colour: console::Style) -> String {
    match count {
        0 => style("·").dim().to_string(),
        _ => colour.apply_to(grouped(count.into())).to_string(),
    }
}

fn dropped(people: &[Chapter]) -> String {
    let mut rows = Vec::new();
    for chapter in people {
        let outside = chapter.syncs.iter().flat_map(|sync| {
            let sent = |index| sync.records.get(index).map_or_else(String::new, sent);
            sync.answer.rejections.iter().map(move |it| ("at the door", sent(it.index), &it.reason))
        });
        let refused = chapter.refused.iter().map(|it| {
            let what = format!("{} {} {}, {}", it.metric, number(it.value, it.value), it.unit, it.day);
            ("by validation", what, &it.reason)
        });
        let (mut name, mut last_gate) = (style(chapter.person.first_name()).bold().to_string(), "");
        for (gate, what, reason) in outside.chain(refused) {
            // The code before the colon is for programs.
            let sentence = reason.split_once(": ").map_or(reason.as_str(), |(_, sentence)| sentence);
            let mut cells = (
                std::mem::take(&mut name),
                if gate == last_gate { "" } else { gate },
                truncate_str(&what, 29, "…").into_owned(),
            );
            for line in wrapped(sentence, 44) {
                let (name, gate, what) = std::mem::take(&mut cells);
                rows.push(vec![name, gate.to_owned(), what, style(line).yellow().to_string()]);
            }
            last_gate = gate;
        }
    }
    table(&["", "dropped", "what", "why"], rows, &[])
}

/// A record as its sender meant it, in a few words.
fn sent(record: &Value) -> String {
    let Some(metric) = meant(record) else { return record.to_string() };
    match (&record["value"], record["unit"].as_str()) {
        (Value::Null, _) => metric.to_owned(),
        (value, unit) => format!("{metric} {value} {}", unit.unwrap_or_default()),
    }
}

/// The metric behind the name that a phone uses, or that name where there is none.
fn meant(record: &Value) -> Option<&str> {
    let name = record["type"].as_str()?;
    Some(MetricType::from_provider_name(name).map_or(name, |(metric, _)| metric.label()))
}

fn metrics(chapter: &Chapter) -> String {
    let records = || chapter.syncs.iter().flat_map(|sync| &sync.records);
    let rows = chapter.metrics.iter().map(|metric| {
        let baseline = match (metric.mean, metric.spread) {
            (Some(mean), Some(spread)) => format!("{} ± {}", number(mean, mean), number(spread, mean)),
            (Some(mean), None) => number(mean, mean),
            (None, _) => String::new(),
        };
        let status = match metric.status.as_str() {
            "complete" => style("complete".to_owned()).green(),
            "in_progress" => style(format!("{} of 14", metric.baseline_days)).yellow(),
            status => style(status.to_owned()).yellow(),
        };
        vec![
            metric.name.clone(),
            style(sparkline(&metric.days)).cyan().to_string(),
            records().filter(|record| meant(record) == Some(&metric.name)).count().to_string(),
            metric.counted.to_string(),
            style(baseline).bold().to_string(),
            metric.unit.clone(),
            status.to_string(),
        ]
    });
    table(&["metric", "day by day", "sent", "kept", "baseline", "unit", "status"], rows, &[2, 3, 4])
}

fn visible(report: &Report) -> String {
    let rows = report.people.iter().map(|chapter| {
        vec![
            style(chapter.person.first_name()).bold().to_string(),
            grouped(chapter.visible),
            format!("of {} in the database", grouped(report.total)),
        ]
    });
    table(&[], rows, &[1])
}

fn times(report: &Report) -> String {
    let part = |what: &str| {
        let syncs = report.people.iter().flat_map(|chapter| &chapter.syncs).filter(|sync| sync.what == what);
        syncs.fold((0, Duration::ZERO), |(count, took), sync| {
            (count + i64::from(sync.answer.received), took + sync.took)
        })
    };
    let rate = |count: i64, took: Duration| {
        format!("{} a second", grouped((count as f64 / took.as_secs_f64().max(1e-6)) as i64))
    };
    let (new, new_took) = part(FIRST_SYNC);
    let (again, again_took) = part(SAME_AGAIN);
    let judged: u32 =
        report.people.iter().flat_map(|chapter| &chapter.metrics).map(|metric| metric.stored).sum();
    let baselines = report.people.iter().map(|chapter| chapter.metrics.len()).sum::<usize>();
    let rows = [
        ("signing up and onboarding 3 people".to_owned(), report.signing_up, String::new()),
        (format!("{} new readings in 3 batches", grouped(new)), new_took, rate(new, new_took)),
        (format!("{} unchanged readings in 3 batches", grouped(again)), again_took, rate(again, again_took)),
        (
            format!("{} readings judged, {baselines} baselines computed", grouped(judged.into())),
            report.jobs,
            String::new(),
        ),
        (format!("{} days scored, 3 goals forecast", 3 * DAYS), report.engine, String::new()),
    ];
    table(
        &[],
        rows.map(|(what, took, rate)| vec![what, style(ui::took(took)).bold().to_string(), rate]),
        &[1, 2],
    )
}

fn next(report: &Report) -> String {
    let Some(chapter) = report.people.first() else { return String::new() };
    format!(
        "cargo xtask psql <<'sql'
  -- become {name}, as the API does for each of her requests
  select set_config('request.jwt.claim.sub', id::text, false)
  from auth.users where email = '{email}';
  set role authenticated;
  -- the nights on which she slept least; `select export_my_data()` is everything she has
  select local_date, value_num as minutes from wt_health_metrics
  where metric_type = 'sleep' and validation_status = 'validated' order by value_num limit 5;
sql

cargo xtask report   # the recovery and the goals as pictures, for the phone
cargo xtask test     # prove everything, on databases of its own
cargo xtask down     # stop the database
",
        name = chapter.person.first_name(),
        email = chapter.person.email(),
    )
}

#[cfg(test)]
mod tests;
