//! Strava's rate limits: how long to wait after a 429.
//!
//! Promises: an instant after now, at which the window that is used up begins anew. Windows are the quarter hours of
//! the clock and the days of UTC (Strava's documentation, "Rate Limits"). Stops at counting: Strava does that.

use crate::{MICROS_PER_DAY, UnixMicros};

const MICROS_PER_QUARTER_HOUR: i64 = 900_000_000;

/// All requests, and those that only read: each pair is limit and usage, each value `quarter hour,day`.
const HEADERS: [(&str, &str); 2] =
    [("x-ratelimit-limit", "x-ratelimit-usage"), ("x-readratelimit-limit", "x-readratelimit-usage")];

/// When to ask again. `header` gives an answer's header by its lower-case name. Without headers that say more it is the
/// next quarter hour, which is soon and not too soon.
#[must_use]
pub fn resume_at<'a>(header: impl Fn(&str) -> Option<&'a str>, now: UnixMicros) -> UnixMicros {
    let day_is_used_up = HEADERS.iter().any(|(limit, usage)| {
        let day = |name| header(name).and_then(|value| value.split_once(',')?.1.trim().parse::<u64>().ok());
        matches!((day(limit), day(usage)), (Some(limit), Some(usage)) if usage >= limit)
    });
    let window = if day_is_used_up { MICROS_PER_DAY } else { MICROS_PER_QUARTER_HOUR };
    now.saturating_add(window - now.rem_euclid(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: UnixMicros = 1_700_000_000_000_000;
    /// 22:15.
    const QUARTER: UnixMicros = 1_700_000_100_000_000;
    /// Midnight.
    const MIDNIGHT: UnixMicros = 1_700_006_400_000_000;

    fn after(all: &str, reads: &str) -> UnixMicros {
        let header = |name: &str| match name {
            "x-ratelimit-limit" => Some("200,2000"),
            "x-ratelimit-usage" => Some(all),
            "x-readratelimit-limit" => Some("100,1000"),
            "x-readratelimit-usage" => Some(reads),
            _ => None,
        };
        resume_at(header, NOW)
    }

    #[test]
    fn the_wait_ends_with_the_window_that_is_used_up_in_either_family() {
        assert_eq!(after("201,900", "60,700"), QUARTER);
        assert_eq!(after("120,900", "101,700"), QUARTER);
        assert_eq!(after("150,2001", "60,900"), MIDNIGHT);
        assert_eq!(after("120,1500", "60,1000"), MIDNIGHT);
        assert_eq!(after("201,2000", "101,1001"), MIDNIGHT);
    }

    #[test]
    fn headers_that_say_nothing_mean_the_next_quarter_hour() {
        assert_eq!(resume_at(|_| None, NOW), QUARTER);
        for nonsense in ["", ",", "x,y", "-1,-1", "200", "1,2,3"] {
            assert_eq!(after(nonsense, nonsense), QUARTER, "{nonsense}");
        }
        assert_eq!(resume_at(|_| None, QUARTER), QUARTER + MICROS_PER_QUARTER_HOUR);
    }

    proptest! {
        #[test]
        fn the_wait_always_ends_after_now_and_within_a_day(all: String, reads: String, now in 0..4_133_980_800_000_000_i64) {
            let until = resume_at(|name| Some(if name.contains("read") { &reads } else { &all }), now);
            prop_assert!(until > now && until - now <= MICROS_PER_DAY);
        }
    }
}
