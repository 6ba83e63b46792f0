//! The page: one HTML file that needs nothing but itself.
//!
//! Promises: readable on a phone and at night, with every chart's numbers as a table below; what people wrote is text and never
//! markup. Stops at words: what is drawn comes as finished SVG.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::axis::{number, short};
use super::canvas::colour;
use super::charts::{COMPONENTS, Chart, plural};
use super::data::{Day, Goal, Person, Status};
use crate::weights::Weights;

/// What nobody should read without.
pub(super) fn caveat(weights: &Weights) -> String {
    format!(
        "The recovery score is a rule of thumb about training and rest: {}, shared out anew where one is missing. The weights \
         are a heuristic without medical meaning. A forecast is a straight line through 30 days and knows nothing of tomorrow.",
        weights.formula()
    )
}

/// Drawn colours, and what they become on dark paper.
const NIGHT: [(RGBColor, &str); 12] = [
    (colour::INK, "#E5E7EB"),
    (colour::MUTED, "#A7B0BD"),
    (colour::GRID, "#2B3440"),
    (colour::PAPER, "#171D26"),
    (colour::LEARNING, "#7D8796"),
    (colour::NOTHING, "#7C8695"),
    (colour::BLUE, "#4FA8E0"),
    (colour::SKY, "#56B4E9"),
    (colour::GREEN, "#2FBF96"),
    (colour::RED, "#F0803C"),
    (colour::PURPLE, "#DD9CC0"),
    (colour::TOO_LITTLE, "#E69F00"),
];

/// The whole file.
pub(super) fn page(people: &[(Person, Vec<Chart>)], caveat: &str) -> String {
    let mut nav = String::new();
    if people.len() > 1 {
        let links = people
            .iter()
            .enumerate()
            .map(|(n, (person, _))| format!("<a href=\"#person-{n}\">{}</a>", escaped(&person.name)));
        nav = format!("<nav aria-label=\"People\">{}</nav>", links.collect::<String>());
    }
    let sections: String =
        people.iter().enumerate().map(|(n, (person, charts))| section(n, person, charts)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>WellTrack report</title>\n<style>\n{}{}</style>\n</head>\n<body>\n\
         <header><h1>Recovery and goals</h1>{nav}</header>\n<main>\n{sections}</main>\n\
         <footer><p>{}</p></footer>\n</body>\n</html>\n",
        include_str!("page.css"),
        night(),
        escaped(caveat),
    )
}

/// Style attributes of drawings yield to a style sheet, so the same drawing serves day and night.
fn night() -> String {
    let rules = NIGHT.iter().fold(String::new(), |mut rules, (day, night)| {
        let day = hex(*day);
        // Writing to a String cannot fail.
        let _ = writeln!(
            rules,
            "  svg [fill=\"{day}\"] {{ fill: {night}; }} svg [stroke=\"{day}\"] {{ stroke: {night}; }}"
        );
        rules
    });
    format!("@media (prefers-color-scheme: dark) {{\n{rules}}}\n")
}

fn section(n: usize, person: &Person, charts: &[Chart]) -> String {
    // A goal's facts stand in its chart's card.
    let mut goals = person.goals.iter();
    let figures = charts.iter().enumerate().map(|(place, chart)| {
        let below = if chart.kind == "goal" { goals.next().map(facts) } else { None };
        figure(&format!("chart-{n}-{place}"), chart, &below.unwrap_or_default())
    });
    let figures: String = figures.collect();
    format!(
        "<section id=\"person-{n}\">\n<h2>{}</h2>\n<p class=\"quiet\">{}</p>\n{}<div class=\"charts\">\n{figures}</div>\n{}\
         <details><summary>All days in numbers</summary>\n{}</details>\n</section>\n",
        escaped(&person.name),
        escaped(&extent(&person.days)),
        sentences(person)
            .iter()
            .map(|said| format!("<p class=\"says\">{}</p>\n", escaped(said)))
            .collect::<String>(),
        why(person),
        numbers(&person.days),
    )
}

/// From when to when, and how many days are what.
pub(super) fn extent(days: &[Day]) -> String {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return "no days".to_owned() };
    let count = |status| days.iter().filter(|day| day.status == status).count();
    let mut text = format!(
        "{} {} to {} {}: {}",
        short(first.date),
        first.date.year(),
        short(last.date),
        last.date.year(),
        plural(days.len(), "day"),
    );
    for status in [Status::Scored, Status::Calibrating, Status::TooLittle, Status::Nothing] {
        if count(status) > 0 {
            let _ = write!(text, ", {} {}", count(status), word(status));
        }
    }
    text
}

/// What there is to say: how the last day stands, if it has no score, where the score is heading, and the forecasts' own sentences.
pub(super) fn sentences(person: &Person) -> Vec<String> {
    let mut said = Vec::new();
    match (person.why.status.as_str(), person.why.days_missing) {
        ("calibrating", Some(missing)) => said.push(format!(
            "Still calibrating: a score needs {} more with data.",
            plural(usize::try_from(missing).unwrap_or(0), "day")
        )),
        ("insufficient", _) => said.push("The last day has too few inputs for a score.".to_owned()),
        _ => {}
    }
    said.extend(person.trend.clone());
    said.extend(person.goals.iter().filter_map(|goal| goal.forecast.as_ref()?.narrative.clone()));
    said
}

