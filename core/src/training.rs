//! How hard a workout was: the factor that its minutes are multiplied with to give training load.
//!
//! Promises: a number from 0.5 to 10 on the CR-10 scale of session RPE for whatever is known about a workout, the best
//! evidence first. Stops at the factor: which minutes count, and for which day, is decided where workouts are compared.

/// The factor of a minute about which nothing is known but that it was active: "somewhat hard".
pub const DEFAULT_INTENSITY: f64 = 4.0;

/// The scale's ends: "very, very easy" and "maximal".
const SCALE: (f64, f64) = (0.5, 10.0);

/// What the beginnings of words in a workout's type say about it; the first line that fits counts, so the special stands
/// before the general (an e-bike ride is a ride). A heuristic.
const BY_TYPE: [(&str, f64); 5] = [
    ("crossfit hiit interval race sprint tabata", 8.0),
    ("ebike emountainbike golf tabletennis walk wheelchair", 3.0),
    ("balance breath cooldown flexib meditation mobility pilates stretch yoga", 2.0),
    (
        "backcountry basketball box climb football hockey jog jump martial nordic row run soccer squash swim treadmill",
        6.0,
    ),
    ("badminton bik cycl danc elliptical hik resistance rid skat spin stair strength tennis weight", 5.0),
];

/// The intensity factor of a workout: 0.5 to 10, on the CR-10 scale, so that minutes times factor is session RPE load
/// in arbitrary units.
///
/// The first of these that is known:
/// - what the person said: `perceived_exertion`, 1 to 10 (others are moved to the nearer end);
/// - the average heart rate against the maximum for the age, `208 - 0.7 x age`: from 2 at 55% (the middle of the first
///   of Edwards' zones) by 2 for each zone of 10% to 10 at 95%, at least 1;
/// - the type of workout, by the beginnings of its words, however they are joined (`TrailRun`, `trail_run`): a heuristic;
/// - [`DEFAULT_INTENSITY`].
///
/// `average_hr_bpm` counts from 20 to 250 beats per minute, `age_years` from 5 to 120; others are as good as unknown.
///
/// Sources: Foster et al. 2001, J Strength Cond Res 15:109 (session RPE); Tanaka, Monahan and Seals 2001, J Am Coll
/// Cardiol 37:153 (maximal heart rate); Edwards 1993, The Heart Rate Monitor Book (five zones).
///
/// ```
/// use welltrack_core::training::intensity_factor;
///
/// assert_eq!(intensity_factor(Some(7), Some(150.0), Some(40.0), "Run"), 7.0);
/// assert!((intensity_factor(None, Some(135.0), Some(40.0), "Run") - 6.0).abs() < 1e-9); // 75% of 180
/// assert_eq!(intensity_factor(None, None, None, "TrailRun"), 6.0);
/// assert_eq!(intensity_factor(None, None, None, "something new"), 4.0);
/// ```
#[must_use]
pub fn intensity_factor(
    perceived_exertion: Option<i32>,
    average_hr_bpm: Option<f64>,
    age_years: Option<f64>,
    workout_type: &str,
) -> f64 {
    if let Some(exertion) = perceived_exertion {
        return f64::from(exertion).clamp(SCALE.0, SCALE.1);
    }
    let hr = average_hr_bpm.filter(|hr| (20.0..=250.0).contains(hr));
    let age = age_years.filter(|age| (5.0..=120.0).contains(age));
    match hr.zip(age) {
        Some((hr, age)) => by_heart_rate(hr / (208.0 - 0.7 * age)),
        None => by_type(workout_type),
    }
}

fn by_heart_rate(share_of_maximum: f64) -> f64 {
    (2.0 + 20.0 * (share_of_maximum - 0.55)).clamp(1.0, SCALE.1)
}

fn by_type(workout_type: &str) -> f64 {
    let words = words(workout_type);
    let fits = |beginnings: &str| beginnings.split(' ').any(|beginning| starts_a_word(&words, beginning));
    BY_TYPE.iter().find(|(beginnings, _)| fits(beginnings)).map_or(DEFAULT_INTENSITY, |(_, factor)| *factor)
}

/// The words in small letters: a word begins after whatever is no letter, and with a capital that follows a small one.
fn words(joined: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for letter in joined.chars() {
        if !letter.is_alphabetic() || (letter.is_uppercase() && after_small) {
            words.push(String::new());
        }
        if letter.is_alphabetic() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
        after_small = letter.is_lowercase();
    }
    words
}

/// Whether `beginning` begins a word, or several words written as one: `tabletennis` begins `Table Tennis`.
fn starts_a_word(words: &[String], beginning: &str) -> bool {
    (0..words.len()).any(|first| words[first..].concat().starts_with(beginning))
}
