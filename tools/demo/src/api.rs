//! The demo's hands: what the app, GoTrue and a scheduler do to the database, each with its own role.
//!
//! Promises: a person's every step is one transaction as `authenticated` with their claims, as PostgREST
//! opens it for a request. Stops at doing: what is done in which order is the story's, [`super::run`].

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use postgres::{Client, NoTls, Transaction};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_stack::cluster::{Cluster, Role};
use welltrack_stack::rest::BUSY_TIMEOUT;
use welltrack_stack::{cmd, rest};

use super::history::{DAYS, History};
use super::people::{DOMAIN, Person};

/// Everybody's, in the demo.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// Three connections: GoTrue's, the API's, the scheduler's.
pub(super) struct Api {
    auth: Client,
    rest: Client,
    jobs: Client,
}

/// A signed-up person.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) user_id: Uuid,
    pub(super) profile_id: Uuid,
}

/// What `ingest_health_metrics` answers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) received: u32,
    pub(super) inserted: u32,
    pub(super) updated: u32,
    pub(super) unchanged: u32,
    pub(super) merged: u32,
    pub(super) rejected: u32,
    pub(super) rejections: Vec<Rejection>,
}

/// One record that was turned away.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rejection {
    /// Its place in the batch, from 0.
    pub(super) index: usize,
    /// `code: sentence`.
    pub(super) reason: String,
}

/// A stored reading that validation refused.
pub(super) struct Refused {
    pub(super) metric: String,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) day: String,
    pub(super) reason: String,
}

/// The readings that came to somebody from one source.
pub(super) struct FromSource {
    pub(super) source: String,
    pub(super) stored: i64,
    pub(super) counting: i64,
}

/// A metric of a person after the background work.
#[derive(Default)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) unit: String,
    /// The readings that are stored.
    pub(super) stored: u32,
    /// Those of them that count.
    pub(super) counted: u32,
    /// One value for each day of the history that has any.
    pub(super) days: Vec<Option<f64>>,
    pub(super) mean: Option<f64>,
    pub(super) spread: Option<f64>,
    /// Distinct days in the baseline, 14 when it is complete.
    pub(super) baseline_days: i32,
    pub(super) status: String,
}

/// The ids of the demo's people.
const DEMO: &str = "select u.id from auth.users u where right(u.email, length($1)) = $1";

impl Api {
    pub(super) fn connect(cluster: &Cluster) -> Result<Self> {
        let connect = |role: Role| {
            Client::connect(&cluster.url(role), NoTls)
                .with_context(|| format!("could not connect as {}", role.name()))
        };
        Ok(Self {
            auth: connect(Role::AuthAdmin)?,
            rest: connect(Role::Authenticator)?,
            jobs: connect(Role::Postgres)?,
        })
    }

    /// Deletes the auth users of an earlier demo, and with them everything they had; says how many there
    /// were.
    pub(super) fn forget_earlier(&mut self) -> Result<u64> {
        Ok(self.auth.execute("delete from auth.users where right(email, length($1)) = $1", &[&DOMAIN])?)
    }

    /// Deletes somebody's account, and with it everything they had.
    pub(super) fn forget(&mut self, member: Member) -> Result<()> {
        self.auth.execute("delete from auth.users where id = $1", &[&member.user_id])?;
        Ok(())
    }

    /// Signs somebody up as GoTrue does; the app then finds the profile that this made.
    pub(super) fn sign_up(&mut self, name: &str, email: &str, zone: &str) -> Result<Member> {
        let user_id = Uuid::new_v4();
        let metadata = json!({"full_name": name, "timezone": zone});
        let hash: String = self
            .jobs
            .query_one("select extensions.crypt($1, extensions.gen_salt('bf'))", &[&PASSWORD])?
            .get(0);
        self.auth.execute(
            "insert into auth.users
               (id, aud, role, email, email_confirmed_at, raw_user_meta_data, encrypted_password, created_at,
                updated_at)
             values ($1, 'authenticated', 'authenticated', $2, now(), $3, $4, now(), now())",
            &[&user_id, &email, &metadata, &hash],
        )?;
        let profile_id = self.signed_in(user_id, |tx| {
            Ok(tx.query_one("select id from public.wt_profiles where is_primary", &[])?.get(0))
        })?;
        Ok(Member { user_id, profile_id })
    }

