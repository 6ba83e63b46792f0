//! What each day of a person came to, and where their goal is heading.
//!
//! Scores and forecasts are the engine's, asked for by each person as an app would and read back with their own rights.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::api::{Api, Member};
use super::history::History;
use super::people::{Aim, Person};

/// The inputs of a score, in the order of [`Day::components`].
pub(super) const INPUTS: [&str; 4] = ["stress", "sleep", "hr", "load"];
/// What was said of one day.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) status: String,
    pub(super) score: Option<f64>,
    /// 0 to 100 for each of [`INPUTS`].
    pub(super) components: [Option<f64>; 4],
}

/// What was said of a goal.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    pub(super) metric: String,
    pub(super) target: f64,
    pub(super) unit: String,
    pub(super) status: String,
    pub(super) narrative: String,
}

/// One person's scores, a place for each day of the history, and the forecast of their goal.
#[derive(Default)]
pub(super) struct Recovery {
    pub(super) days: Vec<Option<Day>>,
    pub(super) forecasts: Vec<Forecast>,
}

impl Recovery {
    /// The person sets a goal and runs the engine for themselves, as of the last day that they lived; the time is that of the
    /// run alone.
    pub(super) fn score(
        api: &mut Api,
        person: &Person,
        member: Member,
        history: &History,
    ) -> Result<(Self, Duration)> {
        api.aim(member, &person.aim)?;
        let start = Instant::now();
        api.run_engine(member, history.last_day)?;
        let took = start.elapsed();
        Ok((Self { days: api.scores(member, history)?, forecasts: api.forecasts(member)? }, took))
    }
}

impl Api {
    /// Sets somebody's goal. By insertion: `set_goal` would forecast it as of today at once, and the days of the demo are
    /// of other years.
    fn aim(&mut self, member: Member, aim: &Aim) -> Result<()> {
        self.signed_in(member.user_id, |tx| {
            tx.execute(
                "insert into public.wt_goals (profile_id, metric_type, target_value, unit, direction)
                 values ($1, $2::text::wt_metric_type, $3, $4, $5::text::wt_goal_direction)",
                &[
                    &member.profile_id,
                    &aim.metric.label(),
                    &aim.target,
                    &aim.metric.spec().unit.symbol(),
                    &aim.direction,
                ],
            )?;
            Ok(())
        })
    }

    /// What the engine said of each day of a history.
    pub(super) fn scores(&mut self, member: Member, history: &History) -> Result<Vec<Option<Day>>> {
        let rows = self.signed_in(member.user_id, |tx| {
            Ok(tx.query(
                "select score_date - $1::text::date, status::text, recovery_score,
                        stress_component, sleep_component, hr_component, load_component
                 from public.wt_recovery_scores",
                &[&history.first_day.to_string()],
            )?)
        })?;
        let count = history.first_day.until(history.last_day)?.get_days() + 1;
        let mut days = vec![None; usize::try_from(count).unwrap_or_default()];
        for row in rows {
            let component = |column| row.try_get(column);
            let components = [component(3)?, component(4)?, component(5)?, component(6)?];
            if let Some(slot) =
                usize::try_from(row.try_get::<_, i32>(0)?).ok().and_then(|day| days.get_mut(day))
            {
                *slot = Some(Day { status: row.try_get(1)?, score: row.try_get(2)?, components });
            }
        }
        Ok(days)
    }

    /// What the engine says of somebody's goals.
    fn forecasts(&mut self, member: Member) -> Result<Vec<Forecast>> {
        let rows = self.signed_in(member.user_id, |tx| {
            Ok(tx.query(
                "select g.metric_type::text, g.target_value, g.unit, f.status::text, f.narrative
                 from public.wt_goals g join public.wt_forecasts f on f.goal_id = g.id
                 where g.is_active",
                &[],
            )?)
        })?;
        rows.iter()
            .map(|row| {
                Ok(Forecast {
                    metric: row.try_get(0)?,
                    target: row.try_get(1)?,
                    unit: row.try_get(2)?,
                    status: row.try_get(3)?,
                    narrative: row.try_get(4)?,
                })
            })
            .collect()
    }
}
