//! NIST's Statistical Reference Datasets for linear regression: what was certified, and what an exact computation gives,
//! both to twelve digits, as the data are and as readings of this century; and how many digits naive sums leave of them.

use std::path::Path;

use welltrack_core::regression::{Line, Sums};
use welltrack_core::{MICROS_PER_DAY, UnixMicros};

use crate::exact::Exact;

const SECOND: UnixMicros = 1_000_000;
const HOUR: UnixMicros = 3_600 * SECOND;
/// 2024-06-16, in hours and in seconds a whole number.
const NOW: UnixMicros = 1_718_496_000 * SECOND;

/// A file of `tests/nist`, in whole numbers: the decimals it has in y, and what x is divided by.
struct Set {
    name: &'static str,
    decimals_y: u32,
    decimals_x: u32,
    /// The x of one unit.
    unit: i64,
    /// How long a unit is to last.
    lasts: UnixMicros,
}

const SETS: [Set; 4] = [
    Set { name: "norris", decimals_y: 1, decimals_x: 1, unit: 10, lasts: HOUR },
    Set { name: "pontius", decimals_y: 5, decimals_x: 0, unit: 150_000, lasts: HOUR },
    Set { name: "noint1", decimals_y: 0, decimals_x: 0, unit: 1, lasts: HOUR },
    Set { name: "longley", decimals_y: 0, decimals_x: 0, unit: 1, lasts: SECOND },
];

impl Set {
    /// Pairs (y, x) in whole numbers.
    fn points(&self) -> Vec<(i64, i64)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/nist/{}.csv", self.name));
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
        let whole = |field: &str, decimals: u32| {
            let (before, after) = field.split_once('.').unwrap_or((field, ""));
            let digits = format!("{before}{after:0<width$}", width = decimals as usize);
            digits.parse::<i64>().unwrap()
        };
        rows.map(|row| {
            let (y, x) = row.split_once(',').unwrap();
            (whole(y, self.decimals_y), whole(x, self.decimals_x))
        })
        .collect()
    }

    fn y(&self, whole: i64) -> f64 {
        whole as f64 / 10_f64.powi(self.decimals_y as i32)
    }

    /// The readings when x = 0 is at `start`.
    fn readings(&self, start: UnixMicros) -> Vec<(f64, UnixMicros)> {
        let point = |(y, x): (i64, i64)| (self.y(y), start + x * self.lasts / self.unit);
        self.points().into_iter().map(point).collect()
    }

    fn units_per_day(&self) -> f64 {
        MICROS_PER_DAY as f64 / self.lasts as f64
    }
}

fn line(readings: &[(f64, UnixMicros)]) -> Line {
    let mut sums = Sums::default();
    for (y, x) in readings {
        sums.push(*y, *x);
    }
    sums.line()
}

/// The slope per second by the formula of the textbooks, in `f64`, as one would write it down.
fn naive_slope(readings: &[(f64, UnixMicros)]) -> f64 {
    let (mut n, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (value, time) in readings {
        let time = *time as f64 / SECOND as f64;
        n += 1.0;
        x += time;
        y += value;
        xx += time * time;
        xy += time * value;
    }
    (n * xy - x * y) / (n * xx - x * x)
}

/// How many digits are right: NIST's log relative error.
fn digits(ours: f64, theirs: f64) -> f64 {
    let error = ((ours - theirs) / theirs).abs();
    if error == 0.0 { 16.0 } else { -error.log10() }
}

#[test]
fn norris_has_its_certified_digits() {
    let set = &SETS[0];
    // The file says 15 digits; the residual of y = 0.1, which no f64 is, keeps fourteen of them.
    for start in [0, NOW] {
        let line = line(&set.readings(start));
        let per_unit = |per_day: Option<f64>| per_day.unwrap() / set.units_per_day();
        let at_zero = line.predict(start, 0.95).unwrap().value;
        for (what, ours, certified) in [
            ("slope", per_unit(line.slope), 1.00211681802045),
            ("intercept", at_zero, -0.262323073774029),
            ("slope's error", per_unit(line.slope_se), 0.429796848199937E-03),
            ("residual", line.residual_se.unwrap(), 0.884796396144373),
            ("R2", line.r_squared.unwrap(), 0.999993745883712),
        ] {
            assert!(digits(ours, certified) >= 12.0, "{what} from {start}: {ours} for {certified}");
        }
    }
}

/// Source: numpy 2 on the same file, by the textbook formula with scipy's t.
#[test]
fn norris_predicts_what_scipy_does() {
    let line = line(&SETS[0].readings(NOW));
    for (at, level, value, low, high) in [
        (500, 0.95, 500.796085936453, 498.9717940541834, 502.62037781872255),
        (2000, 0.95, 2003.971312967134, 2001.684483112451, 2006.258142821817),
        (-100, 0.8, -100.47400487581946, -101.68207134735084, -99.26593840428808),
    ] {
        let ours = line.predict(NOW + at * HOUR, level).unwrap();
        let (our_low, our_high) = ours.interval.unwrap();
        for (ours, theirs) in [(ours.value, value), (our_low, low), (our_high, high)] {
            assert!(digits(ours, theirs) >= 11.0, "{at}: {ours} for {theirs}");
        }
    }
}

#[test]
fn a_line_through_the_origin_has_its_certified_slope() {
    // NoInt1's model has no intercept: mirrored at the origin, the data have the same slope and an intercept of zero.
    let mut readings = SETS[2].readings(0);
    readings.extend(readings.clone().into_iter().map(|(y, x)| (-y, -x)));
    let line = line(&readings);
    assert!(digits(line.slope.unwrap() / 24.0, 2.07438016528926) >= 14.0);
    assert_eq!(line.intercept, Some(0.0));
}

#[test]
fn every_set_keeps_twelve_digits_wherever_it_lies() {
    for set in &SETS {
        let exact = Exact::of(&set.points());
        let scale_y = 10_f64.powi(set.decimals_y as i32);
        for start in [0, NOW, -NOW, 100 * NOW] {
            let line = line(&set.readings(start));
            let slope = exact.slope() * set.unit as f64 * set.units_per_day() / scale_y;
            let residual = exact.residual_variance().sqrt() / scale_y;
            let mut expected = vec![("slope", line.slope, slope), ("R2", line.r_squared, exact.r_squared())];
            // NoInt1 lies on a line exactly: its residual is nought and has no digits.
            if residual > 0.0 {
                expected.push(("residual", line.residual_se, residual));
            }
            if start == 0 {
                expected.push(("intercept", line.intercept, exact.intercept() / scale_y));
            }
            for (what, ours, theirs) in expected {
                let digits = digits(ours.unwrap(), theirs);
                assert!(digits >= 12.0, "{} {what} from {start}: {digits} digits of {theirs}", set.name);
            }
        }
    }
}

#[test]
fn naive_sums_lose_the_digits_of_the_same_data() {
    for set in &SETS {
        let slope = Exact::of(&set.points()).slope() * set.unit as f64 / 10_f64.powi(set.decimals_y as i32);
        let readings = set.readings(NOW);
        let naive = digits(naive_slope(&readings) * set.lasts as f64 / SECOND as f64, slope);
        let ours = digits(line(&readings).slope.unwrap() / set.units_per_day(), slope);
        println!("{}: {ours:.1} digits, naive {naive:.1}", set.name);
        assert!(ours >= 12.0 && naive < 10.0, "{}: {ours:.1} digits, naive {naive:.1}", set.name);
    }
}
