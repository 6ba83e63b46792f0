-- Flow 8: daily values, marks, recovery scores, goals, forecasts.
--
-- Readings are many and wide. The engine, a home screen or a chart that needs a month of them reads one narrow row a day instead,
-- from one index that holds every value.

create table public.wt_daily_values (
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null,
  profile_id uuid not null,
  local_date date not null,
  sleep double precision,
  stress double precision,
  vo2max double precision,
  steps double precision,
  hr double precision,
  hrv double precision,
  calories double precision,
  distance double precision,
  active_minutes double precision,
  weight double precision,
  body_fat double precision,
  blood_pressure double precision,
  spo2 double precision,
  respiratory_rate double precision,
  training_load double precision,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- 11_daily_values_key.sql adds the key (profile_id, local_date).
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
) with (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_scale_factor = 0.02);
comment on table public.wt_daily_values is
  'One row a local day that has anything: each metric''s sum or mean of the readings that count, in canonical units';
comment on column public.wt_daily_values.training_load is
  'sum of the day''s training loads (minutes x intensity factor); null where nothing was measured, 0 for a measured day of rest';
-- The engine writes millions of these rows and sets updated_at itself; 80_triggers.sql spares them the trigger.
call wt_private.protect('public.wt_daily_values', 'read_own', touched => false);

-- Marks: what the engine still has to do for each profile. A mark says only which days, so it may be set or worked off twice. One
-- row a profile, changed in place (fillfactor leaves room for that on its page).
create table public.wt_engine_marks (
  -- The profile's own id: one index finds the mark, and gives the engine its profiles in the order of their days.
  id uuid primary key,
  user_id uuid not null,
  stale_from date,
  stale_to date,
  score_from date,
  score_to date,
  forecast_due boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((stale_from is null) = (stale_to is null) and stale_from <= stale_to),
  check ((score_from is null) = (score_to is null)),
  foreign key (id, user_id) references public.wt_profiles (id, user_id) on delete cascade
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table public.wt_engine_marks is 'What the performance engine has still to do for a profile; its id is the profile''s';
comment on column public.wt_engine_marks.stale_from is
  'first day whose readings or workouts changed since its daily values were summed up';
comment on column public.wt_engine_marks.score_from is
  'first day whose score may be out of date; stays ahead of the last run while earlier days still count in later scores';
comment on column public.wt_engine_marks.score_to is
  'last day whose daily values changed; scores up to 30 days later depend on it, and further ones that lack fourteen days in '
  'between';
comment on column public.wt_engine_marks.forecast_due is 'a goal came or changed';
-- Stale days are looked for every minute, days to score once a night: only the former are worth an index.
create index wt_engine_marks_stale on public.wt_engine_marks (id) where stale_from is not null;
call wt_private.protect('public.wt_engine_marks', 'service', touched => false);

create type public.wt_goal_direction as enum ('increase', 'decrease');

create type public.wt_score_status as enum ('scored', 'calibrating', 'insufficient');
create type public.wt_forecast_status as enum (
  'on_track', 'late', 'reached', 'not_converging', 'beyond_horizon', 'too_few_points', 'calibrating');

create table public.wt_recovery_scores (
  -- Time-ordered: the nightly run adds a row for each profile, and this index grows at its end.
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null,
  profile_id uuid not null,
  score_date date not null,
  status public.wt_score_status not null default 'insufficient',
  days_missing integer not null default 0 check (days_missing between 0 and 14),
  stress_component double precision check (stress_component between 0 and 100),
  sleep_component double precision check (sleep_component between 0 and 100),
  hr_component double precision check (hr_component between 0 and 100),
  load_component double precision check (load_component between 0 and 100),
  recovery_score double precision check (recovery_score between 0 and 100),
  weights_used jsonb not null default '{}',
  missing_inputs text[] not null default '{}',
  formula_version text not null,
  raw_data welltrack.recovery_inputs,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((recovery_score is not null) = (status = 'scored')),
  -- Leads with the profile, so it serves the foreign key as well: the nightly run pays for every index.
  unique (profile_id, score_date),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
) with (autovacuum_vacuum_insert_scale_factor = 0.02);
comment on table public.wt_recovery_scores is
  'A row for each day with stress, sleep, resting heart rate or training in the week; a heuristic without medical meaning';
comment on column public.wt_recovery_scores.status is
  'scored; calibrating: a score needs days_missing more days with data; insufficient: fewer than two components';
comment on column public.wt_recovery_scores.recovery_score is
  'points, 0 to 100: the weighted mean of the components that are there; null unless scored';
comment on column public.wt_recovery_scores.stress_component is
  'points, 0 to 100, higher is better, as the other three; null where the input is missing';
comment on column public.wt_recovery_scores.weights_used is
  'share of each component, adding up to 1; renormalised where one is missing';
comment on column public.wt_recovery_scores.raw_data is
  'the numbers that went in, as one row: minutes, beats per minute, training loads, days';
-- As with daily values, rows that the engine writes are spared the trigger.
call wt_private.protect('public.wt_recovery_scores', 'read_own', touched => false);

create table public.wt_goals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  metric_type public.wt_metric_type not null,
  target_value double precision not null check (target_value > '-Infinity' and target_value < 'Infinity'),
  current_value double precision check (current_value > '-Infinity' and current_value < 'Infinity'),
  unit text not null check (char_length(unit) between 1 and 32),
  direction public.wt_goal_direction not null,
  deadline date check (deadline between '1970-01-01' and '2100-12-31'),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, user_id, id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_goals.current_value is 'the latest daily value when the goal was set; wt_forecasts has that of today';
comment on column public.wt_goals.unit is 'the canonical unit of the metric; set_goal() converts';
create unique index wt_goals_one_active on public.wt_goals (profile_id, metric_type) where is_active;
call wt_private.protect('public.wt_goals', 'owned', audited => true);

create table public.wt_forecasts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  goal_id uuid not null unique,
  metric_type public.wt_metric_type not null,
  status public.wt_forecast_status not null default 'too_few_points',
  as_of date,
  current_value double precision,
  target_value double precision,
  slope_per_day double precision,
  intercept double precision,
  r_squared double precision check (r_squared between 0 and 1),
  projected_date date,
  projected_low date,
  projected_high date check (projected_high >= projected_low),
  confidence double precision check (confidence between 0 and 1),
  data_points integer not null check (data_points >= 0),
  model_type text not null default 'linear_regression',
  narrative text,
  calculated_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The goal's own key implies the profile's: one check for each row instead of two.
  foreign key (goal_id, profile_id, user_id) references public.wt_goals (id, profile_id, user_id)
    on update cascade on delete cascade
-- Half of a page is left free, so that every row has room for its next version there and no index is written.
) with (fillfactor = 50);
comment on table public.wt_forecasts is 'Where the last 30 days of an active goal''s metric lead, changed in place each night';
comment on column public.wt_forecasts.as_of is 'the last day that it looked at';
comment on column public.wt_forecasts.current_value is
  'the latest daily value that it looked at, in canonical units of the metric, as target_value';
