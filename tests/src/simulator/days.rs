//! A day as a watch measured it, in the whole numbers that a watch reports.

use jiff::civil::Date;
use jiff::tz::Offset;

/// One local day of one person; `None` was not measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// The local day; for the night, the day of waking.
    pub date: Date,
    /// Seconds east of UTC on that day.
    pub offset: i32,
    /// Counted.
    pub steps: Option<u32>,
    /// Metres.
    pub distance: Option<f64>,
    /// Kilocalories beyond the basal ones.
    pub active_kcal: Option<u32>,
    /// Kilocalories that the body burns at rest.
    pub basal_kcal: Option<u32>,
    /// Minutes of moderate effort.
    pub moderate: Option<u32>,
    /// Minutes of vigorous effort.
    pub vigorous: Option<u32>,
    /// Resting heart rate, beats per minute.
    pub resting_hr: Option<u32>,
    /// 0 (calm) to 100, the day's average.
    pub stress: Option<u32>,
    /// mL/kg/min.
    pub vo2max: Option<f64>,
    /// The night before.
    pub night: Option<Night>,
}

/// The night that ended on a [`Day`], at seven in the morning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// Minutes.
    pub asleep: u32,
    /// Minutes awake between them.
    pub awake: u32,
}

impl Day {
    /// A day on which nothing was measured.
    #[must_use]
    pub fn empty(date: Date, offset: i32) -> Self {
        Self {
            date,
            offset,
            steps: None,
            distance: None,
            active_kcal: None,
            basal_kcal: None,
            moderate: None,
            vigorous: None,
            resting_hr: None,
            stress: None,
            vo2max: None,
            night: None,
        }
    }

    /// Whether the watch counted anything that a daily summary holds.
    #[must_use]
    pub fn has_daily(&self) -> bool {
        self.steps.is_some()
            || self.distance.is_some()
            || self.basal_kcal.is_some()
            || self.resting_hr.is_some()
            || self.moderate.is_some()
    }

    /// Local midnight at which the day begins, in epoch seconds.
    #[must_use]
    pub fn midnight(&self) -> i64 {
        let offset = Offset::from_seconds(self.offset).unwrap_or(Offset::UTC);
        offset.to_timestamp(self.date.at(0, 0, 0, 0)).map_or(0, |time| time.as_second())
    }
}
