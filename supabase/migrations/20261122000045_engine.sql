-- What the performance engine writes (recovery scores, forecasts) and the goals it works towards.

create type public.wt_goal_direction as enum ('increase', 'decrease');

create table public.wt_recovery_scores (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  score_date date not null,
  stress_component double precision check (stress_component between 0 and 100),
  sleep_component double precision check (sleep_component between 0 and 100),
  hr_component double precision check (hr_component between 0 and 100),
  load_component double precision check (load_component between 0 and 100),
  recovery_score double precision check (recovery_score between 0 and 100),
  weights_used jsonb not null default '{}',
  missing_inputs text[] not null default '{}',
  formula_version text not null,
  raw_data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, score_date),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_recovery_scores_profile_idx on public.wt_recovery_scores (profile_id, user_id);
call wt_private.protect('public.wt_recovery_scores', 'read_own');

create table public.wt_goals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  metric_type public.wt_metric_type not null,
  target_value double precision not null check (target_value > '-Infinity' and target_value < 'Infinity'),
  current_value double precision check (current_value > '-Infinity' and current_value < 'Infinity'),
  unit text not null check (char_length(unit) between 1 and 32),
  direction public.wt_goal_direction not null,
  deadline date,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_goals_profile_idx on public.wt_goals (profile_id, user_id);
call wt_private.protect('public.wt_goals', 'owned');

create table public.wt_forecasts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  goal_id uuid not null unique,
  metric_type public.wt_metric_type not null,
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
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (goal_id, user_id) references public.wt_goals (id, user_id) on delete cascade
);
create index wt_forecasts_profile_idx on public.wt_forecasts (profile_id, user_id);
create index wt_forecasts_goal_idx on public.wt_forecasts (goal_id, user_id);
call wt_private.protect('public.wt_forecasts', 'read_own');
