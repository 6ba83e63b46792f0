-- Workouts, the exercises they are made of, and the training load that follows from them.

create type public.wt_exercise_kind as enum ('strength', 'cardio', 'mobility', 'balance', 'sport');
create type public.wt_workout_source as enum ('manual', 'plan', 'garmin', 'strava', 'healthkit', 'health_connect');
create type public.wt_load_type as enum ('workout', 'activity', 'active_minutes');

create table public.wt_exercises (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  kind public.wt_exercise_kind not null,
  muscle_groups text[] not null default '{}',
  equipment text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
call wt_private.protect('public.wt_exercises', 'reference');
insert into public.wt_exercises (name, kind, muscle_groups, equipment) values
  ('Back squat', 'strength', '{quadriceps,glutes,core}', '{barbell,rack}'),
  ('Goblet squat', 'strength', '{quadriceps,glutes,core}', '{dumbbell}'),
  ('Lunge', 'strength', '{quadriceps,glutes}', '{}'),
  ('Deadlift', 'strength', '{hamstrings,glutes,back}', '{barbell}'),
  ('Hip thrust', 'strength', '{glutes,hamstrings}', '{barbell,bench}'),
  ('Bench press', 'strength', '{chest,triceps,shoulders}', '{barbell,bench}'),
  ('Push-up', 'strength', '{chest,triceps,core}', '{}'),
  ('Overhead press', 'strength', '{shoulders,triceps}', '{barbell}'),
  ('Pull-up', 'strength', '{back,biceps}', '{bar}'),
  ('Bent-over row', 'strength', '{back,biceps}', '{barbell}'),
  ('Plank', 'strength', '{core}', '{}'),
  ('Running', 'cardio', '{legs}', '{}'),
  ('Walking', 'cardio', '{legs}', '{}'),
  ('Cycling', 'cardio', '{legs}', '{bicycle}'),
  ('Rowing', 'cardio', '{back,legs}', '{rower}'),
  ('Swimming', 'cardio', '{full body}', '{pool}'),
  ('Jump rope', 'cardio', '{calves,shoulders}', '{rope}'),
  ('Yoga flow', 'mobility', '{full body}', '{mat}'),
  ('Hip opener', 'mobility', '{hips}', '{mat}'),
  ('Single-leg stand', 'balance', '{ankles,core}', '{}');

create table public.wt_workouts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  source public.wt_workout_source not null default 'manual',
  source_record_id text check (char_length(source_record_id) between 1 and 255),
  workout_type text not null check (char_length(workout_type) between 1 and 80),
  name text check (char_length(name) <= 200),
  start_time timestamptz not null check (start_time between '1970-01-01 UTC' and '2101-01-01 UTC'),
  duration_minutes double precision not null check (duration_minutes between 0 and 2880),
  distance_m double precision check (distance_m between 0 and 2000000),
  elevation_gain_m double precision check (elevation_gain_m between 0 and 30000),
  calories_kcal double precision check (calories_kcal between 0 and 30000),
  average_hr_bpm double precision check (average_hr_bpm between 20 and 250),
  max_hr_bpm double precision check (max_hr_bpm between 20 and 250),
  perceived_exertion integer check (perceived_exertion between 1 and 10),
  is_private boolean not null default false,
  notes text check (char_length(notes) <= 4000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  reported_at timestamptz check (reported_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_workouts.reported_at is 'when the provider was asked for it; null where a person entered it';
create unique index wt_workouts_record on public.wt_workouts (user_id, source, source_record_id)
  where source_record_id is not null;
create index wt_workouts_profile_idx on public.wt_workouts (profile_id, user_id, start_time);
call wt_private.protect('public.wt_workouts', 'owned', audited => true);

create table public.wt_workout_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  workout_id uuid not null,
  exercise_id uuid references public.wt_exercises (id) on delete set null,
  exercise_name text not null check (char_length(exercise_name) between 1 and 120),
  set_index integer not null default 0 check (set_index between 0 and 1000),
  reps integer check (reps between 0 and 10000),
  weight_kg double precision check (weight_kg between 0 and 1000),
  duration_seconds double precision check (duration_seconds between 0 and 172800),
  distance_m double precision check (distance_m between 0 and 2000000),
  notes text check (char_length(notes) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workout_id, exercise_name, set_index),
  foreign key (workout_id, user_id) references public.wt_workouts (id, user_id) on delete cascade
);
create index wt_workout_logs_workout_idx on public.wt_workout_logs (workout_id, user_id);
create index wt_workout_logs_exercise_idx on public.wt_workout_logs (exercise_id);
call wt_private.protect('public.wt_workout_logs', 'owned');

create table public.wt_training_loads (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  workout_id uuid unique,
  metric_source public.wt_metric_source,
  load_date date not null,
  load_type public.wt_load_type not null,
  duration_minutes double precision not null check (duration_minutes between 0 and 2880),
  intensity_factor double precision not null check (intensity_factor between 0 and 10),
  training_load double precision not null generated always as (duration_minutes * intensity_factor) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((workout_id is null) = (load_type = 'active_minutes')),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (workout_id, user_id) references public.wt_workouts (id, user_id) on delete cascade
);
comment on table public.wt_training_loads is
  'One row a workout, and one a day for active minutes that no workout accounts for: minutes x intensity factor (CR-10)';
comment on column public.wt_training_loads.duration_minutes is
  'the minutes that count here: not those that a better source''s workout, or any workout of the day, has counted already';
comment on column public.wt_training_loads.load_date is 'the person''s local day on which the workout began when it came in';
create unique index wt_training_loads_active_day on public.wt_training_loads (profile_id, load_date)
  where load_type = 'active_minutes';
create index wt_training_loads_profile_idx on public.wt_training_loads (profile_id, user_id, load_date);
create index wt_training_loads_workout_idx on public.wt_training_loads (workout_id, user_id);
call wt_private.protect('public.wt_training_loads', 'read_own');

-- A period whose workouts have to be looked at.
create type wt_private.profile_period as (profile_id uuid, starts timestamptz, ends timestamptz);
