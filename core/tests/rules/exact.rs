//! Least squares in integers: nothing is rounded before the last division.

/// The sums over points whose coordinates are whole numbers.
pub(crate) struct Exact {
    n: i128,
    xx: i128,
    xy: i128,
    yy: i128,
    x: i128,
    y: i128,
}

impl Exact {
    /// Of pairs (y, x).
    pub(crate) fn of(points: &[(i64, i64)]) -> Self {
        let sum = |term: fn(i128, i128) -> i128| -> i128 {
            points.iter().map(|(y, x)| term(i128::from(*y), i128::from(*x))).sum()
        };
        let n = points.len() as i128;
        let (x, y) = (sum(|_, x| x), sum(|y, _| y));
        // Each of these is n times the sum of squared distances.
        Exact {
            n,
            xx: n * sum(|_, x| x * x) - x * x,
            xy: n * sum(|y, x| x * y) - x * y,
            yy: n * sum(|y, _| y * y) - y * y,
            x,
            y,
        }
    }

    pub(crate) fn slope(&self) -> f64 {
        self.xy as f64 / self.xx as f64
    }

    pub(crate) fn intercept(&self) -> f64 {
        (self.y * self.xx - self.xy * self.x) as f64 / (self.n * self.xx) as f64
    }

    pub(crate) fn r_squared(&self) -> f64 {
        if self.yy == 0 { 1.0 } else { (self.xy as f64 / self.xx as f64) * (self.xy as f64 / self.yy as f64) }
    }

    pub(crate) fn residual_variance(&self) -> f64 {
        let rest = self.yy * self.xx - self.xy * self.xy;
        rest as f64 / (self.n * self.xx) as f64 / (self.n - 2) as f64
    }
}
