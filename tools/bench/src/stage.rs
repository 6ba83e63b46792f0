//! The stage of the ingest benchmarks: people, their batches, and the tables that stand for what one would build instead.
//!
//! `bench_copy` is `wt_health_metrics` without triggers and generated columns: the same columns, constraints and indexes,
//! so that COPY into it is the least that storing those rows costs. The others are that table as people write it by hand,
//! SQL taking the batch apart: in `bench_bare` a plpgsql row trigger computes the hash and nothing else is done;
//! `bench_trigger` does more of what ours does (units in the trigger, an audit trail for each statement), though it
//! still answers for no bad record, knows no names and no priorities; `bench_upsert`, audited too, takes every re-sent
//! record as an update. `twins.sql` makes two more that keep all of our promises.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use postgres::{Client, Config, NoTls};
use serde_json::json;
use uuid::Uuid;

use super::measure::timed;

/// Records in one batch.
pub(crate) const BATCH: usize = 1000;

const METRICS: [(&str, &str, f64, f64); 10] = [
    ("sleep", "min", 430.0, 60.0),
    ("stress", "score", 35.0, 20.0),
    ("steps", "count", 8000.0, 4000.0),
    ("hr", "bpm", 60.0, 8.0),
    ("hrv", "ms", 55.0, 15.0),
    ("calories", "kcal", 2200.0, 400.0),
    ("distance", "m", 6000.0, 3000.0),
    ("active_minutes", "min", 40.0, 30.0),
    ("weight", "kg", 72.0, 5.0),
    ("spo2", "%", 96.0, 2.0),
];

const COLUMNS: &str = "id, user_id, profile_id, source, metric_type, value_num, value_text, unit, start_time, end_time, \
     local_date, recorded_at, raw_payload_json, source_record_id, dedupe_hash, is_primary, validation_status, \
     rejection_reason, ingestion_source_version, processing_status, created_at, updated_at";

/// What people write by hand: SQL that takes the batch apart, and a trigger or an expression for the hash.
const STAND_INS: &str = r"
create table bench_copy (like public.wt_health_metrics including defaults including constraints including indexes,
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade);
create table bench_bare (like bench_copy including all,
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade);
create table bench_trigger (like bench_copy including all,
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade);
create table bench_upsert (like bench_copy including all,
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade);
create function bench_hash_row() returns trigger language plpgsql as $$ begin
  new.dedupe_hash := sha256(convert_to(new.user_id::text || '|' || new.profile_id::text || '|' || new.source::text
    || '|' || new.metric_type::text
    || '|' || coalesce(to_char(new.start_time at time zone 'UTC', 'YYYY-MM-DD\THH24:MI:SS.US\Z'), '')
    || '|' || coalesce(to_char(new.end_time at time zone 'UTC', 'YYYY-MM-DD\THH24:MI:SS.US\Z'), ''), 'UTF8'));
  return new; end $$;
create trigger hash before insert on bench_bare for each row execute function bench_hash_row();
create trigger hash before insert on bench_trigger for each row execute function bench_hash_row();
create function bench_units_row() returns trigger language plpgsql as $$ begin
  if new.unit is distinct from 'min' then
    case new.unit
      when 'lb' then new.value_num := new.value_num * 0.45359237; new.unit := 'kg';
      when 'mi' then new.value_num := new.value_num * 1609.344; new.unit := 'm';
      when 'km' then new.value_num := new.value_num * 1000; new.unit := 'm';
      when 'h' then new.value_num := new.value_num * 60; new.unit := 'min';
      else null;
    end case;
  end if;
  return new; end $$;
