//! What each day came to, and where the goals are heading, as small charts. Every share says of how many days.

use console::{Style, style};

use super::table::table;
use crate::chapter::Chapter;
use crate::figures::{bar, number, sparkline, wrapped};
use crate::recovery::{Day, INPUTS};

/// What may be said of a day, as the database and as people put it.
const STATUSES: [(&str, &str); 3] = [
    ("scored", "with a score"),
    ("calibrating", "still getting to know the person"),
    ("insufficient", "too few inputs"),
];
/// The widest bar, in columns.
const WIDTH: usize = 40;

/// A line for each person: the scores as a sparkline, the last day's score and its components.
pub(super) fn by_person(people: &[Chapter]) -> String {
    let rows = people.iter().map(|chapter| {
        let days = &chapter.recovery.days;
        let scores: Vec<Option<f64>> = days.iter().map(|day| day.as_ref()?.score).collect();
        let last = days.last().cloned().flatten();
        let points =
            |points: Option<f64>| points.map_or_else(|| "·".to_owned(), |points| format!("{points:.0}"));
        let components = last.as_ref().map_or([None; 4], |day| day.components);
        [
            style(chapter.person.first_name()).bold().to_string(),
            style(sparkline(&scores)).cyan().to_string(),
            chapter.history.last_day.to_string(),
            style(points(last.and_then(|day| day.score))).bold().to_string(),
        ]
        .into_iter()
        .chain(components.map(points))
        .collect()
    });
    let head = ["", "recovery, day by day", "last day", "score"].into_iter().chain(INPUTS);
    table(&head.collect::<Vec<_>>(), rows, &[3, 4, 5, 6, 7])
}

/// The goals and what the engine says about them.
pub(super) fn goals(people: &[Chapter]) -> String {
    let mut rows = Vec::new();
    for chapter in people {
        for forecast in &chapter.recovery.forecasts {
            let colour = match forecast.status.as_str() {
                "on_track" | "reached" => Style::new().green(),
                _ => Style::new().yellow(),
            };
            let mut cells = [
                style(chapter.person.first_name()).bold().to_string(),
                format!("{} {} {}", forecast.metric, number(forecast.target, forecast.target), forecast.unit),
                colour.apply_to(forecast.status.replace('_', " ")).to_string(),
            ];
            for line in wrapped(&forecast.narrative, 50) {
                rows.push(std::mem::take(&mut cells).into_iter().chain([line]).collect());
            }
        }
    }
    table(&["", "goal", "forecast", "what it says"], rows, &[])
}

/// How many days have a score, why the others have none, and how many lack each input.
pub(super) fn shares(days: &[Option<&Day>]) -> String {
    let share = |what: String, is_one: &dyn Fn(Option<&Day>) -> bool| {
        let count = days.iter().filter(|day| is_one(**day)).count();
        let share = count as f64 / days.len().max(1) as f64;
        vec![
            what,
            style(bar(share, WIDTH)).cyan().to_string(),
            format!("{:.0} %", share * 100.0),
            count.to_string(),
        ]
    };
    let statuses = STATUSES
        .map(|(status, said)| share(said.to_owned(), &|day| day.is_some_and(|day| day.status == status)));
    let missing = [0, 1, 2, 3].map(|input| {
        share(format!("without {}", INPUTS[input]), &|day| {
            day.is_none_or(|day| day.components[input].is_none())
        })
    });
    let nothing = share("nothing measured".to_owned(), &|day| day.is_none());
    let of = format!("of {}", days.len());
    table(&["", "", "share", &of], statuses.into_iter().chain([nothing, vec![]]).chain(missing), &[2, 3])
}

/// How many scores lie in each ten points, from the first ten that has any to the last.
pub(super) fn distribution(days: &[Option<&Day>]) -> String {
    let mut counts = [0_usize; 10];
    for score in days.iter().flatten().filter_map(|day| day.score) {
        // A hundred belongs to the last ten.
        counts[((score / 10.0) as usize).min(9)] += 1;
    }
    let greatest = counts.iter().copied().max().unwrap_or(0).max(1);
    let first = counts.iter().position(|&count| count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|&count| count > 0).unwrap_or(9);
    let rows = (first..=last).map(|tens| {
        vec![
            format!("{} to {}", tens * 10, tens * 10 + 10),
            style(bar(counts[tens] as f64 / greatest as f64, WIDTH)).cyan().to_string(),
            counts[tens].to_string(),
        ]
    });
    table(&["score", "", "days"], rows, &[0, 2])
}

/// Everybody's days, one after the other.
pub(super) fn all_days(people: &[Chapter]) -> Vec<Option<&Day>> {
    people.iter().flat_map(|chapter| &chapter.recovery.days).map(Option::as_ref).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(score: f64) -> Day {
        Day {
            status: "scored".into(),
            score: Some(score),
            components: [None, Some(1.0), Some(1.0), Some(1.0)],
        }
    }

    #[test]
    fn every_score_is_in_one_ten_and_a_hundred_in_the_last() {
        console::set_colors_enabled(false);
        let days = [70.0, 79.9, 80.0, 100.0].map(scored);
        let days: Vec<_> = days.iter().map(Some).chain([None]).collect();
        let text = distribution(&days);
        let counts = text.lines().skip(1).map(|line| line.split_whitespace().last().unwrap_or_default());
        assert_eq!(counts.collect::<Vec<_>>(), ["2", "1", "1"], "{text}");
        assert!(text.contains("90 to 100"), "{text}");
        assert!(distribution(&[]).lines().count() == 11, "nobody has a score, and every ten says so");
    }

    #[test]
    fn a_day_without_anything_lacks_every_input() {
        console::set_colors_enabled(false);
        let day = scored(50.0);
        let text = shares(&[Some(&day), Some(&day), None, Some(&day)]);
        let count = |what: &str| {
            let line = text.lines().find(|line| line.contains(what)).unwrap_or_default();
            line.split_whitespace().last().unwrap_or_default().to_owned()
        };
        assert_eq!(["with a score", "nothing measured"].map(count), ["3", "1"], "{text}");
        assert_eq!(["without stress", "without sleep", "without load"].map(count), ["4", "1", "1"], "{text}");
    }
}
