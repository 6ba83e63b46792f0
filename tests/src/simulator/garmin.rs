//! What Garmin pushes: envelopes of summaries in Garmin's own field names, and pings that only say where to fetch them.
//!
//! Promises: each summary knows, besides its JSON, the readings that were put into it, so that a test need not parse
//! what it checks. A day comes in editions: tentative first, then longer, then final. Unknown keys are among the known
//! ones, as they are in what Garmin sends.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::days::Day;

/// How much of its day a summary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// At noon; the night is a guess.
    Tentative,
    /// In the evening, longer; the night is a better guess.
    Longer,
    /// The whole day and the settled night.
    Final,
}

impl Edition {
    /// All, in the order in which they come.
    pub const ALL: [Self; 3] = [Self::Tentative, Self::Longer, Self::Final];

    /// Hours of the day that a daily summary covers.
    fn hours(self) -> u32 {
        match self {
            Self::Tentative => 12,
            Self::Longer => 18,
            Self::Final => 24,
        }
    }

    /// Of `value`, what had come together by then.
    fn part(self, value: u32) -> u32 {
        value * self.hours() / 24
    }

    fn validation(self) -> &'static str {
        match self {
            Self::Tentative => "AUTO_TENTATIVE",
            Self::Longer => "ENHANCED_TENTATIVE",
            Self::Final => "ENHANCED_FINAL",
        }
    }
}

/// A reading that a summary holds, in canonical units.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The label of `wt_metric_type`.
    pub metric: &'static str,
    /// `None`: the watch says that it has no value.
    pub value: Option<f64>,
    /// Epoch seconds.
    pub start: i64,
    /// Epoch seconds.
    pub end: Option<i64>,
}

/// One item of an envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The envelope's key, such as `dailies`.
    pub kind: &'static str,
    /// Garmin's id of the person.
    pub user: String,
    /// `summaryId`.
    pub id: String,
    /// Whether it is marked as provisional: a later one will settle it.
    pub is_tentative: bool,
    /// As it is sent.
    pub json: Value,
    /// What was put into it.
    pub readings: Vec<Reading>,
}

impl Summary {
    fn new(kind: &'static str, user: &str, id: String, body: Value, readings: Vec<Reading>) -> Self {
        let mut json = json!({
            "userId": user,
            // Being retired by Garmin, and still sent.
            "userAccessToken": format!("stand-in-user-access-token-{user}"),
            "summaryId": id,
            "standInUnknownKey": {"nested": [1, null, "x"]},
        });
        if let (Value::Object(json), Value::Object(body)) = (&mut json, body) {
            json.extend(body);
        }
        Self { kind, user: user.to_owned(), id, is_tentative: false, json, readings }
    }
}

/// An id as Garmin makes them: opaque, the same for all editions of a day. `again` makes another for the same day.
fn summary_id(kind: &str, user: &str, start: i64, again: u32) -> String {
    format!("x{:x}-{kind}-{user}-{again:x}", start)
}

