//! `intensity_factor`: how hard a workout was.

use pgrx::prelude::*;
use welltrack_core::training;

/// The factor that turns minutes of a workout into training load: 0.5 to 10, on the CR-10 scale of session RPE.
///
/// Arguments: what the person said (1 to 10), the average heart rate in beats per minute, their age in years, the type
/// of workout in anybody's words. NULL means unknown; the first that is known decides, and 4 stands for a workout about
/// which nothing is. Minutes of activity outside of workouts count with that same 4.
///
/// Errors: none. Source: `welltrack_core::training::intensity_factor`.
#[pg_extern(immutable, parallel_safe)]
fn intensity_factor(
    perceived_exertion: Option<i32>,
    average_hr_bpm: Option<f64>,
    age_years: Option<f64>,
    workout_type: Option<&str>,
) -> f64 {
    training::intensity_factor(
        perceived_exertion,
        average_hr_bpm,
        age_years,
        workout_type.unwrap_or_default(),
    )
}
