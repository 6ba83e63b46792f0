//! Interleaved timing and the table of targets. Promises medians of runs that took turns on the same machine, and a
//! verdict for each target; says nothing about absolute speed elsewhere.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use console::style;
use welltrack_stack::ui;

/// What a ratio must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The ratio is a speed-up and must reach this.
    AtLeast(f64),
    /// The ratio (or the figure itself) is a cost and must stay below this.
    AtMost(f64),
    /// As `AtMost`, but a wish: missing it is said and fails nothing.
    Aim(f64),
    /// Shown for comparison; nothing hangs on it.
    None,
}

/// Keeps every core busy with work that gives way to any other, while it lives. A core that has nothing to do is halted, and
/// waking it, on a virtual machine by way of the hypervisor, takes longer than a small request.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    pub(crate) fn new() -> Result<Self> {
        let mut awake = Self(Vec::new());
        for _ in 0..thread::available_parallelism()?.get() {
            let mut idler = Command::new("chrt");
            idler.args(["--idle", "0", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
            awake.0.push(idler.spawn().context("could not start `chrt` (Debian's util-linux)")?);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for idler in &mut self.0 {
            let _ = idler.kill();
            let _ = idler.wait();
        }
    }
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
            Target::AtMost(bound) | Target::Aim(bound) => self.ratio <= bound,
            Target::None => true,
        }
    }

    fn fails(&self) -> bool {
        !self.met() && !matches!(self.target, Target::Aim(_))
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

/// Prints the lines, and answers whether every target (not every aim) is met.
pub(crate) fn report(lines: &[Line]) -> bool {
    let head = ["what", "ours", "against", "floor", "ratio", "target", ""];
    let mut rows = vec![head.map(|cell| style(cell).bold().to_string()).to_vec()];
    for line in lines {
        let (target, verdict) = match (line.target, line.met()) {
            (Target::None, _) => (String::new(), String::new()),
            (Target::AtLeast(bound), met) => (format!("≥ {bound}{}", line.unit), verdict(met)),
            (Target::AtMost(bound), met) => (format!("≤ {bound}{}", line.unit), verdict(met)),
            (Target::Aim(bound), met) => (format!("aim ≤ {bound}{}", line.unit), verdict(met)),
        };
        rows.push(vec![
            line.what.clone(),
            line.ours.clone(),
            line.against.clone(),
            line.floor.clone(),
            format!("{:.2}{}", line.ratio, line.unit),
            target,
            verdict,
        ]);
    }
    println!("\n{}", ui::table(&rows));
    !lines.iter().any(Line::fails)
}

fn verdict(met: bool) -> String {
    if met { style("met").green() } else { style("MISSED").red().bold() }.to_string()
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