create trigger units before insert on bench_trigger for each row execute function bench_units_row();
do $$ declare t text; begin
  foreach t in array array['bench_bare', 'bench_trigger', 'bench_upsert'] loop
    execute format('alter table %I enable row level security', t);
    execute format('create policy own_rows on %I to authenticated using (user_id = (select auth.uid()))
                    with check (user_id = (select auth.uid()))', t);
    execute format('grant all on %I to authenticated', t);
    execute format('alter table %I alter id set default gen_random_uuid()', t);
    continue when t = 'bench_bare';
    execute format('create trigger audit_insert after insert on %I referencing new table as new_rows
                    for each statement execute function wt_private.audit(''owned'')', t);
    execute format('create trigger audit_update after update on %I referencing old table as old_rows
                    new table as new_rows for each statement execute function wt_private.audit(''owned'')', t);
  end loop; end $$;
";

/// One insert statement for both stand-ins; `hash` is the expression or, where a trigger fills it, nothing useful.
fn hand_written(table: &str, hash: &str) -> String {
    format!(
        "insert into {table} as m (user_id, profile_id, source, metric_type, value_num, unit, start_time, end_time,
             local_date, raw_payload_json, source_record_id, dedupe_hash)
         select $1, $2, 'health_connect', r.type, r.value, r.unit, r.start_time, r.end_time,
                (r.start_time at time zone u.timezone)::date, e.record, r.id, {hash}
         from public.wt_users u, jsonb_array_elements($3 -> 'records') e (record),
              jsonb_to_record(e.record) as r (id text, type public.wt_metric_type, value double precision, unit text,
                                               start_time timestamptz, end_time timestamptz)
         where u.id = $1
         on conflict (user_id, dedupe_hash) do update
         set value_num = excluded.value_num, raw_payload_json = excluded.raw_payload_json,
             source_record_id = excluded.source_record_id, recorded_at = now(), validation_status = 'raw',
             rejection_reason = null, updated_at = now()"
    )
}

/// A person of the benchmark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) user_id: Uuid,
    pub(crate) profile_id: Uuid,
}

/// The two connections of the benchmark: the API's and the superuser's.
pub(crate) struct Stage {
    pub(crate) api: Client,
    pub(crate) admin: Client,
    caller: Option<Uuid>,
}

impl Stage {
    /// Connects to a database that has the migrations, and builds the stand-ins in it.
    pub(crate) fn set(database: &Config) -> Result<Self> {
        let connect = |role: &str| database.clone().user(role).password("postgres").connect(NoTls);
        let mut admin = connect("supabase_admin").context("connecting as the superuser")?;
        admin.batch_execute(STAND_INS).context("building the tables to compare with")?;
        admin.batch_execute(include_str!("twins.sql")).context("building the twins to compare with")?;
        // The background job would judge what one measurement wrote in the middle of the next.
        admin.batch_execute("update cron.job set active = false").context("holding the background jobs")?;
        let mut api = connect("authenticator").context("connecting as the API does")?;
        api.batch_execute("set role authenticated; set statement_timeout = 0")?;
        Ok(Stage { api, admin, caller: None })
    }

    /// Signs `count` people up.
    pub(crate) fn people(&mut self, count: usize) -> Result<Vec<Person>> {
        let rows = self.admin.query(
            "with new as (insert into auth.users (id, aud, role, email)
               select gen_random_uuid(), 'authenticated', 'authenticated', 'bench-' || gen_random_uuid() || '@example.org'
               from generate_series(1, $1::int) returning id)
             select id from new",
            &[&(i32::try_from(count)?)],
        )?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let rows = self
            .admin
            .query("select user_id, id from public.wt_profiles where user_id = any ($1)", &[&ids])?;
        Ok(rows.iter().map(|row| Person { user_id: row.get(0), profile_id: row.get(1) }).collect())
    }

    fn speak_for(&mut self, person: Person) -> Result<()> {
        if self.caller != Some(person.user_id) {
            let claims = json!({"role": "authenticated", "sub": person.user_id}).to_string();
            self.api.execute("select set_config('request.jwt.claims', $1, false)", &[&claims])?;
            self.caller = Some(person.user_id);
        }
        Ok(())
    }

    /// Ours: the batch function.
    pub(crate) fn ingest(&mut self, person: Person, batch: &str) -> Result<Duration> {
        self.batch_function("public.ingest_health_metrics", person, batch)
    }

    /// Our batch function as it would be with an unconditional DO UPDATE.
    pub(crate) fn ingest_always(&mut self, person: Person, batch: &str) -> Result<Duration> {
        self.batch_function("public.bench_alwaysingest_health_metrics", person, batch)
    }

    fn batch_function(&mut self, function: &str, person: Person, batch: &str) -> Result<Duration> {
        self.speak_for(person)?;
        let call = self.api.prepare_typed(
            &format!("select {function}($1, $2::text::jsonb)"),
            &[postgres::types::Type::UUID, postgres::types::Type::TEXT],
        )?;
        timed(|| Ok(self.api.query_one(&call, &[&person.profile_id, &batch])?))
    }

    /// By hand, into one of the stand-ins; `bench_upsert` has the extension's hash in its statement, the others a trigger.
    pub(crate) fn by_hand(&mut self, table: &str, person: Person, batch: &str) -> Result<Duration> {
        self.speak_for(person)?;
        let hash = if table != "bench_upsert" {
            "''"
        } else {
            "welltrack.dedupe_hash($1, $2, 'health_connect', welltrack.enum_label(r.type), r.start_time, r.end_time)"
        };
        let sql = hand_written(table, hash).replace("$3", "$3::text::jsonb");
        let call = self.api.prepare_typed(
            &sql,
            &[postgres::types::Type::UUID, postgres::types::Type::UUID, postgres::types::Type::TEXT],
        )?;
        timed(|| Ok(self.api.execute(&call, &[&person.user_id, &person.profile_id, &batch])?))
    }

    /// The rows of one person, as COPY writes them.
    pub(crate) fn rows_of(&mut self, person: Person, newest: usize) -> Result<Vec<u8>> {
        let sql = format!(
            "copy (select {COLUMNS} from public.wt_health_metrics where user_id = '{}' order by start_time desc \
             limit {newest}) to stdout",
            person.user_id
        );
        let mut rows = Vec::new();
        self.admin.copy_out(sql.as_str())?.read_to_end(&mut rows)?;
        Ok(rows)
    }

    /// The floor: COPY of rows that are already hashed.
    pub(crate) fn copy(&mut self, rows: &[u8]) -> Result<Duration> {
        timed(|| {
            let mut sink = self.admin.copy_in(format!("copy bench_copy ({COLUMNS}) from stdin").as_str())?;
            sink.write_all(rows)?;
            Ok(sink.finish()?)
        })
    }

    /// Fills `wt_health_metrics` and, as far, the stand-ins in `tables` up to `total` rows with other people's readings,
    /// triggers off.
    pub(crate) fn grow_to(&mut self, total: usize, tables: &[&str]) -> Result<()> {
        let have: i64 = self.admin.query_one("select count(*) from public.wt_health_metrics", &[])?.get(0);
        let missing = total.saturating_sub(usize::try_from(have)?) / BATCH;
        let people = self.people(missing)?;
        self.admin.batch_execute("set session_replication_role = replica")?;
        for some in people.chunks(100) {
            let ids: Vec<Uuid> = some.iter().map(|p| p.profile_id).collect();
            self.admin.execute(
                "insert into public.wt_health_metrics (user_id, profile_id, source, metric_type, value_num, unit,
                     start_time, end_time, local_date, source_record_id, validation_status, processing_status,
                     raw_payload_json)
                 select p.user_id, p.id, 'health_connect', k.metric, 50 + 40 * random(),
                        welltrack.canonical_unit(welltrack.enum_label(k.metric)),
                        d.day, d.day + interval '1 day', d.day::date, gen_random_uuid()::text, 'validated', 'processed',
                        jsonb_build_object('id', gen_random_uuid(), 'type', k.metric, 'value', 50,
                                           'start_time', d.day, 'end_time', d.day)
                 from public.wt_profiles p,
                      unnest((enum_range(null::public.wt_metric_type))[1:10]) k (metric),
                      generate_series('2025-01-01 UTC'::timestamptz, '2025-04-10 UTC', '1 day') d (day)
                 where p.id = any ($1)",
                &[&ids],
            )?;
            for table in tables {
                self.admin.execute(
                    &format!(
                        "insert into {table} ({COLUMNS}) select {COLUMNS} from public.wt_health_metrics \
                         where profile_id = any ($1)"
                    ),
                    &[&ids],
                )?;
            }
        }
        self.admin.batch_execute("set session_replication_role = origin")?;
        self.settle(tables)?;
        self.settle(&["public.wt_health_metrics", "public.wt_profiles"])
    }

    /// Vacuums and analyses `tables` and writes a checkpoint, so that no measurement pays for what came before it.
    pub(crate) fn settle(&mut self, tables: &[&str]) -> Result<()> {
        for table in tables {
            self.admin.batch_execute(&format!("vacuum analyze {table}"))?;
        }
        Ok(self.admin.batch_execute("checkpoint")?)
    }
}