fn figure(id: &str, chart: &Chart, below: &str) -> String {
    let marks: serde_json::Map<String, serde_json::Value> =
        chart.marks.iter().map(|(name, colour)| ((*name).to_owned(), hex(*colour).into())).collect();
    format!(
        "<figure data-chart=\"{}\" data-marks=\"{}\">\n<svg xmlns=\"http://www.w3.org/2000/svg\" {} role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n{}</svg>\n{below}</figure>\n",
        chart.kind,
        escaped(&serde_json::Value::Object(marks).to_string()),
        chart.drawing.view_box(),
        escaped(&chart.title),
        escaped(&chart.description),
        chart.drawing.shapes,
    )
}

fn why(person: &Person) -> String {
    let Some(last) = person.days.last() else { return String::new() };
    let title = match last.score {
        Some(score) => format!("Why {} on {}", number(score, 0), short(last.date)),
        None => format!("What is known of {}", short(last.date)),
    };
    let rows = person.why.components.iter().map(|part| {
        let name = COMPONENTS
            .iter()
            .find(|(name, ..)| *name == part.name)
            .map_or(part.name.as_str(), |(_, name, _)| name);
        let cells = [
            cell(part.value, 0),
            part.weight_used.map_or_else(missing, |weight| format!("{} %", number(weight * 100.0, 0))),
            cell(part.value.zip(part.weight_used).map(|(value, weight)| value * weight), 1),
        ];
        row(name, &cells)
    });
    format!(
        "<div class=\"why\"><h3>{title}</h3>\n<table>\n{}{}</table></div>\n",
        head(&["component", "points", "weight", "adds"]),
        rows.collect::<String>()
    )
}

/// What a goal's chart says in dates and shares.
fn facts(goal: &Goal) -> String {
    let day = |day: Option<jiff::civil::Date>| day.map(|day| format!("{} {}", short(day), day.year()));
    let forecast = goal.forecast.as_ref();
    let between = forecast.and_then(|it| {
        let high = day(it.projected_high).unwrap_or_else(|| "more than ten years away".to_owned());
        Some(format!("{} to {high}", day(it.projected_low)?))
    });
    let explained = forecast.and_then(|it| it.confidence).map(|it| format!("{} %", number(it * 100.0, 0)));
    let rows = [
        ("wanted by", day(goal.deadline)),
        ("forecast", forecast.map(|it| it.status.replace('_', " "))),
        ("projected date", forecast.and_then(|it| day(it.projected_date))),
        ("earliest to latest", between),
        ("explained by the line (R²)", explained),
    ];
    let rows = rows.iter().filter_map(|(name, value)| Some(row(name, &[escaped(value.as_ref()?)])));
    format!("<table>\n{}</table>\n", rows.collect::<String>())
}

/// The charts' numbers, the last day first.
fn numbers(days: &[Day]) -> String {
    let rows = days.iter().rev().map(|day| {
        let score = day.score.map_or_else(
            || format!("<td><abbr title=\"{}\">{}</abbr></td>", word(day.status), sign(day.status)),
            |score| format!("<td>{}</td>", number(score, 0)),
        );
        let others: String = day
            .components
            .iter()
            .map(|value| cell(*value, 0))
            .chain([cell(day.heart_rate, 0)])
            .map(|value| format!("<td>{value}</td>"))
            .collect();
        format!("<tr><th scope=\"row\">{}</th>{score}{others}</tr>\n", short(day.date))
    });
    let signs = [Status::Calibrating, Status::TooLittle, Status::Nothing];
    let signs = signs.map(|status| format!("{} {}", sign(status), word(status))).join(", ");
    format!(
        "<div class=\"wide\"><table>\n{}{}</table></div>\n<p class=\"quiet\">{signs}. Score and components: points, 0 to 100. bpm: the \
         heart at rest, in beats a minute.</p>\n",
        head(&["day", "score", "stress", "sleep", "heart", "load", "bpm"]),
        rows.collect::<String>()
    )
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Scored => "with a score",
        Status::Calibrating => "calibrating",
        Status::TooLittle => "with too few inputs",
        Status::Nothing => "not measured",
    }
}

/// As the charts mark it.
fn sign(status: Status) -> &'static str {
    match status {
        Status::Scored => "●",
        Status::Calibrating => "■",
        Status::TooLittle => "▲",
        Status::Nothing => "○",
    }
}

fn head(names: &[&str]) -> String {
    let cells: String = names.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    format!("<thead><tr>{cells}</tr></thead>\n")
}

fn row(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escaped(name))
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(missing, |value| number(value, decimals))
}

fn missing() -> String {
    "<span title=\"not known\">–</span>".to_owned()
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Text as it may stand between tags and in a quoted attribute, of HTML and of SVG; what XML can't hold is left out.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_people_wrote_is_markup() {
        let name = "</title><script>alert(1)</script>\" onload='x' &amp;\u{0}\u{1b}";
        let safe = escaped(name);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}', '\u{1b}']), "{safe}");
        assert!(safe.ends_with("&amp;amp;"), "an entity is text as well: {safe}");
    }

    #[test]
    fn every_drawn_colour_is_told_apart_and_known_at_night() {
        let rules = night();
        let mut drawn: Vec<String> = NIGHT.iter().map(|(day, _)| hex(*day)).collect();
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), NIGHT.len(), "two of one colour");
        assert!(drawn.iter().all(|colour| rules.contains(colour)));
    }
}
