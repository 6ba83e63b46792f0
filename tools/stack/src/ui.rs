//! What a person sees: steps with their elapsed time, notes, aligned tables.
//!
//! Promises: a spinner on a terminal, plain lines elsewhere; colours only where they are wanted (NO_COLOR is honoured). Stops at
//! standard error for progress, so that standard output stays usable in a pipe.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::Result;
use console::{Style, measure_text_width, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The spinners that turn right now; what is written meanwhile goes above them.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Does a step while showing that it goes on, and says how long it took. Steps may contain steps.
pub fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let spinner = SPINNERS.add(ProgressBar::new_spinner().with_message(title.to_owned()));
    if console::user_attended_stderr() {
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
    } else {
        say(&format!("… {title}"));
    }
    let result = work();
    spinner.finish_and_clear();
    SPINNERS.remove(&spinner);
    let (mark, colour) =
        if result.is_ok() { ("✓", Style::new().green()) } else { ("✗", Style::new().red()) };
    let time = style(took(start.elapsed())).dim().for_stderr();
    say(&format!("{} {title} {time}", colour.for_stderr().apply_to(mark)));
    result
}

fn say(text: &str) {
    SPINNERS.suspend(|| eprintln!("{text}"));
}

/// One line on the side.
pub fn note(text: &str) {
    say(&format!("{} {text}", style("·").dim().for_stderr()));
}

/// A heading between parts.
pub fn heading(text: &str) {
    say(&format!("\n{}", style(text).bold().for_stderr()));
}

/// The end of a run that failed: the error, and each reason below it.
pub fn failure(error: &anyhow::Error) {
    say(&format!("{} {error}", style("error:").red().bold().for_stderr()));
    for reason in error.chain().skip(1) {
        say(&format!("{} {reason}", style("because:").red().for_stderr()));
    }
}

/// A length of time as a person says it.
pub fn took(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Rows as columns, each as wide as its widest cell; colours don't count as width.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line.push(' ');
            line.push_str(cell);
            line.push_str(&" ".repeat(width - measure_text_width(cell) + 1));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_a_person_says_them() {
        assert_eq!(took(Duration::from_millis(42)), "42 ms");
        assert_eq!(took(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(took(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let rows = vec![vec!["a".into(), "bb".into()], vec!["ccc".into(), "d".into()]];
        assert_eq!(table(&rows), "  a    bb\n  ccc  d\n");
    }
}
