//! The line against an exact one in integers, against itself taken apart and put together, and against hostile numbers.

use proptest::prelude::*;
use welltrack_core::regression::{LARGEST_VALUE, Line, Sums};
use welltrack_core::{MICROS_PER_DAY, UnixMicros};

use crate::exact::Exact;

fn sums(points: &[(f64, UnixMicros)]) -> Sums {
    let mut sums = Sums::default();
    for (y, x) in points {
        sums.push(*y, *x);
    }
    sums
}

/// Whether two numbers agree to twelve digits of the larger of them and of `scale`.
fn agree(a: Option<f64>, b: Option<f64>, scale: f64) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * scale.max(a.abs()).max(b.abs()),
        (a, b) => a == b,
    }
}

fn alike(a: &Line, b: &Line) -> bool {
    a.points == b.points
        && agree(a.slope, b.slope, 0.0)
        && agree(a.intercept, b.intercept, a.mean_y.abs())
        && agree(a.r_squared, b.r_squared, 1e-3)
        && agree(a.residual_se, b.residual_se, 0.0)
        && agree(a.slope_se, b.slope_se, 0.0)
        && agree(Some(a.mean_y), Some(b.mean_y), 0.0)
}

/// Readings of about a month around 2026, in 1024ths, so that a large mean can be added without rounding.
fn month() -> impl Strategy<Value = Vec<(f64, UnixMicros)>> {
    let reading = (-1_000_000..1_000_000_i32, 0..30 * MICROS_PER_DAY);
    let reading = reading.prop_map(|(y, x)| (f64::from(y) / 1024.0, 1_767_225_600_000_000 + x));
    prop::collection::vec(reading, 3..60)
}

/// Any number at all, and any instant.
fn anything() -> impl Strategy<Value = (f64, UnixMicros)> {
    let hostile = prop::sample::select(vec![
        0.0,
        -0.0,
        1e308,
        -1e308,
        f64::MIN_POSITIVE,
        5e-324,
        f64::NAN,
        f64::INFINITY,
        LARGEST_VALUE,
        1e-100,
    ]);
    let time = prop_oneof![
        any::<i64>(),
        0..10_i64,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(i64::MAX - 1),
        Just(i64::MIN + 1)
    ];
    (prop_oneof![any::<f64>(), hostile, (-9..9).prop_map(f64::from)], time)
}

fn finite(line: &Line) -> bool {
    let numbers = [line.slope, line.intercept, line.r_squared, line.residual_se, line.slope_se];
    numbers.into_iter().flatten().chain([line.mean_x, line.mean_y, line.sxx]).all(f64::is_finite)
}

proptest! {
    #[test]
    fn the_line_is_the_exact_one_to_twelve_digits(
        points in prop::collection::vec((-1_000_000..1_000_000_i64, 0..50_000_i64), 3..60),
    ) {
        prop_assume!(points.iter().any(|(_, x)| *x != points[0].1));
        let exact = Exact::of(&points);
        // One step of x is a minute of the year 2026, one of y a 1024th, which is no rounding: a slope may be next to nothing.
        let read: Vec<_> = points.iter().map(|(y, x)| (*y as f64 / 1024.0, 1_767_225_600_000_000 + x * 60_000_000)).collect();
        let line = sums(&read).line();
        let close = |ours: Option<f64>, theirs: f64, scale: f64| agree(ours, Some(theirs), scale);
        prop_assert!(close(line.slope, exact.slope() * 1440.0 / 1024.0, 1e-6), "{line:?}");
        prop_assert!(close(line.r_squared, exact.r_squared(), 1e-3));
        prop_assert!(close(line.residual_se, exact.residual_variance().sqrt() / 1024.0, 1e-3));
    }

    #[test]
    fn two_parts_make_the_whole_wherever_they_are_split(points in month(), cut: prop::sample::Index) {
        let cut = cut.index(points.len() + 1);
        let (left, right) = (sums(&points[..cut]), sums(&points[cut..]));
        // On their way from a worker the sums are bytes.
        let right = Sums::from_bytes(&right.to_bytes()).unwrap();
        prop_assert!(alike(&left.merge(&right).line(), &sums(&points).line()));
        prop_assert!(alike(&right.merge(&left).line(), &sums(&points).line()));
    }

    #[test]
    fn the_order_of_points_does_not_matter(
        (points, shuffled) in month().prop_flat_map(|points| (Just(points.clone()), Just(points).prop_shuffle())),
    ) {
        prop_assert!(alike(&sums(&points).line(), &sums(&shuffled).line()));
    }

    #[test]
    fn the_slope_stays_where_it_is_when_all_times_and_values_move(points in month()) {
        let near: Vec<_> = points.iter().map(|(y, x)| (*y, x - 1_767_225_600_000_000)).collect();
        let far: Vec<_> = points.iter().map(|(y, x)| (y + f64::from(1 << 30), *x)).collect();
        let (near, far) = (sums(&near).line(), sums(&far).line());
        prop_assert!(agree(near.slope, far.slope, 0.0), "{near:?} {far:?}");
        prop_assert!(agree(near.r_squared, far.r_squared, 1e-3));
        prop_assert!(agree(near.residual_se, far.residual_se, 0.0));
    }

    #[test]
    fn nothing_is_ever_nan_or_infinite(points in prop::collection::vec(anything(), 0..12), at: i64, level: f64) {
        let line = sums(&points).line();
        prop_assert!(finite(&line), "{line:?}");
        prop_assert_eq!(line.slope.is_some(), line.intercept.is_some());
        for level in [level, 0.95] {
            if let Some(prediction) = line.predict(at, level) {
                let (low, high) = prediction.interval.unwrap_or((prediction.value, prediction.value));
                prop_assert!(low.is_finite() && high.is_finite() && prediction.value.is_finite());
                prop_assert!(low <= prediction.value && prediction.value <= high);
            }
        }
    }

    #[test]
    fn a_wider_level_never_makes_a_narrower_interval(points in month(), a in 0.01..0.9999, b in 0.01..0.9999) {
        let line = sums(&points).line();
        let width = |level: f64| {
            let prediction = line.predict(1_770_000_000_000_000, level)?;
            prediction.interval.map(|(low, high)| high - low)
        };
        prop_assert!(width(f64::min(a, b)) <= width(f64::max(a, b)));
    }
}

