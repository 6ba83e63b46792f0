//! Numbers of about 31 digits: the unevaluated sum of two `f64`.
//!
//! Promises: sums and products of readings and of microseconds keep so many digits that a difference of two nearly equal
//! ones still has more than an `f64` can hold. Stops at what regression needs: no functions, no formatting, and results
//! are only as finite as `f64` lets them be.
//!
//! Source: the algorithms of Knuth and Dekker as in Hida, Li and Bailey 2001, "Algorithms for quad-double precision
//! floating point arithmetic" (the "sloppy" division, the accurate addition).

use std::ops::{Add, Div, Mul, Sub};

/// `high + low`, where `low` is at most half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Double {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

/// The sum and what rounding took from it, exactly.
fn two_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let part = high - a;
    Double { high, low: (a - (high - part)) + (b - part) }
}

/// The same in three operations where `a` is not the smaller one.
fn quick_two_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

/// The product and what rounding took from it, exactly unless it underflows.
fn two_product(a: f64, b: f64) -> Double {
    let high = a * b;
    Double { high, low: a.mul_add(b, -high) }
}

impl Double {
    /// Every integer of 64 bits, exactly.
    pub(crate) fn from_integer(value: i64) -> Self {
        let high = value as f64;
        // The difference is at most 1024, and i128 holds 2^63, to which the largest integers are rounded.
        Double { high, low: (i128::from(value) - high as i128) as f64 }
    }

    /// The nearest `f64`.
    pub(crate) fn round(self) -> f64 {
        self.high + self.low
    }
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Double { high, low: 0.0 }
    }
}

impl Add for Double {
    type Output = Double;

    fn add(self, other: Double) -> Double {
        let high = two_sum(self.high, other.high);
        let low = two_sum(self.low, other.low);
        let sum = quick_two_sum(high.high, high.low + low.high);
        quick_two_sum(sum.high, sum.low + low.low)
    }
}

impl Sub for Double {
    type Output = Double;

    fn sub(self, other: Double) -> Double {
        self + Double { high: -other.high, low: -other.low }
    }
}

impl Mul for Double {
    type Output = Double;

    fn mul(self, other: Double) -> Double {
        let product = two_product(self.high, other.high);
        let cross = self.high * other.low + self.low * other.high;
        quick_two_sum(product.high, product.low + cross)
    }
}

impl Div for Double {
    type Output = Double;

    fn div(self, other: Double) -> Double {
        let first = self.high / other.high;
        let rest = self - other * Double::from(first);
        let second = rest.high / other.high;
        let rest = rest - other * Double::from(second);
        quick_two_sum(first, second) + Double::from(rest.high / other.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Within 2^-100 of the exact value, where that is an integer.
    fn close(double: Double, exact: i128) -> bool {
        let value = double.high as i128 + double.low as i128;
        (value - exact).unsigned_abs() <= exact.unsigned_abs() >> 100
    }

    proptest! {
        #[test]
        fn every_integer_is_exact(value: i64) {
            prop_assert!(close(Double::from_integer(value), value.into()));
        }

        #[test]
        fn sums_and_products_of_integers_are_exact_to_a_hundred_bits(a: i64, b: i64, c in -1_000_000_000_i64..1_000_000_000) {
            let (x, y, z) = (Double::from_integer(a), Double::from_integer(b), Double::from_integer(c));
            prop_assert!(close(x + y, i128::from(a) + i128::from(b)));
            prop_assert!(close(x - y, i128::from(a) - i128::from(b)));
            prop_assert!(close(x * z, i128::from(a) * i128::from(c)));
            // A difference of products of nineteen digits, of which only the last few remain.
            let (square, neighbours) = (z * z, (z + Double::from(1.0)) * (z - Double::from(1.0)));
            prop_assert_eq!((square - neighbours).round(), 1.0);
        }

        #[test]
        fn a_quotient_times_its_divisor_is_what_was_divided(a in 1..i64::MAX, b in 1..i64::MAX) {
            let (x, y) = (Double::from_integer(a), Double::from_integer(b));
            let left = (x / y * y - x).round().abs();
            prop_assert!(left <= x.high * 2.0_f64.powi(-99), "{left}");
        }
    }
}
