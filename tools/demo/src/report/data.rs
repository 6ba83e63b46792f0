//! What a report is about: one person's days, and where their goals are heading.
//!
//! Promises: everything is read as that person, under row-level security, through what an app uses: `my_daily_summary`,
//! `explain_recovery`, and their own rows. What is not known is `None`, never 0. Only the list of who there is needs more rights.

use anyhow::{Context, Result, bail};
use jiff::Span;
use jiff::civil::Date;
use postgres::types::ToSql;
use postgres::{Client, NoTls, Row, Transaction};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use welltrack_stack::cluster::{Cluster, Role};
use welltrack_stack::rest;

/// How many days a report looks back.
pub(super) const DAYS: i64 = 60;
/// The days that a forecast looks at.
const WINDOW: i64 = 30;
/// A forecast is drawn at least and at most so many days beyond what it looked at: farther, and those were a smear.
const AHEAD: (i64, i64) = (14, 60);

/// Somebody who has days to show.
pub(super) struct Who {
    pub(super) name: String,
    user_id: Uuid,
    profile_id: Uuid,
    last_day: Date,
}

/// Everybody who has, the first to sign up first.
pub(super) fn everybody(cluster: &Cluster) -> Result<Vec<Who>> {
    let mut client = Client::connect(&cluster.url(Role::Postgres), NoTls).context("could not connect")?;
    let rows = client.query(
        "select p.display_name, p.user_id, p.id, s.last_day::text
         from public.wt_profiles p
         join (select profile_id, max(score_date) as last_day from public.wt_recovery_scores group by profile_id) s
           on s.profile_id = p.id
         order by p.created_at, p.id",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Who {
                name: row.try_get(0)?,
                user_id: row.try_get(1)?,
                profile_id: row.try_get(2)?,
                last_day: day(row, 3)?,
            })
        })
        .collect()
}

/// Those whose name begins so, in small letters or large; all without a name.
pub(super) fn choose(everybody: Vec<Who>, name: Option<&str>) -> Result<Vec<Who>> {
    if everybody.is_empty() {
        bail!("nobody has days to show yet. What to do: `cargo xtask demo`");
    }
    let Some(name) = name else { return Ok(everybody) };
    let begins = |who: &Who| who.name.to_lowercase().starts_with(&name.trim().to_lowercase());
    if !everybody.iter().any(begins) {
        let names: Vec<_> = everybody.iter().map(|who| who.name.as_str()).collect();
        bail!("nobody's name begins with `{name}`. There are: {}", names.join(", "));
    }
    Ok(everybody.into_iter().filter(begins).collect())
}

/// What the engine says of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Scored,
    Calibrating,
    /// Fewer than two components.
    TooLittle,
    /// No row: nothing was measured.
    Nothing,
}

/// One local day.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) status: Status,
    pub(super) score: Option<f64>,
    /// Stress, sleep, resting heart rate, load; 0 to 100.
    pub(super) components: [Option<f64>; 4],
    /// Resting, in beats a minute.
    pub(super) heart_rate: Option<f64>,
    /// Mean and standard deviation that the heart rate was judged by.
    pub(super) heart_baseline: Option<(f64, f64)>,
}

/// A part of the last day's score.
#[derive(Debug, Deserialize)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) value: Option<f64>,
    pub(super) weight_used: Option<f64>,
}

/// `explain_recovery` of the last day.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    pub(super) status: String,
    pub(super) days_missing: Option<i64>,
    pub(super) components: Vec<Component>,
}

/// A goal as `my_daily_summary` tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Goal {
    pub(super) metric_type: String,
    pub(super) target_value: f64,
    pub(super) unit: String,
    pub(super) deadline: Option<Date>,
    pub(super) forecast: Option<Forecast>,
    /// Pounds and miles instead of kilograms and kilometres.
    #[serde(skip)]
    pub(super) is_imperial: bool,
    #[serde(skip)]
    pub(super) seen: Seen,
}

#[derive(Debug, Deserialize)]
pub(super) struct Forecast {
    pub(super) status: String,
    pub(super) as_of: Option<Date>,
    pub(super) projected_date: Option<Date>,
    pub(super) projected_low: Option<Date>,
    pub(super) projected_high: Option<Date>,
    pub(super) confidence: Option<f64>,
    pub(super) narrative: Option<String>,
}

/// What a forecast looked at, and the line it saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) first_day: Option<Date>,
    /// The value of each of [`WINDOW`] days from the first.
    pub(super) values: Vec<Option<f64>>,
    /// From the first day on, into the future; empty where there is no line to speak of.
    pub(super) line: Vec<Predicted>,
}