#[test]
fn degenerate_input_is_answered() {
    let day = |day: i64| day * MICROS_PER_DAY;
    let nothing = sums(&[]).line();
    assert_eq!(nothing, Line::default());

    let one = sums(&[(5.0, day(3))]).line();
    assert_eq!((one.points, one.mean_y, one.slope, one.intercept), (1, 5.0, None, None));
    assert_eq!(one.predict(day(3), 0.95), None);

    let two = sums(&[(5.0, day(3)), (7.0, day(5))]).line();
    assert_eq!((two.slope, two.intercept, two.r_squared), (Some(1.0), Some(2.0), Some(1.0)));
    assert_eq!((two.residual_se, two.slope_se), (None, None));
    let prediction = two.predict(day(10), 0.95).unwrap();
    assert_eq!((prediction.value, prediction.interval), (12.0, None));

    let same_time = sums(&[(5.0, day(3)), (6.0, day(3)), (9.1, day(3))]).line();
    assert_eq!((same_time.points, same_time.slope, same_time.r_squared), (3, None, None));

    // A tenth has no exact f64, and its products with so many microseconds no exact sum.
    let tenths: Vec<_> =
        (0..1_000).map(|point| (0.1, 1_767_225_600_000_001 + point * 86_399_999_993)).collect();
    let constant = sums(&tenths).line();
    assert_eq!((constant.slope, constant.intercept), (Some(0.0), Some(0.1)));
    assert_eq!((constant.r_squared, constant.residual_se), (Some(1.0), Some(0.0)));

    // The squares of these would be nothing, or worse, half a digit.
    let tiny = sums(&[(1e-160, day(0)), (3e-160, day(1)), (2e-160, day(2))]).line();
    assert_eq!((tiny.slope, tiny.r_squared, tiny.residual_se), (Some(0.0), Some(1.0), Some(0.0)));
}

#[test]
fn what_is_no_number_is_passed_over_and_not_counted() {
    let mut line = sums(&[(1.0, 0), (2.0, MICROS_PER_DAY), (3.5, 2 * MICROS_PER_DAY)]);
    let before = line.line();
    for y in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101, -1e308] {
        line.push(y, 0);
    }
    line.push(1.0, i64::MIN);
    line.push(1.0, i64::MAX);
    assert_eq!(line.line(), before);
}

#[test]
fn bytes_of_another_length_are_refused() {
    let bytes = Sums::default().to_bytes();
    assert_eq!(Sums::from_bytes(&bytes), Some(Sums::default()));
    assert_eq!(Sums::from_bytes(&bytes[1..]), None);
    assert_eq!(Sums::from_bytes(&[]), None);
}

/// Source: `scipy.stats.t.ppf`, version 1.17.
#[test]
fn students_t_is_scipys() {
    for (level, freedom, expected) in [
        (0.01, 1, 0.01570925532366489),
        (0.01, 28, 0.01264587059151999),
        (0.5, 2, 0.8164965809277261),
        (0.5, 100_000, 0.674492203553292),
        (0.9, 10, 1.8124611228116756),
        (0.95, 1, 12.706204736174694),
        (0.95, 2, 4.302652729749462),
        (0.95, 3, 3.1824463052837078),
        (0.95, 5, 2.5705818356363146),
        (0.95, 28, 2.0484071417952454),
        (0.95, 100, 1.9839715185235518),
        (0.95, 1000, 1.9623390808264083),
        (0.9999, 1001, 3.9063279440312937),
        (0.95, 100_000, 1.9599877075346095),
        (0.95, 1_000_000, 1.959966356814107),
        (0.9999, 1, 6366.197671316637),
        (0.9999, 28, 4.530473997385474),
        (0.9999, 100_000, 3.8907488453857835),
    ] {
        let line = Line { points: freedom + 2, ..Line::default() };
        let t = line.student_t(level).unwrap();
        assert!((t - expected).abs() <= 1e-9 * expected, "{level} {freedom}: {t}");
    }
    for points in 0..=2 {
        assert_eq!(Line { points, ..Line::default() }.student_t(0.95), None);
    }
    assert!(Line { points: u64::MAX, ..Line::default() }.student_t(0.95).unwrap() > 1.95996);
    for level in [0.0, 1.0, -1.0, f64::NAN, 1e-300] {
        assert_eq!(Line { points: 9, ..Line::default() }.student_t(level), None, "{level}");
    }
}