    /// Answers the app's questions; says how many modules that laid out.
    pub(super) fn onboard(&mut self, person: &Person, member: Member) -> Result<i64> {
        self.signed_in(member.user_id, |tx| {
            tx.execute(
                "update public.wt_profiles set fitness_goals = $1, dietary_restrictions = $2 where id = $3",
                &[&person.goals, &person.restrictions, &member.profile_id],
            )?;
            Ok(tx.query_one("select count(*) from public.wt_profile_modules where enabled", &[])?.get(0))
        })
    }

    /// Sends a batch; the time is that of the whole request.
    pub(super) fn ingest(&mut self, member: Member, batch: &Value) -> Result<(Answer, Duration)> {
        let start = Instant::now();
        let answer: Value = self.signed_in(member.user_id, |tx| {
            Ok(tx
                .query_one("select public.ingest_health_metrics($1, $2)", &[&member.profile_id, batch])?
                .get(0))
        })?;
        Ok((
            serde_json::from_value(answer).context("ingest_health_metrics answered something else")?,
            start.elapsed(),
        ))
    }

    /// Runs the background jobs until nothing of these people waits for them. pg_cron runs them too: what it
    /// has in hand is skipped here, and done a moment later.
    pub(super) fn run_jobs(&mut self, members: &[Member]) -> Result<()> {
        let profiles: Vec<Uuid> = members.iter().map(|member| member.profile_id).collect();
        let start = Instant::now();
        loop {
            self.jobs.execute("select public.run_health_jobs()", &[])?;
            let waiting: bool = self
                .jobs
                .query_one(
                    "select exists (select from public.wt_health_metrics
                                    where profile_id = any ($1) and validation_status = 'raw')
                         or exists (select from public.wt_baselines
                                    where profile_id = any ($1) and is_stale)",
                    &[&profiles],
                )?
                .get(0);
            if !waiting {
                return Ok(());
            }
            if cmd::interrupted() {
                bail!(cmd::Interrupted);
            }
            if start.elapsed() > BUSY_TIMEOUT {
                bail!(
                    "readings still wait for validation: another session holds them (see pg_stat_activity)"
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How many readings somebody sees of all that are in the database.
    pub(super) fn visible(&mut self, member: Member) -> Result<i64> {
        self.signed_in(member.user_id, |tx| {
            Ok(tx.query_one("select count(*) from public.wt_health_metrics", &[])?.get(0))
        })
    }

    /// Somebody's readings by source.
    pub(super) fn by_source(&mut self, member: Member) -> Result<Vec<FromSource>> {
        let rows = self.signed_in(member.user_id, |tx| {
            Ok(tx.query(
                "select source::text, count(*), count(*) filter (where validation_status = 'validated' and is_primary)
                 from public.wt_health_metrics group by source order by source",
                &[],
            )?)
        })?;
        rows.iter()
            .map(|row| {
                Ok(FromSource { source: row.try_get(0)?, stored: row.try_get(1)?, counting: row.try_get(2)? })
            })
            .collect()
    }

    /// The demo's workouts from Strava.
    pub(super) fn workouts(&mut self) -> Result<i64> {
        let sql = format!(
            "select count(*) from public.wt_workouts where source = 'strava' and user_id in ({DEMO})"
        );
        Ok(self.jobs.query_one(&sql, &[&DOMAIN])?.get(0))
    }

    /// How many pushes wait for the worker, and how many it gave up.
    pub(super) fn queue(&mut self) -> Result<(i64, i64)> {
        let sql = format!(
            "select count(*) filter (where status in ('pending', 'processing')),
                    count(*) filter (where status = 'dead_letter')
             from public.wt_webhook_events where user_id in ({DEMO}) or user_id is null"
        );
        let row = self.jobs.query_one(&sql, &[&DOMAIN])?;
        Ok((row.get(0), row.get(1)))
    }

    /// How long each push took from its arrival to its rows.
    pub(super) fn end_to_end(&mut self) -> Result<Vec<Duration>> {
        let sql = format!(
            "select extract(epoch from processed_at - received_at)::float8
             from public.wt_webhook_events where status = 'processed' and user_id in ({DEMO})"
        );
        let rows = self.jobs.query(&sql, &[&DOMAIN])?;
        Ok(rows.iter().map(|row| Duration::from_secs_f64(row.get::<_, f64>(0).max(0.0))).collect())
    }

    /// How many readings there are, whoever they belong to.
    pub(super) fn total(&mut self) -> Result<i64> {
        Ok(self.jobs.query_one("select count(*) from public.wt_health_metrics", &[])?.get(0))
    }

    pub(super) fn refused(&mut self, member: Member) -> Result<Vec<Refused>> {
        let rows = self.signed_in(member.user_id, |tx| {
            Ok(tx.query(
                "select metric_type::text, value_num, unit, local_date::text, rejection_reason
                 from public.wt_health_metrics where validation_status = 'rejected'
                 order by start_time, metric_type",
                &[],
            )?)
        })?;
        rows.iter()
            .map(|row| {
                Ok(Refused {
                    metric: row.try_get(0)?,
                    value: row.try_get(1)?,
                    unit: row.try_get(2)?,
                    day: row.try_get(3)?,
                    reason: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Everything about a person's metrics that the last table shows.
    pub(super) fn metrics(&mut self, member: Member, history: &History) -> Result<Vec<Metric>> {
        let first_day = history.first_day.to_string();
        let rows = self.signed_in(member.user_id, |tx| {
            Ok(tx.query(
                "select m.metric_type::text, min(m.unit),
                        count(*)::int, (count(*) filter (where m.counts))::int,
                        b.baseline_value, b.baseline_stddev, b.data_points_count, b.calibration_status::text,
                        coalesce(array_agg(m.local_date - $1::text::date) filter (where m.counts), '{}'),
                        coalesce(array_agg(m.value_num) filter (where m.counts), '{}')
                 from (select *, validation_status = 'validated' and is_primary as counts
                       from public.wt_health_metrics) m
                 join public.wt_baselines b using (profile_id, metric_type)
                 group by m.metric_type, b.id
                 order by m.metric_type",
                &[&first_day],
            )?)
        })?;
        rows.iter()
            .map(|row| {
                let mut days = vec![None; DAYS as usize];
                for (day, value) in
                    row.try_get::<_, Vec<i32>>(8)?.into_iter().zip(row.try_get::<_, Vec<f64>>(9)?)
                {
                    if let Some(slot) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
                        *slot = Some(value);
                    }
                }
                Ok(Metric {
                    name: row.try_get(0)?,
                    unit: row.try_get(1)?,
                    stored: u32::try_from(row.try_get::<_, i32>(2)?)?,
                    counted: u32::try_from(row.try_get::<_, i32>(3)?)?,
                    mean: row.try_get(4)?,
                    spread: row.try_get(5)?,
                    baseline_days: row.try_get(6)?,
                    status: row.try_get(7)?,
                    days,
                })
            })
            .collect()
    }

    /// One request of a signed-in person.
    pub(super) fn signed_in<T>(
        &mut self,
        user_id: Uuid,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        rest::signed_in(&mut self.rest, user_id, work)
    }

    /// Runs the engine as somebody, for themselves, until nothing is left.
    pub(super) fn run_engine(&mut self, member: Member, as_of: Date) -> Result<()> {
        rest::run_engine(&mut self.rest, member.user_id, as_of)
    }
}