/// The line at a day, and where 95 % of single readings fall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Predicted {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// All that there is to show of one person.
pub(super) struct Person {
    pub(super) name: String,
    /// The last [`DAYS`] days, from the first that has anything.
    pub(super) days: Vec<Day>,
    pub(super) why: Why,
    /// Where the score is heading, in words.
    pub(super) trend: Option<String>,
    pub(super) goals: Vec<Goal>,
}

/// Lets the engine catch up with late readings, as the app would, and reads one person's report.
pub(super) fn read(client: &mut Client, who: &Who) -> Result<Person> {
    rest::run_engine(client, who.user_id, who.last_day)?;
    rest::signed_in(client, who.user_id, |tx| {
        let mut summary: Value =
            one(tx, "public.my_daily_summary($1::text::date)", &[&who.last_day.to_string()])?;
        let profile = summary["profiles"]
            .as_array_mut()
            .and_then(|all| {
                all.iter_mut().find(|profile| profile["profile_id"] == who.profile_id.to_string())
            })
            .with_context(|| format!("my_daily_summary leaves out {}", who.name))?
            .take();
        let why = one(
            tx,
            "public.explain_recovery($1, $2::text::date)",
            &[&who.profile_id, &who.last_day.to_string()],
        )?;
        let mut goals: Vec<Goal> = serde_json::from_value(profile["goals"].clone())?;
        let units = "select coalesce(preferences ->> 'units' = 'imperial', false) from public.wt_profiles where id = $1";
        let is_imperial = tx.query_one(units, &[&who.profile_id])?.try_get(0)?;
        for goal in &mut goals {
            goal.is_imperial = is_imperial;
            goal.seen = seen(tx, who, goal)?;
        }
        Ok(Person {
            name: who.name.clone(),
            days: days(tx, who)?,
            why: serde_json::from_value(why)?,
            trend: profile["recovery"]["narrative"].as_str().map(str::to_owned),
            goals,
        })
    })
}

fn one(tx: &mut Transaction<'_>, call: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<Value> {
    Ok(tx.query_one(&format!("select {call}"), arguments)?.try_get(0)?)
}

fn days(tx: &mut Transaction<'_>, who: &Who) -> Result<Vec<Day>> {
    let first = who.last_day.checked_sub(Span::new().days(DAYS - 1))?;
    let rows = tx.query(
        "select d.day::date::text, s.status::text, s.recovery_score,
                s.stress_component, s.sleep_component, s.hr_component, s.load_component, v.hr,
                (s.raw_data).hr_baseline_bpm, (s.raw_data).hr_spread_bpm
         from generate_series($2::text::timestamp, $3::text::timestamp, interval '1 day') d (day)
         left join public.wt_recovery_scores s on s.profile_id = $1 and s.score_date = d.day
         left join public.wt_daily_values v on v.profile_id = $1 and v.local_date = d.day
         order by d.day",
        &[&who.profile_id, &first.to_string(), &who.last_day.to_string()],
    )?;
    let days: Vec<Day> = rows.iter().map(read_day).collect::<Result<_>>()?;
    // Before the first of them there was nobody to measure.
    let known = days.iter().position(|day| day.status != Status::Nothing).unwrap_or(0);
    Ok(days[known..].to_vec())
}

fn read_day(row: &Row) -> Result<Day> {
    let status = match row.try_get::<_, Option<&str>>(1)? {
        None => Status::Nothing,
        Some("scored") => Status::Scored,
        Some("calibrating") => Status::Calibrating,
        Some(_) => Status::TooLittle,
    };
    let spread: Option<f64> = row.try_get(9)?;
    Ok(Day {
        date: day(row, 0)?,
        status,
        score: row.try_get(2)?,
        components: [row.try_get(3)?, row.try_get(4)?, row.try_get(5)?, row.try_get(6)?],
        heart_rate: row.try_get(7)?,
        heart_baseline: row.try_get::<_, Option<f64>>(8)?.map(|mean| (mean, spread.unwrap_or(0.0))),
    })
}

