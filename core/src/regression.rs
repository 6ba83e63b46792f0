//! Simple linear regression over time: the least-squares line, how well it fits, and what it predicts.
//!
//! Promises: the sums are kept to about 31 digits, so neither times around 1.7e15 microseconds nor values with a large
//! mean cost any of the digits of the answer; two halves of the data add up to the whole; whatever the input, no answer
//! is NaN or infinite. Stops at the line: what it means for a goal is said in [`crate::forecast`].
//!
//! Times are exact microseconds; slopes and distances are per day of 24 hours.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::double::Double;
use crate::{MICROS_PER_DAY, UnixMicros};

/// Values beyond this are no readings, and their squares would overflow.
pub const LARGEST_VALUE: f64 = 1e100;
/// Values below this are zero: their squares would underflow.
pub const SMALLEST_VALUE: f64 = 1e-100;
/// The levels for which a [`Line`] gives an interval.
pub const LEVELS: (f64, f64) = (0.01, 0.9999);
/// Up to here Student's distribution is inverted; `statrs` loses digits beyond (five are left at 100,000), where the
/// expansion about the normal distribution (Abramowitz and Stegun 26.7.5) has ten and more.
const MOST_FREEDOM: f64 = 1_000.0;

/// What has been seen so far. Adding two of these is seeing both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    points: u64,
    x: Double,
    y: Double,
    xx: Double,
    xy: Double,
    yy: Double,
    /// Constants are recognised by their ends: their spread may be rounding.
    x_range: (UnixMicros, UnixMicros),
    y_range: (f64, f64),
}

impl Default for Sums {
    fn default() -> Self {
        let zero = Double::default();
        Sums {
            points: 0,
            x: zero,
            y: zero,
            xx: zero,
            xy: zero,
            yy: zero,
            x_range: (UnixMicros::MAX, UnixMicros::MIN),
            y_range: (f64::INFINITY, f64::NEG_INFINITY),
        }
    }
}

/// How many bytes [`Sums::to_bytes`] gives.
pub const SUMS_BYTES: usize = 8 * 15;

impl Sums {
    /// Sees one point. NaN, infinities, values beyond [`LARGEST_VALUE`] and the first and the last instant (which stand for
    /// infinity) are passed over, as a missing value is: the number of points says so.
    pub fn push(&mut self, y: f64, x: UnixMicros) {
        if y.is_nan() || y.abs() > LARGEST_VALUE || x == UnixMicros::MIN || x == UnixMicros::MAX {
            return;
        }
        let y = if y.abs() < SMALLEST_VALUE { 0.0 } else { y };
        let (exact_x, exact_y) = (Double::from_integer(x), Double::from(y));
        *self = self.merge(&Sums {
            points: 1,
            x: exact_x,
            y: exact_y,
            xx: exact_x * exact_x,
            xy: exact_x * exact_y,
            yy: exact_y * exact_y,
            x_range: (x, x),
            y_range: (y, y),
        });
    }

    /// Both together.
    #[must_use]
    pub fn merge(&self, other: &Sums) -> Sums {
        Sums {
            points: self.points.saturating_add(other.points),
            x: self.x + other.x,
            y: self.y + other.y,
            xx: self.xx + other.xx,
            xy: self.xy + other.xy,
            yy: self.yy + other.yy,
            x_range: (self.x_range.0.min(other.x_range.0), self.x_range.1.max(other.x_range.1)),
            y_range: (self.y_range.0.min(other.y_range.0), self.y_range.1.max(other.y_range.1)),
        }
    }

