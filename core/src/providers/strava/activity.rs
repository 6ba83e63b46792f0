//! An activity, as `GET /api/v3/activities/{id}` shows it, becomes a workout and the readings it holds.
//!
//! Promises: every number of the workout lies within its table's bounds, so that one odd activity can't cost the batch
//! it is written with; what lies outside is left out there. Readings are taken as they are: [`crate::validate`] marks
//! the implausible ones, visibly. Stops at one activity: what a day adds up to is the database's business.
//!
//! What is not made a reading, and why:
//! - heart rate: the metric `hr` is the daily *resting* rate; the average of an exercise, stored there, would poison
//!   the baseline and the recovery score. It stays with the workout.
//! - active minutes: the training load follows from the workout already, and load of type `active_minutes` would count
//!   the same exercise twice; nor is all of a walk moderate or vigorous.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::Value;

use crate::UnixMicros;
use crate::metric::{METRICS, MetricSpec, MetricType};
use crate::providers::ACCEPTED_TIMES;
use crate::providers::reading::{Finality, Reading, Workout};
use crate::reason::{Code, Quoted, Reason};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Two days, in seconds.
const LONGEST: f64 = 172_800.0;

/// What an activity comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// The row for `wt_workouts`.
    pub workout: Workout,
    /// The rows for `wt_health_metrics`.
    pub readings: Vec<Reading>,
}

impl Activity {
    /// Reads the API's answer.
    ///
    /// # Errors
    ///
    /// Without an id, a start within 1970 to 2100, or a duration of at most two days it is no activity.
    pub fn read(json: &Value) -> Result<Self, Reason> {
        let id = json["id"].as_u64().ok_or_else(|| missing("id"))?.to_string();
        let start_time = start(&json["start_date"])?;
        let elapsed = seconds(json, "elapsed_time")?;
        let moving = seconds(json, "moving_time")?;
        let duration = moving.or(elapsed).ok_or_else(|| missing("moving_time"))?;
        let period = elapsed.unwrap_or(duration).max(duration);
        let end_time = start_time + whole_micros(period);

        let number = |key: &str| json[key].as_f64();
        let within = |key: &str, range: RangeInclusive<f64>| number(key).filter(|n| range.contains(n));
        let reading = |(metric, value): (MetricType, Option<f64>)| {
            value.map(|value| Reading {
                metric,
                value: Some(value),
                value_text: None,
                start_time,
                end_time: Some(end_time),
                source_record_id: Some(id.clone()),
                finality: Finality::Final,
            })
        };
        let field = |spec: &MetricSpec| (spec.metric, spec.strava.iter().find_map(|key| number(key)));
        let readings = METRICS.iter().map(field).filter_map(reading).collect();
        let workout = Workout {
            workout_type: text(&json["sport_type"], 80)
                .or_else(|| text(&json["type"], 80))
                .unwrap_or_else(|| "Workout".to_owned()),
            name: text(&json["name"], 200),
            start_time,
            duration_minutes: duration / 60.0,
            distance_m: within("distance", 0.0..=2_000_000.0),
            elevation_gain_m: within("total_elevation_gain", 0.0..=30_000.0),
            calories_kcal: within("calories", 0.0..=30_000.0),
            average_hr_bpm: within("average_heartrate", 20.0..=250.0),
            max_hr_bpm: within("max_heartrate", 20.0..=250.0),
            is_private: json["private"] == true || json["visibility"] == "only_me",
            source_record_id: id,
        };
        Ok(Activity { workout, readings })
    }
}

fn missing(field: &str) -> Reason {
    Reason::new(Code::MissingField, format!("{field} is missing or of another type"))
}

fn start(value: &Value) -> Result<UnixMicros, Reason> {
    let text = value.as_str().ok_or_else(|| missing("start_date"))?;
    let time: Timestamp = text.parse().map_err(|_| {
        Reason::new(Code::InvalidTime, format!("start_date {} is not a time in UTC", Quoted(text)))
    })?;
    Some(time.as_microsecond())
        .filter(|micros| ACCEPTED_TIMES.contains(micros))
        .ok_or_else(|| Reason::new(Code::TimeOutOfRange, "start_date must lie in the years 1970 to 2100"))
}

fn seconds(json: &Value, field: &str) -> Result<Option<f64>, Reason> {
    match json[field].as_f64() {
        Some(seconds) if !(0.0..=LONGEST).contains(&seconds) => {
            Err(Reason::new(Code::InvalidPeriod, format!("{field} must be 0 to {LONGEST} seconds")))
        }
        seconds => Ok(seconds),
    }
}

/// Of at most [`LONGEST`], which a float holds exactly.
fn whole_micros(seconds: f64) -> i64 {
    seconds.round() as i64 * MICROS_PER_SECOND
}

/// A text for people: control characters, which no database column and no screen wants, left out, and cut to `longest`
/// characters.
fn text(value: &Value, longest: usize) -> Option<String> {
    let text: String = value.as_str()?.trim().chars().filter(|c| !c.is_control()).take(longest).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