/// The day's activity, if there was any.
#[must_use]
pub fn daily(user: &str, day: &Day, edition: Edition, again: u32) -> Option<Summary> {
    if !day.has_daily() {
        return None;
    }
    let (start, seconds) = (day.midnight(), edition.hours() * 3600);
    let end = Some(start + i64::from(seconds));
    let part = |value: Option<u32>| value.map(|value| edition.part(value));
    let distance = day.distance.map(|metres| metres * f64::from(edition.hours()) / 24.0);
    let (active, basal) = (part(day.active_kcal), part(day.basal_kcal));
    let (moderate, vigorous) = (part(day.moderate), part(day.vigorous));
    let body = json!({
        "calendarDate": day.date.to_string(),
        "startTimeInSeconds": start,
        "startTimeOffsetInSeconds": day.offset,
        "durationInSeconds": seconds,
        "activityType": "WALKING",
        "steps": part(day.steps),
        "distanceInMeters": distance,
        "activeKilocalories": active,
        "bmrKilocalories": basal,
        "moderateIntensityDurationInSeconds": moderate.map(|minutes| minutes * 60),
        "vigorousIntensityDurationInSeconds": vigorous.map(|minutes| minutes * 60),
        "floorsClimbed": 3,
        "minHeartRateInBeatsPerMinute": day.resting_hr.map(|hr| hr.saturating_sub(3)),
        // Of seven days: nobody should take it for today's resting rate.
        "averageHeartRateInBeatsPerMinute": day.resting_hr.map(|hr| hr + 15),
        "maxHeartRateInBeatsPerMinute": day.resting_hr.map(|hr| hr + 80),
        "restingHeartRateInBeatsPerMinute": day.resting_hr,
        "timeOffsetHeartRateSamples": {"15": 70, "30": 71, "3180": 76},
        "averageStressLevel": day.stress.map_or(-1, i64::from),
        "maxStressLevel": day.stress.map_or(-1, |level| i64::from(level.min(80) + 20)),
        "stepsGoal": 8000,
    });
    let body = without_nulls(body);
    let add = |a: Option<u32>, b: Option<u32>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(f64::from(a.unwrap_or(0) + b.unwrap_or(0))),
    };
    let readings = [
        ("steps", part(day.steps).map(f64::from)),
        ("distance", distance),
        ("calories", add(active, basal)),
        ("active_minutes", add(moderate, vigorous)),
        ("hr", day.resting_hr.map(f64::from)),
    ];
    let readings = readings
        .into_iter()
        .filter_map(|(metric, value)| Some(Reading { metric, value: Some(value?), start, end }))
        .collect();
    Some(Summary::new("dailies", user, summary_id("d", user, start, again), body, readings))
}

/// The night before the day, if it was worn. Duration leaves out awake and unmeasurable time, so that start and
/// duration don't say when it ended: the stages do.
#[must_use]
pub fn sleep(user: &str, day: &Day, edition: Edition, again: u32) -> Option<Summary> {
    let night = day.night?;
    // The first guesses miss some of the night.
    let asleep = i64::from(match edition {
        Edition::Tentative => night.asleep * 8 / 10,
        Edition::Longer => night.asleep * 9 / 10,
        Edition::Final => night.asleep,
    }) * 60;
    let awake = i64::from(night.awake) * 60;
    // All editions begin when the person fell asleep.
    let start = day.midnight() + 7 * 3600 - i64::from(night.asleep) * 60 - awake;
    let (deep, rem) = (asleep / 60 / 5 * 60, asleep / 60 / 4 * 60);
    let light = asleep - deep - rem;
    let mut at = start;
    let mut stage = |seconds: i64| {
        let from = at;
        at += seconds;
        if seconds > 0 { json!([{"startTimeInSeconds": from, "endTimeInSeconds": at}]) } else { json!([]) }
    };
    let levels =
        json!({"light": stage(light), "deep": stage(deep), "awake": stage(awake), "rem": stage(rem)});
    let end = at;
    let body = json!({
        "calendarDate": day.date.to_string(),
        "startTimeInSeconds": start,
        "startTimeOffsetInSeconds": day.offset,
        "durationInSeconds": asleep,
        "unmeasurableSleepInSeconds": 0,
        "deepSleepDurationInSeconds": deep,
        "lightSleepDurationInSeconds": light,
        "remSleepInSeconds": rem,
        "awakeDurationInSeconds": awake,
        "sleepLevelsMap": levels,
        "validation": edition.validation(),
        "overallSleepScore": {"value": 77, "qualifierKey": "FAIR"},
        "timeOffsetSleepSpo2": {"0": 96, "60": 95},
    });
    let minutes = Some(asleep as f64 / 60.0);
    let readings = vec![Reading { metric: "sleep", value: minutes, start, end: Some(end) }];
    let mut summary = Summary::new("sleeps", user, summary_id("s", user, start, again), body, readings);
    summary.is_tentative = edition != Edition::Final;
    Some(summary)
}

