//! `report`: what the engine makes of people's days, as pictures: a page for the phone, and a PNG for each person.
//!
//! Promises: the page is one file that loads nothing; everything in it was read with the rights of the person it is about, after
//! the engine caught up with their late readings; a day without a score is shown as one. Stops at the last [`data::DAYS`] days.

mod axis;
mod canvas;
mod charts;
mod data;
mod goal;
mod page;
mod picture;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use postgres::{Client, NoTls};
use welltrack_stack::cluster::{Cluster, Role};
use welltrack_stack::files::{make_dir, write_whole};
use welltrack_stack::{Stack, ui};

use crate::weights::Weights;

/// More people than these are not put into one page.
const MOST: usize = 20;

/// `cargo xtask report`.
pub fn run(stack: &Stack, name: Option<&str>, out: Option<PathBuf>) -> Result<()> {
    let folder = out.unwrap_or_else(|| stack.layout.state.join("report"));
    for file in write(stack, name, &folder)? {
        println!("{}", file.display());
    }
    Ok(())
}

/// Writes the page and the pictures into a folder, and gives their paths, the page's first.
pub fn write(cluster: &Cluster, name: Option<&str>, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut people = data::choose(data::everybody(cluster)?, name)?;
    if people.len() > MOST {
        ui::note(&format!("the first {MOST} of {} people; --person NAME for another", people.len()));
        people.truncate(MOST);
    }
    let weights = Weights::read(cluster)?;
    let mut client =
        Client::connect(&cluster.url(Role::Authenticator), NoTls).context("could not connect")?;
    let told = ui::step("Reading their days and drawing them", || {
        people
            .iter()
            .map(|who| {
                let person = data::read(&mut client, who)?;
                let charts = drawn(&person, &weights)?;
                Ok((person, charts))
            })
            .collect::<Result<Vec<_>>>()
    })?;
    make_dir(folder)?;
    let caveat = page::caveat(&weights);
    let page = folder.join("index.html");
    write_whole(&page, page::page(&told, &caveat))?;
    let mut files = vec![page];
    ui::step("Turning the drawings into pictures", || {
        for (person, charts) in &told {
            let name = file_name(&person.name);
            let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
            let mut places = names.map(|name| folder.join(name).with_extension("png"));
            let file =
                places.find(|place| !files.contains(place)).context("there is always another number")?;
            write_whole(&file, picture::png(person, charts, &caveat)?)?;
            files.push(file);
        }
        Ok(())
    })?;
    Ok(files)
}

fn drawn(person: &data::Person, weights: &Weights) -> Result<Vec<charts::Chart>> {
    let mut drawn =
        vec![charts::recovery(person)?, charts::heart_rate(person)?, charts::components(person, weights)?];
    for goal in &person.goals {
        drawn.push(goal::chart(goal)?);
    }
    Ok(drawn)
}

/// `eleni-markou`: a name may hold anything, a file's may not.
fn file_name(name: &str) -> String {
    let plain: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "person".to_owned() } else { words.join("-") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::data::{Day, Goal, Person, Seen, Status, Why};
    use super::*;
    use crate::weights::tests::todays;
    use jiff::civil::date;

    /// A person of so many days, each of another kind.
    pub(super) fn somebody(name: &str, days: usize) -> Person {
        let kinds = [Status::Scored, Status::Nothing, Status::Calibrating, Status::TooLittle];
        let days = (0..days).map(|n| {
            let status = kinds[n % kinds.len()];
            let value = (status == Status::Scored).then_some(50.0);
            Day {
                date: date(2024, 2, 28) + jiff::Span::new().days(n as i64),
                status,
                score: value,
                components: [value, None, value, None],
                heart_rate: value,
                heart_baseline: value.map(|value| (value, 0.0)),
            }
        });
        Person {
            name: name.to_owned(),
            days: days.collect(),
            why: Why { status: "no_data".to_owned(), days_missing: None, components: vec![] },
            trend: Some("Your recovery score is holding steady.".to_owned()),
            goals: vec![Goal {
                metric_type: "steps".to_owned(),
                target_value: 10_000.0,
                unit: "count".to_owned(),
                deadline: None,
                forecast: None,
                is_imperial: false,
                seen: Seen { first_day: Some(date(2024, 2, 28)), values: vec![None; 30], line: vec![] },
            }],
        }
    }

    #[test]
    fn whoever_has_few_days_or_none_has_charts_and_a_page() {
        for days in [0, 1, 2, 5, 60] {
            let person = somebody("Ada", days);
            let charts = drawn(&person, &todays()).expect("charts");
            for chart in &charts {
                assert!(
                    chart.drawing.height > 150 && chart.drawing.shapes.contains("<text"),
                    "{}",
                    chart.title
                );
            }
            let scores = charts[0].drawing.shapes.matches("<circle").count();
            assert_eq!(scores, 2 + days.div_ceil(4) + (days + 2) / 4, "dots, rings and the legend's two");
            let page = page::page(&[(person, charts)], &page::caveat(&todays()));
            assert!(page.contains("<h2>Ada</h2>") && page.contains("holding steady"));
        }
    }

    #[test]
    fn a_files_name_stays_in_its_folder_whatever_somebody_is_called() {
        assert_eq!(file_name("Eleni Markou"), "eleni-markou");
        assert_eq!(file_name("../../etc/<x>\0"), "etc-x");
        assert_eq!(file_name("Ελένη"), "person");
        assert_eq!(file_name(&"x".repeat(80)).len(), 40);
    }
}
