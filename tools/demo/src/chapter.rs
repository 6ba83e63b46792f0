//! One person's part of the demo: they join, their phone syncs four times, their days are scored.

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Span;
use serde_json::Value;
use welltrack_stack::cmd;

use super::api::{Answer, Api, Member, Metric, Refused};
use super::history::History;
use super::people::Person;
use super::recovery::Recovery;
use super::{odd, phone};

/// The batch that brings everything.
pub(super) const FIRST_SYNC: &str = "first sync, 60 days";
/// The batch that brings nothing new.
pub(super) const SAME_AGAIN: &str = "the last week once more";

/// What became of one person.
pub(super) struct Chapter {
    pub(super) person: &'static Person,
    pub(super) history: History,
    pub(super) member: Member,
    pub(super) modules: i64,
    pub(super) syncs: Vec<Sync>,
    pub(super) refused: Vec<Refused>,
    pub(super) metrics: Vec<Metric>,
    pub(super) visible: i64,
    pub(super) recovery: Recovery,
}

/// One batch and its answer.
pub(super) struct Sync {
    pub(super) what: &'static str,
    pub(super) records: Vec<Value>,
    pub(super) answer: Answer,
    pub(super) took: Duration,
}

/// They sign up and say what they aim at.
pub(super) fn join(api: &mut Api, person: &'static Person, history: History) -> Result<Chapter> {
    let member = api.sign_up(person.name, &person.email(), person.zone_name())?;
    let modules = api.onboard(person, member)?;
    Ok(Chapter {
        person,
        history,
        member,
        modules,
        syncs: vec![],
        refused: vec![],
        metrics: vec![],
        visible: 0,
        recovery: Recovery::default(),
    })
}

/// Four syncs of one phone.
pub(super) fn send(api: &mut Api, chapter: &mut Chapter) -> Result<()> {
    for (what, records) in batches(chapter.person, &chapter.history)? {
        if cmd::interrupted() {
            bail!(cmd::Interrupted);
        }
        let (answer, took) = api.ingest(chapter.member, &phone::batch(chapter.person, &records))?;
        chapter.syncs.push(Sync { what, records, answer, took });
    }
    Ok(())
}

/// What the phone sends: everything on the evening of the last day, its last week on the next morning, when
/// that day is over, the same again, because phones do, and then what no phone should.
pub(super) fn batches(person: &Person, history: &History) -> Result<Vec<(&'static str, Vec<Value>)>> {
    let week = history.last_day.checked_sub(Span::new().days(6))?;
    let mut first = Vec::new();
    let mut again = Vec::new();
    for reading in &history.readings {
        let then = if reading.date == history.last_day { phone::so_far(reading) } else { reading.clone() };
        first.push(phone::record(person, history, &then)?);
        if reading.date >= week {
            again.push(phone::record(person, history, reading)?);
        }
    }
    Ok(vec![
        (FIRST_SYNC, first),
        ("next morning, the last week", again.clone()),
        (SAME_AGAIN, again),
        ("odd records", odd::records(person, history)?),
    ])
}

/// Everybody sets a goal and runs the engine for themselves; the time is that of the runs alone.
pub(super) fn score(api: &mut Api, people: &mut [Chapter]) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for Chapter { person, history, member, recovery, .. } in people {
        let (scored, time) = Recovery::score(api, person, *member, history)?;
        *recovery = scored;
        took += time;
    }
    Ok(took)
}
