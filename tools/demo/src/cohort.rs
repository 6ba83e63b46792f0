//! Everybody in the data set, where there is one: they come, all their days are scored, and they leave again.
//!
//! Promises: the same doors as for the three of the demo, whole histories, and nobody of them stays behind; whom an interrupted
//! demo leaves, the next one removes. Stops at counting.

use anyhow::{Result, bail};
use welltrack_stack::cmd;

use super::api::{Api, Member};
use super::history::History;
use super::people::{DOMAIN, PEOPLE};
use super::phone;
use super::recovery::Day;

/// How many people there were, and what was said of each of their days.
pub(super) struct Cohort {
    pub(super) people: usize,
    pub(super) days: Vec<Option<Day>>,
}

/// Lets everybody of the data set in and out again.
pub(super) fn score(api: &mut Api, histories: &[History]) -> Result<Cohort> {
    // They carry one sort of phone and live in one zone: it is about their days.
    let person = &PEOPLE[0];
    let mut members: Vec<Member> = Vec::new();
    for history in histories {
        if cmd::interrupted() {
            bail!(cmd::Interrupted);
        }
        let member =
            api.sign_up(&history.origin, &format!("{}{DOMAIN}", history.origin), person.zone_name())?;
        let records: Vec<_> = history
            .readings
            .iter()
            .map(|reading| phone::record(person, history, reading))
            .collect::<Result<_>>()?;
        api.ingest(member, &phone::batch(person, &records))?;
        members.push(member);
    }
    api.run_jobs(&members)?;
    let mut days = Vec::new();
    for (member, history) in members.iter().zip(histories) {
        api.run_engine(*member, history.last_day)?;
        days.extend(api.scores(*member, history)?);
        api.forget(*member)?;
    }
    Ok(Cohort { people: members.len(), days })
}
