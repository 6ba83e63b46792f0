//! Interleaved timing and the table of targets. Promises medians of runs that took turns on the same machine, and a
//! verdict for each target; says nothing about absolute speed elsewhere.

use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};

/// What a ratio must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The ratio is a speed-up and must reach this.
    AtLeast(f64),
    /// The ratio (or the figure itself) is a cost and must stay below this.
    AtMost(f64),
}

/// One line of the result.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) against: String,
    pub(crate) floor: String,
    pub(crate) ratio: f64,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
}

impl Line {
    fn met(&self) -> bool {
        match self.target {
            Target::AtLeast(bound) => self.ratio >= bound,
            Target::AtMost(bound) => self.ratio <= bound,
        }
    }
}

/// Runs `contestants` in turn, `rounds` times, each round beginning with another one; answers each one's median.
pub(crate) fn interleave<const N: usize>(
    rounds: usize,
    contestants: [&mut dyn FnMut(usize) -> Result<Duration>; N],
) -> Result<[Duration; N]> {
    let mut times: [Vec<Duration>; N] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    for round in 0..rounds {
        for turn in 0..N {
            let contestant = (turn + round) % N;
            times[contestant].push(contestants[contestant](round)?);
        }
    }
    Ok(times.map(|mut t| percentile(&mut t, 0.5)))
}

/// Times one call.
pub(crate) fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

/// The `share` quantile (0 to 1, nearest rank) of a sample that is not empty.
pub(crate) fn percentile(sample: &mut [Duration], share: f64) -> Duration {
    sample.sort_unstable();
    sample[((sample.len() - 1) as f64 * share).round() as usize]
}

/// Prints the lines, and answers whether every target is met.
pub(crate) fn report(lines: &[Line]) -> bool {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["what", "ours", "against", "floor", "ratio", "target", ""]);
    for line in lines {
        let target = match line.target {
            Target::AtLeast(bound) => format!("≥ {bound}{}", line.unit),
            Target::AtMost(bound) => format!("≤ {bound}{}", line.unit),
        };
        let verdict = if line.met() {
            Cell::new("met").fg(Color::Green)
        } else {
            Cell::new("MISSED").fg(Color::Red).add_attribute(Attribute::Bold)
        };
        let right = |text: &str| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&line.what),
            right(&line.ours),
            right(&line.against),
            right(&line.floor),
            right(&format!("{:.2}{}", line.ratio, line.unit)),
            right(&target),
            verdict,
        ]);
    }
    println!("{table}");
    lines.iter().all(Line::met)
}

/// `rows` in `time`, as rows a second.
pub(crate) fn rate(rows: usize, time: Duration) -> String {
    format!("{:.0} rows/s", rows as f64 / time.as_secs_f64())
}

/// Milliseconds with two decimals.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// How many times `ours` fits into `other`.
pub(crate) fn speedup(other: Duration, ours: Duration) -> f64 {
    other.as_secs_f64() / ours.as_secs_f64()
}