/// A phone's batch: ten metrics for a hundred days from `first_day` (days since 2025-01-01); every record whose number
/// is a multiple of `changed_each` gets another value in each `edition`.
pub(crate) fn batch(person: Person, first_day: usize, edition: usize, changed_each: usize) -> String {
    let mut out = String::from(r#"{"source":"health_connect","ingestion_version":"bench/1","records":["#);
    for number in 0..BATCH {
        let (day, (metric, unit, mean, spread)) =
            (first_day + number / METRICS.len(), METRICS[number % METRICS.len()]);
        let edition = if changed_each > 0 && number % changed_each == 0 { edition } else { 0 };
        // A cheap, repeatable scatter; what matters is that values differ as real ones do.
        let scatter = ((number * 7919 + day * 104_729 + edition * 15_485_863) % 1000) as f64 / 1000.0 - 0.5;
        let date = |day: usize| {
            let (year, mut left) = (2025 + day / 336, day % 336);
            let month = left / 28 + 1;
            left %= 28;
            format!("{year}-{month:02}-{:02}", left + 1)
        };
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(
            out,
            r#"{comma}{{"id":"{}-{day}-{metric}","type":"{metric}","value":{:.1},"unit":"{unit}","start_time":"{}T00:00:00Z","end_time":"{}T07:59:00Z","zone_offset":"+00:00","device":"Watch 6"}}"#,
            person.profile_id,
            mean + spread * scatter,
            date(day),
            date(day),
        );
    }
    out.push_str("]}");
    out
}