/// The day's stress, sampled every three minutes; codes below zero stand among the levels and mean none. A watch that
/// was worn and has no stress to tell says so in codes alone.
#[must_use]
pub fn stress(user: &str, day: &Day) -> Option<Summary> {
    let level = day.stress.map(i64::from);
    if level.is_none() && !day.has_daily() {
        return None;
    }
    let start = day.midnight();
    let seconds = 86_400;
    // As many above the average as below it.
    let spread = level.map_or(0, |level| level.min(100 - level).min(5));
    let told = |change: i64| level.map_or(-4, |level| level + change);
    let levels: Map<String, Value> = [-1, told(-spread), -2, told(0), told(spread), -3]
        .into_iter()
        .enumerate()
        .map(|(index, level)| ((index * 180).to_string(), json!(level)))
        .collect();
    let body = json!({
        "calendarDate": day.date.to_string(),
        "startTimeInSeconds": start,
        "startTimeOffsetInSeconds": day.offset,
        "durationInSeconds": seconds,
        "maxStressLevel": told(spread),
        "averageStressLevel": level.unwrap_or(-1),
        "timeOffsetStressLevelValues": levels,
        "timeOffsetBodyBatteryValues": {"0": 55, "180": 56},
    });
    let value = level.map(|level| level as f64);
    let readings = vec![Reading { metric: "stress", value, start, end: Some(start + seconds) }];
    Some(Summary::new("stressDetails", user, summary_id("t", user, start, 0), body, readings))
}

/// What changes slowly; it has a date and no time.
#[must_use]
pub fn user_metrics(user: &str, day: &Day) -> Option<Summary> {
    let vo2max = day.vo2max?;
    let body = json!({
        "calendarDate": day.date.to_string(),
        "vo2Max": vo2max,
        "fitnessAge": 35,
        "enhanced": true,
    });
    let start = day.midnight();
    let readings = vec![Reading { metric: "vo2max", value: Some(vo2max), start, end: None }];
    Some(Summary::new("userMetrics", user, summary_id("m", user, start, 0), body, readings))
}

/// A type that nobody here knows; it must be stored and do nothing.
#[must_use]
pub fn unknown(user: &str, day: &Day) -> Summary {
    let body = json!({"calendarDate": day.date.to_string(), "moods": [1, 2, {"deep": null}]});
    Summary::new("standInMoods", user, summary_id("u", user, day.midnight(), 0), body, vec![])
}

/// Everything of a day, edition by edition, in the order in which Garmin sends it.
#[must_use]
pub fn of_day(user: &str, day: &Day) -> Vec<Summary> {
    let mut all = Vec::new();
    for edition in Edition::ALL {
        all.extend(sleep(user, day, edition, 0));
        all.extend(daily(user, day, edition, 0));
    }
    all.extend(stress(user, day));
    all.extend(user_metrics(user, day));
    all
}

/// Summaries in one POST, of any types and users.
#[must_use]
pub fn envelope<'a>(summaries: impl IntoIterator<Item = &'a Summary>) -> Value {
    let mut types: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for summary in summaries {
        types.entry(summary.kind).or_default().push(summary.json.clone());
    }
    json!(types)
}

/// A person took back consent at Garmin.
#[must_use]
pub fn deregistration(user: &str) -> Value {
    json!({"deregistrations": [{"userId": user, "userAccessToken": "stand-in"}]})
}

/// The same types and users, each with the address where its summaries are kept.
pub(super) fn ping(envelope: &Value, base_url: &str, kept: &mut BTreeMap<String, Value>) -> Value {
    let mut ping: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (kind, items) in envelope.as_object().into_iter().flatten() {
        let mut users: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for item in items.as_array().into_iter().flatten() {
            users.entry(item["userId"].as_str().unwrap_or_default()).or_default().push(item.clone());
        }
        for (user, summaries) in users {
            let token = format!("stand-in-pull-{}", kept.len());
            let url = format!(
                "{base_url}/wellness-api/rest/{kind}?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token={token}"
            );
            kept.insert(token, Value::Array(summaries));
            ping.entry(kind).or_default().push(json!({"userId": user, "callbackURL": url}));
        }
    }
    json!(ping)
}

