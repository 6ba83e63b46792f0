//! `demo`: the main job, from signup to baselines, providers' pushes and recovery scores, on the development database.
//!
//! Promises: three people who weren't there before, sixty days of readings each, sent as their phones would and
//! then pushed as Garmin and Strava would, and everything that became of them in tables; where the data set lies, what
//! became of all its people's days. Removes the people of an earlier demo first, and touches nobody else's rows. Stops at numbers: the AI is not part of it.

mod api;
mod chapter;
mod cohort;
mod data;
pub(crate) mod figures;
mod generate;
mod history;
mod lifesnaps;
mod odd;
mod people;
mod phone;
mod print;
mod providers;
mod recovery;
pub mod report;
mod weights;

use std::io::{ErrorKind, Write as _};
use std::time::Instant;

use anyhow::Result;
use welltrack_stack::{Stack, ui};

use api::{Api, Member};
use chapter::{Chapter, join, send};
use data::Data;
pub use data::data_set;
use history::{DAYS, History};
use people::PEOPLE;
use print::Report;
use weights::Weights;

/// Runs the demo on a stack that is up.
pub fn run(stack: &Stack) -> Result<()> {
    let _lock = stack.layout.lock("demo")?;
    let report = story(stack, data::load(&stack.layout.root)?)?;
    match std::io::stdout().write_all(print::report(&report).as_bytes()) {
        // Somebody looked at the first lines and closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The same people with their scores and goals, without the providers' part and without a word.
pub fn fill(stack: &Stack) -> Result<()> {
    let mut api = Api::connect(stack)?;
    let mut people = joined(&mut api, data::load(&stack.layout.root)?.histories)?;
    people.iter_mut().try_for_each(|chapter| send(&mut api, chapter))?;
    let members: Vec<Member> = people.iter().map(|chapter| chapter.member).collect();
    api.run_jobs(&members)?;
    chapter::score(&mut api, &mut people).map(drop)
}

fn story(stack: &Stack, data: Data) -> Result<Report> {
    let mut api = Api::connect(stack)?;
    let earlier = ui::step("Removing the people of an earlier demo", || api.forget_earlier())?;
    if earlier > 0 {
        ui::note(&format!("{earlier} people and all their rows are gone"));
    }

    let start = Instant::now();
    let mut people =
        ui::step("Signing up three people and asking for their goals", || joined(&mut api, data.histories))?;
    let signing_up = start.elapsed();

    ui::step(&format!("Sending {DAYS} days of readings from each phone, and the last week again"), || {
        people.iter_mut().try_for_each(|chapter| send(&mut api, chapter))
    })?;

    let members: Vec<Member> = people.iter().map(|chapter| chapter.member).collect();
    let start = Instant::now();
    ui::step("Judging the readings and computing baselines", || api.run_jobs(&members))?;
    let jobs = start.elapsed();

    for chapter in &mut people {
        chapter.refused = api.refused(chapter.member)?;
        chapter.metrics = api.metrics(chapter.member, &chapter.history)?;
        chapter.visible = api.visible(chapter.member)?;
    }
    // Before the providers push: theirs are other bodies' days.
    let engine = ui::step("Scoring everybody's days and forecasting their goals", || {
        chapter::score(&mut api, &mut people)
    })?;
    let total = api.total()?;
    let delivered = providers::deliver(stack, &mut api, &people)?;
    let cohort = match data.everybody.as_slice() {
        [] => None,
        all => {
            Some(ui::step(&format!("Scoring every day of all {} people of the data set", all.len()), || {
                cohort::score(&mut api, all)
            })?)
        }
    };
    let weights = Weights::read(stack)?;
    Ok(Report { source: data.source, people, total, delivered, signing_up, jobs, engine, cohort, weights })
}

fn joined(api: &mut Api, histories: [History; 3]) -> Result<Vec<Chapter>> {
    PEOPLE.iter().zip(histories).map(|(person, history)| join(api, person, history)).collect()
}