comment on column public.wt_forecasts.slope_per_day is 'canonical units of the metric a day';
comment on column public.wt_forecasts.intercept is
  'of the line at 1970-01-01, in canonical units: value = intercept + slope_per_day x days since then';
comment on column public.wt_forecasts.projected_low is
  'first day on which the 95% prediction band touches the target; null where it never does within ten years';
comment on column public.wt_forecasts.projected_high is
  'day from which the whole 95% prediction band is past the target; null where that is beyond ten years';
comment on column public.wt_forecasts.confidence is '0 to 1, from R2: how much of the up and down the line explains';
create index wt_forecasts_profile_idx on public.wt_forecasts (profile_id, user_id);
call wt_private.protect('public.wt_forecasts', 'read_own', touched => false);

-- A day of a profile, to be marked.
create type wt_private.profile_day as (profile_id uuid, day date);

-- Days that are summed up in one go.
create type wt_private.claimed_days as (profile_id uuid, user_id uuid, first_day date, last_day date);

-- A mark that the engine has claimed: where it lies, whose it is, which days changed.
create type wt_private.marked_profile as (place tid, profile_id uuid, user_id uuid, first_day date, changed_day date);

-- What one portion of the engine works on: where the mark lies, whose it is, and which days are scored.
create type wt_private.claimed_profile as (
  place tid, profile_id uuid, user_id uuid, sleep_target double precision, units text, first_day date, last_day date,
  dependent_day date);