/// Garmin leaves out what was not measured.
fn without_nulls(mut json: Value) -> Value {
    if let Value::Object(fields) = &mut json {
        fields.retain(|_, value| !value.is_null());
    }
    json
}

#[cfg(test)]
mod tests {
    use super::super::days::Night;
    use super::*;
    use jiff::civil::date;

    fn a_day() -> Day {
        Day {
            steps: Some(9001),
            distance: Some(6000.0),
            active_kcal: Some(401),
            basal_kcal: Some(1500),
            resting_hr: Some(58),
            stress: Some(31),
            vo2max: Some(44.0),
            night: Some(Night { asleep: 421, awake: 33 }),
            ..Day::empty(date(2025, 3, 30), 7200)
        }
    }

    #[test]
    fn editions_of_a_day_share_its_id_and_start_and_grow() {
        let all: Vec<Summary> =
            Edition::ALL.iter().filter_map(|&edition| daily("g1", &a_day(), edition, 0)).collect();
        assert!(all.windows(2).all(|pair| pair[0].id == pair[1].id));
        let ends: Vec<i64> = all.iter().map(|s| s.readings[0].end.expect("a period")).collect();
        assert_eq!(ends, [12, 18, 24].map(|hours| a_day().midnight() + hours * 3600));
        assert_eq!(all[2].readings[0].value, Some(9001.0));
        assert_eq!(all[0].readings[0].value, Some(4500.0));
    }

    #[test]
    fn a_night_ends_at_seven_and_its_duration_leaves_out_the_awake_time() {
        let night = sleep("g1", &a_day(), Edition::Final, 0).expect("a night");
        assert_eq!(night.readings[0].end, Some(a_day().midnight() + 7 * 3600));
        assert_eq!(night.json["durationInSeconds"], 421 * 60);
        assert_eq!(night.readings[0].value, Some(421.0));
        assert!(!night.is_tentative);
        assert!(sleep("g1", &a_day(), Edition::Tentative, 0).expect("a night").is_tentative);
    }

    #[test]
    fn codes_among_stress_levels_do_not_move_their_average() {
        let stress = stress("g1", &a_day()).expect("stress");
        let levels = stress.json["timeOffsetStressLevelValues"].as_object().expect("levels");
        let real: Vec<i64> = levels.values().filter_map(Value::as_i64).filter(|&level| level >= 0).collect();
        assert!(real.len() < levels.len());
        assert_eq!(real.iter().sum::<i64>(), 31 * real.len() as i64);
    }

    #[test]
    fn a_watch_without_stress_to_tell_sends_codes_and_a_day_without_a_watch_nothing() {
        let day = Day { stress: None, ..a_day() };
        let summary = stress("g1", &day).expect("a worn watch");
        assert_eq!(summary.readings[0].value, None);
        let levels = summary.json["timeOffsetStressLevelValues"].as_object().expect("levels");
        assert!(levels.values().all(|level| level.as_i64() < Some(0)));
        assert_eq!(stress("g1", &Day::empty(day.date, 0)), None);
    }

    #[test]
    fn a_ping_names_the_same_types_and_users_and_holds_no_reading() {
        let [a, b] = ["g1", "g2"].map(|user| daily(user, &a_day(), Edition::Final, 0).expect("a day"));
        let mut kept = BTreeMap::new();
        let ping = ping(&envelope([&a, &b]), "http://here", &mut kept);
        let items = ping["dailies"].as_array().expect("items");
        assert_eq!(items.len(), 2);
        assert!(!ping.to_string().contains("steps"));
        assert_eq!(kept.len(), 2);
    }
}