/// The days behind a goal's forecast and the line through them, drawn by the database's own regression.
fn seen(tx: &mut Transaction<'_>, who: &Who, goal: &Goal) -> Result<Seen> {
    let forecast = goal.forecast.as_ref();
    let last = forecast.and_then(|forecast| forecast.as_of).unwrap_or(who.last_day);
    let first = last.checked_sub(Span::new().days(WINDOW - 1))?;
    let arguments: [&(dyn ToSql + Sync); 4] =
        [&who.profile_id, &goal.metric_type, &first.to_string(), &last.to_string()];
    // As the forecast: what adds up in the course of a day counts once the day is over where the person is.
    let values = "select d.day::date as day, (to_jsonb(v) ->> $2)::float8 as value
                  from generate_series($3::text::timestamp, $4::text::timestamp, interval '1 day') d (day)
                  left join public.wt_daily_values v on v.profile_id = $1 and v.local_date = d.day
                    and (not welltrack.grows_during_day($2)
                         or v.local_date < (select (now() at time zone u.timezone)::date
                                            from public.wt_users u where u.id = v.user_id))
                  order by d.day";
    let rows = tx.query(&format!("select value from ({values}) v"), &arguments)?;
    let values_seen = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    let has_line =
        forecast.is_some_and(|it| !["calibrating", "too_few_points"].contains(&it.status.as_str()));
    if !has_line {
        return Ok(Seen { first_day: Some(first), values: values_seen, line: vec![] });
    }
    let rows = tx.query(
        &format!(
            "select (p).value, (p).low, (p).high
             from (select welltrack.linear_regression(value, day) as line from ({values}) v) l
             cross join generate_series($3::text::timestamp, $5::text::timestamp, interval '1 day') d (day)
             cross join lateral welltrack.predict(l.line, d.day at time zone 'UTC') p
             where (p).low is not null
             order by d.day"
        ),
        &[arguments.as_slice(), &[&horizon(last, forecast)?.to_string()]].concat(),
    )?;
    let line = rows
        .iter()
        .map(|row| Ok(Predicted { value: row.try_get(0)?, low: row.try_get(1)?, high: row.try_get(2)? }))
        .collect::<Result<_>>()?;
    Ok(Seen { first_day: Some(first), values: values_seen, line })
}

/// The last day of the drawing: a week after the projected date, if that is not too far.
fn horizon(last: Date, forecast: Option<&Forecast>) -> Result<Date> {
    let named = forecast.and_then(|it| it.projected_date).unwrap_or(last);
    let least = last.checked_add(Span::new().days(AHEAD.0))?;
    let most = last.checked_add(Span::new().days(AHEAD.1))?;
    Ok(named.checked_add(Span::new().days(7)).unwrap_or(most).clamp(least, most))
}

fn day(row: &Row, column: usize) -> Result<Date> {
    let text: &str = row.try_get(column)?;
    text.parse().with_context(|| format!("`{text}` is no day"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn somebody(name: &str) -> Who {
        Who {
            name: name.to_owned(),
            user_id: Uuid::nil(),
            profile_id: Uuid::nil(),
            last_day: date(2025, 4, 29),
        }
    }

    fn chosen(name: Option<&str>) -> Result<Vec<String>> {
        let all = ["Eleni Markou", "Maya Torres", "Élodie"].map(somebody).into();
        Ok(choose(all, name)?.into_iter().map(|who| who.name).collect())
    }

    #[test]
    fn a_person_is_found_by_the_beginning_of_the_name() {
        assert_eq!(chosen(Some("maya")).expect("found"), ["Maya Torres"]);
        assert_eq!(chosen(Some(" ÉLO")).expect("found"), ["Élodie"]);
        assert_eq!(chosen(None).expect("found").len(), 3);
    }

    #[test]
    fn an_unknown_name_is_told_who_there_is_and_an_empty_database_what_to_do() {
        let error = chosen(Some("Torres")).expect_err("no first name").to_string();
        assert!(error.contains("`Torres`") && error.contains("Eleni Markou, Maya Torres, Élodie"), "{error}");
        let error = choose(vec![], None).err().expect("nobody").to_string();
        assert!(error.contains("cargo xtask demo"), "{error}");
    }

    #[test]
    fn a_forecast_is_drawn_as_far_as_it_reaches_within_reason() {
        let last = date(2025, 4, 29);
        let until = |projected_date| {
            let forecast = Forecast {
                status: "on_track".into(),
                as_of: Some(last),
                projected_date,
                projected_low: None,
                projected_high: None,
                confidence: None,
                narrative: None,
            };
            horizon(last, Some(&forecast)).expect("a day")
        };
        assert_eq!(until(None), date(2025, 5, 13));
        assert_eq!(until(Some(date(2025, 6, 1))), date(2025, 6, 8));
        assert_eq!(until(Some(date(9999, 12, 31))), date(2025, 6, 28));
    }
}
