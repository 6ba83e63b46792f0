-- The second step from the 31 migrations of commit 176bedf to the baseline: what the files of sql/ that can run again don't do.
-- It runs in one transaction with them, before them, so that no statement ever meets half of it; and again without harm.
--
-- Here: `alter table ... add column if not exists`, new types where they are missing, and `drop ... if exists` for what sql/ no
-- longer has or `create or replace` refuses (another result type, other argument names).

-- Three functions take the place of one; 80_triggers.sql lays the triggers again.
drop trigger if exists readings_inserted on public.wt_health_metrics;
drop trigger if exists readings_updated on public.wt_health_metrics;
drop trigger if exists readings_deleted on public.wt_health_metrics;
drop function if exists wt_private.readings_changed();

-- Arrays of one composite type take the place of several arrays.
drop function if exists wt_private.settle_priority(uuid[], public.wt_metric_type[], date[]);
drop function if exists wt_private.mark_days(uuid[], date[]);
drop function if exists wt_private.settle_loads(uuid[], timestamptz[], timestamptz[]);
drop function if exists wt_private.score_days(uuid[], uuid[], double precision[], date[], date[]);
drop function if exists wt_private.forecast_goals(uuid[], text[], date);
do $$ begin
  if (select p.prorettype = 'bigint[]'::regtype from pg_catalog.pg_proc p
      where p.oid = to_regprocedure('wt_private.write_results(text, jsonb)')) then
    drop function wt_private.write_results(text, jsonb), wt_private.settle_results(text, jsonb);
  end if;
end $$;

-- As in the files 10_tables.sql.
do $$
declare
  part text[];
begin
  foreach part slice 1 in array array[
    ['day_ref', 'profile_id uuid, metric_type public.wt_metric_type, local_date date'],
    ['profile_period', 'profile_id uuid, starts timestamptz, ends timestamptz'],
    ['account_share', 'connection_id uuid, share bigint'],
    ['due_work', 'strangers uuid[], accounts wt_private.account_share[]'],
    ['settled_counts', 'processed bigint, retried bigint, waiting bigint, dead bigint, lost bigint'],
    ['profile_day', 'profile_id uuid, day date'],
    ['claimed_days', 'profile_id uuid, user_id uuid, first_day date, last_day date'],
    ['marked_profile', 'place tid, profile_id uuid, user_id uuid, first_day date, changed_day date'],
    ['claimed_profile', 'place tid, profile_id uuid, user_id uuid, sleep_target double precision, units text, first_day date, '
                        'last_day date, dependent_day date']
  ] loop
    if to_regtype('wt_private.' || part[1]) is null then
      execute format('create type wt_private.%I as (%s)', part[1], part[2]);
    end if;
  end loop;
end $$;

-- The number of attempts stands once, in the extension.
alter table public.wt_webhook_events alter column max_attempts set default welltrack.max_attempts();

-- A metric is a column, and a part of the key that holds every value.
do $$ begin
  if not exists (select from pg_catalog.pg_attribute a
                 where a.attrelid = 'public.wt_daily_values'::regclass and a.attname = 'respiratory_rate') then
    alter table public.wt_daily_values add column respiratory_rate double precision;
    alter table public.wt_daily_values drop constraint wt_daily_values_profile_id_local_date_sleep_stress_vo2max_s_key;
    alter table public.wt_daily_values add constraint wt_daily_values_profile_id_local_date_sleep_stress_vo2max_s_key
      unique (profile_id, local_date) include (
        sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight, body_fat, blood_pressure, spo2,
        respiratory_rate, training_load);
  end if;
end $$;
