//! What a provider's push comes to: the readings and workouts that `settle_webhook_events` writes.
//!
//! Promises: serialised, they have the names and units which that function expects. Stops at shape: who they belong to
//! is the event's, whether they are plausible is [`crate::validate`]'s, which of two words counts is the database's.

use std::borrow::Cow;

use serde::ser::{Error, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::UnixMicros;
use crate::metric::MetricType;
use crate::providers::rfc3339;

/// How sure a provider is of its word; of two words about one reading the surer one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finality {
    /// Announced to be replaced.
    Tentative = 0,
    /// As good as the provider's own records.
    Final = 1,
    /// Corrected by the person.
    Corrected = 2,
}

/// One row for `wt_health_metrics`, in the metric's canonical unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was measured.
    pub metric: MetricType,
    /// The value in the metric's unit; `None` where the provider says that it has none.
    pub value: Option<f64>,
    /// What the number can't say, such as `unavailable` or `120/80`.
    pub value_text: Option<Cow<'static, str>>,
    /// When the period began.
    pub start_time: UnixMicros,
    /// When it ended, where that is known.
    pub end_time: Option<UnixMicros>,
    /// The provider's own name for the record, at most 255 characters.
    pub source_record_id: Option<String>,
    /// How sure the provider is.
    pub finality: Finality,
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Reading", 8)?;
        row.serialize_field("metric_type", self.metric.label())?;
        row.serialize_field("value_num", &self.value)?;
        row.serialize_field("value_text", &self.value_text)?;
        row.serialize_field("unit", self.metric.spec().unit.symbol())?;
        row.serialize_field("start_time", &Instant(self.start_time))?;
        row.serialize_field("end_time", &self.end_time.map(Instant))?;
        row.serialize_field("source_record_id", &self.source_record_id)?;
        row.serialize_field("final", &(self.finality as u8))?;
        row.end()
    }
}

/// One row for `wt_workouts`; its numbers lie within that table's bounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workout {
    /// The provider's own name for the record.
    pub source_record_id: String,
    /// The provider's word for the sport, 1 to 80 characters.
    pub workout_type: String,
    /// What the person calls it, at most 200 characters.
    pub name: Option<String>,
    /// When it began.
    #[serde(serialize_with = "instant")]
    pub start_time: UnixMicros,
    /// Minutes of exercise, pauses left out: 0 to 2,880.
    pub duration_minutes: f64,
    /// Metres, 0 to 2,000,000.
    pub distance_m: Option<f64>,
    /// Metres upwards, 0 to 30,000.
    pub elevation_gain_m: Option<f64>,
    /// Kilocalories, 0 to 30,000.
    pub calories_kcal: Option<f64>,
    /// Beats per minute, 20 to 250.
    pub average_hr_bpm: Option<f64>,
    /// Beats per minute, 20 to 250.
    pub max_hr_bpm: Option<f64>,
    /// Whether the person wants nobody else to see it.
    pub is_private: bool,
}

/// Written as RFC 3339 in UTC, as Postgres reads it everywhere.
struct Instant(UnixMicros);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        instant(&self.0, serializer)
    }
}

fn instant<S: Serializer>(micros: &UnixMicros, serializer: S) -> Result<S::Ok, S::Error> {
    let text = rfc3339(*micros).ok_or_else(|| S::Error::custom("a time outside the years -9999 to 9999"))?;
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reading_is_written_with_its_unit_and_rfc_3339_times() {
        let reading = Reading {
            metric: MetricType::Sleep,
            value: None,
            value_text: Some("unavailable".into()),
            start_time: 1_700_000_000_250_000,
            end_time: None,
            source_record_id: Some("x1".into()),
            finality: Finality::Corrected,
        };
        assert_eq!(
            serde_json::to_value(&reading).expect("JSON"),
            json!({
                "metric_type": "sleep", "value_num": null, "value_text": "unavailable", "unit": "min",
                "start_time": "2023-11-14T22:13:20.25Z", "end_time": null, "source_record_id": "x1", "final": 2,
            })
        );
    }
}