    /// For another process of the same version on the same machine.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SUMS_BYTES] {
        let sums =
            [self.x, self.y, self.xx, self.xy, self.yy].map(|sum| [sum.high.to_bits(), sum.low.to_bits()]);
        let [xl, xh] = [self.x_range.0, self.x_range.1].map(i64::cast_unsigned);
        let [yl, yh] = [self.y_range.0, self.y_range.1].map(f64::to_bits);
        let words = [self.points, xl, xh, yl, yh].into_iter().chain(sums.into_iter().flatten());
        let mut bytes = [0; SUMS_BYTES];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// What [`Sums::to_bytes`] gave; `None` for bytes of another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Sums> {
        let bytes: &[u8; SUMS_BYTES] = bytes.try_into().ok()?;
        let word = |index: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * index..][..8]);
            u64::from_ne_bytes(word)
        };
        let float = |index| f64::from_bits(word(index));
        let double = |index| Double { high: float(index), low: float(index + 1) };
        Some(Sums {
            points: word(0),
            x_range: (word(1).cast_signed(), word(2).cast_signed()),
            y_range: (float(3), float(4)),
            x: double(5),
            y: double(7),
            xx: double(9),
            xy: double(11),
            yy: double(13),
        })
    }

    /// The least-squares line through what has been seen.
    ///
    /// ```
    /// use welltrack_core::MICROS_PER_DAY;
    /// use welltrack_core::regression::Sums;
    ///
    /// let mut sums = Sums::default();
    /// assert_eq!(sums.line().points, 0);
    /// for day in 0..30 {
    ///     sums.push(80.0 - 0.1 * f64::from(day), 1_700_000_000_000_000 + i64::from(day) * MICROS_PER_DAY);
    /// }
    /// let line = sums.line();
    /// assert!((line.slope.unwrap() + 0.1).abs() < 1e-12);
    /// assert!((line.r_squared.unwrap() - 1.0).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn line(&self) -> Line {
        if self.points == 0 {
            return Line::default();
        }
        let n = Double::from(self.points as f64);
        let day = Double::from(MICROS_PER_DAY as f64);
        let (mean_x, mean_y) = (self.x / n, self.y / n);
        let mut line =
            Line { points: self.points, mean_x: mean_x.round(), mean_y: mean_y.round(), ..Line::default() };
        let xx = self.xx - self.x * mean_x;
        // Distinct times whose spread is lost even so: days of geology.
        if self.x_range.0 == self.x_range.1 || xx.high <= 0.0 {
            return line;
        }
        line.sxx = (xx / (day * day)).round();
        let constant = self.y_range.0 == self.y_range.1;
        let (xy, yy) = if constant {
            (Double::default(), Double::default())
        } else {
            (self.xy - self.x * mean_y, self.yy - self.y * mean_y)
        };
        let slope = xy / xx;
        line.slope = Some((slope * day).round());
        line.intercept = Some((mean_y - slope * mean_x).round());
        line.r_squared = Some(if yy.high > 0.0 { (slope * (xy / yy)).round().clamp(0.0, 1.0) } else { 1.0 });
        if self.points > 2 {
            let freedom = Double::from((self.points - 2) as f64);
            let variance = ((yy - slope * xy) / freedom).round().max(0.0);
            line.residual_se = Some(variance.sqrt());
            line.slope_se = Some((variance / line.sxx).sqrt());
        }
        line
    }
}

/// A least-squares line, with what predicting from it needs. Everything is finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// How many points made it.
    pub points: u64,
    /// Units of y per day. `None` with fewer than two different times; 0 for a constant y.
    pub slope: Option<f64>,
    /// The line's value at the Unix epoch, as `regr_intercept` over days since then has it.
    pub intercept: Option<f64>,
    /// The share of y's variance that the line explains, 0 to 1. As in Postgres, 1 where y is constant: there is nothing
    /// to explain.
    pub r_squared: Option<f64>,
    /// Standard deviation of the points about the line, in units of y; `None` with fewer than three points.
    pub residual_se: Option<f64>,
    /// Standard error of the slope, in units of y per day.
    pub slope_se: Option<f64>,
    /// The mean of the times, in microseconds since the Unix epoch.
    pub mean_x: f64,
    /// The mean of the values.
    pub mean_y: f64,
    /// The sum of squared distances of the times from their mean, in square days.
    pub sxx: f64,
}

/// What a line says about one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The line's value.
    pub value: f64,
    /// Where a single new reading is to be expected with the asked probability; `None` with fewer than three points.
    pub interval: Option<(f64, f64)>,
}

impl Line {
    /// The distance of an instant from the mean of the times, in days.
    pub(crate) fn days_from_mean(&self, at: UnixMicros) -> f64 {
        (at as f64 - self.mean_x) / MICROS_PER_DAY as f64
    }

    /// What Student's t distribution allows at `level`, two-sided; `None` with fewer than three points or for a level
    /// outside of [`LEVELS`]. Right to nine digits.
    #[must_use]
    pub fn student_t(&self, level: f64) -> Option<f64> {
        if !(LEVELS.0..=LEVELS.1).contains(&level) {
            return None;
        }
        let freedom = self.points.checked_sub(2).filter(|freedom| *freedom > 0)? as f64;
        let below = 0.5 + level / 2.0;
        if freedom <= MOST_FREEDOM {
            return Some(StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(below));
        }
        let z = Normal::standard().inverse_cdf(below);
        let terms = [
            z * (z * z + 1.0) / 4.0,
            z * (5.0 * z.powi(4) + 16.0 * z * z + 3.0) / 96.0,
            z * (3.0 * z.powi(6) + 19.0 * z.powi(4) + 17.0 * z * z - 15.0) / 384.0,
        ];
        Some(z + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / freedom))
    }

    /// The value of the line at an instant, and the interval in which a single reading at that instant falls with
    /// probability `level`.
    ///
    /// `value ± t(level, n - 2) x residual_se x sqrt(1 + 1/n + (x - mean x)² / sxx)`; source: any text on regression, such as
    /// Draper and Smith, Applied Regression Analysis, 3rd edition, section 1.4 and 3.1.
    ///
    /// `None` without a slope, and where the answer would not be finite.
    #[must_use]
    pub fn predict(&self, at: UnixMicros, level: f64) -> Option<Prediction> {
        let distance = self.days_from_mean(at);
        let value = Some(self.mean_y + self.slope? * distance).filter(|value| value.is_finite())?;
        let half = || {
            let spread = 1.0 + 1.0 / self.points as f64 + distance * distance / self.sxx;
            Some(self.student_t(level)? * self.residual_se? * spread.sqrt())
        };
        let interval = half().map(|half| (value - half, value + half));
        Some(Prediction {
            value,
            interval: interval.filter(|(low, high)| low.is_finite() && high.is_finite()),
        })
    }
}
