-- What the performance engine writes (recovery scores, forecasts) and the goals it works towards.

create type public.wt_goal_direction as enum ('increase', 'decrease');

create type public.wt_score_status as enum ('scored', 'calibrating', 'insufficient');
create type public.wt_forecast_status as enum (
  'on_track', 'late', 'reached', 'not_converging', 'beyond_horizon', 'too_few_points', 'calibrating');

create table public.wt_recovery_scores (
  -- Ordered by time: the night adds a row for everybody, and this index grows at its end.
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
  -- Leads with the profile, so it serves the foreign key as well: the night pays for every index.
  unique (profile_id, score_date),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
) with (autovacuum_vacuum_insert_scale_factor = 0.02);
comment on table public.wt_recovery_scores is
  'A row for each day with stress, sleep, resting heart rate or training in the week; a heuristic without medical meaning';
comment on column public.wt_recovery_scores.status is
  'scored; calibrating: a score needs days_missing more days with data; insufficient: fewer than two components';
comment on column public.wt_recovery_scores.recovery_score is 'points, 0 to 100: the weighted mean of the components that are there; null unless scored';
comment on column public.wt_recovery_scores.stress_component is 'points, 0 to 100, higher is better, as the other three; null where the input is missing';
comment on column public.wt_recovery_scores.weights_used is 'share of each component, adding up to 1; renormalised where one is missing';
comment on column public.wt_recovery_scores.raw_data is 'the numbers that went in, as one row: minutes, beats per minute, training loads, days';
-- As with daily values, what the engine writes is spared the trigger.
call wt_private.protect('public.wt_recovery_scores', 'read_own', touched => false);
create trigger touch before insert or update on public.wt_recovery_scores
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

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
comment on column public.wt_forecasts.current_value is 'the latest daily value that it looked at, in canonical units of the metric, as target_value';
comment on column public.wt_forecasts.slope_per_day is 'canonical units of the metric a day';
comment on column public.wt_forecasts.intercept is 'of the line at 1970-01-01, in canonical units: value = intercept + slope_per_day x days since then';
comment on column public.wt_forecasts.projected_low is 'first day on which the 95% prediction band touches the target; null where it never does within ten years';
comment on column public.wt_forecasts.projected_high is 'day from which the whole 95% prediction band is past the target; null where that is beyond ten years';
comment on column public.wt_forecasts.confidence is '0 to 1, from R2: how much of the up and down the line explains';
create index wt_forecasts_profile_idx on public.wt_forecasts (profile_id, user_id);
call wt_private.protect('public.wt_forecasts', 'read_own', touched => false);
create trigger touch before insert or update on public.wt_forecasts
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();
