-- The whole schema. `cargo xtask schema --write` makes this file from sql/: change it there, never here.

-- sql/00_base/00_extensions.sql

-- What the schema stands on: the WellTrack extension (functions only) and two schemas that the API never serves.

create extension if not exists pg_welltrack;

-- The functions run inside column defaults, generated columns and triggers of the calling role.
grant usage on schema welltrack to authenticated, service_role, supabase_auth_admin;

-- Trigger functions, jobs and the few SECURITY DEFINER functions live here: `wt_private` is not among the API's
-- schemas, so nothing in it can be reached by REST, whatever is granted.
create schema if not exists wt_private;
revoke all on schema wt_private from public;
-- Triggers run with the caller's rights and look helpers up by name; each helper is granted on its own.
grant usage on schema wt_private to authenticated, service_role;

-- Postgres lets everyone execute a new function. Here a function is granted by name or not at all; the second
-- statement takes back what Supabase's own defaults for `public` would hand to the API roles.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke execute on functions from anon, authenticated;

-- sql/00_base/05_classes.sql

-- Table classes: rights are decided once per class, never per table. Each `create table` is followed by one call of `protect`.
--
--   account    a person reads and edits their own row; only the database creates and deletes it
--   owned      a person reads and writes their own rows
--   read_own   a person reads their own rows; only the service and the database's own functions write them
--   append     like read_own, and nobody changes or removes what was written
--   reference  every signed-in person reads; only migrations write
--   service    no client at all
--
-- `anon` gets nothing anywhere. Each policy is the same one-column test on `user_id`, with auth.uid() in a sub-select
-- so that it is evaluated once for a statement and not once for a row.

-- Trigger: the server's clock decides created_at and updated_at, and a row keeps its id.
create or replace function wt_private.touch() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- Last-write-wins is by the server's clock, so a client's updated_at does not count. An offline client may set created_at, but
  -- not to a time in the future or before 1970.
  new.updated_at := now();
  if tg_op = 'UPDATE' then
    -- The audit trail and offline clients know a row by its id alone.
    new.id := old.id;
    new.created_at := old.created_at;
  else
    new.created_at := greatest(least(coalesce(new.created_at, now()), now()), '1970-01-01 UTC');
  end if;
  return new;
end $$;

-- Makes `target` a table of `class`: RLS, policy, grants, `updated_at`, and the audit trail where `audited`.
-- `client_columns` narrows what clients may write to these columns (null: all of them).
-- May run again, which is how a later migration changes a table's class. Errors: an unknown class.
create or replace procedure wt_private.protect(
  target regclass, class text, audited boolean default false, client_columns text[] default null,
  touched boolean default true
) language plpgsql set search_path = '' set client_min_messages = warning as $$
declare
  own constant text := 'user_id = (select auth.uid())';
  cols text := '';
  op text;
begin
  if class not in ('account', 'owned', 'read_own', 'append', 'reference', 'service') then
    raise exception 'unknown table class "%" for %', class, target
      using hint = 'classes: account, owned, read_own, append, reference, service';
  end if;
  if client_columns is not null then
    select ' (' || string_agg(quote_ident(c), ', ') || ')' into cols from unnest(client_columns) c;
  end if;

  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on %s from public, anon, authenticated, service_role', target);
  execute format('grant select, insert, update, delete on %s to service_role', target);
  execute format('drop policy if exists own_rows on %s', target);
  execute format('drop policy if exists signed_in_reads on %s', target);

  case class
    when 'account' then
      execute format('create policy own_rows on %s to authenticated using (%s) with check (%s)', target, own, own);
      execute format('grant select, update%s on %s to authenticated', cols, target);
    when 'owned' then
      execute format('create policy own_rows on %s to authenticated using (%s) with check (%s)', target, own, own);
      execute format('grant select, insert%s, update%s, delete on %s to authenticated', cols, cols, target);
    when 'read_own' then
      execute format('create policy own_rows on %s for select to authenticated using (%s)', target, own);
      execute format('grant select on %s to authenticated', target);
    when 'append' then
      execute format('create policy own_rows on %s for select to authenticated using (%s)', target, own);
      execute format('grant select on %s to authenticated', target);
      execute format('revoke update, delete on %s from service_role', target);
    when 'reference' then
      execute format('create policy signed_in_reads on %s for select to authenticated using (true)', target);
      execute format('grant select on %s to authenticated', target);
    when 'service' then
      -- RLS without a policy is the refusal; the missing grant refuses a second time.
      null;
  end case;

  if touched then
    execute format('create or replace trigger touch before insert or update on %s
                    for each row execute function wt_private.touch()', target);
  end if;

  if audited then
    foreach op in array array['insert', 'update', 'delete'] loop
      execute format(
        'create or replace trigger audit_%1$s after %1$s on %2$s referencing %3$s
         for each statement execute function wt_private.audit(%4$L)',
        op, target,
        case op when 'insert' then 'new table as new_rows' when 'delete' then 'old table as old_rows'
                else 'old table as old_rows new table as new_rows' end,
        class);
    end loop;
  end if;
end $$;

-- sql/00_base/06_audit.sql

-- The function that writes the audit trail. `wt_private.protect` makes its triggers on audited tables, so it comes before them.
--
-- Input: the transition tables of a statement. Output: rows of wt_audit_log. Locks: none.

-- Trigger, called once for a statement: a bulk insert of a thousand readings is one audit row. Its argument is the table's class.
-- SECURITY DEFINER because no role may write the log directly.
create or replace function wt_private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  -- What the database keeps for itself is bookkeeping, not a change of somebody's data.
  bookkeeping constant text[] := array[
    'created_at', 'updated_at', 'is_primary', 'processing_status', 'last_sync_at', 'reported_at', 'finality'];
  actor constant uuid := auth.uid();
  actor_role constant text := coalesce(auth.role(), session_user);
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  if tg_op = 'DELETE' then
    perform from old_rows limit 1;
  else
    perform from new_rows limit 1;
  end if;
  if not found then
    return null;
  end if;

  if tg_argv[0] = 'reference' then
    if tg_op = 'UPDATE' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids, changed_columns)
      select actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
      from (select n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
            from old_rows o join new_rows n using (id)) c
      where c.changed <> '{}'
      group by c.changed;
    elsif tg_op = 'INSERT' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(n.id) from new_rows n;
    else
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(o.id) from old_rows o;
    end if;
    return null;
  end if;

  -- Deleting a person cascades here after their auth.users row is gone: their trail goes with them.
  if tg_op = 'UPDATE' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids, changed_columns)
    select c.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
    from (select n.user_id, n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
          from old_rows o join new_rows n using (id)) c
    where c.changed <> '{}'
    group by c.user_id, c.changed
    -- A scalar, for EXISTS may become a join that reads everybody.
    having (select true from auth.users u where u.id = c.user_id);
  elsif tg_op = 'INSERT' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select n.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(n.id)
    from new_rows n group by n.user_id;
  else
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select o.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(o.id)
    from old_rows o
    group by o.user_id
    having (select true from auth.users u where u.id = o.user_id);
  end if;
  return null;
end $$;

-- sql/00_base/10_tables.sql

-- The audit trail (who changed which columns of which rows, and when) and the error log.

create table public.wt_audit_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  actor_id uuid,
  actor_role text not null,
  table_name text not null,
  operation text not null check (operation in ('INSERT', 'UPDATE', 'DELETE')),
  row_ids uuid[] not null,
  changed_columns text[],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_audit_log is
  'Data changes: one row for each statement, person and set of changed columns; append-only, readable by its person alone';
comment on column public.wt_audit_log.user_id is 'whose data changed; null for tables that belong to nobody';
comment on column public.wt_audit_log.actor_id is 'the signed-in person who did it; null for the service and for jobs';
comment on column public.wt_audit_log.row_ids is 'ids of the rows that the statement touched';
comment on column public.wt_audit_log.changed_columns is 'names of the changed columns; null for INSERT and DELETE';
create index wt_audit_log_user_idx on public.wt_audit_log (user_id, created_at desc);
-- Pruning walks the log by age.
create index wt_audit_log_age_idx on public.wt_audit_log using brin (created_at);

call wt_private.protect('public.wt_audit_log', 'append', touched => false);

create table public.wt_error_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  flow text not null check (flow ~ '^[a-z][a-z0-9_-]{0,62}$'),
  error_code text not null check (error_code ~ '^[A-Za-z0-9_.-]{1,64}$'),
  message text not null check (char_length(message) <= 2000),
  context jsonb not null default '{}' check (jsonb_typeof(context) = 'object' and pg_column_size(context) <= 8192),
  retriable boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_error_log is 'Permanent errors of all flows; never a secret, never a health value';
create index wt_error_log_user_idx on public.wt_error_log (user_id);
create index wt_error_log_age_idx on public.wt_error_log using brin (created_at);
-- Errors are for operators. The app tells people about errors in its own words.
call wt_private.protect('public.wt_error_log', 'service');

-- sql/10_people/10_tables.sql

-- Flow 1: people, their profiles, the modules they see, and the rights that signup needs.

create type public.wt_plan_tier as enum ('free', 'pro', 'enterprise');
create type public.wt_profile_type as enum ('parent', 'dependent');
create type public.wt_gender as enum ('female', 'male', 'other', 'undisclosed');
create type public.wt_activity_level as enum ('sedentary', 'light', 'moderate', 'active', 'very_active');
create type public.wt_module as enum (
  'meals', 'nutrients', 'supplements', 'workouts', 'health', 'insights', 'reminders', 'plans', 'pantry', 'daily');

create table public.wt_users (
  id uuid primary key references auth.users (id) on delete cascade,
  -- The tenant key has the same name in every table, so that every policy is the same test.
  user_id uuid not null generated always as (id) stored,
  display_name text not null check (char_length(display_name) between 1 and 80),
  avatar_url text check (avatar_url ~ '^https?://' and char_length(avatar_url) <= 2048),
  onboarding_completed boolean not null default false,
  plan_tier public.wt_plan_tier not null default 'free',
  timezone text not null default 'UTC' check (welltrack.is_timezone(timezone)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.wt_users.timezone is 'IANA name; the local day of every reading comes from it';
comment on column public.wt_users.plan_tier is 'set by billing through the service role, never by clients';
call wt_private.protect('public.wt_users', 'account', audited => true,
  client_columns => array['display_name', 'avatar_url', 'onboarding_completed', 'timezone']);

create table public.wt_profiles (
  -- Time-ordered ids keep the rows of adjacent profiles on the same pages, which batch jobs read in that order.
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null default auth.uid() references public.wt_users (id) on delete cascade,
  profile_type public.wt_profile_type not null default 'dependent',
  is_primary boolean not null default false,
  display_name text not null check (char_length(display_name) between 1 and 80),
  avatar_url text check (avatar_url ~ '^https?://' and char_length(avatar_url) <= 2048),
  date_of_birth date check (date_of_birth between '1900-01-01' and '2100-01-01'),
  gender public.wt_gender,
  height_cm double precision check (height_cm between 20 and 300),
  weight_kg double precision check (weight_kg between 0.2 and 700),
  activity_level public.wt_activity_level,
  fitness_goals text[] check (cardinality(fitness_goals) <= 50),
  dietary_restrictions text[] check (cardinality(dietary_restrictions) <= 50),
  allergies text[] check (cardinality(allergies) <= 100),
  preferences jsonb not null default '{}'
    check (jsonb_typeof(preferences) = 'object' and pg_column_size(preferences) <= 65536),
  sleep_target_hours double precision not null default 8 check (sleep_target_hours between 4 and 14),
  modules_provisioned_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- What every profile-scoped table refers to, so that no row can refer to another person's profile.
  unique (id, user_id),
  check (is_primary = (profile_type = 'parent'))
);
comment on column public.wt_profiles.fitness_goals is 'null until asked; an empty list is an answer';
comment on column public.wt_profiles.dietary_restrictions is 'null until asked; an empty list is an answer';
comment on column public.wt_profiles.modules_provisioned_at is 'when the default modules were laid out, once for each profile';
create unique index wt_profiles_one_primary on public.wt_profiles (user_id) where is_primary;
create index wt_profiles_user_idx on public.wt_profiles (user_id);
-- Clients make and edit profiles but never decide which one is primary.
call wt_private.protect('public.wt_profiles', 'owned', audited => true, client_columns => array[
  'id', 'user_id', 'display_name', 'avatar_url', 'date_of_birth', 'gender', 'height_cm', 'weight_kg', 'activity_level',
  'fitness_goals', 'dietary_restrictions', 'allergies', 'preferences', 'sleep_target_hours', 'created_at', 'updated_at']);

create table public.wt_profile_modules (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  module_name public.wt_module not null,
  enabled boolean not null default true,
  tile_order integer not null default 0 check (tile_order between 0 and 1000),
  tile_config jsonb not null default '{}'
    check (jsonb_typeof(tile_config) = 'object' and pg_column_size(tile_config) <= 16384),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, module_name),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_profile_modules_profile_idx on public.wt_profile_modules (profile_id, user_id);
call wt_private.protect('public.wt_profile_modules', 'owned');

-- Signup. GoTrue's role fires the trigger and the function runs with that role's rights. So the role may insert a free account that
-- has not been onboarded, and its primary profile; nothing else, and it may not select.
grant usage on schema public to supabase_auth_admin;
grant insert (id, display_name, avatar_url, timezone) on public.wt_users to supabase_auth_admin;
create policy signup on public.wt_users for insert to supabase_auth_admin
  with check (plan_tier = 'free' and not onboarding_completed);
grant insert (user_id, profile_type, display_name, is_primary) on public.wt_profiles to supabase_auth_admin;
create policy signup on public.wt_profiles for insert to supabase_auth_admin
  with check (is_primary and profile_type = 'parent');

-- sql/20_readings/10_tables.sql

-- Flow 2: readings of every source, and the baselines that follow from them. Triggers keep readings consistent, whichever interface
-- they arrive by (the batch function, an upsert through REST, COPY).

create type public.wt_metric_source as enum ('garmin', 'strava', 'healthkit', 'health_connect', 'manual');
create type public.wt_metric_type as enum (
  'sleep', 'stress', 'vo2max', 'steps', 'hr', 'hrv', 'calories', 'distance', 'active_minutes', 'weight', 'body_fat',
  'blood_pressure', 'spo2', 'respiratory_rate');
create type public.wt_validation_status as enum ('raw', 'validated', 'rejected');
create type public.wt_processing_status as enum ('pending', 'processed', 'error');

create table public.wt_health_metrics (
  -- Ordered by time, so that the index grows at its end: among millions of random ids each new row dirties another page.
  id uuid primary key default welltrack.uuid_v7(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  source public.wt_metric_source not null,
  metric_type public.wt_metric_type not null,
  value_num double precision check (value_num > '-Infinity' and value_num < 'Infinity'),
  value_text text check (char_length(value_text) <= 255),
  unit text not null,
  start_time timestamptz not null check (start_time between '1970-01-01 UTC' and '2101-01-01 UTC'),
  end_time timestamptz check (end_time between start_time and '2101-01-01 UTC'),
  local_date date not null,
  recorded_at timestamptz not null default now() check (recorded_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  -- A batch takes records of 512 kB of text; as jsonb the oddest of them are four times as large.
  raw_payload_json jsonb check (pg_column_size(raw_payload_json) <= 4194304),
  source_record_id text collate "C" check (char_length(source_record_id) between 1 and 255),
  dedupe_hash bytea not null generated always as (
    welltrack.dedupe_hash(user_id, profile_id, welltrack.enum_label(source), welltrack.enum_label(metric_type),
                          start_time, end_time)) stored,
  is_primary boolean not null default true,
  validation_status public.wt_validation_status not null default 'raw',
  rejection_reason text,
  ingestion_source_version text check (char_length(ingestion_source_version) <= 255),
  processing_status public.wt_processing_status not null default 'pending',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Providers send corrections, which may be processed in any order. From the report that it came from, a row keeps what decides
  -- whether another report counts more: finality, then time.
  reported_at timestamptz,
  finality smallint check (finality between 0 and 2),
  check (value_num is not null or value_text is not null),
  check ((validation_status = 'rejected') = (rejection_reason is not null)),
  constraint wt_health_metrics_identity unique (user_id, dedupe_hash),
  -- Deleting a person reaches this table through their profiles; a second key on user_id would cost every insert a
  -- second check and add nothing.
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_health_metrics.unit is 'the canonical unit of the metric; values are converted on the way in';
comment on column public.wt_health_metrics.local_date is
  'the person''s local day when the reading came in: of waking for sleep, of the start for everything else';
comment on column public.wt_health_metrics.dedupe_hash is
  'SHA-256 of user, profile, source, metric, start and end (the identity of the reading, not its value)';
comment on column public.wt_health_metrics.is_primary is
  'true where no better source has a reading of this metric on this local day; false for rejected readings';
comment on column public.wt_health_metrics.source_record_id is
  'the provider''s name for the record; the same name replaces, even when the period grew';
comment on column public.wt_health_metrics.reported_at is
  'when the provider said so; null where no provider''s push brought the reading';
comment on column public.wt_health_metrics.finality is
  'how sure the provider is: 0 announced to correct it still, 1 final, 2 corrected by the person''s own hand';

-- Under row-level security only leakproof operators may use an index, and comparing enums is not leakproof. So the
-- columns that find a row come first in each index, the enums last.
create unique index wt_health_metrics_record on public.wt_health_metrics (user_id, source_record_id, source, metric_type)
  where source_record_id is not null;
create index wt_health_metrics_day on public.wt_health_metrics (profile_id, local_date, metric_type);
create index wt_health_metrics_raw on public.wt_health_metrics (profile_id) where validation_status = 'raw';
-- Finds provider readings that begin at the same instant. Readings of phones aren't in it and cost nothing.
create index wt_health_metrics_reported on public.wt_health_metrics (user_id, start_time) where reported_at is not null;

call wt_private.protect('public.wt_health_metrics', 'owned', audited => true, touched => false, client_columns => array[
  'id', 'user_id', 'profile_id', 'source', 'metric_type', 'value_num', 'value_text', 'unit', 'start_time', 'end_time',
  'local_date', 'recorded_at', 'raw_payload_json', 'source_record_id', 'ingestion_source_version']);

create type public.wt_calibration_status as enum ('pending', 'in_progress', 'complete');

create table public.wt_baselines (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  metric_type public.wt_metric_type not null,
  baseline_value double precision,
  baseline_stddev double precision check (baseline_stddev >= 0),
  data_points_count integer not null default 0 check (data_points_count between 0 and 14),
  capture_start date,
  capture_end date check (capture_end >= capture_start),
  is_complete boolean not null generated always as (data_points_count = 14) stored,
  calibration_status public.wt_calibration_status not null generated always as (
    case data_points_count when 0 then 'pending'::public.wt_calibration_status
                           when 14 then 'complete'::public.wt_calibration_status
                           else 'in_progress'::public.wt_calibration_status end) stored,
  is_stale boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, metric_type),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on table public.wt_baselines is
  'Mean and sample standard deviation over the last 14 distinct local days with validated readings of the counting source';
comment on column public.wt_baselines.is_stale is 'readings changed since it was computed; the background job clears it';
create index wt_baselines_profile_idx on public.wt_baselines (profile_id, user_id);
create index wt_baselines_stale on public.wt_baselines (updated_at) where is_stale;
call wt_private.protect('public.wt_baselines', 'read_own');

-- A metric of a profile on a local day: what priority is settled for.
create type wt_private.day_ref as (profile_id uuid, metric_type public.wt_metric_type, local_date date);

-- sql/30_training/10_tables.sql

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

-- sql/40_providers/10_tables.sql

-- Flows 3 and 4: connections to providers, their tokens and consents, and the queue behind the webhooks.
--
-- Tokens are encrypted outside of the database, which never has the keys. Only the service reaches these tables; people read their
-- rows of wt_health_connections.

create type public.wt_provider as enum ('garmin', 'strava');

create table public.wt_health_connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  provider public.wt_provider not null,
  -- Accounts are compared between two tables, so they are of one collation.
  provider_user_id text collate "C" not null check (char_length(provider_user_id) between 1 and 255),
  scopes text[] not null default '{}',
  is_connected boolean not null default true,
  last_sync_at timestamptz,
  connection_metadata jsonb not null default '{}' check (jsonb_typeof(connection_metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  connected_at timestamptz not null default now(),
  unique (id, user_id),
  unique (profile_id, provider),
  unique (provider, provider_user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_health_connections.connected_at is
  'the last consent; what the provider said about the connection before that no longer counts';
create index wt_health_connections_profile_idx on public.wt_health_connections (profile_id, user_id);
call wt_private.protect('public.wt_health_connections', 'read_own', audited => true);

-- Tokens live apart from the connection that people read: a table without any client grant can't leak by `select *`.
create table public.wt_connection_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  connection_id uuid not null unique,
  access_token_encrypted bytea not null,
  refresh_token_encrypted bytea,
  key_id text not null,
  token_expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A provider may invalidate a refresh token when it issues the next one, so one worker at a time may refresh.
  refresh_leased_by text check (char_length(refresh_leased_by) <= 200),
  refresh_leased_until timestamptz,
  foreign key (connection_id, user_id) references public.wt_health_connections (id, user_id) on delete cascade
);
create index wt_connection_tokens_connection_idx on public.wt_connection_tokens (connection_id, user_id);
call wt_private.protect('public.wt_connection_tokens', 'service');

-- Consents under way: which provider was asked for which person. Keeps the hash of the OAuth state, not the state.
create table public.wt_oauth_states (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  provider public.wt_provider not null,
  state_hash bytea not null unique,
  verifier_encrypted bytea,
  key_id text not null check (char_length(key_id) between 1 and 64),
  redirect_to text check (char_length(redirect_to) <= 2048),
  expires_at timestamptz not null default now() + interval '10 minutes',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_oauth_states_profile_idx on public.wt_oauth_states (profile_id, user_id);
call wt_private.protect('public.wt_oauth_states', 'service');

create type public.wt_event_status as enum ('pending', 'processing', 'processed', 'dead_letter');

-- Domains instead of checks: Postgres reads a table's checks from the catalogue for every statement, a domain's once in a session.
-- As checks these took a fifth of the time of storing a push (docs/edge-costs.md).
create domain wt_private.event_type as text check (char_length(value) between 1 and 64);
create domain wt_private.provider_account as text collate "C" check (char_length(value) <= 255);
create domain wt_private.worker_name as text check (char_length(value) <= 200);
create domain wt_private.error_text as text check (char_length(value) <= 2000);
create domain wt_private.attempts as integer check (value >= 0);
create domain wt_private.attempts_limit as integer check (value between 1 and 100);

create table public.wt_webhook_events (
  id uuid primary key default welltrack.uuid_v7(),
  -- Null until the provider's id is matched to a person.
  user_id uuid references public.wt_users (id) on delete cascade,
  source public.wt_provider not null,
  event_type wt_private.event_type not null,
  payload jsonb not null,
  provider_user_id wt_private.provider_account,
  status public.wt_event_status not null default 'pending',
  attempts wt_private.attempts not null default 0,
  max_attempts wt_private.attempts_limit not null default welltrack.max_attempts(),
  next_retry_at timestamptz not null default now(),
  locked_at timestamptz,
  locked_until timestamptz,
  locked_by wt_private.worker_name,
  last_error wt_private.error_text,
  received_at timestamptz not null default clock_timestamp(),
  processed_at timestamptz,
  idempotency_key bytea not null unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((status = 'processing') = (locked_until is not null)),
  check ((status = 'processed') = (processed_at is not null))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table public.wt_webhook_events is
  'What providers pushed: kept until processed, and 30 days longer. An event of an account that nobody is connected with is '
  'parked (pending, next_retry_at infinity) until the connection appears';
comment on column public.wt_webhook_events.attempts is 'claims so far; a wait and a graceful stop give theirs back';
comment on column public.wt_webhook_events.locked_until is
  'end of the lease; whoever still holds the event then may settle it, unless somebody else has claimed it meanwhile';
-- An insert pays for every index, so each is as narrow as its question. (The one on user_id is what deleting a person needs.)
create index wt_webhook_events_user_idx on public.wt_webhook_events (user_id);
create index wt_webhook_events_due on public.wt_webhook_events (next_retry_at) where status = 'pending';
create index wt_webhook_events_open on public.wt_webhook_events (provider_user_id, received_at)
  where status in ('pending', 'processing');
create index wt_webhook_events_leased on public.wt_webhook_events (provider_user_id, locked_until)
  where status = 'processing';
create index wt_webhook_events_done on public.wt_webhook_events (processed_at) where status = 'processed';
create index wt_webhook_events_dead on public.wt_webhook_events (received_at) where status = 'dead_letter';
call wt_private.protect('public.wt_webhook_events', 'service');

create type wt_private.held_event as (
  id uuid, source public.wt_provider, user_id uuid, profile_id uuid, connection_id uuid, timezone text,
  received_at timestamptz, reported_at timestamptz
);

-- How many due events an account has; what a look at the queue found.
create type wt_private.account_share as (connection_id uuid, share bigint);
create type wt_private.due_work as (strangers uuid[], accounts wt_private.account_share[]);

-- How many results of a batch had which outcome; the names are those of public.settle_webhook_events.
create type wt_private.settled_counts as (processed bigint, retried bigint, waiting bigint, dead bigint, lost bigint);

-- sql/50_recovery/10_tables.sql

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

-- sql/60_ai/10_tables.sql

-- AI: what a plan allows, what was used, what was done, and what the assistant remembers.

create type public.wt_ai_memory_type as enum ('preference', 'embedding', 'pattern');
create type public.wt_ai_outcome as enum ('success', 'dry_run', 'rejected', 'unsafe', 'rate_limited', 'error');

create table public.wt_ai_plan_limits (
  id uuid primary key default gen_random_uuid(),
  plan_tier public.wt_plan_tier not null unique,
  daily_calls integer check (daily_calls >= 0),
  daily_tokens integer check (daily_tokens >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_ai_plan_limits is 'per UTC day; null means no limit';
call wt_private.protect('public.wt_ai_plan_limits', 'reference', audited => true);
insert into public.wt_ai_plan_limits (plan_tier, daily_calls, daily_tokens) values
  ('free', 50, 10000), ('pro', 500, 100000), ('enterprise', null, null);

create table public.wt_ai_usage (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  usage_date date not null default (now() at time zone 'UTC')::date,
  calls_used integer not null default 0 check (calls_used >= 0),
  tokens_used bigint not null default 0 check (tokens_used >= 0),
  calls_reserved integer not null default 0 check (calls_reserved >= 0),
  tokens_reserved bigint not null default 0 check (tokens_reserved >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, usage_date)
);
call wt_private.protect('public.wt_ai_usage', 'read_own');

create table public.wt_ai_audit_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  profile_id uuid,
  workflow_type text not null check (char_length(workflow_type) between 1 and 64),
  model text check (char_length(model) <= 128),
  prompt_tokens integer check (prompt_tokens >= 0),
  completion_tokens integer check (completion_tokens >= 0),
  duration_ms integer check (duration_ms >= 0),
  dry_run boolean not null default false,
  safety_flags jsonb not null default '[]',
  db_writes jsonb not null default '[]',
  request_summary text check (char_length(request_summary) <= 4000),
  response_summary text check (char_length(response_summary) <= 4000),
  outcome public.wt_ai_outcome not null,
  idempotency_key text check (char_length(idempotency_key) <= 128),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, idempotency_key),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete set null (profile_id)
);
create index wt_ai_audit_log_user_idx on public.wt_ai_audit_log (user_id, created_at desc);
create index wt_ai_audit_log_profile_idx on public.wt_ai_audit_log (profile_id, user_id);
call wt_private.protect('public.wt_ai_audit_log', 'append', touched => false);

create table public.wt_ai_memory (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  memory_type public.wt_ai_memory_type not null,
  memory_key text not null check (char_length(memory_key) between 1 and 128),
  memory_value jsonb not null check (pg_column_size(memory_value) <= 65536),
  source_tool text check (char_length(source_tool) <= 64),
  expires_at timestamptz check (expires_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, memory_type, memory_key),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_ai_memory_profile_idx on public.wt_ai_memory (profile_id, user_id);
call wt_private.protect('public.wt_ai_memory', 'owned');

-- Similarity search is an extra of servers that have pgvector.
do $$ begin
  if exists (select from pg_catalog.pg_extension where extname = 'vector') then
    execute format('alter table public.wt_ai_memory add column embedding %s(1536)',
                   (select t.oid::regtype from pg_catalog.pg_type t where t.typname = 'vector' limit 1));
  end if;
end $$;

-- sql/70_food/10_tables.sql

-- Food: what is in the kitchen, recipes, meals and the nutrients in them, leftovers.

create type public.wt_pantry_category as enum ('fridge', 'cupboard', 'freezer');
create type public.wt_recipe_source as enum ('url', 'ocr', 'ai', 'manual');
create type public.wt_difficulty as enum ('easy', 'medium', 'hard');
create type public.wt_nutrition_grade as enum ('A', 'B', 'C', 'D');
create type public.wt_meal_type as enum ('breakfast', 'lunch', 'dinner', 'snack');

create table public.wt_nutrients (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  unit text not null,
  is_macro boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
call wt_private.protect('public.wt_nutrients', 'reference');
insert into public.wt_nutrients (name, unit, is_macro) values
  ('energy', 'kcal', true), ('protein', 'g', true), ('carbohydrate', 'g', true), ('fat', 'g', true),
  ('fiber', 'g', true), ('sugar', 'g', true), ('saturated fat', 'g', true), ('sodium', 'mg', false),
  ('potassium', 'mg', false), ('calcium', 'mg', false), ('iron', 'mg', false), ('magnesium', 'mg', false),
  ('zinc', 'mg', false), ('vitamin A', 'ug', false), ('vitamin B12', 'ug', false), ('vitamin C', 'mg', false),
  ('vitamin D', 'ug', false), ('vitamin E', 'mg', false), ('vitamin K', 'ug', false), ('folate', 'ug', false),
  ('omega-3', 'g', false), ('cholesterol', 'mg', false);

create table public.wt_nutrient_targets (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  nutrient_id uuid not null references public.wt_nutrients (id),
  daily_amount double precision not null check (daily_amount between 0 and 1000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, nutrient_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_nutrient_targets_profile_idx on public.wt_nutrient_targets (profile_id, user_id);
create index wt_nutrient_targets_nutrient_idx on public.wt_nutrient_targets (nutrient_id);
call wt_private.protect('public.wt_nutrient_targets', 'owned');

create table public.wt_pantry_items (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  name text not null check (char_length(name) between 1 and 120),
  category public.wt_pantry_category not null default 'cupboard',
  quantity double precision not null default 1 check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  expiry_date date check (expiry_date between '1970-01-01' and '2100-12-31'),
  is_available boolean not null default true,
  barcode text check (barcode ~ '^[0-9A-Za-z-]{1,48}$'),
  cost numeric(10, 2) check (cost >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_pantry_items_profile_idx on public.wt_pantry_items (profile_id, user_id);
call wt_private.protect('public.wt_pantry_items', 'owned');

create table public.wt_recipes (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  title text not null check (char_length(title) between 1 and 200),
  description text check (char_length(description) <= 4000),
  servings double precision not null default 1 check (servings > 0 and servings <= 1000),
  prep_time_min integer check (prep_time_min between 0 and 10080),
  cook_time_min integer check (cook_time_min between 0 and 10080),
  difficulty public.wt_difficulty,
  source_type public.wt_recipe_source not null default 'manual',
  source_url text check (source_url ~ '^https?://' and char_length(source_url) <= 2048),
  nutrition_score public.wt_nutrition_grade,
  tags text[] not null default '{}' check (cardinality(tags) <= 50),
  image_url text check (image_url ~ '^https?://' and char_length(image_url) <= 2048),
  rating integer check (rating between 1 and 5),
  is_favorite boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_recipes_profile_idx on public.wt_recipes (profile_id, user_id);
call wt_private.protect('public.wt_recipes', 'owned');

create table public.wt_recipe_steps (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  recipe_id uuid not null,
  order_index integer not null check (order_index between 0 and 1000),
  instruction text not null check (char_length(instruction) between 1 and 4000),
  duration_minutes double precision check (duration_minutes between 0 and 10080),
  equipment text[] not null default '{}',
  ingredient_refs uuid[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (recipe_id, order_index),
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete cascade
);
create index wt_recipe_steps_recipe_idx on public.wt_recipe_steps (recipe_id, user_id);
call wt_private.protect('public.wt_recipe_steps', 'owned');

create table public.wt_recipe_ingredients (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  recipe_id uuid not null,
  ingredient_name text not null check (char_length(ingredient_name) between 1 and 120),
  quantity double precision check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  notes text check (char_length(notes) <= 1000),
  sort_order integer not null default 0 check (sort_order between 0 and 1000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete cascade
);
create index wt_recipe_ingredients_recipe_idx on public.wt_recipe_ingredients (recipe_id, user_id);
call wt_private.protect('public.wt_recipe_ingredients', 'owned');

create table public.wt_meals (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  recipe_id uuid,
  meal_date date not null default current_date check (meal_date between '1970-01-01' and '2100-12-31'),
  meal_type public.wt_meal_type not null,
  name text not null check (char_length(name) between 1 and 200),
  servings_consumed double precision not null default 1 check (servings_consumed between 0 and 100),
  nutrition_info jsonb not null default '{}'
    check (jsonb_typeof(nutrition_info) = 'object' and pg_column_size(nutrition_info) <= 65536),
  score public.wt_nutrition_grade,
  rating integer check (rating between 1 and 5),
  notes text check (char_length(notes) <= 4000),
  photo_url text check (photo_url ~ '^https?://' and char_length(photo_url) <= 2048),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (recipe_id, user_id) references public.wt_recipes (id, user_id) on delete set null (recipe_id)
);
create index wt_meals_profile_idx on public.wt_meals (profile_id, user_id, meal_date);
create index wt_meals_recipe_idx on public.wt_meals (recipe_id, user_id);
call wt_private.protect('public.wt_meals', 'owned');

create table public.wt_meal_nutrient_breakdown (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  meal_id uuid not null,
  nutrient_id uuid not null references public.wt_nutrients (id),
  amount double precision not null check (amount between 0 and 1000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (meal_id, nutrient_id),
  foreign key (meal_id, user_id) references public.wt_meals (id, user_id) on delete cascade
);
create index wt_meal_nutrient_breakdown_meal_idx on public.wt_meal_nutrient_breakdown (meal_id, user_id);
create index wt_meal_nutrient_breakdown_nutrient_idx on public.wt_meal_nutrient_breakdown (nutrient_id);
call wt_private.protect('public.wt_meal_nutrient_breakdown', 'owned');

create table public.wt_leftovers (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  source_recipe_id uuid,
  name text not null check (char_length(name) between 1 and 200),
  quantity double precision not null default 1 check (quantity between 0 and 1000000),
  unit text check (char_length(unit) <= 32),
  stored_date date not null default current_date check (stored_date between '1970-01-01' and '2100-12-31'),
  expiry_date date check (expiry_date between stored_date and '2100-12-31'),
  is_consumed boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade,
  foreign key (source_recipe_id, user_id) references public.wt_recipes (id, user_id)
    on delete set null (source_recipe_id)
);
create index wt_leftovers_profile_idx on public.wt_leftovers (profile_id, user_id);
create index wt_leftovers_recipe_idx on public.wt_leftovers (source_recipe_id, user_id);
call wt_private.protect('public.wt_leftovers', 'owned');

-- Supplements: what a person has, the protocol they follow, and what they took.

create table public.wt_supplements (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  name text not null check (char_length(name) between 1 and 120),
  brand text check (char_length(brand) <= 120),
  form text check (char_length(form) <= 40),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  dose_unit text check (char_length(dose_unit) <= 32),
  notes text check (char_length(notes) <= 2000),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_supplements_profile_idx on public.wt_supplements (profile_id, user_id);
call wt_private.protect('public.wt_supplements', 'owned');

create table public.wt_supplement_protocols (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  times_of_day time[] not null default '{}' check (cardinality(times_of_day) <= 24),
  days_of_week integer[] not null default '{1,2,3,4,5,6,7}' check (days_of_week <@ '{1,2,3,4,5,6,7}'),
  start_date date not null default current_date check (start_date between '1970-01-01' and '2100-12-31'),
  end_date date check (end_date between start_date and '2100-12-31'),
  instructions text check (char_length(instructions) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
comment on column public.wt_supplement_protocols.days_of_week is 'ISO: 1 is Monday, 7 is Sunday';
create index wt_supplement_protocols_supplement_idx on public.wt_supplement_protocols (supplement_id, user_id);
call wt_private.protect('public.wt_supplement_protocols', 'owned');

create table public.wt_supplement_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  taken_at timestamptz not null default now() check (taken_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  notes text check (char_length(notes) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
create index wt_supplement_logs_supplement_idx on public.wt_supplement_logs (supplement_id, user_id, taken_at);
call wt_private.protect('public.wt_supplement_logs', 'owned');

-- sql/80_plans/10_tables.sql

-- Plans and their items, the day's log, insights, reminders.

create type public.wt_plan_status as enum ('draft', 'active', 'completed', 'archived');
create type public.wt_period as enum ('day', 'week', 'month');

create table public.wt_plans (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  plan_type text not null check (char_length(plan_type) between 1 and 64),
  title text not null check (char_length(title) between 1 and 200),
  start_date date not null check (start_date between '1970-01-01' and '2100-12-31'),
  end_date date not null,
  status public.wt_plan_status not null default 'draft',
  ai_generated boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  check (end_date between start_date and start_date + 366),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_plans_profile_idx on public.wt_plans (profile_id, user_id);
call wt_private.protect('public.wt_plans', 'owned', audited => true);

create table public.wt_plan_items (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  plan_id uuid not null,
  module public.wt_module not null,
  item_type text not null check (char_length(item_type) between 1 and 64),
  item_data jsonb not null default '{}'
    check (jsonb_typeof(item_data) = 'object' and pg_column_size(item_data) <= 65536),
  scheduled_date date not null check (scheduled_date between '1970-01-01' and '2100-12-31'),
  scheduled_time time,
  completed boolean not null default false,
  completed_at timestamptz check (completed_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  user_override boolean not null default false,
  sort_order integer not null default 0 check (sort_order between 0 and 10000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (completed or completed_at is null),
  foreign key (plan_id, user_id) references public.wt_plans (id, user_id) on delete cascade
);
create index wt_plan_items_plan_idx on public.wt_plan_items (plan_id, user_id, scheduled_date);
create index wt_plan_items_day_idx on public.wt_plan_items (user_id, scheduled_date);
call wt_private.protect('public.wt_plan_items', 'owned', audited => true);

create table public.wt_daily_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  log_date date not null check (log_date between '1970-01-01' and '2100-12-31'),
  mood integer check (mood between 1 and 10),
  energy integer check (energy between 1 and 10),
  water_ml integer check (water_ml between 0 and 30000),
  notes text check (char_length(notes) <= 8000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, log_date),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_daily_logs_profile_idx on public.wt_daily_logs (profile_id, user_id);
call wt_private.protect('public.wt_daily_logs', 'owned', audited => true);

create table public.wt_insights (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  period_type public.wt_period not null,
  period_start date not null,
  title text not null check (char_length(title) between 1 and 200),
  body text not null check (char_length(body) <= 8000),
  data jsonb not null default '{}' check (jsonb_typeof(data) = 'object' and pg_column_size(data) <= 65536),
  ai_generated boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, period_type, period_start),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_insights_profile_idx on public.wt_insights (profile_id, user_id);
call wt_private.protect('public.wt_insights', 'read_own');

create table public.wt_reminders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  module public.wt_module not null,
  title text not null check (char_length(title) between 1 and 200),
  remind_at time not null,
  days_of_week integer[] not null default '{1,2,3,4,5,6,7}' check (days_of_week <@ '{1,2,3,4,5,6,7}'),
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_reminders.remind_at is 'in the person''s time zone';
create index wt_reminders_profile_idx on public.wt_reminders (profile_id, user_id);
call wt_private.protect('public.wt_reminders', 'owned');

-- sql/85_sync/10_tables.sql

-- Offline sync: what each offline write came to, so that a replayed one is answered with its first outcome.

create type public.wt_sync_operation as enum ('insert', 'update', 'upsert', 'delete');

create table public.wt_sync_mutations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  client_id uuid not null,
  mutation_id uuid not null,
  table_name text not null check (table_name ~ '^wt_[a-z_]{1,60}$'),
  operation public.wt_sync_operation not null,
  outcome jsonb not null check (pg_column_size(outcome) <= 65536),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, client_id, mutation_id)
);
call wt_private.protect('public.wt_sync_mutations', 'read_own');

-- sql/50_recovery/11_daily_values_key.sql

-- Generated by `cargo xtask schema --write` from sql/50_recovery/11_daily_values_key.sql.template
-- and core/src/metric/table.rs: change those, never this file.
-- Flow 8: the key of wt_daily_values, which holds every value: a month of days is read from this index alone.

alter table public.wt_daily_values add unique (profile_id, local_date) include (
  sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight, body_fat, blood_pressure, spo2,
  respiratory_rate,
  training_load);

-- sql/10_people/20_profiles.sql

-- An account keeps its primary profile.

-- Trigger: refuses to delete a primary profile unless its account goes too. Errors: 23001.
create or replace function wt_private.keep_primary_profile() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- A cascade from the account deletes the account first; anything else would leave an account without a profile.
  if exists (select from public.wt_users u where u.id = old.user_id) then
    raise exception 'the primary profile can only be deleted together with its account'
      using errcode = '23001', hint = 'delete the auth user instead';
  end if;
  return old;
end $$;

-- sql/20_readings/20_admission.sql

-- What triggers do to a single reading that arrives or changes, outside of a batch function.
--
-- Input and output: the row. Locks: its person. Errors: 23502 a sum without an end_time.
-- The session variables wt.batch and wt.moving: docs/reference/sql.md.

-- The local day of a reading of `user_id`.
create or replace function wt_private.local_date(
  user_id uuid, metric_type public.wt_metric_type, start_time timestamptz, end_time timestamptz
) returns date language sql stable set search_path = '' as $$
  select (welltrack.day_anchor(welltrack.enum_label($2), $3, $4) at time zone u.timezone)::date
  from public.wt_users u where u.id = $1
$$;
grant execute on function wt_private.local_date to authenticated, service_role;

-- When a reading ended: a sample has one instant, a sum over a period needs its end. Without it, a correction could not be matched
-- to its reading on every interface.
create or replace function wt_private.reading_end(
  metric_type public.wt_metric_type, start_time timestamptz, end_time timestamptz
) returns timestamptz language plpgsql immutable set search_path = '' as $$
begin
  if end_time is null and welltrack.daily_aggregate(welltrack.enum_label(metric_type)) = 'sum' then
    raise exception '% needs an end_time', metric_type
      using errcode = '23502', hint = 'the end of the period over which it was measured';
  end if;
  return coalesce(end_time, start_time);
end $$;
grant execute on function wt_private.reading_end to authenticated, service_role;

-- Trigger: makes of a single row (REST upsert, COPY) what the batch function would have made of it.
create or replace function wt_private.admit_metric() returns trigger
language plpgsql set search_path = '' as $$
declare
  moved boolean := false;
begin
  if new.user_id is null then
    select p.user_id into new.user_id from public.wt_profiles p where p.id = new.profile_id;
  end if;
  if auth.uid() is null then
    perform from public.wt_users u where u.id = new.user_id for no key update;
  end if;
  new.end_time := wt_private.reading_end(new.metric_type, new.start_time, new.end_time);
  new.value_num := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.value_num, new.unit,
                                          welltrack.enum_label(new.source));
  new.unit := welltrack.canonical_unit(welltrack.enum_label(new.metric_type));
  new.local_date := coalesce(
    wt_private.local_date(new.user_id, new.metric_type, new.start_time, new.end_time), new.start_time::date);
  new.validation_status := 'raw';
  new.rejection_reason := null;
  new.processing_status := 'pending';
  new.is_primary := true;
  new.created_at := now();
  new.updated_at := now();

  if new.source_record_id is not null then
    -- The provider names its records: the name finds the row, even when the period grew. What else had the new
    -- period is the same reading and gives way. The statement that brought this row may still come to others of the
    -- same days, so these days are settled at its end.
    perform set_config('wt.moving', 'on', true);
    delete from public.wt_health_metrics m
    where m.user_id = new.user_id
      and m.dedupe_hash = welltrack.dedupe_hash(new.user_id, new.profile_id, welltrack.enum_label(new.source),
                                                welltrack.enum_label(new.metric_type), new.start_time, new.end_time)
      and m.source_record_id is distinct from new.source_record_id
      and exists (select from public.wt_health_metrics n
                  where n.user_id = new.user_id and n.source = new.source and n.metric_type = new.metric_type
                    and n.source_record_id = new.source_record_id);
    update public.wt_health_metrics m
    set profile_id = new.profile_id, value_num = new.value_num, value_text = new.value_text,
        start_time = new.start_time, end_time = new.end_time, recorded_at = new.recorded_at,
        raw_payload_json = new.raw_payload_json, ingestion_source_version = new.ingestion_source_version
    where m.user_id = new.user_id and m.source = new.source and m.metric_type = new.metric_type
      and m.source_record_id = new.source_record_id
      and (m.start_time, m.end_time, m.profile_id) is distinct from (new.start_time, new.end_time, new.profile_id);
    moved := found;
    perform set_config('wt.moving', 'off', true);
  end if;
  return case when not moved then new end;
end $$;

-- Trigger: a change of what was measured makes the reading raw again; an update that changes nothing writes nothing. A record name
-- stays once given: an upsert that mixes named and unnamed readings sends null for the latter and means nothing by it.
create or replace function wt_private.revise_metric() returns trigger
language plpgsql set search_path = '' as $$
declare
  changed text[];
begin
  new.source_record_id := coalesce(new.source_record_id, old.source_record_id);
  if new.end_time is null and old.end_time is not null and current_setting('wt.batch', true) is distinct from 'on' then
    new.end_time := wt_private.reading_end(new.metric_type, new.start_time, null);
  end if;
  changed := welltrack.changed_columns(
    old, new, array['id', 'created_at', 'updated_at', 'dedupe_hash', 'local_date', 'recorded_at',
                    'ingestion_source_version']);
  if changed = '{}' then
    return null;
  end if;
  new.id := old.id;
  new.local_date := old.local_date;
  new.created_at := old.created_at;
  new.updated_at := now();
  if changed && array['profile_id', 'source', 'metric_type', 'value_num', 'value_text', 'unit', 'start_time', 'end_time',
                      'raw_payload_json'] then
    if new.unit is distinct from old.unit or new.metric_type <> old.metric_type then
      new.value_num := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.value_num, new.unit,
                                              welltrack.enum_label(new.source));
      new.unit := welltrack.canonical_unit(welltrack.enum_label(new.metric_type));
    end if;
    -- The day stays as it was when the reading came in, unless the reading itself moved.
    if changed && array['metric_type', 'start_time', 'end_time'] then
      new.local_date := wt_private.local_date(new.user_id, new.metric_type, new.start_time, new.end_time);
    end if;
    new.validation_status := 'raw';
    new.rejection_reason := null;
    new.processing_status := 'pending';
    if old.validation_status = 'rejected' then
      new.is_primary := true;
    end if;
  end if;
  return new;
end $$;

-- sql/30_training/20_loads.sql

-- Flow 8, training load of workouts: minutes x intensity factor, and no effort twice.
--
-- Input: workouts, the birthday of their profile. Output: wt_training_loads of workouts, and the marks of the days they count on.
-- Locks: the people (wt_users) in the order of their ids, then their loads, then marks in the order of profiles.
--
-- A watch, Strava and a typed entry may all report the same run. Of workouts that overlap, the one of the best source (then the
-- longest, the earliest, the hardest) counts in full; the others count only for the minutes that no better one covers. The result
-- does not depend on the order in which workouts arrive. Planner settings: docs/reference/sql.md.

-- How hard a workout was, for a person born on that day (null: not known).
create or replace function wt_private.intensity(workout public.wt_workouts, date_of_birth date) returns double precision
language sql immutable security invoker set search_path = '' as $$
  select welltrack.intensity_factor(
    $1.perceived_exertion, $1.average_hr_bpm,
    (($1.start_time at time zone 'UTC')::date - $2) / 365.25::double precision, $1.workout_type)
$$;

-- Recomputes the loads of the workouts that touch the given periods. A load stays on the day on which it first was, unless its row
-- was removed because the workout itself moved.
create or replace function wt_private.settle_loads(periods wt_private.profile_period[]) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with touched as materialized (
    select distinct w.id
    from unnest($1) g
    join public.wt_profiles p on p.id = g.profile_id
    -- No workout is longer than two days.
    join public.wt_workouts w on w.profile_id = p.id and w.user_id = p.user_id
      and w.start_time between g.starts - interval '2 days' and g.ends
      and w.start_time + make_interval(secs => w.duration_minutes * 60) >= g.starts
  ), workout as materialized (
    select w.*, p.date_of_birth, u.timezone,
           tstzrange(w.start_time, w.start_time + make_interval(secs => w.duration_minutes * 60)) as period,
           welltrack.source_priority(case w.source when 'plan' then 'manual' else w.source::text end) as rank,
           wt_private.intensity(w, p.date_of_birth) as factor
    from touched t
    join public.wt_workouts w using (id)
    join public.wt_profiles p on p.id = w.profile_id
    join public.wt_users u on u.id = w.user_id
  ), counted as (
    select w.*, case when c.seconds > 0 then greatest(0, w.duration_minutes - c.seconds / 60)
                     else w.duration_minutes end as minutes
    from workout w
    cross join lateral (
      select coalesce(sum(extract(epoch from upper(r.part) - lower(r.part))), 0)::double precision as seconds
      from unnest((
        select range_agg(b.period * w.period)
        from (select o.id, o.duration_minutes, o.start_time, wt_private.intensity(o, w.date_of_birth) as factor,
                     tstzrange(o.start_time, o.start_time + make_interval(secs => o.duration_minutes * 60)) as period,
                     welltrack.source_priority(case o.source when 'plan' then 'manual' else o.source::text end) as rank
              from public.wt_workouts o
              where o.profile_id = w.profile_id and o.user_id = w.user_id
                and o.start_time between w.start_time - interval '2 days' and upper(w.period)) b
        where b.period && w.period and (b.rank, -b.duration_minutes, b.start_time, -b.factor, b.id)
                                       < (w.rank, -w.duration_minutes, w.start_time, -w.factor, w.id)
      )) r (part)) c
  )
  insert into public.wt_training_loads as l
    (user_id, profile_id, workout_id, load_date, load_type, duration_minutes, intensity_factor)
  select c.user_id, c.profile_id, c.id, (c.start_time at time zone c.timezone)::date,
         case when c.source in ('manual', 'plan') then 'workout' else 'activity' end::public.wt_load_type, c.minutes, c.factor
  from counted c
  on conflict (workout_id) do update
    set load_type = excluded.load_type, duration_minutes = excluded.duration_minutes,
        intensity_factor = excluded.intensity_factor
    where (l.load_type, l.duration_minutes, l.intensity_factor)
      is distinct from (excluded.load_type, excluded.duration_minutes, excluded.intensity_factor)
$$;

-- After every statement on workouts: recomputes the loads of what it touched. SECURITY DEFINER because clients write no loads.
-- Does nothing for a profile that is being deleted.
create or replace function wt_private.workouts_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  periods wt_private.profile_period[];
begin
  if tg_op = 'INSERT' then
    select array_agg((n.profile_id, n.start_time, n.start_time + make_interval(secs => n.duration_minutes * 60))
                     ::wt_private.profile_period)
    into periods
    from new_rows n;
  elsif tg_op = 'DELETE' then
    select array_agg((o.profile_id, o.start_time, o.start_time + make_interval(secs => o.duration_minutes * 60))
                     ::wt_private.profile_period)
    into periods
    from old_rows o;
  else
    -- The load of a workout that moved follows to its new day.
    delete from public.wt_training_loads l
    using old_rows o join new_rows n using (id)
    where l.workout_id = o.id and (o.profile_id, o.start_time) is distinct from (n.profile_id, n.start_time);
    with changed as (
      select v.*
      from old_rows o join new_rows n using (id)
      cross join lateral (values (o.profile_id, o.start_time, o.duration_minutes),
                                 (n.profile_id, n.start_time, n.duration_minutes)) v (profile_id, start_time, duration_minutes)
      where (o.profile_id, o.source, o.workout_type, o.start_time, o.duration_minutes, o.average_hr_bpm, o.perceived_exertion)
        is distinct from
            (n.profile_id, n.source, n.workout_type, n.start_time, n.duration_minutes, n.average_hr_bpm, n.perceived_exertion)
    )
    select array_agg((c.profile_id, c.start_time, c.start_time + make_interval(secs => c.duration_minutes * 60))
                     ::wt_private.profile_period)
    into periods
    from changed c;
  end if;
  if periods is null then
    return null;
  end if;

  -- Clients and workers hold their person already. Another service connection takes its turn here.
  perform from public.wt_users u
  where u.id in (select p.user_id from public.wt_profiles p
                 where p.id = any (array(select d.profile_id from unnest(periods) d)))
  order by u.id
  for no key update;
  perform wt_private.settle_loads(periods);
  return null;
end $$;

-- The intensity of a heart rate depends on the age, so another birthday recomputes every load. SECURITY DEFINER as above.
create or replace function wt_private.birthday_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.wt_users u where u.id = new.user_id for no key update;
  perform wt_private.settle_loads(array[
    (new.id, timestamptz '1970-01-01 UTC', timestamptz '2101-01-03 UTC')::wt_private.profile_period]);
  return null;
end $$;

-- Marks the days of loads that were added, changed or removed (also with their workout), and the days into which they may last. Not
-- those of active minutes: the summing up writes these rows itself. SECURITY DEFINER because clients write no marks, and a cascade
-- from a workout runs with the rights of the role that deleted it.
create or replace function wt_private.loads_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'DELETE' then
    perform wt_private.mark_days(array_agg((n.profile_id, n.load_date + last.day)::wt_private.profile_day))
    from new_rows n, lateral (values (0), (ceil(n.duration_minutes / 1440)::integer)) last (day)
    where n.load_type <> 'active_minutes' having count(*) > 0;
  end if;
  if tg_op <> 'INSERT' then
    perform wt_private.mark_days(array_agg((o.profile_id, o.load_date + last.day)::wt_private.profile_day))
    from old_rows o, lateral (values (0), (ceil(o.duration_minutes / 1440)::integer)) last (day)
    where o.load_type <> 'active_minutes' having count(*) > 0;
  end if;
  return null;
end $$;

-- sql/40_providers/20_queue.sql

-- Flows 3 and 4: events that wait for a connection, that go with it, that are leased to a worker or lost by it.
--
-- Output: wt_webhook_events. Locks: the two advisory locks below; events, only those that are free. Planner settings:
-- docs/reference/sql.md.

-- A claim parks events without a connection, and a new connection wakes parked events. Each must see the other's work, so the first
-- takes this lock shared, the second alone. No session waits for a row while it waits for this lock.
create or replace function wt_private.parking_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7236835017 $$;
grant execute on function wt_private.parking_lock() to service_role;

-- Of the sessions that store events at the same time, the one that gets this lock notifies the workers.
create or replace function wt_private.notify_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7236835018 $$;
grant execute on function wt_private.notify_lock() to service_role;

-- Trigger: makes the parked events of a new connection due.
create or replace function wt_private.wake_events() returns trigger
language plpgsql set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  perform pg_advisory_xact_lock(wt_private.parking_lock());
  update public.wt_webhook_events e set next_retry_at = now()
  where e.provider_user_id = new.provider_user_id and e.source = new.provider
    and e.status = 'pending' and e.next_retry_at = 'infinity';
  if found then
    perform pg_notify('welltrack_events', new.provider::text);
  end if;
  return null;
end $$;

-- Trigger: deletes the events of a connection that goes, also those not yet matched to its person.
create or replace function wt_private.forget_events() returns trigger
language plpgsql set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  delete from public.wt_webhook_events e
  where e.user_id = old.user_id and e.source = old.provider and e.provider_user_id = old.provider_user_id;
  delete from public.wt_webhook_events e
  where e.provider_user_id = old.provider_user_id and e.source = old.provider and e.status in ('pending', 'processing');
  return old;
end $$;

-- Parks events whose account is not connected, until it is. Returns how many. An event that only says that the account disconnects
-- has nothing left to do and counts as processed.
create or replace function wt_private.park_events(ids uuid[]) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  parked integer;
begin
  perform pg_advisory_xact_lock_shared(wt_private.parking_lock());
  with alone as materialized (
    select e.id, coalesce(e.payload @? welltrack.farewell(e.source::text, e.event_type)::jsonpath, false) as farewell
    from public.wt_webhook_events e
    where e.id = any (ids)
      and (e.status = 'pending' and e.next_retry_at <= now() or e.status = 'processing' and e.locked_until < now())
      and not exists (select from public.wt_health_connections c
                      where c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected)
    for update skip locked
  )
  update public.wt_webhook_events e
  set status = case when a.farewell then 'processed' else 'pending' end::public.wt_event_status,
      next_retry_at = case when a.farewell then e.next_retry_at else 'infinity' end,
      processed_at = case when a.farewell then now() end,
      locked_at = null, locked_until = null, locked_by = null
  from alone a where e.id = a.id;
  get diagnostics parked = row_count;
  return parked;
end $$;
grant execute on function wt_private.park_events(uuid[]) to service_role;

-- Leases these events, which the caller has locked, to `worker`. Returns them as claim_webhook_events answers them.
create or replace function wt_private.lease_events(ids uuid[], worker text, seconds integer) returns jsonb
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with leased as (
    update public.wt_webhook_events e
    set status = 'processing', attempts = e.attempts + 1, locked_by = worker, locked_at = clock_timestamp(),
        locked_until = clock_timestamp() + make_interval(secs => seconds), user_id = c.user_id
    from public.wt_health_connections c join public.wt_users u on u.id = c.user_id
    where e.id = any (ids) and c.provider = e.source and c.provider_user_id = e.provider_user_id
    returning e.id, e.source, e.event_type, e.payload, e.provider_user_id, e.received_at, e.attempts, e.last_error,
              c.id as connection_id, c.user_id, c.profile_id, c.is_connected, u.timezone
  )
  select jsonb_agg(jsonb_build_object(
    'id', l.id, 'source', l.source, 'event_type', l.event_type, 'payload', l.payload,
    'provider_user_id', l.provider_user_id, 'received_at', l.received_at, 'attempts', l.attempts,
    'last_error', l.last_error,
    'connection', jsonb_build_object('id', l.connection_id, 'user_id', l.user_id, 'profile_id', l.profile_id,
                                     'is_connected', l.is_connected, 'timezone', l.timezone))
    order by l.received_at, l.id)
  from leased l
$$;
grant execute on function wt_private.lease_events(uuid[], text, integer) to service_role;

-- Makes dead letters of events whose worker did not come back for the fifth time. The row in the error log names no person: it
-- would wait for one who is being deleted.
create or replace function wt_private.bury_lost_events() returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  buried record;
begin
  for buried in
    with lost as materialized (
      select e.id from public.wt_webhook_events e
      where e.status = 'processing' and e.locked_until < now() and e.attempts >= e.max_attempts
      for update skip locked
    )
    update public.wt_webhook_events e
    set status = 'dead_letter', last_error = 'lease_lost: whoever processed it did not come back',
        locked_at = null, locked_until = null, locked_by = null
    from lost l where e.id = l.id
    returning e.id, e.source, e.event_type, e.attempts
  loop
    perform public.log_error(jsonb_build_object(
      'flow', buried.source || '_webhook', 'error_code', 'dead_letter', 'message', 'lease_lost',
      'context', jsonb_build_object('event_id', buried.id, 'event_type', buried.event_type, 'attempts', buried.attempts)));
  end loop;
end $$;
grant execute on function wt_private.bury_lost_events() to service_role;

-- sql/50_recovery/20_marks.sql

-- Flow 8: what marks a profile as one that the engine has work for.
--
-- Output: wt_engine_marks. Locks: marks in the order of profiles. Planner settings: docs/reference/sql.md.

-- Marks days whose readings or workouts changed. The caller holds the person, or is the job that writes for all of them. Takes the
-- marks in the order of their profiles. Skips profiles that are being deleted: they have nothing left to work out.
create or replace function wt_private.mark_days(days wt_private.profile_day[]) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  insert into public.wt_engine_marks as m (id, user_id, stale_from, stale_to)
  select p.id, p.user_id, min(d.day), max(d.day)
  from unnest($1) d join public.wt_profiles p on p.id = d.profile_id
  group by p.id
  order by p.id
  on conflict (id) do update
    set stale_from = least(m.stale_from, excluded.stale_from), stale_to = greatest(m.stale_to, excluded.stale_to),
        updated_at = now()
    where (m.stale_from <= excluded.stale_from and m.stale_to >= excluded.stale_to) is not true
$$;

-- Trigger: a goal that is new or changed needs a forecast, and its old one goes. The mark is taken first, since the engine holds it
-- while it writes the forecast. SECURITY DEFINER because clients may write neither.
create or replace function wt_private.goal_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.wt_engine_marks as m (id, user_id, forecast_due) values (new.profile_id, new.user_id, true)
  on conflict (id) do update set forecast_due = true where not m.forecast_due;
  delete from public.wt_forecasts f where f.goal_id = new.id;
  return null;
end $$;

-- Trigger: another sleep target changes every score of the profile. SECURITY DEFINER because clients write no marks.
create or replace function wt_private.sleep_target_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.wt_engine_marks m
  set score_from = least(m.score_from, d.first_day), score_to = greatest(m.score_to, d.last_day)
  from (select min(v.local_date) as first_day, max(v.local_date) as last_day
        from public.wt_daily_values v where v.profile_id = new.id) d
  where m.id = new.id and d.first_day is not null;
  return null;
end $$;

-- Trigger: the sentence of a forecast is in the person's units. SECURITY DEFINER because clients write no marks.
create or replace function wt_private.units_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  update public.wt_engine_marks m set forecast_due = true where m.id = new.id and not m.forecast_due;
  return null;
end $$;

-- sql/90_export/20_export.sql

-- Everything that the project holds about a person, as one document. Input: all tables with a user_id. Locks: none.

-- The caller's export. Walks the catalogue, so that a new table is in the export without being named here. SECURITY DEFINER because
-- some of a person's data (raw provider events, errors) is in tables that clients can't read; takes no argument, so that a caller
-- can't ask for another person. Provider tokens and consents under way are credentials, not data about the person, and stay out.
-- Errors: PT401 without a person, PT413 above 1 GB.
create or replace function wt_private.export_caller() returns json
language plpgsql stable security definer set search_path = '' as $$
declare
  me constant uuid := auth.uid();
  rel record;
  part json;
  names text[];
  parts json[];
begin
  if me is null then
    raise exception 'sign in to export your data' using errcode = 'PT401';
  end if;
  for rel in
    select c.relname
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname like 'wt\_%'
      and c.relname not in ('wt_connection_tokens', 'wt_oauth_states')
    order by c.relname
  loop
    execute format('select coalesce(json_agg(t order by t.created_at, t.id), ''[]'')
                    from public.%I t where t.user_id = $1', rel.relname)
    into part using me;
    names := names || rel.relname::text;
    parts := parts || part;
  end loop;
  return json_build_object(
    'format', 'welltrack-export/1', 'exported_at', now(), 'user_id', me,
    'account', (select json_build_object('email', u.email, 'phone', u.phone, 'created_at', u.created_at)
                from auth.users u where u.id = me),
    'tables', (select json_object_agg(t.name, t.part) from unnest(names, parts) t (name, part)));
exception when program_limit_exceeded then
  raise exception 'your data are larger than one document can be'
    using errcode = 'PT413', hint = 'read the tables one by one, in pages: every one of them shows you your own rows';
end $$;
-- The service gets PT401, as any caller without a person.
grant execute on function wt_private.export_caller() to authenticated, service_role;

-- sql/00_base/21_schedule.sql

-- How the nightly run is scheduled. Needs pg_cron, which 95_schedule.sql installs where it can.

-- Schedules the nightly run at midnight UTC (pg_cron's own time zone) with `sessions` engines side by side, which share the work:
-- one for each core that the nightly run may use. Call it again to change the number. Each engine runs until nothing is left, in
-- transactions of a few seconds, so that marks are held only that long. Errors: 22023 for fewer than 1 or more than 32.
-- (The job is a block and not a procedure: a procedure that pins its search path may not commit.)
create or replace function wt_private.schedule_engines(sessions integer default 2) returns void
language plpgsql security invoker set search_path = '' as $function$
begin
  if sessions not between 1 and 32 then
    raise exception 'sessions is a number from 1 to 32' using errcode = '22023';
  end if;
  perform cron.unschedule(j.jobid) from cron.job j where j.jobname like 'welltrack-performance-engine-%';
  perform cron.schedule('welltrack-performance-engine-' || n, '0 0 * * *', $job$do $$
declare
  done jsonb;
begin
  loop
    done := public.run_performance_engine();
    commit;
    exit when not (done ->> 'left')::boolean;
  end loop;
end $$$job$)
  from generate_series(1, sessions) n;
end $function$;

-- sql/10_people/21_onboarding.sql

-- Onboarding: the first time that a profile has an answer about goals or restrictions, it gets its default modules. Toggles that
-- were set before stay. A module that is removed later does not come back, because this happens once.
--
-- Output: wt_profile_modules, wt_profiles.modules_provisioned_at, wt_users.onboarding_completed. Locks: those rows.

-- Trigger: notes when the default modules were provisioned.
create or replace function wt_private.mark_provisioned() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.modules_provisioned_at := now();
  return new;
end $$;

-- Trigger: inserts every module that the profile doesn't have yet; a primary profile completes its person's onboarding.
create or replace function wt_private.provision_modules() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.wt_profile_modules (user_id, profile_id, module_name, tile_order)
  select new.user_id, new.id, m.name, m.position - 1
  from unnest(enum_range(null::public.wt_module)) with ordinality m (name, position)
  on conflict (profile_id, module_name) do nothing;
  if new.is_primary then
    update public.wt_users set onboarding_completed = true where id = new.user_id and not onboarding_completed;
  end if;
  return null;
end $$;

-- sql/20_readings/21_priority.sql

-- What follows from readings: which source counts on a day, and which baselines and days have to be worked out anew.
--
-- Input: the transition tables of statements on wt_health_metrics.
-- Output: wt_health_metrics.is_primary, wt_baselines.is_stale, wt_engine_marks.
-- Locks: the changed readings, then baselines and marks in the order of profile (and metric). The writer holds the person already.
-- Planner settings and the session variables wt.moving and wt.unsettled: docs/reference/sql.md.

-- On a local day the best source that has a reading of a metric counts, and only that one. Settles the given days.
-- SECURITY DEFINER because clients may not write is_primary.
create or replace function wt_private.settle_priority(days wt_private.day_ref[]) returns void
language sql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
  update public.wt_health_metrics m
  set is_primary = s.counts
  from (
    select r.id, r.is_primary,
           coalesce(r.validation_status <> 'rejected'
             and r.priority = min(r.priority) filter (where r.validation_status <> 'rejected')
                              over (partition by r.profile_id, r.metric_type, r.local_date), false) as counts
    from (select c.id, c.profile_id, c.metric_type, c.local_date, c.validation_status, c.is_primary,
                 welltrack.source_priority(welltrack.enum_label(c.source)) as priority
          from unnest($1) g
          join public.wt_health_metrics c using (profile_id, metric_type, local_date)) r
  ) s
  where m.id = s.id and s.is_primary <> s.counts
$$;

-- Settles the days that a statement touched, with those that were put off meanwhile. Within a larger statement (wt.moving) it
-- puts them off instead: that statement's own trigger settles them.
create or replace function wt_private.settle_days(days wt_private.day_ref[]) returns void
language plpgsql security invoker set search_path = '' as $$
declare
  put_off constant text := coalesce(current_setting('wt.unsettled', true), '');
begin
  if current_setting('wt.moving', true) = 'on' then
    perform set_config('wt.unsettled', concat_ws(',', nullif(put_off, ''),
      (select string_agg(concat_ws(' ', d.profile_id, d.metric_type, d.local_date), ',') from unnest(days) d)), true);
    return;
  elsif put_off <> '' then
    days := days || (
      select array_agg((split_part(d, ' ', 1), split_part(d, ' ', 2), split_part(d, ' ', 3))::wt_private.day_ref)
      from string_to_table(put_off, ',') d);
    perform set_config('wt.unsettled', '', true);
  end if;
  if days is not null then
    perform wt_private.settle_priority(days);
  end if;
end $$;

-- After every statement that inserts readings: settles the days whose metric has a second source. A new reading is raw and counts
-- for nothing yet, so it marks nothing: the verdict on it does.
--
-- Nearly every person has one source for a metric. So one scan of the days in question asks first which metrics have a second one.
-- SECURITY DEFINER, here and below, because clients write neither baselines nor marks.
create or replace function wt_private.readings_inserted() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  perform from new_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  with span as (
    select n.profile_id, min(n.local_date) as first_day, max(n.local_date) as last_day
    from new_rows n group by n.profile_id
  ), contested as materialized (
    select s.profile_id, k.metric_type
    from span s cross join lateral (
      select m.metric_type from public.wt_health_metrics m
      where m.profile_id = s.profile_id and m.local_date between s.first_day and s.last_day
      group by m.metric_type
      having min(m.source) <> max(m.source)) k
  )
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from (select distinct n.profile_id, n.metric_type, n.local_date
        from new_rows n join contested c using (profile_id, metric_type)) d;
  perform wt_private.settle_days(touched);
  return null;
end $$;

-- After every statement that updates readings: marks the baselines and days whose input changed, and settles the days whose metric
-- has a second source or whose only reading changed its verdict.
create or replace function wt_private.readings_updated() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  perform from new_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  with changed as materialized (
    select o.user_id, o.profile_id, o.metric_type, o.local_date, n.profile_id as new_profile_id,
           n.metric_type as new_metric_type, n.local_date as new_local_date
    from old_rows o join new_rows n using (id)
    where (o.profile_id, o.metric_type, o.local_date, o.source, o.validation_status, o.value_num, o.is_primary)
      is distinct from
          (n.profile_id, n.metric_type, n.local_date, n.source, n.validation_status, n.value_num, n.is_primary)
  ), days as materialized (
    select profile_id, metric_type, local_date, user_id from changed
    union select new_profile_id, new_metric_type, new_local_date, user_id from changed
  ), stale as (
    insert into public.wt_baselines as b (user_id, profile_id, metric_type)
    select distinct d.user_id, d.profile_id, d.metric_type from days d
    order by d.profile_id, d.metric_type
    on conflict (profile_id, metric_type) do update set is_stale = true where not b.is_stale
  ), marked as (
    -- As mark_days does, without another pass over the days.
    insert into public.wt_engine_marks as k (id, user_id, stale_from, stale_to)
    select d.profile_id, d.user_id, min(d.local_date), max(d.local_date) from days d
    group by d.profile_id, d.user_id
    order by d.profile_id
    on conflict (id) do update
      set stale_from = least(k.stale_from, excluded.stale_from), stale_to = greatest(k.stale_to, excluded.stale_to),
          updated_at = now()
      where (k.stale_from <= excluded.stale_from and k.stale_to >= excluded.stale_to) is not true
  ), span as (
    select d.profile_id, min(d.local_date) as first_day, max(d.local_date) as last_day
    from days d group by d.profile_id
  ), contested as materialized (
    select s.profile_id, k.metric_type
    from span s cross join lateral (
      select m.metric_type from public.wt_health_metrics m
      where m.profile_id = s.profile_id and m.local_date between s.first_day and s.last_day
      group by m.metric_type
      having min(m.source) <> max(m.source) or bool_or(m.is_primary = (m.validation_status = 'rejected'))) k
  )
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from days d join contested c using (profile_id, metric_type);
  perform wt_private.settle_days(touched);
  return null;
end $$;

-- After every statement that deletes readings: marks their baselines and days, and settles the days.
create or replace function wt_private.readings_deleted() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  touched wt_private.day_ref[];
begin
  perform from old_rows limit 1;
  if not found and coalesce(current_setting('wt.unsettled', true), '') = '' then
    return null;
  end if;
  -- A baseline that is being computed just now has read what is gone: wait for it, then look whether it is stale.
  perform from public.wt_baselines b
  where (b.profile_id, b.metric_type) in (select o.profile_id, o.metric_type from old_rows o)
  order by b.profile_id, b.metric_type
  for no key update;
  update public.wt_baselines b set is_stale = true
  from (select distinct o.profile_id, o.metric_type from old_rows o) d
  where b.profile_id = d.profile_id and b.metric_type = d.metric_type and not b.is_stale;
  select array_agg((d.profile_id, d.metric_type, d.local_date)::wt_private.day_ref) into touched
  from (select distinct o.profile_id, o.metric_type, o.local_date from old_rows o) d;
  perform wt_private.mark_days(array(select (d.profile_id, d.local_date)::wt_private.profile_day from unnest(touched) d));
  perform wt_private.settle_days(touched);
  return null;
end $$;

-- sql/40_providers/21_claim.sql

-- Flows 3 and 4, the stages of a claim: which due events a worker gets. public.claim_webhook_events puts them together, and they
-- run under its planner settings (docs/reference/sql.md).
--
-- Guarantee: at most one worker holds events of an account, and it gets them in the order in which they arrived. A claim locks the
-- account's connection, only then checks that the account is free, and skips what other claims have locked.
-- Locks: connections (no key update) and people (key share), then events; all of them SKIP LOCKED.

-- How many events are due, if another worker claimed within `patience_ms` and at most five batches are due: then the caller gets
-- nothing this time. Null otherwise. Workers that share a short queue make each other's batches small, and a small batch costs
-- nearly as much as a large one.
create or replace function wt_private.due_to_yield(worker text, wanted bigint, patience_ms bigint) returns bigint
language plpgsql security invoker set search_path = '' as $$
declare
  due bigint;
begin
  if exists (select from public.wt_webhook_events o
             where o.status = 'processing' and o.locked_by <> worker
               and o.locked_at > clock_timestamp() - patience_ms * interval '1 millisecond') then
    due := (select count(*) from (select from public.wt_webhook_events e
                                  where e.status = 'pending' and e.next_retry_at <= now() limit 5 * wanted + 1) d);
    if due <= 5 * wanted then
      return due;
    end if;
  end if;
  return null;
end $$;

-- Parks events whose lease ran out and whose account is not connected any more.
create or replace function wt_private.park_lost_events() returns void
language plpgsql security invoker set search_path = '' as $$
declare
  strangers uuid[];
begin
  select array_agg(e.id) into strangers
  from public.wt_webhook_events e
  where e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_health_connections c
                    where c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected);
  if strangers is not null then
    perform wt_private.park_events(strangers);
  end if;
end $$;

-- The oldest event whose lease ran out, with its account locked; null if there is none. It may have killed its worker, so it is
-- handed out alone and takes no other event with it.
create or replace function wt_private.claim_suspect() returns uuid[]
language plpgsql security invoker set search_path = '' as $$
declare
  suspect uuid;
  ids uuid[];
begin
  select e.id into suspect
  from public.wt_webhook_events e
  join public.wt_health_connections c
    on c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected
  join public.wt_users u on u.id = c.user_id
  where e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_webhook_events o
                    where o.provider_user_id = e.provider_user_id and o.source = e.source
                      and o.status = 'processing' and o.locked_until >= now()
                    offset 0)
  order by e.received_at, e.id
  limit 1
  for update of e skip locked for no key update of c skip locked for key share of u skip locked;
  -- The account is ours now. Whether it is free only a new look can tell: another claim may have ended a moment ago.
  select array_agg(e.id) into ids
  from public.wt_webhook_events e
  where e.id = suspect and e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_webhook_events o
                    where o.provider_user_id = e.provider_user_id and o.source = e.source
                      and o.status = 'processing' and o.locked_until >= now()
                    offset 0);
  return ids;
end $$;

-- The first `look` due events: the ids of those without a connected account, and how many each connected account has of the rest.
-- Reads them in the order of an index; a plan that sorts all events does not suit a long queue.
create or replace function wt_private.find_due(look bigint) returns wt_private.due_work
language plpgsql security invoker set search_path = '' as $$
declare
  work wt_private.due_work;
begin
  with due as materialized (
    select e.id, c.id as connection_id
    from (select p.id, p.source, p.provider_user_id
          from public.wt_webhook_events p
          where p.status = 'pending' and p.next_retry_at <= now()
            and (p.source, coalesce(p.provider_user_id, '')) not in (
              select o.source, coalesce(o.provider_user_id, '') from public.wt_webhook_events o
              where o.status = 'processing')
          order by p.next_retry_at
          limit look) e
    left join lateral (select k.id from public.wt_health_connections k
                       where k.provider = e.source and k.provider_user_id = e.provider_user_id and k.is_connected
                       limit 1) c on true
  ), account as materialized (
    select d.connection_id, count(*) as share
    from due d where d.connection_id is not null
    group by d.connection_id
  )
  select (select array_agg(d.id) from due d where d.connection_id is null),
         (select array_agg((a.connection_id, a.share)::wt_private.account_share order by a.connection_id) from account a)
  into work;
  return work;
end $$;

-- Locks these accounts' connections; returns those that were free to lock and are still connected.
create or replace function wt_private.lock_accounts(accounts wt_private.account_share[]) returns wt_private.account_share[]
language plpgsql security invoker set search_path = '' as $$
declare
  locked wt_private.account_share[];
begin
  select array_agg((l.id, l.share)::wt_private.account_share) into locked
  from (select c.id, a.share
        from unnest(accounts) a
        join public.wt_health_connections c on c.id = a.connection_id
        join public.wt_users u on u.id = c.user_id
        where c.is_connected
        for no key update of c skip locked for key share of u skip locked) l;
  return locked;
end $$;

-- As many events of each locked account as were found due, but the first that arrived; at most `wanted`, and at most 8 MB of
-- payload unless a single event is larger. Both questions are asked account by account (`offset 0`; `status in (...)` with
-- `locked_until`, which only the index by account answers).
create or replace function wt_private.pick_events(accounts wt_private.account_share[], wanted bigint) returns uuid[]
language plpgsql security invoker set search_path = '' as $$
declare
  ids uuid[];
begin
  with picked as materialized (
    select e.id, e.received_at, e.size
    from unnest(accounts) a
    join public.wt_health_connections c on c.id = a.connection_id
    cross join lateral (
      select p.id, p.received_at, pg_column_size(p.payload) as size
      from public.wt_webhook_events p
      where p.provider_user_id = c.provider_user_id and p.source = c.provider
        and p.status in ('pending', 'processing') and p.locked_until is null and p.next_retry_at <= now()
      order by p.received_at
      limit a.share
      for update skip locked) e
    where not exists (select from public.wt_webhook_events o
                      where o.provider_user_id = c.provider_user_id and o.source = c.provider
                        and o.status = 'processing'
                      offset 0)
  )
  select array_agg(s.id) into ids
  from (select p.id, sum(p.size) over w as carried, row_number() over w as n
        from picked p window w as (order by p.received_at, p.id)) s
  where s.n = 1 or s.n <= wanted and s.carried <= 8388608;
  return ids;
end $$;

grant execute on function wt_private.due_to_yield(text, bigint, bigint), wt_private.park_lost_events(),
  wt_private.claim_suspect(), wt_private.find_due(bigint), wt_private.lock_accounts(wt_private.account_share[]),
  wt_private.pick_events(wt_private.account_share[], bigint) to service_role;

-- sql/40_providers/21_provider_rows.sql

-- Flows 3 and 4, what providers' reports become: readings, workouts, the state of a connection.
--
-- Input: `results`, a batch as it came in, and `held`, the events among them that write_results found to be the worker's.
-- Output: wt_health_metrics, wt_workouts, wt_health_connections, wt_connection_tokens. Errors: a check or a key that a result
-- offends.
-- Locks: the caller holds the people and the events. Planner settings and wt.batch: docs/reference/sql.md.

-- What a batch reports about each record, as a reading: in canonical units, with its local day, and with the stored row of the same
-- name (`old_...`). Of several reports about one record, the one that counts (see write_provider_readings); none where the stored
-- row is from a report that counts more. A record without a name is known by its period. `n` numbers the records.
create or replace function wt_private.reported_readings(held wt_private.held_event[], results jsonb) returns table (
  user_id uuid, profile_id uuid, source public.wt_metric_source, metric_type public.wt_metric_type, value_num double precision,
  value_text text, unit text, start_time timestamptz, end_time timestamptz, span interval, local_date date, source_record_id text,
  reported_at timestamptz, finality smallint, received_at timestamptz, n bigint, old_id uuid, old_profile_id uuid,
  old_start timestamptz, old_end timestamptz)
language plpgsql stable rows 100 security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  with said as (
    select h.user_id, h.profile_id, h.source::text::public.wt_metric_source as source,
           m.metric_type::public.wt_metric_type as metric_type,
           welltrack.to_canonical(m.metric_type, m.value_num, m.unit, h.source::text) as value_num, m.value_text,
           welltrack.canonical_unit(m.metric_type) as unit, m.start_time, m.end_time,
           case when welltrack.longer_period_wins(h.source::text) then coalesce(m.end_time - m.start_time, '0')
                else '0' end as span,
           (welltrack.day_anchor(m.metric_type, m.start_time, m.end_time) at time zone h.timezone)::date as local_date,
           m.source_record_id collate "C" as source_record_id, h.reported_at,
           coalesce(case jsonb_typeof(m.final) when 'boolean' then m.final::boolean::integer else m.final::integer end,
                    1)::smallint as finality,
           h.received_at, row_number() over (order by h.received_at, h.id, m.n) as n
    from jsonb_to_recordset($2) as r (id uuid, outcome text, metrics jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral rows from (jsonb_to_recordset(r.metrics) as (
           metric_type text, value_num double precision, value_text text, unit text, start_time timestamptz,
           end_time timestamptz, source_record_id text, final jsonb)) with ordinality
         as m (metric_type, value_num, value_text, unit, start_time, end_time, source_record_id, final, n)
    where r.outcome = 'processed'
  ), latest as materialized (
    select distinct on (s.user_id, s.source, s.metric_type, s.source_record_id,
                        case when s.source_record_id is null then s.profile_id end,
                        case when s.source_record_id is null then s.start_time end,
                        case when s.source_record_id is null then s.end_time end) s.*
    from said s
    order by s.user_id, s.source, s.metric_type, s.source_record_id,
             case when s.source_record_id is null then s.profile_id end,
             case when s.source_record_id is null then s.start_time end,
             case when s.source_record_id is null then s.end_time end,
             s.finality desc, s.span desc, s.reported_at desc, s.n desc
  )
  select l.*, x.id as old_id, x.profile_id as old_profile_id, x.start_time as old_start, x.end_time as old_end
  from latest l
  left join lateral (
    select m.* from public.wt_health_metrics m
    where m.user_id = l.user_id and m.source_record_id = l.source_record_id and m.source = l.source
      and m.metric_type = l.metric_type
    limit 1) x on true
  where x.reported_at is null
     or (x.finality,
         case when welltrack.longer_period_wins(l.source::text) then coalesce(x.end_time - x.start_time, '0') else '0' end,
         x.reported_at)
          < (l.finality, l.span, l.reported_at);
end $$;

-- Writes what a batch reports about readings.
--
-- A provider's record has a name (Garmin's summaryId, Strava's activity id), and two records of Garmin that begin at the same
-- instant are one reading that it named anew. Conflict rule for reports about one reading: finality, then duration (a day grows
-- until it is over, and its morning may be delivered last), then report time. Strava is asked and answers with the state of now:
-- there the later report counts, also of an activity that was cropped. So the result does not depend on the order of processing.
--
-- A record keeps its row's id when its period changes.
create or replace function wt_private.write_provider_readings(held wt_private.held_event[], results jsonb) returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
begin
  perform set_config('wt.batch', 'on', true);

  with standing as materialized (
    select * from wt_private.reported_readings(held, results)
  ), chosen as materialized (
    -- Of the batch's records that are one reading, the one that counts.
    select distinct on (s.profile_id, s.source, s.metric_type, s.start_time,
                        case when not welltrack.same_start_is_same_reading(s.source::text) then s.end_time end) s.*
    from standing s
    order by s.profile_id, s.source, s.metric_type, s.start_time,
             case when not welltrack.same_start_is_same_reading(s.source::text) then s.end_time end,
             s.finality desc, s.span desc, s.reported_at desc, s.n desc
  ), rival as materialized (
    -- Stored records that are the same reading; not those that the batch itself has news of.
    select c.n, m.id, m.end_time, coalesce(m.end_time - m.start_time, '0') as span,
           (m.finality, coalesce(m.end_time - m.start_time, '0'), m.reported_at)
             > (c.finality, c.span, c.reported_at) as counts
    from chosen c
    join lateral (
      select e.* from public.wt_health_metrics e
      where e.user_id = c.user_id and e.start_time = c.start_time and e.reported_at is not null
        and e.profile_id = c.profile_id and e.source = c.source and e.metric_type = c.metric_type) m on true
    where welltrack.same_start_is_same_reading(c.source::text)
      and m.id not in (select s.old_id from standing s where s.old_id is not null)
  ), kept as materialized (
    -- Each goes to the row of its own name, or to that of the reading it renames.
    select c.*, coalesce(c.old_id, v.id) as row_id,
           case when c.old_id is not null
                then (c.old_profile_id, c.old_start) = (c.profile_id, c.start_time)
                     and c.old_end is not distinct from c.end_time
                else v.id is not null and v.end_time is not distinct from c.end_time end as in_place
    from chosen c
    left join lateral (select r.id, r.end_time from rival r where r.n = c.n order by r.span desc limit 1) v on true
    where not exists (select from rival r where r.n = c.n and r.counts)
  ), gone as (
    -- A reading whose period changed has another identity: its row goes, and comes again under the same id.
    delete from public.wt_health_metrics m
    using (select s.old_id as id from standing s where s.old_id is not null
           union
           select r.id from rival r join kept k using (n)
           except
           select k.row_id from kept k where k.in_place and k.row_id is not null) g
    where m.id = g.id
    returning m.id
  ), revised as (
    update public.wt_health_metrics m
    set value_num = k.value_num, value_text = k.value_text, source_record_id = k.source_record_id,
        recorded_at = case when (m.value_num, m.value_text) is distinct from (k.value_num, k.value_text)
                           then k.received_at else m.recorded_at end,
        reported_at = k.reported_at, finality = k.finality
    from kept k
    where m.id = k.row_id and k.in_place
  )
  insert into public.wt_health_metrics as m
    (id, user_id, profile_id, source, metric_type, value_num, value_text, unit, start_time, end_time, local_date,
     recorded_at, source_record_id, reported_at, finality)
  select coalesce(k.row_id, welltrack.uuid_v7()), k.user_id, k.profile_id, k.source, k.metric_type, k.value_num,
         k.value_text, k.unit, k.start_time, k.end_time, k.local_date, k.received_at, k.source_record_id, k.reported_at,
         k.finality
  from kept k
  where not k.in_place and (select count(*) from gone) >= 0
  on conflict (user_id, dedupe_hash) do update
    set value_num = excluded.value_num, value_text = excluded.value_text, recorded_at = excluded.recorded_at,
        source_record_id = coalesce(excluded.source_record_id, m.source_record_id),
        reported_at = excluded.reported_at, finality = excluded.finality
    where m.reported_at is null or (m.finality, m.reported_at) < (excluded.finality, excluded.reported_at);

  perform set_config('wt.batch', 'off', true);
end $$;

-- An activity is a workout: its name finds it, and what was fetched later replaces what was fetched before.
create or replace function wt_private.write_provider_workouts(held wt_private.held_event[], results jsonb) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  insert into public.wt_workouts as o
    (user_id, profile_id, source, source_record_id, workout_type, name, start_time, duration_minutes, distance_m,
     elevation_gain_m, calories_kcal, average_hr_bpm, max_hr_bpm, is_private, reported_at)
  select distinct on (h.user_id, h.source, w.source_record_id)
         h.user_id, h.profile_id, h.source::text::public.wt_workout_source, w.source_record_id, left(w.workout_type, 80),
         left(w.name, 200), w.start_time, w.duration_minutes, w.distance_m, w.elevation_gain_m, w.calories_kcal,
         w.average_hr_bpm, w.max_hr_bpm, coalesce(w.is_private, false), h.reported_at
  from jsonb_to_recordset($2) as r (id uuid, outcome text, workouts jsonb)
  join unnest($1) h on h.id = r.id
  cross join lateral rows from (jsonb_to_recordset(r.workouts) as (
    source_record_id text, workout_type text, name text, start_time timestamptz, duration_minutes double precision,
    distance_m double precision, elevation_gain_m double precision, calories_kcal double precision,
    average_hr_bpm double precision, max_hr_bpm double precision, is_private boolean)) with ordinality
    as w (source_record_id, workout_type, name, start_time, duration_minutes, distance_m, elevation_gain_m, calories_kcal,
          average_hr_bpm, max_hr_bpm, is_private, n)
  where r.outcome = 'processed'
  order by h.user_id, h.source, w.source_record_id, h.reported_at desc, h.received_at desc, w.n desc
  on conflict (user_id, source, source_record_id) where source_record_id is not null do update
    set profile_id = excluded.profile_id, workout_type = excluded.workout_type, name = excluded.name,
        start_time = excluded.start_time, duration_minutes = excluded.duration_minutes, distance_m = excluded.distance_m,
        elevation_gain_m = excluded.elevation_gain_m, calories_kcal = excluded.calories_kcal,
        average_hr_bpm = excluded.average_hr_bpm, max_hr_bpm = excluded.max_hr_bpm, is_private = excluded.is_private,
        reported_at = excluded.reported_at
    where (o.reported_at is null or o.reported_at <= excluded.reported_at)
      and (o.profile_id, o.workout_type, o.name, o.start_time, o.duration_minutes, o.distance_m, o.elevation_gain_m,
           o.calories_kcal, o.average_hr_bpm, o.max_hr_bpm, o.is_private) is distinct from
          (excluded.profile_id, excluded.workout_type, excluded.name, excluded.start_time, excluded.duration_minutes,
           excluded.distance_m, excluded.elevation_gain_m, excluded.calories_kcal, excluded.average_hr_bpm,
           excluded.max_hr_bpm, excluded.is_private)
$$;

-- What the provider took back.
create or replace function wt_private.delete_provider_records(held wt_private.held_event[], results jsonb) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with taken_back as materialized (
    select distinct h.user_id, h.source, d.source_record_id collate "C" as source_record_id
    from jsonb_to_recordset($2) as r (id uuid, outcome text, deleted jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral jsonb_array_elements_text(r.deleted) d (source_record_id)
    where r.outcome = 'processed'
  ), workout as (
    delete from public.wt_workouts w using taken_back t
    where w.user_id = t.user_id and w.source = t.source::text::public.wt_workout_source
      and w.source_record_id = t.source_record_id
  )
  delete from public.wt_health_metrics m using taken_back t
  where m.user_id = t.user_id and m.source_record_id = t.source_record_id
    and m.source = t.source::text::public.wt_metric_source
$$;

-- When a connection brought something last, and what the provider said about the connection itself since its owner last
-- consented. A provider can end a connection, not begin one.
create or replace function wt_private.note_on_connections(held wt_private.held_event[], results jsonb) returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  update public.wt_health_connections c
  set last_sync_at = s.brought_at
  from (select h.connection_id, max(h.received_at) as brought_at
        from jsonb_to_recordset($2) as r (id uuid, outcome text, metrics jsonb, workouts jsonb)
        join unnest($1) h on h.id = r.id
        where r.outcome = 'processed' and (jsonb_array_length(r.metrics) > 0 or jsonb_array_length(r.workouts) > 0)
        group by h.connection_id) s
  where c.id = s.connection_id and (c.last_sync_at is null or c.last_sync_at < s.brought_at);

  with news as materialized (
    select h.connection_id, bool_and(coalesce(n.is_connected, true)) as is_connected,
           array(select jsonb_array_elements_text(
             (array_agg(n.scopes order by h.received_at desc) filter (where jsonb_typeof(n.scopes) = 'array'))[1])) as scopes,
           bool_or(jsonb_typeof(n.scopes) = 'array') as has_scopes
    from jsonb_to_recordset($2) as r (id uuid, outcome text, connection jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral jsonb_to_record(r.connection) as n (is_connected boolean, scopes jsonb)
    join public.wt_health_connections c on c.id = h.connection_id and c.connected_at <= h.received_at
    where r.outcome = 'processed' and jsonb_typeof(r.connection) = 'object'
    group by h.connection_id
  ), changed as (
    update public.wt_health_connections c
    set is_connected = c.is_connected and n.is_connected, scopes = case when n.has_scopes then n.scopes else c.scopes end
    from news n
    where c.id = n.connection_id
      and (c.is_connected and not n.is_connected or n.has_scopes and n.scopes <> c.scopes)
  )
  delete from public.wt_connection_tokens t using news n
  where t.connection_id = n.connection_id and not n.is_connected;
end $$;

grant execute on function wt_private.reported_readings(wt_private.held_event[], jsonb),
  wt_private.write_provider_readings(wt_private.held_event[], jsonb),
  wt_private.write_provider_workouts(wt_private.held_event[], jsonb),
  wt_private.delete_provider_records(wt_private.held_event[], jsonb),
  wt_private.note_on_connections(wt_private.held_event[], jsonb) to service_role;

-- sql/50_recovery/21_daily_values.sql

-- Generated by `cargo xtask schema --write` from sql/50_recovery/21_daily_values.sql.template
-- and core/src/metric/table.rs: change those, never this file.
-- Flow 8: the marked days of a few profiles are summed up: readings and loads become daily values.
--
-- Input: wt_engine_marks (stale_from, stale_to), validated readings of the source that counts, loads of workouts.
-- Output: wt_daily_values, wt_training_loads of active minutes, and in the marks which days have to be scored.
-- Locks: profiles (key share), then their marks; both in the order of their ids, and only those that are free.
-- Planner settings: docs/reference/sql.md. The functions that `roll_up` calls run under its settings.

-- The function's columns are the metrics: where another metric was added, it can't be replaced, only made anew.
drop function if exists wt_private.summed_days(wt_private.claimed_days[]);

-- What the readings and workouts of the claimed days come to, a row for each day that has anything. Values are added up in the
-- order of their size and not of their rows, so that the same readings give the same bits in whatever order they arrived.
create or replace function wt_private.summed_days(claimed wt_private.claimed_days[]) returns table (
  profile_id uuid, user_id uuid, local_date date,
  sleep double precision, stress double precision, vo2max double precision, steps double precision, hr double precision,
  hrv double precision, calories double precision, distance double precision, active_minutes double precision,
  weight double precision, body_fat double precision, blood_pressure double precision, spo2 double precision,
  respiratory_rate double precision,
  training_load double precision, active_source public.wt_metric_source, other_minutes double precision)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  with input as (
    select c.profile_id, c.user_id, r.local_date, r.metric_type, r.source, r.value,
           null::double precision as minutes, null::double precision as load
    from unnest(claimed) c
    cross join lateral (
      select m.local_date, m.metric_type, min(m.source) as source,
             sum(m.value_num order by m.value_num)
               / case welltrack.daily_aggregate(welltrack.enum_label(m.metric_type)) when 'mean' then count(*) else 1 end as value
      from public.wt_health_metrics m
      where m.profile_id = c.profile_id and m.local_date between c.first_day and c.last_day
        and m.validation_status = 'validated' and m.is_primary and m.value_num is not null
      group by m.local_date, m.metric_type) r
    union all
    select l.profile_id, l.user_id, l.day, null, null, null, l.minutes, l.load
    from wt_private.workout_days(claimed) l
  ), pivoted as (
    select i.profile_id, i.user_id, i.local_date,
           max(i.value) filter (where i.metric_type = 'sleep') as sleep,
           max(i.value) filter (where i.metric_type = 'stress') as stress,
           max(i.value) filter (where i.metric_type = 'vo2max') as vo2max,
           max(i.value) filter (where i.metric_type = 'steps') as steps,
           max(i.value) filter (where i.metric_type = 'hr') as hr,
           max(i.value) filter (where i.metric_type = 'hrv') as hrv,
           max(i.value) filter (where i.metric_type = 'calories') as calories,
           max(i.value) filter (where i.metric_type = 'distance') as distance,
           max(i.value) filter (where i.metric_type = 'active_minutes') as active_minutes,
           max(i.value) filter (where i.metric_type = 'weight') as weight,
           max(i.value) filter (where i.metric_type = 'body_fat') as body_fat,
           max(i.value) filter (where i.metric_type = 'blood_pressure') as blood_pressure,
           max(i.value) filter (where i.metric_type = 'spo2') as spo2,
           max(i.value) filter (where i.metric_type = 'respiratory_rate') as respiratory_rate,
           max(i.source) filter (where i.metric_type = 'active_minutes') as active_source,
           coalesce(max(i.minutes), 0) as workout_minutes, max(i.load) as workout_load
    from input i
    group by i.profile_id, i.user_id, i.local_date
    -- The end of yesterday's workout by itself makes no day.
    having count(i.value) > 0 or count(i.load) > 0
  )
  select p.profile_id, p.user_id, p.local_date,
         p.sleep, p.stress, p.vo2max, p.steps, p.hr, p.hrv, p.calories, p.distance, p.active_minutes, p.weight, p.body_fat,
         p.blood_pressure, p.spo2, p.respiratory_rate,
         case when p.workout_load is null then o.minutes * 4 else p.workout_load + coalesce(o.minutes * 4, 0) end,
         p.active_source, o.minutes
  from pivoted p
  -- Minutes in motion that no workout of the day has counted; no day has more than its own.
  cross join lateral (
    select case when p.active_minutes is not null
                then least(greatest(p.active_minutes - p.workout_minutes, 0), 1440) end as minutes) o;
end $$;

-- Writes the claimed days: daily values, loads of active minutes, and in the marks that the days are summed up and which of them
-- have to be scored. A row that says what it should is not touched; a row of a day that has nothing any more goes.
create or replace function wt_private.write_days(claimed wt_private.claimed_days[]) returns void
language plpgsql security invoker set search_path = '' as $$
begin
  with claim as materialized (
    select * from unnest(claimed)
  ), day as materialized (
    select * from wt_private.summed_days(claimed)
  ), active as (
    insert into public.wt_training_loads as l
      (user_id, profile_id, metric_source, load_date, load_type, duration_minutes, intensity_factor)
    select d.user_id, d.profile_id, d.active_source, d.local_date, 'active_minutes', d.other_minutes, 4
    from day d where d.other_minutes is not null
    on conflict (profile_id, load_date) where load_type = 'active_minutes' do update
      set metric_source = excluded.metric_source, duration_minutes = excluded.duration_minutes,
          intensity_factor = excluded.intensity_factor
      where (l.metric_source, l.duration_minutes, l.intensity_factor)
        is distinct from (excluded.metric_source, excluded.duration_minutes, excluded.intensity_factor)
  ), inactive as (
    delete from public.wt_training_loads l using claim c
    where l.profile_id = c.profile_id and l.user_id = c.user_id and l.load_date between c.first_day and c.last_day
      and l.load_type = 'active_minutes'
      and not exists (select from day d where d.profile_id = l.profile_id and d.local_date = l.load_date
                        and d.other_minutes is not null)
  ), written as (
    insert into public.wt_daily_values as v
      (user_id, profile_id, local_date,
       sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight, body_fat, blood_pressure, spo2,
       respiratory_rate,
       training_load)
    select d.user_id, d.profile_id, d.local_date,
           d.sleep, d.stress, d.vo2max, d.steps, d.hr, d.hrv, d.calories, d.distance, d.active_minutes, d.weight, d.body_fat,
           d.blood_pressure, d.spo2, d.respiratory_rate,
           d.training_load
    from day d
    on conflict (profile_id, local_date) do update
      set sleep = excluded.sleep, stress = excluded.stress, vo2max = excluded.vo2max, steps = excluded.steps,
          hr = excluded.hr, hrv = excluded.hrv, calories = excluded.calories, distance = excluded.distance,
          active_minutes = excluded.active_minutes, weight = excluded.weight, body_fat = excluded.body_fat,
          blood_pressure = excluded.blood_pressure, spo2 = excluded.spo2, respiratory_rate = excluded.respiratory_rate,
          training_load = excluded.training_load,
          updated_at = now()
      where (v.sleep, v.stress, v.vo2max, v.steps, v.hr, v.hrv, v.calories, v.distance, v.active_minutes, v.weight,
             v.body_fat, v.blood_pressure, v.spo2, v.respiratory_rate,
             v.training_load) is distinct from
            (excluded.sleep, excluded.stress, excluded.vo2max, excluded.steps, excluded.hr, excluded.hrv, excluded.calories,
             excluded.distance, excluded.active_minutes, excluded.weight, excluded.body_fat, excluded.blood_pressure,
             excluded.spo2, excluded.respiratory_rate,
             excluded.training_load)
    returning v.profile_id, v.local_date
  ), emptied as (
    delete from public.wt_daily_values v using claim c
    where v.profile_id = c.profile_id and v.local_date between c.first_day and c.last_day
      and not exists (select from day d where d.profile_id = v.profile_id and d.local_date = v.local_date)
    returning v.profile_id, v.local_date
  ), changed as (
    select w.profile_id, min(w.local_date) as first_day, max(w.local_date) as last_day
    from (select * from written union all select * from emptied) w
    group by w.profile_id
  )
  update public.wt_engine_marks m
  set stale_from = null, stale_to = null, updated_at = now(),
      score_from = least(m.score_from, n.first_day), score_to = greatest(m.score_to, n.last_day)
  from claim c left join changed n using (profile_id)
  where m.id = c.profile_id;
end $$;
grant execute on function wt_private.summed_days(wt_private.claimed_days[]), wt_private.write_days(wt_private.claimed_days[])
  to service_role;

-- sql/50_recovery/21_roll_up.sql

-- Flow 8: which marked days are summed up next, and what workouts contribute to them. 21_daily_values.sql has what is done with
-- them.
-- Locks and planner settings: see there.

-- The minutes and loads of workouts on each of the claimed days. A load counts in full on its first day, its minutes on each day
-- that it lasts: at most two more. Where the person has travelled since, the clock of that time isn't known, and the workout counts
-- as begun at midnight.
create or replace function wt_private.workout_days(claimed wt_private.claimed_days[]) returns table (
  profile_id uuid, user_id uuid, day date, minutes double precision, load double precision)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  select c.profile_id, c.user_id, l.day, l.minutes, l.load
  from unnest(claimed) c
  cross join lateral (
    select d.day, sum(d.minutes order by d.minutes) as minutes, sum(d.load order by d.load) as load
    from public.wt_training_loads t
    join public.wt_workouts w on w.id = t.workout_id
    join public.wt_users u on u.id = t.user_id
    cross join lateral (
      select case when b.begun::date = t.load_date then extract(epoch from b.begun::time)::double precision / 60 else 0 end
      from (select w.start_time at time zone u.timezone as begun) b) b (minute)
    cross join lateral (
      select t.load_date + n as day, case when n = 0 then t.training_load end as load,
             least(b.minute + t.duration_minutes, 1440 * (n + 1)) - greatest(b.minute, 1440 * n) as minutes
      from generate_series(0, 2) n
      where n = 0 or b.minute + t.duration_minutes > 1440 * n) d
    where t.profile_id = c.profile_id and t.user_id = c.user_id and t.load_date between c.first_day - 2 and c.last_day
      and t.load_type <> 'active_minutes' and d.day between c.first_day and c.last_day
    group by d.day) l;
end $$;

-- Claims up to `max_profiles` marks with days to sum up, of the profiles from `first_id` to `last_id`, and writes these days.
-- Returns how many marks it claimed. Skips marks that another session is changing: they are left for the next call.
--
-- Claiming and reading are separate statements on purpose. What is read was committed after the mark was taken, so a change that is
-- not seen here has yet to set its mark.
create or replace function wt_private.roll_up(first_id uuid, last_id uuid, max_profiles integer) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off set jit = off as $$
declare
  claimed wt_private.claimed_days[];
begin
  -- A first import may mark years: the portion ends where its days add up to a lot.
  select array_agg((c.id, c.user_id, c.stale_from, c.stale_to)::wt_private.claimed_days) into claimed
  from (select m.*, sum(m.stale_to - m.stale_from + 1) over (order by m.id) as days, row_number() over (order by m.id) as n
        from (select k.id, k.user_id, k.stale_from, k.stale_to
              from public.wt_engine_marks k join public.wt_profiles p on p.id = k.id
              where k.stale_from is not null and k.id between first_id and last_id
              order by k.id
              limit greatest(max_profiles, 0)
              for key share of p skip locked
              for no key update of k skip locked) m) c
  where c.n = 1 or c.days <= 200000;
  if claimed is null then
    return 0;
  end if;
  perform wt_private.write_days(claimed);
  return cardinality(claimed);
end $$;
grant execute on function wt_private.roll_up(uuid, uuid, integer), wt_private.workout_days(wt_private.claimed_days[])
  to service_role;

-- sql/10_people/22_hold.sql

-- Locks on people: a session that writes for people locks them first, and all sessions do so in the same order.

-- Trigger: locks the caller's row of wt_users until the end of the transaction. So two phones, or a phone and the background job,
-- take turns: each sees what the other wrote, and no two deadlock. A row lock, because the number of advisory locks is limited.
-- Service connections write for many people and lock each one when its rows arrive; two of them at once send rows in the order of
-- user_id.
create or replace function wt_private.hold_person() returns trigger
language plpgsql set search_path = '' as $$
declare
  me constant uuid := auth.uid();
begin
  perform from public.wt_users u where u.id = me for no key update;
  return null;
end $$;

-- Locks the rows of several people, in the order in which deleting an account takes the same rows. SECURITY DEFINER because the
-- first of these rows is GoTrue's.
create or replace function wt_private.hold_people(user_ids uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from auth.users a where a.id = any (user_ids) order by a.id for key share;
  perform from public.wt_users u where u.id = any (user_ids) order by u.id for no key update;
end $$;
grant execute on function wt_private.hold_people(uuid[]) to service_role;

-- sql/20_readings/22_judge.sql

-- Flow 2: raw readings become validated or rejected.
--
-- Input: raw readings. Output: their status. Locks: people and readings, only those that are free. Planner settings:
-- docs/reference/sql.md.

-- Validates up to `max_rows` raw readings of the profiles from `first_id` to `last_id`. Returns how many. Skips people whose
-- readings another session is writing. "In the future" is measured by the server's time of the reading's last change.
create or replace function wt_private.judge(first_id uuid, last_id uuid, max_rows integer) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  judged integer;
begin
  with picked as materialized (
    select m.id, m.metric_type, m.value_num, m.value_text, m.start_time, m.end_time, m.updated_at
    from public.wt_health_metrics m join public.wt_users u on u.id = m.user_id
    where m.validation_status = 'raw' and m.profile_id between first_id and last_id
    limit greatest(max_rows, 0)
    for no key update of u, m skip locked
  )
  update public.wt_health_metrics m
  set validation_status = v.status::public.wt_validation_status, rejection_reason = v.reason,
      is_primary = m.is_primary and v.status = 'validated', processing_status = 'processed'
  from picked p
  cross join lateral welltrack.validate_metric(
    welltrack.enum_label(p.metric_type), p.value_num, p.value_text, p.start_time, p.end_time, p.updated_at) v
  where m.id = p.id;
  get diagnostics judged = row_count;
  return judged;
end $$;
grant execute on function wt_private.judge(uuid, uuid, integer) to service_role;

-- sql/40_providers/22_settle.sql

-- Flows 3 and 4, the far end of the queue: what became of each event is written together with what it reported.
--
-- Input: a worker's results. Output: wt_webhook_events, wt_error_log, and what 21_provider_rows.sql writes.
-- Locks: people first, in the order in which deleting an account takes them, then events in the order of their ids.
-- Planner settings: docs/reference/sql.md.

-- Writes the results of events that `worker` still holds, all or nothing. Returns how many had which outcome; `lost` are those that
-- it doesn't hold any more. Errors: a check or a key that a result offends.
create or replace function wt_private.write_results(worker text, results jsonb) returns wt_private.settled_counts
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  ids constant uuid[] := array(select (r.item ->> 'id')::uuid from jsonb_array_elements(results) r (item));
  held wt_private.held_event[];
  counts wt_private.settled_counts;
begin
  -- People before events: whoever deletes a person comes in this order.
  perform wt_private.hold_people(array(
    select distinct e.user_id from public.wt_webhook_events e
    where e.id = any (ids) and e.status = 'processing' and e.locked_by = worker and e.user_id is not null));

  select array_agg((l.id, l.source, c.user_id, c.profile_id, c.id, u.timezone, l.received_at,
                    case welltrack.reported_at(l.source::text) when 'receipt' then l.received_at else l.locked_at end
                   )::wt_private.held_event)
  into held
  from (select e.id, e.source, e.provider_user_id, e.received_at, e.locked_at
        from public.wt_webhook_events e
        where e.id = any (ids) and e.status = 'processing' and e.locked_by = worker
        order by e.id
        for update) l
  left join public.wt_health_connections c on c.provider = l.source and c.provider_user_id = l.provider_user_id
  left join public.wt_users u on u.id = c.user_id;

  perform wt_private.write_provider_readings(held, results);
  perform wt_private.write_provider_workouts(held, results);
  perform wt_private.delete_provider_records(held, results);
  perform wt_private.note_on_connections(held, results);

  with verdict as materialized (
    -- An event whose account is nobody's any more goes back, to be parked.
    select r.id, r.error, r.until,
           case when h.connection_id is null then 'release'
                when r.outcome <> 'retry' then r.outcome
                when e.attempts >= e.max_attempts or welltrack.retry_delay(e.source::text, e.attempts) is null then 'dead'
                else 'retry' end as outcome
    from jsonb_to_recordset(results) as r (id uuid, outcome text, error text, until timestamptz)
    join unnest(held) h on h.id = r.id
    join public.wt_webhook_events e on e.id = r.id
  ), settled as (
    update public.wt_webhook_events e
    set status = case v.outcome when 'processed' then 'processed' when 'dead' then 'dead_letter'
                                else 'pending' end::public.wt_event_status,
        processed_at = case v.outcome when 'processed' then now() end,
        attempts = e.attempts - (v.outcome in ('wait', 'release'))::integer,
        next_retry_at = case v.outcome
          when 'retry' then now() + welltrack.retry_delay(e.source::text, e.attempts)
          -- A provider's limits end within a day; a worker whose clock is wrong must not put an event off for ever.
          when 'wait' then least(greatest(coalesce(v.until, now() + interval '15 minutes'), now()), now() + interval '1 day')
          when 'release' then now()
          else e.next_retry_at end,
        last_error = coalesce(left(v.error, 2000), e.last_error),
        locked_at = null, locked_until = null, locked_by = null
    from verdict v where e.id = v.id
    returning e.id, e.source, e.event_type, e.user_id, e.attempts, v.outcome, v.error
  ), logged as materialized (
    select public.log_error(jsonb_build_object(
      'flow', s.source || '_webhook', 'error_code', 'dead_letter', 'message', coalesce(s.error, 'gave up'),
      'user_id', s.user_id,
      'context', jsonb_build_object('event_id', s.id, 'event_type', s.event_type, 'attempts', s.attempts)))
    from settled s where s.outcome = 'dead'
  )
  select count(*) filter (where s.outcome = 'processed'), count(*) filter (where s.outcome = 'retry'),
         count(*) filter (where s.outcome in ('wait', 'release')), count(*) filter (where s.outcome = 'dead'),
         jsonb_array_length(results) - count(*)
  into counts
  from settled s
  where (select count(*) from logged) >= 0;
  return counts;
end $$;

-- Writes results so that one which the database refuses doesn't hold up the others. Bisects the batch to isolate the offending
-- result, then records it as a failed attempt that names the violated constraint. (Not the value: that may be a person's reading.)
create or replace function wt_private.settle_results(worker text, results jsonb) returns wt_private.settled_counts
language plpgsql security invoker set search_path = '' as $$
declare
  half constant integer := jsonb_array_length(results) / 2;
  state text;
  offended text;
  one wt_private.settled_counts;
  other wt_private.settled_counts;
begin
  begin
    return wt_private.write_results(worker, results);
  exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics state = returned_sqlstate, offended = constraint_name;
  end;
  if half = 0 then
    return wt_private.write_results(worker, jsonb_build_array(jsonb_build_object(
      'id', results -> 0 ->> 'id', 'outcome', 'retry',
      'error', concat_ws(' ', 'refused_by_database:', state, nullif(offended, '')))));
  end if;
  one := wt_private.settle_results(
    worker, jsonb_path_query_array(results, '$[0 to $n]', jsonb_build_object('n', half - 1)));
  other := wt_private.settle_results(
    worker, jsonb_path_query_array(results, '$[$n to last]', jsonb_build_object('n', half)));
  return (one.processed + other.processed, one.retried + other.retried, one.waiting + other.waiting, one.dead + other.dead,
          one.lost + other.lost)::wt_private.settled_counts;
end $$;
grant execute on function wt_private.settle_results(text, jsonb), wt_private.write_results(text, jsonb) to service_role;

-- sql/50_recovery/22_recovery.sql

-- Flow 8: recovery scores of claimed profiles.
--
-- Input: wt_daily_values. Output: wt_recovery_scores. Locks: none of its own; the caller holds the marks.
-- The aggregate welltrack.recovery decides what a score is. It gets a person's daily values of the day and the thirty before, and
-- where those are too few for a baseline (a watch that is worn every third day), the last ones before them.
-- Planner settings: docs/reference/sql.md.

-- One day's score from all that may count in it: the long way, which answers the same for everybody.
create or replace function wt_private.recovery(profile_id uuid, day date, sleep_target double precision)
returns welltrack.recovery_day
language sql stable security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  select welltrack.recovery($2, $3, d.local_date, d.stress, d.sleep, d.hr, d.training_load)
  from (
    select v.local_date, v.stress, v.sleep, v.hr, v.training_load
    from public.wt_daily_values v
    where v.profile_id = $1 and v.local_date between $2 - 30 and $2
    union all
    (select v.local_date, v.stress, v.sleep, v.hr, v.training_load
     from public.wt_daily_values v
     where v.profile_id = $1 and v.local_date < $2 - 30 and v.hr is not null
     order by v.local_date desc limit 14)
    union all
    (select v.local_date, v.stress, v.sleep, v.hr, v.training_load
     from public.wt_daily_values v
     where v.profile_id = $1 and v.local_date < $2 - 30 and v.hr is null
       and (v.stress is not null or v.sleep is not null or v.training_load is not null)
     order by v.local_date desc limit 14)
  ) d
$$;
grant execute on function wt_private.recovery(uuid, date, double precision) to authenticated, service_role;

-- The last day whose score may say something else when what is known up to `day` changes: load counts for thirty days, a heart
-- rate until fourteen others came after it, and any input in the count of days until there are fourteen without it. What counts
-- a week later is the training of the last of those.
create or replace function wt_private.last_dependent(profile_id uuid, day date) returns date
language sql stable security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  select greatest(
    $2 + 30,
    (select max(n.local_date)
     from (select v.local_date from public.wt_daily_values v
           where v.profile_id = $1 and v.local_date > $2 and v.hr is not null
           order by v.local_date limit 14) n),
    (select max(n.local_date) + 6
     from (select v.local_date from public.wt_daily_values v
           where v.profile_id = $1 and v.local_date > $2
             and (v.hr is not null or v.stress is not null or v.sleep is not null or v.training_load is not null)
           order by v.local_date limit 14) n))
$$;
grant execute on function wt_private.last_dependent(uuid, date) to service_role;

-- Scores the days of the claimed profiles, whose marks the caller holds. Returns how many rows it wrote. A row that says what it
-- should is not touched; a row of a day without any input goes.
create or replace function wt_private.score_days(claimed wt_private.claimed_profile[]) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off
set enable_hashjoin = off set enable_bitmapscan = off set enable_material = off set enable_memoize = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  version constant text := c.formula_version from welltrack.recovery_curves() c limit 1;
  rows_written integer;
begin
  merge into public.wt_recovery_scores o
  using (
    select c.profile_id, c.user_id, c.day,
           -- The month is nearly always enough: only where it lacks a baseline is more of the past read.
           case when (s.r).days_missing > 0 or (s.r).hr_component is null and ((s.r).raw_data).resting_hr_bpm is not null
                then wt_private.recovery(c.profile_id, c.day, c.sleep_target) else s.r end as r
    from (select u.profile_id, u.user_id, u.sleep_target, u.first_day + generate_series(0, u.last_day - u.first_day) as day
          from unnest(claimed) u
          offset 0) c
    cross join lateral (
      select welltrack.recovery(c.day, c.sleep_target, v.local_date, v.stress, v.sleep, v.hr, v.training_load) as r
      from public.wt_daily_values v
      where v.profile_id = c.profile_id and v.local_date between c.day - 30 and c.day) s
    offset 0
  ) d on o.profile_id = d.profile_id and o.score_date = d.day
  when matched and (d.r).status is null then
    delete
  when matched and
    (o.status, o.days_missing, o.stress_component, o.sleep_component, o.hr_component, o.load_component, o.recovery_score,
     o.weights_used, o.missing_inputs, o.formula_version, o.raw_data) is distinct from
    ((d.r).status::public.wt_score_status, (d.r).days_missing, (d.r).stress_component, (d.r).sleep_component,
     (d.r).hr_component, (d.r).load_component, (d.r).recovery_score, (d.r).weights_used, (d.r).missing_inputs, version,
     (d.r).raw_data)
  then update
    set status = (d.r).status::public.wt_score_status, days_missing = (d.r).days_missing,
        stress_component = (d.r).stress_component, sleep_component = (d.r).sleep_component,
        hr_component = (d.r).hr_component, load_component = (d.r).load_component, recovery_score = (d.r).recovery_score,
        weights_used = (d.r).weights_used, missing_inputs = (d.r).missing_inputs, formula_version = version,
        raw_data = (d.r).raw_data, updated_at = now()
  when not matched and (d.r).status is not null then
    insert (user_id, profile_id, score_date, status, days_missing, stress_component, sleep_component, hr_component,
            load_component, recovery_score, weights_used, missing_inputs, formula_version, raw_data)
    values (d.user_id, d.profile_id, d.day, (d.r).status::public.wt_score_status, (d.r).days_missing,
            (d.r).stress_component, (d.r).sleep_component, (d.r).hr_component, (d.r).load_component, (d.r).recovery_score,
            (d.r).weights_used, (d.r).missing_inputs, version, (d.r).raw_data);
  get diagnostics rows_written = row_count;
  return rows_written;
end $$;
grant execute on function wt_private.score_days(wt_private.claimed_profile[]) to service_role;

-- sql/20_readings/23_batch.sql

-- Flow 2: what a phone's batch becomes. public.ingest_health_metrics checks the batch and calls this.
-- Planner settings and the session variable wt.batch: docs/reference/sql.md.

-- What is in a batch for profile `target` of person `owner`, and the stored row that each reading belongs to: found by the
-- provider's name for the record, or by its identity where it has no name. `moved`: it has another period than its row; `changed`:
-- another value or another record. Rows for rejected and merged records have an `outcome` and a `reason` only.
create or replace function wt_private.batch_readings(owner uuid, target uuid, list jsonb, payload text) returns table (
  ordinal integer, outcome text, reason text, source public.wt_metric_source, metric_type public.wt_metric_type,
  value_num double precision, value_text text, unit text, start_time timestamptz, end_time timestamptz, recorded_at timestamptz,
  source_record_id text, ingestion_version text, dedupe_hash bytea, stored_id uuid, moved boolean, changed boolean)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  select i.ordinal, i.outcome, i.reason, i.src, i.metric, i.value_num, i.value_text, i.unit, i.start_time, i.end_time,
         i.recorded_at, i.source_record_id, i.ingestion_version, i.dedupe_hash, e.id, e.dedupe_hash <> i.dedupe_hash,
         e.value_num is distinct from i.value_num or e.value_text is distinct from i.value_text
           or e.raw_payload_json is distinct from list -> i.ordinal
  from (select n.*, n.source::public.wt_metric_source as src, n.metric_type::public.wt_metric_type as metric
        from welltrack.native_metrics(owner, target, payload) n) i
  left join lateral (
    (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
     where m.user_id = owner and m.source_record_id = i.source_record_id and m.source = i.src
       and m.metric_type = i.metric
     limit 1)
    union all
    (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
     where i.source_record_id is null and m.user_id = owner and m.dedupe_hash = i.dedupe_hash
     limit 1)) e on i.dedupe_hash is not null;
end $$;

-- Writes a batch for profile `target` of person `owner`, whom the caller holds: `list` are its records, `payload` is the whole
-- batch as text, `zone` the person's time zone. Returns the answer of public.ingest_health_metrics.
--
-- What is written is found by lists of ids and hashes: a join may read all that the person ever sent.
create or replace function wt_private.write_batch(owner uuid, target uuid, zone text, list jsonb, payload text) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  with batch as materialized (
    select * from wt_private.batch_readings(owner, target, list, payload)
  ), placed as materialized (
    -- What has to be written. A row that moves away with its name leaves its period free: what the batch has there is a
    -- new reading.
    select f.*, list -> f.ordinal as record,
           (welltrack.day_anchor(welltrack.enum_label(f.metric_type), f.start_time, f.end_time) at time zone zone)::date
             as local_date,
           case when f.moved or f.stored_id not in (select v.stored_id from batch v where v.moved)
                then f.stored_id end as old_id
    from batch f
    where f.dedupe_hash is not null
      and (f.changed or f.moved or f.stored_id is null or f.stored_id in (select v.stored_id from batch v where v.moved))
  ), gone as (
    -- A record whose period moved gets a new identity: its old row, and whatever stood at the new identity, give way.
    delete from public.wt_health_metrics m
    where m.user_id = owner and m.id = any (array(
      select f.old_id from placed f where f.moved
      union all
      select e.id from public.wt_health_metrics e
      where e.user_id = owner and e.dedupe_hash = any (array(select f.dedupe_hash from placed f where f.moved))))
    returning m.id
  ), revised as (
    update public.wt_health_metrics m
    set value_num = f.value_num, value_text = f.value_text, raw_payload_json = f.record,
        recorded_at = coalesce(f.recorded_at, m.recorded_at), ingestion_source_version = f.ingestion_version
    from placed f
    where m.id = any (array(select v.old_id from placed v)) and m.id = f.old_id and f.changed and not coalesce(f.moved, false)
    returning m.id
  ), added as (
    insert into public.wt_health_metrics as m
      (id, user_id, profile_id, source, metric_type, value_num, value_text, unit, start_time, end_time, local_date,
       recorded_at, raw_payload_json, source_record_id, ingestion_source_version)
    select coalesce(f.old_id, welltrack.uuid_v7()), owner, target, f.source, f.metric_type, f.value_num, f.value_text,
           f.unit, f.start_time, f.end_time, f.local_date, coalesce(f.recorded_at, now()), f.record,
           f.source_record_id, f.ingestion_version
    from placed f
    where (f.old_id is null or f.moved) and (select count(*) from gone) >= 0
    on conflict (user_id, dedupe_hash) do update
      set value_num = excluded.value_num, value_text = excluded.value_text,
          raw_payload_json = excluded.raw_payload_json, recorded_at = excluded.recorded_at,
          source_record_id = coalesce(excluded.source_record_id, m.source_record_id),
          ingestion_source_version = excluded.ingestion_source_version
      where (m.value_num, m.value_text, m.raw_payload_json, m.source_record_id) is distinct from
            (excluded.value_num, excluded.value_text, excluded.raw_payload_json,
             coalesce(excluded.source_record_id, m.source_record_id))
    returning m.id, m.xmax = 0 as fresh
  ), tally as (
    -- A moved row went and came again: it counts as updated.
    select (select count(*) filter (where a.fresh) from added a) - n.moved as inserted,
           (select count(*) from revised) + (select count(*) filter (where not a.fresh) from added a) + n.moved as updated
    from (select count(*) filter (where f.moved) as moved from placed f) n
  )
  select jsonb_build_object(
    'received', count(*),
    'inserted', (select t.inserted from tally t),
    'updated', (select t.updated from tally t),
    'unchanged', count(*) filter (where i.outcome = 'row') - (select t.inserted + t.updated from tally t),
    'merged', count(*) filter (where i.outcome = 'merged'),
    'rejected', count(*) filter (where i.outcome = 'rejected'),
    'rejections', coalesce(
      jsonb_agg(jsonb_build_object('index', i.ordinal, 'reason', i.reason) order by i.ordinal)
        filter (where i.outcome = 'rejected'), '[]'))
  into answer
  from batch i;
  return answer;
end $$;
grant execute on function wt_private.batch_readings(uuid, uuid, jsonb, text), wt_private.write_batch(uuid, uuid, text, jsonb, text)
  to authenticated, service_role;

-- sql/40_providers/23_tokens.sql

-- How encrypted tokens are written in an answer.

-- Base64 without the line breaks that Postgres puts in.
create or replace function wt_private.base64(bytea) returns text
language sql immutable parallel safe set search_path = '' as $$ select translate(encode($1, 'base64'), E'\n', '') $$;
grant execute on function wt_private.base64(bytea) to service_role;

-- sql/50_recovery/23_forecasts.sql

-- Generated by `cargo xtask schema --write` from sql/50_recovery/23_forecasts.sql.template
-- and core/src/metric/table.rs: change those, never this file.
-- Flow 8: where each active goal's metric is heading. The extension computes the line, its uncertainty and the sentence; this file
-- chooses the days that go in and keeps the results.
--
-- Input: wt_goals, wt_daily_values, wt_baselines. Output: wt_forecasts.
-- Locks: goals without a forecast (key share); the caller holds the marks. Planner settings: docs/reference/sql.md.

-- Keeps a goal in canonical units, whichever interface it arrives by.
create or replace function wt_private.admit_goal() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.target_value := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.target_value, new.unit, null);
  new.current_value := welltrack.to_canonical(welltrack.enum_label(new.metric_type), new.current_value, new.unit, null);
  new.unit := welltrack.canonical_unit(welltrack.enum_label(new.metric_type));
  return new;
end $$;

-- What the active goals of the claimed profiles lead to, from the thirty days that end with `as_of`; `place` is where the goal's
-- forecast lies, null if it has none yet. Goals whose forecast is of a later day are left out: that run knew more. Before the
-- metric's baseline is complete, a forecast says only that it is calibrating. What adds up in the course of a day counts once the
-- day is over where the person is: half a day's steps would look like a bad day.
-- `offset 0`: what is computed from a row is computed once, however many columns are taken from it.
create or replace function wt_private.goal_forecasts(claimed wt_private.claimed_profile[], as_of date) returns table (
  place tid, goal_id uuid, user_id uuid, profile_id uuid, metric_type public.wt_metric_type, status public.wt_forecast_status,
  current_value double precision, target_value double precision, slope_per_day double precision, intercept double precision,
  r_squared double precision, projected_date date, projected_low date, projected_high date, confidence double precision,
  data_points integer, narrative text)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  select o.ctid, t.goal_id, t.user_id, t.profile_id, t.metric_type, s.status, t.latest, t.target_value,
         (t.known).slope_per_day, (t.known).intercept, (t.known).r_squared, (t.p).projected_date,
         (t.p).projected_low, (t.p).projected_high, (t.p).confidence, (t.line).n::integer,
         welltrack.forecast_narrative(
           t.metric_type::text, s.status::text, t.latest, t.target_value, (t.known).slope_per_day, (t.p).projected_date,
           (t.p).projected_low, (t.p).projected_high, (t.p).confidence, units => t.units, deadline => t.deadline)
  from (
    select k.*, welltrack.forecast(k.known, k.target_value, k.direction::text, k.latest, $2, k.deadline) as p
    from (
      select f.*, case when not f.calibrating then f.line end as known
      from (
        select g.id as goal_id, g.user_id, g.profile_id, g.metric_type, g.target_value, g.direction, g.deadline, c.units,
               v.line, v.known_values[cardinality(v.known_values)] as latest,
               (v.line).n < 14 and not exists (
                 select from public.wt_baselines b
                 where b.profile_id = g.profile_id and b.metric_type = g.metric_type
                   and b.data_points_count = 14) as calibrating
        from unnest(claimed) c
        join public.wt_goals g on g.profile_id = c.profile_id and g.is_active
        cross join lateral (
          select case when welltrack.grows_during_day(welltrack.enum_label(g.metric_type))
                      then (select least($2, (now() at time zone u.timezone)::date - 1)
                            from public.wt_users u where u.id = g.user_id)
                      else $2 end as last_day
          offset 0) e
        cross join lateral (
          select welltrack.linear_regression(d.value, d.local_date) as line,
                 array_agg(d.value) filter (where d.value is not null) as known_values
          from (select v.local_date,
                       case g.metric_type
                         when 'sleep' then v.sleep when 'stress' then v.stress when 'vo2max' then v.vo2max
                         when 'steps' then v.steps when 'hr' then v.hr when 'hrv' then v.hrv when 'calories' then v.calories
                         when 'distance' then v.distance when 'active_minutes' then v.active_minutes
                         when 'weight' then v.weight when 'body_fat' then v.body_fat
                         when 'blood_pressure' then v.blood_pressure when 'spo2' then v.spo2
                         when 'respiratory_rate' then v.respiratory_rate
                         end as value
                from public.wt_daily_values v
                where v.profile_id = g.profile_id and v.local_date between $2 - 29 and e.last_day
                -- The index gives this order; it makes the last of the values the latest.
                order by v.local_date) d) v
        offset 0) f
      offset 0) k
    offset 0) t
  cross join lateral (
    values (case when t.calibrating then 'calibrating' else (t.p).status::public.wt_forecast_status end)) s (status)
  left join public.wt_forecasts o on o.goal_id = t.goal_id
  where (o.as_of <= $2) is not false;
end $$;

-- Forecasts the active goals of the claimed profiles, whose marks the caller holds. Returns how many rows it wrote. A row that says
-- what it should is not touched.
create or replace function wt_private.forecast_goals(claimed wt_private.claimed_profile[], as_of date) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off
set enable_hashjoin = off set enable_bitmapscan = off set enable_material = off set enable_memoize = off set jit = off
set plan_cache_mode = force_generic_plan set work_mem = '64MB' as $$
declare
  rows_written integer;
begin
  with told as materialized (
    select * from wt_private.goal_forecasts(claimed, as_of)
  ), revised as (
    update public.wt_forecasts o
    set metric_type = t.metric_type, status = t.status, as_of = forecast_goals.as_of, current_value = t.current_value,
        target_value = t.target_value, slope_per_day = t.slope_per_day, intercept = t.intercept, r_squared = t.r_squared,
        projected_date = t.projected_date, projected_low = t.projected_low, projected_high = t.projected_high,
        confidence = t.confidence, data_points = t.data_points, narrative = t.narrative, calculated_at = now(),
        updated_at = now()
    from told t
    -- Where it was found a moment ago, in the same snapshot.
    where o.ctid = t.place
      and (o.as_of, o.metric_type, o.status, o.current_value, o.target_value, o.slope_per_day, o.intercept, o.r_squared,
           o.projected_date, o.projected_low, o.projected_high, o.confidence, o.data_points, o.narrative)
        is distinct from
          (forecast_goals.as_of, t.metric_type, t.status, t.current_value, t.target_value, t.slope_per_day, t.intercept,
           t.r_squared, t.projected_date, t.projected_low, t.projected_high, t.confidence, t.data_points, t.narrative)
    returning o.id
  ), first as materialized (
    -- A goal's first forecast refers to it: it is held, so that it does not go meanwhile, and one that is just going needs none.
    select t.*
    from told t join public.wt_goals g on g.id = t.goal_id
    where t.place is null
    for key share of g skip locked
  ), written as (
    insert into public.wt_forecasts
      (user_id, profile_id, goal_id, metric_type, status, as_of, current_value, target_value, slope_per_day, intercept,
       r_squared, projected_date, projected_low, projected_high, confidence, data_points, narrative)
    select t.user_id, t.profile_id, t.goal_id, t.metric_type, t.status, as_of, t.current_value, t.target_value,
           t.slope_per_day, t.intercept, t.r_squared, t.projected_date, t.projected_low, t.projected_high, t.confidence,
           t.data_points, t.narrative
    from first t
    returning id
  )
  select (select count(*) from revised) + (select count(*) from written) into rows_written;
  return rows_written;
end $$;
grant execute on function wt_private.goal_forecasts(wt_private.claimed_profile[], date),
  wt_private.forecast_goals(wt_private.claimed_profile[], date) to service_role;

-- sql/50_recovery/24_engine.sql

-- Flow 8: the nightly run over all marked profiles, and the on-demand run of one person. Both do the same: they work off marks and
-- move each mark on in the same transaction, so that a run that dies has done nothing halfway.
--
-- Input: wt_engine_marks. Output: wt_recovery_scores, wt_forecasts, marks. Locks: profiles (key share), then marks, in the order of
-- their ids; the on-demand run locks its person first. Planner settings: docs/reference/sql.md.

-- Whether a run for `as_of` settles a new goal: it sees the last day that the profile has, or at least yesterday in UTC, as the
-- nightly run does. A run for an earlier day leaves the goal marked.
create or replace function wt_private.sees_goals(last_day date, as_of date) returns boolean
language sql stable set search_path = '' as $$
  select $2 >= least(coalesce($1, $2), (now() at time zone 'UTC')::date - 1)
$$;

-- Claims up to `max_profiles` marked profiles from `first_id` to `last_id` and works them off. Returns how many, the last of them,
-- and how many scores and forecasts it wrote. Skips marks that another session holds. Claiming and reading are separate statements,
-- for the reason given with roll_up; that goes for a profile's settings too.
create or replace function wt_private.engine_portion(
  first_id uuid, last_id uuid, max_profiles integer, as_of date,
  out reached uuid, out profiles integer, out scores integer, out forecasts integer
) language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off
set enable_hashjoin = off set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  marks wt_private.marked_profile[];
  claimed wt_private.claimed_profile[];
begin
  -- Lock the profile before the mark, in the same order as deletion, so that a concurrent delete blocks instead of deadlocking.
  -- SKIP LOCKED passes over profiles that are being deleted.
  select array_agg((c.place, c.id, c.user_id, c.score_from, c.score_to)::wt_private.marked_profile) into marks
  from (select k.ctid as place, k.id, k.user_id, k.score_from, k.score_to
        from public.wt_engine_marks k join public.wt_profiles p on p.id = k.id
        where k.id between first_id and last_id
          and (k.score_from <= as_of or k.forecast_due and wt_private.sees_goals(k.score_to, as_of))
        order by k.id
        limit max_profiles
        for key share of p skip locked
        for no key update of k skip locked) c;
  if marks is null then
    profiles := 0;
    return;
  end if;
  -- After a first import a profile has years to score: the portion ends where its days add up to a lot.
  select array_agg((c.place, c.profile_id, c.user_id, c.sleep_target_hours, c.units, c.first_day, c.last_day, c.dependent_day)
                   ::wt_private.claimed_profile)
  into claimed
  from (select m.*, sum(greatest(m.last_day - m.first_day + 1, 0)) over (order by m.n) as days
        from (select u.*, p.sleep_target_hours, p.preferences ->> 'units' as units, least(l.dependent_day, as_of) as last_day,
                     l.dependent_day
              from unnest(marks) with ordinality u (place, profile_id, user_id, first_day, changed_day, n)
              join public.wt_profiles p on p.id = u.profile_id
              cross join lateral (
                select case when u.changed_day + 30 < as_of then wt_private.last_dependent(u.profile_id, u.changed_day)
                            else u.changed_day + 30 end as dependent_day
                offset 0) l) m) c
  where c.n = 1 or c.days <= 100000;
  profiles := cardinality(claimed);
  reached := (claimed[profiles]).profile_id;
  scores := wt_private.score_days(claimed);
  forecasts := wt_private.forecast_goals(claimed, as_of);
  -- Later days still depend on the last changed ones, and the forecast's window moves on: the mark waits for the next day.
  update public.wt_engine_marks m
  set score_from = case when c.dependent_day >= as_of then greatest(m.score_from, as_of + 1) end,
      score_to = case when c.dependent_day >= as_of then m.score_to end,
      forecast_due = m.forecast_due and not wt_private.sees_goals(m.score_to, as_of), updated_at = now()
  -- Where it was claimed: nobody else has written it since.
  from unnest(claimed) c
  where m.ctid = c.place;
end $$;

-- A random marked profile, by where its mark lies; null if there is none. Engines that begin in different places seldom meet. Two
-- that both began at the first profile needed a third more time, since each checks the locks of what it skips.
create or replace function wt_private.engine_start() returns uuid
language sql volatile security invoker set search_path = '' set enable_seqscan = off as $$
  select k.id
  from public.wt_engine_marks k
  where k.ctid >= (select format('(%s,0)', floor(random() * pg_relation_size('public.wt_engine_marks')
                                                 / current_setting('block_size')::integer))::tid)
  limit 1
$$;

-- A run for one person (`only_user`) or for all (null). Returns the answer of run_performance_engine. Begins no portion after its
-- fifth second: it holds marks, and sessions that write readings of the same people wait for it.
create or replace function wt_private.run_engine(as_of date, only_user uuid) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  least_id constant uuid := uuid '00000000-0000-0000-0000-000000000000';
  greatest_id constant uuid := uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  start uuid;
  profile uuid;
  last_profile uuid;
  portion record;
  profiles integer := 0;
  scores integer := 0;
  forecasts integer := 0;
  is_left boolean := false;
  is_idle boolean := true;
begin
  if only_user is not null then
    -- Readings that the person has just sent count: validate them first, taking turns with other writers.
    perform from public.wt_users u where u.id = only_user for no key update;
    for profile in select p.id from public.wt_profiles p where p.user_id = only_user order by p.id loop
      perform wt_private.judge(profile, profile, 20000);
      perform wt_private.roll_up(profile, profile, 1);
      portion := wt_private.engine_portion(profile, profile, 1, as_of);
      profiles := profiles + portion.profiles;
      scores := scores + coalesce(portion.scores, 0);
      forecasts := forecasts + coalesce(portion.forecasts, 0);
      is_left := exists (
        select from public.wt_engine_marks m
        where m.id = profile and (m.stale_from is not null or m.score_from <= as_of
                                  or m.forecast_due and wt_private.sees_goals(m.score_to, as_of))) or is_left;
    end loop;
    return jsonb_build_object('as_of', as_of, 'profiles', profiles, 'scores', scores, 'forecasts', forecasts,
                              'left', is_left);
  end if;

  while clock_timestamp() < now() + interval '5 seconds' loop
    exit when wt_private.roll_up(least_id, greatest_id, 5000) = 0;
    is_idle := false;
  end loop;
  -- Once round, from anywhere.
  start := coalesce(wt_private.engine_start(), least_id);
  for profile, last_profile in values (start, greatest_id), (least_id, start) loop
    while clock_timestamp() < now() + interval '5 seconds' loop
      portion := wt_private.engine_portion(profile, last_profile, 5000, as_of);
      exit when portion.profiles = 0;
      is_idle := false;
      profile := portion.reached;
      profiles := profiles + portion.profiles;
      scores := scores + portion.scores;
      forecasts := forecasts + portion.forecasts;
    end loop;
  end loop;
  select m.id into profile
  from public.wt_engine_marks m
  where m.stale_from is not null or m.score_from <= as_of
     or m.forecast_due and wt_private.sees_goals(m.score_to, as_of)
  limit 1;
  is_left := found;
  if is_left and is_idle then
    -- Other sessions hold all of it. Wait for one of them, without holding a mark that it could wait for, so that the caller's next
    -- call finds work instead of polling. Wait for the profile first, in case it is being deleted.
    perform from public.wt_profiles p where p.id = profile for key share;
    perform from public.wt_engine_marks m where m.id = profile for no key update;
  end if;
  return jsonb_build_object('as_of', as_of, 'profiles', profiles, 'scores', scores, 'forecasts', forecasts, 'left', is_left);
end $$;

-- The caller's own run. SECURITY DEFINER because people only read what the engine writes; takes no person, so that a caller can't
-- ask for another one. Errors: PT401 without a person.
create or replace function wt_private.run_engine_for_caller(as_of date) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  if auth.uid() is null then
    raise exception 'sign in to run the engine for yourself' using errcode = 'PT401';
  end if;
  return wt_private.run_engine(as_of, auth.uid());
end $$;
grant execute on function wt_private.run_engine_for_caller(date) to authenticated, service_role;

grant execute on function wt_private.sees_goals(date, date), wt_private.run_engine(date, uuid), wt_private.engine_start(),
  wt_private.engine_portion(uuid, uuid, integer, date)
  to service_role;

-- sql/10_people/80_triggers.sql

-- Triggers on auth.users and wt_profiles.

create or replace trigger keep_primary before delete on public.wt_profiles
  for each row when (old.is_primary) execute function wt_private.keep_primary_profile();

create or replace trigger onboarding_mark before insert or update of fitness_goals, dietary_restrictions on public.wt_profiles
  for each row when (new.modules_provisioned_at is null
                     and (new.fitness_goals is not null or new.dietary_restrictions is not null))
  execute function wt_private.mark_provisioned();

create or replace trigger onboarding_provision_new after insert on public.wt_profiles
  for each row when (new.modules_provisioned_at is not null) execute function wt_private.provision_modules();
create or replace trigger onboarding_provision after update on public.wt_profiles
  for each row when (old.modules_provisioned_at is null and new.modules_provisioned_at is not null)
  execute function wt_private.provision_modules();

create or replace trigger hold before update of date_of_birth or delete on public.wt_profiles
  for each statement execute function wt_private.hold_person();

create or replace trigger birthday after update of date_of_birth on public.wt_profiles
  for each row when (old.date_of_birth is distinct from new.date_of_birth)
  execute function wt_private.birthday_changed();

create or replace trigger sleep_target after update of sleep_target_hours on public.wt_profiles
  for each row when (old.sleep_target_hours <> new.sleep_target_hours)
  execute function wt_private.sleep_target_changed();

create or replace trigger units after update of preferences on public.wt_profiles
  for each row when (old.preferences ->> 'units' is distinct from new.preferences ->> 'units')
  execute function wt_private.units_changed();

create or replace trigger on_auth_user_created after insert on auth.users
  for each row execute function welltrack.handle_new_user();

-- sql/20_readings/80_triggers.sql

-- Triggers on wt_health_metrics.

create or replace trigger hold before insert or update or delete on public.wt_health_metrics
  for each statement execute function wt_private.hold_person();

-- Not for the rows of a batch function, which has done all this (wt.batch, docs/reference/sql.md).
create or replace trigger admit before insert on public.wt_health_metrics
  for each row when (current_setting('wt.batch', true) is distinct from 'on')
  execute function wt_private.admit_metric();

create or replace trigger revise before update on public.wt_health_metrics
  for each row execute function wt_private.revise_metric();

create or replace trigger readings_inserted after insert on public.wt_health_metrics referencing new table as new_rows
  for each statement execute function wt_private.readings_inserted();
create or replace trigger readings_updated after update on public.wt_health_metrics
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.readings_updated();
create or replace trigger readings_deleted after delete on public.wt_health_metrics referencing old table as old_rows
  for each statement execute function wt_private.readings_deleted();

-- sql/30_training/80_triggers.sql

-- Triggers on wt_workouts and wt_training_loads.

-- Workers write workouts too, so a person's own statements lock the person first.
create or replace trigger hold before insert or update or delete on public.wt_workouts
  for each statement execute function wt_private.hold_person();

create or replace trigger workouts_inserted after insert on public.wt_workouts referencing new table as new_rows
  for each statement execute function wt_private.workouts_changed();
create or replace trigger workouts_updated after update on public.wt_workouts
  referencing old table as old_rows new table as new_rows for each statement execute function wt_private.workouts_changed();
create or replace trigger workouts_deleted after delete on public.wt_workouts referencing old table as old_rows
  for each statement execute function wt_private.workouts_changed();

create or replace trigger loads_inserted after insert on public.wt_training_loads referencing new table as new_rows
  for each statement execute function wt_private.loads_changed();
create or replace trigger loads_updated after update on public.wt_training_loads
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.loads_changed();
create or replace trigger loads_deleted after delete on public.wt_training_loads referencing old table as old_rows
  for each statement execute function wt_private.loads_changed();

-- sql/40_providers/80_triggers.sql

-- Triggers on wt_health_connections.

create or replace trigger wake after insert or update of is_connected, provider_user_id on public.wt_health_connections
  for each row when (new.is_connected) execute function wt_private.wake_events();

-- Before the row goes: a cascade runs with the owner's rights then, and afterwards with those of the role that began it.
create or replace trigger forget before delete on public.wt_health_connections
  for each row execute function wt_private.forget_events();

-- sql/50_recovery/80_triggers.sql

-- Triggers on daily values, marks, scores, goals and forecasts. The engine sets updated_at itself, so `touch` skips its rows.

create or replace trigger touch before insert or update on public.wt_daily_values
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_engine_marks
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_recovery_scores
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_forecasts
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger admit before insert or update of metric_type, target_value, current_value, unit on public.wt_goals
  for each row execute function wt_private.admit_goal();

create or replace trigger changed after insert or update of profile_id, metric_type, target_value, direction, deadline, is_active
  on public.wt_goals
  for each row execute function wt_private.goal_changed();

-- sql/00_base/90_api.sql

-- The error log's API, and the job that removes old rows of both logs.

-- Writes a row to the error log; no other function does. Takes and returns jsonb, as every function that edge functions call.
--   {"flow", "error_code", "message", "context"?: {}, "retriable"?: bool, "user_id"?: uuid}  ->  {"id": uuid}
-- Keeps plain values of the context only, and none whose key names a secret, a person or a reading. Replaces what looks like a
-- secret inside a text. Cuts a message at 2,000 characters and replaces a context over 8 kB by its size, so that logging doesn't
-- fail for being verbose.
-- Errors: 22023 not an object, 22P02 not a uuid or boolean, 23502 and 23514 a flow, error_code or message that breaks its check.
create or replace function public.log_error(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  forbidden constant text :=
    'token|secret|passw|credential|authorization|signature|session|private|api[_-]?key|cookie|jwt|email|phone|'
    'payload|value|reading|raw|body|' || (select string_agg(m.log_keys, '|') from welltrack.metrics() m);
  -- Bearer tokens, JWTs, credentials in a query string or in a URL. Stops at quotes, so that JSON text stays JSON.
  secret constant text :=
    '(bearer\s+|eyJ)[a-z0-9._~+/=-]{8,}|(token|secret|password|key|code)=[^&\s"\\]+|//[^/\s@"\\]+:[^/\s@"\\]+@';
  message constant text := left(regexp_replace($1 ->> 'message', secret, '[secret]', 'gi'), 2000);
  retriable constant boolean := coalesce(($1 ->> 'retriable')::boolean, false);
  clean jsonb;
  new_id uuid := gen_random_uuid();
begin
  if jsonb_typeof($1) is distinct from 'object' then
    raise exception 'log_error takes one JSON object' using errcode = '22023';
  end if;
  select regexp_replace(coalesce(jsonb_object_agg(e.key, e.value), '{}')::text, secret, '[secret]', 'gi')::jsonb into clean
  from jsonb_each(case when jsonb_typeof($1 -> 'context') = 'object' then $1 -> 'context' else '{}' end) e
  where e.key !~* forbidden and jsonb_typeof(e.value) in ('string', 'number', 'boolean', 'null');
  if pg_column_size(clean) > 8000 then
    clean := jsonb_build_object('context_bytes', pg_column_size(clean));
  end if;
  begin
    insert into public.wt_error_log (id, user_id, flow, error_code, message, context, retriable)
    values (new_id, ($1 ->> 'user_id')::uuid, $1 ->> 'flow', $1 ->> 'error_code', message, clean, retriable);
  exception when foreign_key_violation then
    -- The person was deleted meanwhile; the error is still worth knowing.
    insert into public.wt_error_log (id, flow, error_code, message, context, retriable)
    values (new_id, $1 ->> 'flow', $1 ->> 'error_code', message, clean, retriable);
  end;
  return jsonb_build_object('id', new_id);
end $$;
grant execute on function public.log_error(jsonb) to service_role;

-- Removes at most `portion` rows of each log that are older than its limit. Returns how many. SECURITY DEFINER because no role may
-- delete from the audit log. Errors: 22023 for a limit under 30 days.
create or replace function public.prune_logs(
  audit_days integer default 400, error_days integer default 90, portion integer default 10000
) returns integer language plpgsql security definer set search_path = '' as $$
declare
  removed integer;
  total integer := 0;
begin
  if least(audit_days, error_days) < 30 then
    raise exception 'logs are kept for at least 30 days' using errcode = '22023';
  end if;
  delete from public.wt_audit_log where id in (
    select a.id from public.wt_audit_log a where a.created_at < now() - make_interval(days => audit_days) limit portion);
  get diagnostics removed = row_count;
  total := total + removed;
  delete from public.wt_error_log where id in (
    select e.id from public.wt_error_log e where e.created_at < now() - make_interval(days => error_days) limit portion);
  get diagnostics removed = row_count;
  return total + removed;
end $$;
grant execute on function public.prune_logs(integer, integer, integer) to service_role;

-- sql/20_readings/90_api.sql

-- Flow 2, what apps and schedulers call: a phone's batch, and the background jobs that judge what came in.

-- Writes a batch of readings for a profile, in one transaction: all of it or nothing. Runs with the caller's rights, so row-level
-- security holds.
--   {"source", "ingestion_version", "records": [...]}, as the native plugin sends it, or a bare array whose records name their
--   source; at most welltrack.size_limit('batch_records') of them, 'batch_bytes', and 'batch_text_bytes' written out
--     ->  {"received", "inserted", "updated", "unchanged", "merged", "rejected", "rejections": [{"index", "reason"}]}
-- The five counts add up to `received`. `merged` records were folded into another one of the same batch (repeats: the last one
-- wins; the second half of a blood pressure). `rejections` says why, by position in the batch.
-- Errors: PT404 no such profile (or not the caller's), PT400 not a batch, PT413 too much at once.
-- Locks: the person, so that two batches of one person wait for each other and the second sees what the first wrote.
-- One plan serves all batches (force_generic_plan): planning anew would copy the batch into the plan. docs/reference/sql.md
create or replace function public.ingest_health_metrics(profile_id uuid, records jsonb) returns jsonb
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  target constant uuid := $1;
  list constant jsonb := case jsonb_typeof($2) when 'object' then $2 -> 'records' else $2 end;
  owner uuid;
  zone text;
  most_records constant bigint := welltrack.size_limit('batch_records');
  most_bytes constant bigint := welltrack.size_limit('batch_bytes');
  most_text constant bigint := welltrack.size_limit('batch_text_bytes');
  payload constant text := welltrack.json_text($2, most_text::integer);
  answer jsonb;
begin
  if list is null or jsonb_typeof(list) <> 'array' then
    raise exception 'records must be an array of readings, or an object with such an array under "records"'
      using errcode = 'PT400';
  elsif jsonb_array_length(list) > most_records then
    raise exception '% records are too many for one batch', jsonb_array_length(list)
      using errcode = 'PT413', hint = format('send at most %s records at once', most_records);
  elsif pg_column_size($2) > most_bytes or payload is null then
    raise exception 'the batch is larger than % MB, or % MB written out', most_bytes / 1048576, most_text / 1048576
      using errcode = 'PT413', hint = 'send fewer records at once';
  end if;

  select p.user_id, u.timezone into owner, zone
  from public.wt_profiles p join public.wt_users u on u.id = p.user_id
  where p.id = target
  for no key update of u;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names one of your own profiles';
  end if;

  perform set_config('wt.batch', 'on', true);
  answer := wt_private.write_batch(owner, target, zone, list, payload);
  perform set_config('wt.batch', 'off', true);
  return answer;
end $$;
grant execute on function public.ingest_health_metrics(uuid, jsonb) to authenticated, service_role;

-- Validates up to `max_rows` raw readings of any profiles. Returns how many; 0 if none is left, or other sessions hold all of them.
-- Any scheduler may call this and the next two functions; calls that overlap share the work.
create or replace function public.validate_pending_metrics(max_rows integer default 20000) returns integer
language sql security invoker set search_path = '' as $$
  select wt_private.judge('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1)
$$;

-- Recomputes up to `max_baselines` stale baselines: mean and sample standard deviation of the daily values (a sum or a mean of the
-- day's readings, by metric) of the last 14 distinct local days that have any. Returns how many.
create or replace function public.refresh_baselines(max_baselines integer default 20000) returns integer
language plpgsql security invoker set search_path = '' set jit = off as $$
declare
  ids uuid[];
  refreshed integer;
begin
  -- Claiming and reading are separate statements: what is read was committed after the claim, so a change that is not seen here has
  -- yet to mark the baseline as stale.
  select array_agg(p.id) into ids
  from (select b.id from public.wt_baselines b
        where b.is_stale
        order by b.updated_at
        limit greatest(max_baselines, 0)
        for no key update skip locked) p;
  with picked as materialized (
    select b.id, b.profile_id, b.metric_type,
           welltrack.daily_aggregate(welltrack.enum_label(b.metric_type)) = 'sum' as adds_up
    from unnest(ids) c (id) join public.wt_baselines b using (id)
  ), computed as (
    select p.id, c.*
    from picked p
    cross join lateral (
      select avg(d.value) as mean, stddev_samp(d.value) as spread, count(*)::integer as days,
             min(d.local_date) as first_day, max(d.local_date) as last_day
      from (select m.local_date, case when p.adds_up then sum(m.value_num) else avg(m.value_num) end as value
            from public.wt_health_metrics m
            where m.profile_id = p.profile_id and m.metric_type = p.metric_type
              and m.validation_status = 'validated' and m.is_primary and m.value_num is not null
            group by m.local_date
            order by m.local_date desc
            limit 14) d) c
  )
  update public.wt_baselines b
  set baseline_value = c.mean, baseline_stddev = c.spread, data_points_count = c.days, capture_start = c.first_day,
      capture_end = c.last_day, is_stale = false
  from computed c
  where b.id = c.id;
  get diagnostics refreshed = row_count;
  return refreshed;
end $$;

-- Runs the background jobs: raw readings, then stale baselines and days, in portions.
--   ->  {"judged", "baselines", "days"} (`days` counts profiles whose days were summed up); all 0 when nothing was left to do
-- A person whose readings are being validated can't write others until this transaction is over. So a run begins no portion after
-- its fifth second and leaves the rest to the next run. Where that is too long, call the three parts instead, each in a transaction
-- of its own, as pg_cron's job does.
create or replace function public.run_health_jobs() returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  portion integer;
  judged integer := 0;
  baselines integer := 0;
  days integer := 0;
begin
  loop
    portion := public.validate_pending_metrics();
    judged := judged + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  loop
    portion := public.refresh_baselines();
    baselines := baselines + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  loop
    portion := public.refresh_daily_values();
    days := days + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  return jsonb_build_object('judged', judged, 'baselines', baselines, 'days', days);
end $$;

grant execute on function public.validate_pending_metrics(integer), public.refresh_baselines(integer),
  public.run_health_jobs() to service_role;

-- sql/40_providers/90_queue_api.sql

-- Flows 3 and 4, the queue as the edge functions see it: events are stored, claimed, settled.

-- Stores what a webhook received, before anything looks at it.
--   {"source", "events": [{"event_type", "provider_user_id"?, "payload", "idempotency_key": 64 hex digits}]}
--     ->  {"stored", "repeated"}
-- Stores whatever the provider sent: cuts a name that is too long, and calls a missing one `unknown`. A key that was seen before is
-- a re-sent event. Removes the access tokens that Garmin puts into its pushes.
-- Errors: PT400 for another message. Locks: events in the order of their keys, so that two sessions which store the same events
-- wait for each other instead of deadlocking.
create or replace function public.receive_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  provider constant text := $1 ->> 'source';
  now_here constant timestamptz := clock_timestamp();
  events jsonb := $1 -> 'events';
  received integer;
  stored integer;
begin
  if coalesce(provider <> all (enum_range(null::public.wt_provider)::text[]), true)
     or jsonb_typeof(events) is distinct from 'array'
     or jsonb_path_exists(events, '$[*] ? (!(@.idempotency_key like_regex "^[0-9a-f]{64}$") ||
                                           (@.idempotency_key like_regex "x") is unknown)') then
    raise exception 'events are {"source", "events": [{"event_type", "provider_user_id", "payload", "idempotency_key"}]}'
      using errcode = 'PT400', hint = format('source is %s; an idempotency key has 64 lower-case hex digits',
                                       array_to_string(enum_range(null::public.wt_provider), ' or '));
  end if;
  received := jsonb_array_length(events);
  -- Quotes inside a text are escaped, so only a key can look like this one.
  if events::text like '%userAccessToken%' then
    events := regexp_replace(events::text, '("userAccessToken": )("([^"\\]|\\.)*"|[-+.0-9a-zA-Z]+)', '\1null', 'g')::jsonb;
  end if;

  insert into public.wt_webhook_events (source, event_type, provider_user_id, payload, max_attempts, received_at, idempotency_key)
  select provider::public.wt_provider, left(coalesce(nullif(e.item ->> 'event_type', ''), 'unknown'), 64),
         case when char_length(e.item ->> 'provider_user_id') <= 255 then e.item ->> 'provider_user_id' end,
         coalesce(e.item -> 'payload', 'null'), welltrack.max_attempts(provider), now_here + (e.n - 1) * interval '1 microsecond',
         decode(e.item ->> 'idempotency_key', 'hex')
  from jsonb_array_elements(events) with ordinality e (item, n)
  order by e.item ->> 'idempotency_key'
  on conflict (idempotency_key) do nothing;
  get diagnostics stored = row_count;

  -- Commits that notify wait for each other, disk included, so one of those that run at the same time is enough: a worker that
  -- wakes claims until nothing is left, and polls now and then.
  if stored > 0 and pg_try_advisory_xact_lock(wt_private.notify_lock()) then
    perform pg_notify('welltrack_events', provider);
  end if;
  return jsonb_build_object('stored', stored, 'repeated', received - stored);
end $$;
grant execute on function public.receive_webhook_events(jsonb) to service_role;

-- Hands out due events: {"worker", "limit": 1..1000, "lease_seconds": 5..3600, "yield_to_ms"?: 0..10000}
--   ->  {"events": [{"id", "source", "event_type", "payload", "provider_user_id", "received_at", "attempts", "last_error",
--                    "connection": {"id", "user_id", "profile_id", "is_connected", "timezone"}}],
--        "parked", "pending_now", "yielded"}
-- A batch is smaller than asked for where its payloads are large (8 MB as stored).
-- `pending_now`: how many due events are left, 10,000 at most. Where some are left and none was handed out, other workers hold
-- their accounts, or this claim `parked` as many events without a connected account as one claim may: claim again.
-- With `yield_to_ms`, a worker gets nothing (`yielded: true`) if another worker claimed within that window and at most five batches
-- are due. It polls again, in case that worker died.
-- An event whose lease ran out is handed out alone, since it may have killed its worker; the fifth time it becomes a dead letter.
-- Errors: PT400 for another message. Stages, locks and planner settings: 21_claim.sql.
create or replace function public.claim_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
declare
  worker constant text := $1 ->> 'worker';
  wanted constant bigint := case jsonb_typeof($1 -> 'limit') when 'number' then ($1 -> 'limit')::bigint end;
  seconds constant bigint :=
    case jsonb_typeof($1 -> 'lease_seconds') when 'number' then ($1 -> 'lease_seconds')::bigint end;
  patience constant bigint :=
    case when not $1 ? 'yield_to_ms' then 0
         when jsonb_typeof($1 -> 'yield_to_ms') = 'number' then ($1 -> 'yield_to_ms')::bigint end;
  due bigint;
  work wt_private.due_work;
  ids uuid[];
  events jsonb;
  look bigint := wanted;
  again boolean;
  parked integer;
  parked_in_all integer := 0;
begin
  if coalesce(char_length(worker) not between 1 and 200 or wanted not between 1 and 1000
              or seconds not between 5 and 3600 or patience not between 0 and 10000, true) then
    raise exception 'a claim says {"worker", "limit", "lease_seconds", "yield_to_ms"?}'
      using errcode = 'PT400', hint = 'limit is 1 to 1000, lease_seconds 5 to 3600, yield_to_ms 0 to 10000';
  end if;

  due := wt_private.due_to_yield(worker, wanted, patience);
  if due is not null then
    return jsonb_build_object('events', '[]'::jsonb, 'parked', 0, 'pending_now', due, 'yielded', true);
  end if;
  perform wt_private.bury_lost_events();
  perform wt_private.park_lost_events();

  ids := wt_private.claim_suspect();
  while ids is null loop
    work := wt_private.find_due(look);
    if work.strangers is not null then
      -- Where one is, more may be: look further, and further still where there was nobody else.
      again := work.accounts is null or look = wanted;
      look := 2000;
      parked := wt_private.park_events(work.strangers);
      parked_in_all := parked_in_all + parked;
      -- What one claim parks is bounded, or a crowd of them would outlast the time of a statement, and all be undone.
      exit when parked_in_all >= 20000 and work.accounts is null;
      continue when parked > 0 and again;
    end if;
    exit when work.accounts is null;
    work.accounts := wt_private.lock_accounts(work.accounts);
    ids := wt_private.pick_events(work.accounts, wanted);
    -- Other workers hold all of these: look further, once.
    exit when look >= 2000;
    look := 2000;
  end loop;

  if ids is not null then
    events := wt_private.lease_events(ids, worker, seconds::integer);
  end if;
  return jsonb_build_object(
    'events', coalesce(events, '[]'),
    'parked', parked_in_all,
    'yielded', false,
    'pending_now', (select count(*) from (select from public.wt_webhook_events e
                                          where e.status = 'pending' and e.next_retry_at <= now() limit 10000) d));
end $$;
grant execute on function public.claim_webhook_events(jsonb) to service_role;

-- Records what became of claimed events, in one transaction with what they reported:
--   {"worker", "results": [{"id", "outcome": "processed"|"retry"|"wait"|"dead"|"release", "error"?, "until"?,
--     "metrics"?: [{"metric_type", "value_num", "value_text", "unit", "start_time", "end_time", "source_record_id", "final"}],
--     "workouts"?: [{"source_record_id", "workout_type", "name", "start_time", "duration_minutes", "distance_m",
--                    "elevation_gain_m", "calories_kcal", "average_hr_bpm", "max_hr_bpm", "is_private"}],
--     "deleted"?: ["source_record_id"], "connection"?: {"is_connected"?, "scopes"?}}]}
--   ->  {"processed", "retried", "waiting", "dead", "lost"}
-- retry: a failed attempt; the next one after 5 and 30 minutes, 2 and 6 hours, then the event becomes a dead letter.
-- wait: not before `until` (at most a day); counts as no attempt. release: not done, for another worker, at once.
-- lost: this worker doesn't hold the event any more, and nothing of it was written. Only `processed` writes rows.
-- Errors: PT400 for another message. Locks: see 22_settle.sql.
create or replace function public.settle_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  results constant jsonb := $1 -> 'results';
  counts wt_private.settled_counts := (0, 0, 0, 0, 0);
begin
  if jsonb_typeof($1 -> 'worker') is distinct from 'string' or jsonb_typeof(results) is distinct from 'array'
     or exists (select from jsonb_array_elements(results) r
                where coalesce(r ->> 'outcome' not in ('processed', 'retry', 'wait', 'dead', 'release')
                               or r ->> 'id' !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true))
     or (select count(*) > count(distinct r ->> 'id') from jsonb_array_elements(results) r) then
    raise exception 'a settlement says {"worker", "results": [{"id", "outcome"}]}'
      using errcode = 'PT400', hint = 'each id once, as it was claimed; outcome is processed, retry, wait, dead or release';
  end if;
  if results <> '[]' then
    counts := wt_private.settle_results($1 ->> 'worker', results);
  end if;
  return to_jsonb(counts);
end $$;
grant execute on function public.settle_webhook_events(jsonb) to service_role;

-- sql/50_recovery/90_api.sql

-- Flow 8 as apps and schedulers see it: daily values, scores, the engine, goals, and one call for a home screen.

-- Sums up the marked days of up to `max_profiles` profiles. Returns of how many; 0 if none is left, or other sessions hold all of
-- them.
create or replace function public.refresh_daily_values(max_profiles integer default 5000) returns integer
language sql security invoker set search_path = '' as $$
  select wt_private.roll_up('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1)
$$;
grant execute on function public.refresh_daily_values(integer) to service_role;

-- Explains a score, by the engine's own code and from the daily values of now; also for days that were never scored:
--   {"profile_id", "score_date", "status", "days_missing", "recovery_score", "formula_version", "scored_at",
--    "components": [{"name", "value", "weight", "weight_used", "formula", "source"}],
--    "inputs": {"stress_score", "sleep_minutes", "sleep_target_hours", "resting_hr_bpm", "load_7d", "input_days"},
--    "baselines": {"hr_baseline_bpm", "hr_spread_bpm", "hr_baseline_days", "load_baseline_7d", "load_history_days"},
--    "weights_used": {name: share}, "missing_inputs": [name]}
-- status: scored, calibrating (a score needs days_missing more days with data), insufficient (fewer than two components), no_data.
-- What is not known is left out of inputs and baselines; weight is the share when all four are there. The score is a heuristic
-- about training and rest, without medical meaning. score_date null: the person's today.
-- Errors: PT404 no such profile (or not the caller's).
create or replace function public.explain_recovery(profile_id uuid, score_date date default null) returns jsonb
language plpgsql stable security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  target double precision;
  day date;
  r welltrack.recovery_day;
begin
  select p.sleep_target_hours, coalesce($2, (now() at time zone u.timezone)::date)
  into target, day
  from public.wt_profiles p join public.wt_users u on u.id = p.user_id
  where p.id = $1;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names one of your own profiles';
  end if;
  r := wt_private.recovery($1, day, target);

  return (
    with input as (
      select e.key, e.value, e.key in ('hr_baseline_bpm', 'hr_spread_bpm', 'hr_baseline_days', 'load_baseline_7d',
                                       'load_history_days') as is_baseline
      from jsonb_each(jsonb_strip_nulls(to_jsonb(r.raw_data))) e
    )
    select jsonb_build_object(
      'profile_id', $1, 'score_date', day, 'status', coalesce(r.status, 'no_data'), 'days_missing', r.days_missing,
      'recovery_score', r.recovery_score, 'formula_version', min(c.formula_version),
      'scored_at', (select s.updated_at from public.wt_recovery_scores s where s.profile_id = $1 and s.score_date = day),
      'components', jsonb_agg(jsonb_build_object(
        'name', c.component,
        'value', case c.component when 'stress' then r.stress_component when 'sleep' then r.sleep_component
                                  when 'hr' then r.hr_component when 'load' then r.load_component end,
        'weight', c.weight, 'weight_used', r.weights_used -> c.component, 'formula', c.formula, 'source', c.source)
        order by c.n),
      'inputs', (select coalesce(jsonb_object_agg(i.key, i.value) filter (where not i.is_baseline), '{}') from input i),
      'baselines', (select coalesce(jsonb_object_agg(i.key, i.value) filter (where i.is_baseline), '{}') from input i),
      'weights_used', coalesce(r.weights_used, '{}'),
      'missing_inputs', coalesce(to_jsonb(r.missing_inputs), jsonb_agg(c.component order by c.n)))
    from welltrack.recovery_curves() with ordinality c (component, weight, formula, source, formula_version, n));
end $$;
grant execute on function public.explain_recovery(uuid, date) to authenticated, service_role;

-- Recovery scores and forecasts of everything that changed up to `as_of`: {"as_of", "profiles", "scores", "forecasts", "left"},
-- the number of profiles looked at and of rows that changed, and whether there is more to do (call again).
--
-- People run it for themselves (user_id null or their own); the service for any person, or for all (user_id null). as_of null: the
-- person's today; for all, yesterday in UTC, the last day that is over. It may be called at any time, and by several sessions at
-- once: rows that are up to date are not touched.
-- Errors: 42501 for another person, 22023 for a day that has not begun anywhere, PT404 no such person. Locks: 24_engine.sql.
create or replace function public.run_performance_engine(as_of date default null, user_id uuid default null) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  me constant uuid := auth.uid();
  person constant uuid := coalesce($2, me);
  day date := $1;
begin
  if me is not null and person <> me then
    raise exception 'people run the engine for themselves only'
      using errcode = '42501', hint = 'leave user_id out';
  elsif day not between '1970-01-01' and (now() at time zone 'Pacific/Kiritimati')::date then
    raise exception 'as_of % is no day that has begun', day
      using errcode = '22023', hint = 'a day from 1970-01-01 to today; leave it out for the latest';
  end if;
  if day is null and person is not null then
    select (now() at time zone u.timezone)::date into day from public.wt_users u where u.id = person;
    if not found then
      raise exception 'no such person' using errcode = 'PT404';
    end if;
  end if;
  if me is not null then
    return wt_private.run_engine_for_caller(day);
  end if;
  return wt_private.run_engine(coalesce(day, (now() at time zone 'UTC')::date - 1), person);
end $$;
grant execute on function public.run_performance_engine(date, uuid) to authenticated, service_role;

-- Sets the goal of a profile for a metric, or replaces the one that is active: {"goal": {row}, "forecast": {row} or null}.
-- `unit` null means the canonical unit of the metric; other units are converted. `direction` null: from the latest daily value of
-- the last 30 days towards the target. The forecast is made at once, as of the person's today: this morning's weight counts; what
-- adds up in the course of a day, such as steps, counts from the day after.
-- Errors: PT404 no such profile (or not the caller's); 22023 for a target that no reading could have, for an unknown unit, for a
-- deadline that is over or after 2100, and where the direction can't be told; 22003 for a target that is no number.
create or replace function public.set_goal(
  profile_id uuid, metric_type public.wt_metric_type, target_value double precision, unit text default null,
  direction public.wt_goal_direction default null, deadline date default null
) returns jsonb language plpgsql security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  metric constant text := welltrack.enum_label($2);
  target constant double precision := welltrack.to_canonical(metric, $3, $4, null);
  way public.wt_goal_direction := $5;
  owner uuid;
  today date;
  latest double precision;
  reason text;
  goal public.wt_goals;
begin
  select p.user_id, (now() at time zone u.timezone)::date into owner, today
  from public.wt_profiles p join public.wt_users u on u.id = p.user_id
  where p.id = $1
  -- First, as every writer of readings does: the run below validates them.
  for no key update of u;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names one of your own profiles';
  elsif metric is null or target is null then
    raise exception 'a goal needs metric_type and target_value' using errcode = '22023';
  elsif $6 < today then
    raise exception 'the deadline % is over', $6 using errcode = '22023', hint = 'a day from today on, or none';
  elsif $6 > '2100-12-31' then
    raise exception 'the deadline % is too far away', $6 using errcode = '22023', hint = 'a day up to 2100-12-31, or none';
  end if;
  -- A goal is a value that validation would accept.
  select v.reason into reason
  from welltrack.validate_metric(metric, target, case metric when 'blood_pressure' then format('%s/40', target) end,
                                 now() - interval '1 day', now(), now()) v;
  if reason is not null then
    raise exception 'target_value: %', reason
      using errcode = '22023', hint = format('a plausible value in %s', coalesce($4, welltrack.canonical_unit(metric)));
  end if;

  select (to_jsonb(v) ->> metric)::double precision into latest
  from public.wt_daily_values v
  where v.profile_id = $1 and v.user_id = owner and v.local_date between today - 29 and today
    -- As with forecasts: what adds up in the course of a day counts once the day is over.
    and (v.local_date < today or not welltrack.grows_during_day(metric))
    and (to_jsonb(v) ->> metric) is not null
  order by v.local_date desc
  limit 1;
  way := coalesce(way, case when target > latest then 'increase'::public.wt_goal_direction
                            when target < latest then 'decrease' end);
  if way is null then
    raise exception 'the direction of this goal can''t be told: %',
        case when latest is null then 'there is no value of the last 30 days' else 'the target is the latest value' end
      using errcode = '22023', hint = 'direction is increase or decrease';
  end if;

  insert into public.wt_goals as g (user_id, profile_id, metric_type, target_value, current_value, unit, direction, deadline)
  values (owner, $1, $2, target, latest, welltrack.canonical_unit(metric), way, $6)
  on conflict (profile_id, metric_type) where is_active do update
    set target_value = excluded.target_value, current_value = excluded.current_value, unit = excluded.unit,
        direction = excluded.direction, deadline = excluded.deadline
  returning g.* into goal;
  perform public.run_performance_engine(null, owner);
  return jsonb_build_object(
    'goal', to_jsonb(goal),
    'forecast', (select to_jsonb(f) from public.wt_forecasts f where f.goal_id = goal.id));
end $$;
grant execute on function public.set_goal(
  uuid, public.wt_metric_type, double precision, text, public.wt_goal_direction, date) to authenticated, service_role;

-- Ends a goal: it stays in wt_goals, its forecast goes. Returns {"goal": {row}}. May be called twice.
-- Errors: PT404 no such goal (or not the caller's).
create or replace function public.end_goal(goal_id uuid) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  goal public.wt_goals;
begin
  update public.wt_goals g set is_active = false where g.id = $1 returning g.* into goal;
  if not found then
    raise exception 'no such goal' using errcode = 'PT404', hint = 'goal_id names a goal of one of your own profiles';
  end if;
  return jsonb_build_object('goal', to_jsonb(goal));
end $$;
grant execute on function public.end_goal(uuid) to authenticated, service_role;

-- One call for a home screen; day null: the caller's today.
--   {"day", "profiles": [{"profile_id", "display_name",
--     "values": {metric: {"value", "unit", "baseline", "spread", "calibration"}},
--     "recovery": {"score_date", "status", "days_missing", "recovery_score", "missing_inputs", "narrative"} or null,
--     "training_load_7d", "goals": [{"id", "metric_type", "target_value", "unit", "direction", "deadline",
--       "forecast": {"status", "as_of", "current_value", "projected_date", "projected_low", "projected_high", "confidence",
--                    "narrative"} or null}],
--     "connections": [{"provider", "is_connected", "last_sync_at"}]}]}
-- A metric is listed if the day has a value or the person a baseline. training_load_7d: minutes x intensity of the day and the six
-- before it, null if none of them has any. recovery.narrative: where the scores of the last 30 days are heading; null with fewer
-- than three of them.
-- Errors: PT401 without a signed-in person, 22023 for a day before 1970 or after 2100.
create or replace function public.my_daily_summary(day date default null) returns jsonb
language plpgsql stable security invoker set search_path = '' set jit = off as $$
declare
  me constant uuid := auth.uid();
  today date := $1;
begin
  if me is null then
    raise exception 'sign in to see your day' using errcode = 'PT401';
  elsif today not between '1970-01-01' and '2100-12-31' then
    raise exception 'no such day: %', today using errcode = '22023';
  end if;
  today := coalesce(today, (select (now() at time zone u.timezone)::date from public.wt_users u where u.user_id = me));
  return (
    select jsonb_build_object('day', today, 'profiles', coalesce(jsonb_agg(jsonb_build_object(
      'profile_id', p.id, 'display_name', p.display_name,
      'values', (
        select coalesce(jsonb_object_agg(m.metric, jsonb_build_object(
                 'value', v.value -> m.metric::text, 'unit', welltrack.canonical_unit(welltrack.enum_label(m.metric)),
                 'baseline', b.baseline_value, 'spread', b.baseline_stddev, 'calibration', b.calibration_status)), '{}')
        from unnest(enum_range(null::public.wt_metric_type)) m (metric)
        left join (select to_jsonb(d) as value from public.wt_daily_values d
                   where d.user_id = me and d.profile_id = p.id and d.local_date = today) v on true
        left join public.wt_baselines b on b.user_id = me and b.profile_id = p.id and b.metric_type = m.metric
        where jsonb_typeof(v.value -> m.metric::text) = 'number' or b.baseline_value is not null),
      'recovery', (
        select jsonb_build_object('score_date', s.score_date, 'status', s.status, 'days_missing', s.days_missing,
                                  'recovery_score', s.recovery_score, 'missing_inputs', s.missing_inputs,
                                  'narrative', (
                                    select welltrack.recovery_narrative(welltrack.linear_regression(t.recovery_score, t.score_date))
                                    from public.wt_recovery_scores t
                                    where t.user_id = me and t.profile_id = p.id and t.score_date between today - 29 and today))
        from public.wt_recovery_scores s
        where s.user_id = me and s.profile_id = p.id and s.score_date = today),
      'training_load_7d', (
        select sum(d.training_load) from public.wt_daily_values d
        where d.user_id = me and d.profile_id = p.id and d.local_date between today - 6 and today),
      'goals', (
        select coalesce(jsonb_agg(jsonb_build_object(
                 'id', g.id, 'metric_type', g.metric_type, 'target_value', g.target_value, 'unit', g.unit,
                 'direction', g.direction, 'deadline', g.deadline,
                 'forecast', case when f.id is not null then jsonb_build_object(
                   'status', f.status, 'as_of', f.as_of, 'current_value', f.current_value,
                   'projected_date', f.projected_date, 'projected_low', f.projected_low,
                   'projected_high', f.projected_high, 'confidence', f.confidence, 'narrative', f.narrative) end)
                 order by g.created_at, g.id), '[]')
        from public.wt_goals g
        left join public.wt_forecasts f on f.user_id = me and f.goal_id = g.id
        where g.user_id = me and g.profile_id = p.id and g.is_active),
      'connections', (
        select coalesce(jsonb_agg(jsonb_build_object(
                 'provider', c.provider, 'is_connected', c.is_connected, 'last_sync_at', c.last_sync_at) order by c.provider), '[]')
        from public.wt_health_connections c
        where c.user_id = me and c.profile_id = p.id))
      order by p.is_primary desc, p.created_at, p.id), '[]'))
    from public.wt_profiles p where p.user_id = me);
end $$;
grant execute on function public.my_daily_summary(date) to authenticated, service_role;

-- sql/90_export/90_api.sql

-- The export, as an app asks for it.

-- supabase.rpc('export_my_data'): {"format", "exported_at", "user_id", "account", "tables": {"wt_...": [rows]}}.
-- Returns json and not jsonb, whose lists end at 256 MB: a few years of a reading every five minutes. The document may have 1 GB.
-- PostgREST grants a function the statement_timeout that it sets.
-- Errors: PT401 without a signed-in person, PT413 above 1 GB.
create or replace function public.export_my_data() returns json
language sql stable security invoker set search_path = '' set statement_timeout = '2min' as $$
  select wt_private.export_caller()
$$;
grant execute on function public.export_my_data() to authenticated;

-- sql/40_providers/91_connections_api.sql

-- Flow 4, connections as the edge functions see them: the state of a consent, the connection that comes of it, and its tokens.

-- {}  ->  {"user_id"}: the person of the caller's token. For functions that are served without Supabase's own check of tokens,
-- because a provider's redirect to the same address brings none. Errors: PT401 the token is the service's or nobody's.
create or replace function public.whoami(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
begin
  if $1 is null or auth.uid() is null then
    raise exception 'this token is nobody''s' using errcode = 'PT401', hint = 'sign in as a user';
  end if;
  return jsonb_build_object('user_id', auth.uid());
end $$;
grant execute on function public.whoami(jsonb) to authenticated, service_role;

-- {"user_id", "profile_id"? (the primary one), "provider", "state_hash": hex, "verifier_encrypted": base64|null, "key_id",
--  "redirect_to"?}  ->  {"expires_at", "profile_id"}. Errors: PT404 no such profile of that person.
create or replace function public.create_oauth_state(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  target uuid;
  expiry timestamptz;
begin
  -- A consent that was never completed leaves a row behind.
  delete from public.wt_oauth_states o where o.expires_at < now() and o.id in (
    select d.id from public.wt_oauth_states d where d.expires_at < now() limit 100 for update skip locked);
  select p.id into target from public.wt_profiles p
  where p.user_id = ($1 ->> 'user_id')::uuid
    and case when $1 ->> 'profile_id' is null then p.is_primary else p.id = ($1 ->> 'profile_id')::uuid end;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names a profile of user_id';
  end if;
  insert into public.wt_oauth_states (user_id, profile_id, provider, state_hash, verifier_encrypted, key_id, redirect_to)
  values (($1 ->> 'user_id')::uuid, target, ($1 ->> 'provider')::public.wt_provider, decode($1 ->> 'state_hash', 'hex'),
          decode($1 ->> 'verifier_encrypted', 'base64'), $1 ->> 'key_id', $1 ->> 'redirect_to')
  returning expires_at into expiry;
  return jsonb_build_object('expires_at', expiry, 'profile_id', target);
end $$;

-- {"state_hash"}  ->  {"provider", "redirect_to"}: where to send a browser that comes back with that state. The state stays valid.
-- Errors: PT404 for a state that is unknown, expired or taken.
create or replace function public.find_oauth_state(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object('provider', o.provider, 'redirect_to', o.redirect_to) into answer
  from public.wt_oauth_states o
  where o.state_hash = decode($1 ->> 'state_hash', 'hex') and o.expires_at >= now();
  if answer is null then
    raise exception 'no such state' using errcode = 'PT404', hint = 'it was used, has expired, or never was: begin again';
  end if;
  return answer;
end $$;

-- {"state_hash", "user_id"}  ->  {"user_id", "profile_id", "provider", "verifier_encrypted", "key_id"}: once. Errors: PT404 for a
-- state that is unknown, expired, taken or somebody else's, who can still use it.
create or replace function public.take_oauth_state(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  taken public.wt_oauth_states;
begin
  delete from public.wt_oauth_states o
  where o.state_hash = decode($1 ->> 'state_hash', 'hex') and o.user_id = ($1 ->> 'user_id')::uuid
  returning o.* into taken;
  if taken.id is null or taken.expires_at < now() then
    raise exception 'no such state' using errcode = 'PT404', hint = 'it was used, has expired, or never was: begin again';
  end if;
  return jsonb_build_object('user_id', taken.user_id, 'profile_id', taken.profile_id, 'provider', taken.provider,
                            'verifier_encrypted', wt_private.base64(taken.verifier_encrypted), 'key_id', taken.key_id);
end $$;

-- Stores a connection after its consent: {"user_id", "profile_id", "provider", "provider_user_id", "scopes": [],
-- "access_token_encrypted", "refresh_token_encrypted"|null, "key_id", "token_expires_at"|null, "metadata"?}  ->  {"connection_id"}
-- A profile has one account of a provider, and an account one profile. The profile's other account and another person's ended
-- connection with this account are deleted with their events; the person's own account moves to the profile. Readings stay.
-- Errors: PT404 no such profile of that person, PT409 another person is connected with that account. Locks: the person.
create or replace function public.store_connection(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  me constant uuid := ($1 ->> 'user_id')::uuid;
  target constant uuid := ($1 ->> 'profile_id')::uuid;
  of constant public.wt_provider := ($1 ->> 'provider')::public.wt_provider;
  account constant text := $1 ->> 'provider_user_id';
  granted constant text[] := array(select jsonb_array_elements_text(
    case jsonb_typeof($1 -> 'scopes') when 'array' then $1 -> 'scopes' else '[]' end));
  metadata constant jsonb := case jsonb_typeof($1 -> 'metadata') when 'object' then $1 -> 'metadata' end;
  kept uuid;
begin
  perform wt_private.hold_people(array[me]);
  perform from public.wt_profiles p where p.id = target and p.user_id = me;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names a profile of user_id';
  end if;
  begin
    delete from public.wt_health_connections c
    where c.provider = of and (c.profile_id = target and c.provider_user_id <> account
                               or c.provider_user_id = account and c.user_id <> me and not c.is_connected);
    update public.wt_health_connections c set profile_id = target
    where c.provider = of and c.provider_user_id = account and c.user_id = me and c.profile_id <> target;
    insert into public.wt_health_connections as c
      (user_id, profile_id, provider, provider_user_id, scopes, connection_metadata)
    values (me, target, of, account, granted, coalesce(metadata, '{}'))
    on conflict (profile_id, provider) do update
      set is_connected = true, scopes = excluded.scopes, connected_at = now(),
          connection_metadata = coalesce(metadata, c.connection_metadata)
    returning c.id into kept;
  exception when unique_violation then
    raise exception 'that account is connected by somebody else'
      using errcode = 'PT409', hint = 'whoever uses it now can disconnect it';
  end;
  insert into public.wt_connection_tokens
    (user_id, connection_id, access_token_encrypted, refresh_token_encrypted, key_id, token_expires_at)
  values (me, kept, decode($1 ->> 'access_token_encrypted', 'base64'), decode($1 ->> 'refresh_token_encrypted', 'base64'),
          $1 ->> 'key_id', ($1 ->> 'token_expires_at')::timestamptz)
  on conflict (connection_id) do update
    set access_token_encrypted = excluded.access_token_encrypted,
        refresh_token_encrypted = excluded.refresh_token_encrypted, key_id = excluded.key_id,
        token_expires_at = excluded.token_expires_at, refresh_leased_by = null, refresh_leased_until = null;
  return jsonb_build_object('connection_id', kept);
end $$;

-- {"user_id", "provider", "profile_id"? (the primary one)} or {"provider", "provider_user_id"}
--   ->  {"connection": {"id", "user_id", "profile_id", "provider", "provider_user_id", "scopes", "is_connected", "connected_at",
--                       "last_sync_at", "timezone", "metadata"}}. Errors: PT404.
create or replace function public.find_connection(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object(
    'id', c.id, 'user_id', c.user_id, 'profile_id', c.profile_id, 'provider', c.provider,
    'provider_user_id', c.provider_user_id, 'scopes', c.scopes, 'is_connected', c.is_connected,
    'connected_at', c.connected_at, 'last_sync_at', c.last_sync_at, 'timezone', u.timezone,
    'metadata', c.connection_metadata)
  into answer
  from public.wt_health_connections c
  join public.wt_users u on u.id = c.user_id
  join public.wt_profiles p on p.id = c.profile_id
  where c.provider = ($1 ->> 'provider')::public.wt_provider
    and case when $1 ->> 'user_id' is null then c.provider_user_id = $1 ->> 'provider_user_id'
             when $1 ->> 'profile_id' is null then c.user_id = ($1 ->> 'user_id')::uuid and p.is_primary
             else c.user_id = ($1 ->> 'user_id')::uuid and c.profile_id = ($1 ->> 'profile_id')::uuid end;
  if answer is null then
    raise exception 'no such connection' using errcode = 'PT404', hint = 'connect the account first';
  end if;
  return jsonb_build_object('connection', answer);
end $$;

-- {"connection_id"}  ->  {}: the connection is ended and its tokens are gone; readings stay. Errors: PT404.
create or replace function public.disconnect_provider(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  which constant uuid := ($1 ->> 'connection_id')::uuid;
begin
  perform wt_private.hold_people(array(select c.user_id from public.wt_health_connections c where c.id = which));
  update public.wt_health_connections c set is_connected = false where c.id = which;
  if not found then
    raise exception 'no such connection' using errcode = 'PT404';
  end if;
  delete from public.wt_connection_tokens t where t.connection_id = which;
  return jsonb_build_object();
end $$;

grant execute on function public.create_oauth_state(jsonb), public.find_oauth_state(jsonb), public.take_oauth_state(jsonb),
  public.store_connection(jsonb), public.find_connection(jsonb), public.disconnect_provider(jsonb) to service_role;

-- {"connection_id"}  ->  {"access_token_encrypted", "refresh_token_encrypted", "key_id", "token_expires_at", "scopes"}
-- Errors: PT404 where there is none (any more).
create or replace function public.get_connection_token(jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select jsonb_build_object(
    'access_token_encrypted', wt_private.base64(t.access_token_encrypted),
    'refresh_token_encrypted', wt_private.base64(t.refresh_token_encrypted),
    'key_id', t.key_id, 'token_expires_at', t.token_expires_at, 'scopes', c.scopes)
  into answer
  from public.wt_connection_tokens t join public.wt_health_connections c on c.id = t.connection_id
  where t.connection_id = ($1 ->> 'connection_id')::uuid;
  if answer is null then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  end if;
  return answer;
end $$;

-- {"connection_id", "worker", "seconds": 1..300}  ->  {"granted"}: whether this worker may ask for a new token now. Errors: PT400,
-- PT404.
create or replace function public.lease_token_refresh(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  worker constant text := $1 ->> 'worker';
  seconds constant bigint := case jsonb_typeof($1 -> 'seconds') when 'number' then ($1 -> 'seconds')::bigint end;
  granted boolean;
begin
  if coalesce(char_length(worker) not between 1 and 200 or seconds not between 1 and 300, true) then
    raise exception 'a lease says {"connection_id", "worker", "seconds"}'
      using errcode = 'PT400', hint = 'seconds is 1 to 300';
  end if;
  -- With the row lock, the second of two callers waits and then sees what the first wrote.
  select t.refresh_leased_until is null or t.refresh_leased_until < clock_timestamp() or t.refresh_leased_by = worker
  into granted
  from public.wt_connection_tokens t where t.connection_id = ($1 ->> 'connection_id')::uuid
  for no key update;
  if granted is null then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  elsif granted then
    update public.wt_connection_tokens t
    set refresh_leased_by = worker, refresh_leased_until = clock_timestamp() + make_interval(secs => seconds)
    where t.connection_id = ($1 ->> 'connection_id')::uuid;
  end if;
  return jsonb_build_object('granted', granted);
end $$;

-- {"connection_id", "worker", "access_token_encrypted", "refresh_token_encrypted"|null (it stays), "key_id", "token_expires_at"}
--   ->  {}. Ends the lease. Errors: PT404 no token, PT409 the lease is not this worker's.
create or replace function public.store_connection_token(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  which constant uuid := ($1 ->> 'connection_id')::uuid;
begin
  update public.wt_connection_tokens t
  set access_token_encrypted = decode($1 ->> 'access_token_encrypted', 'base64'),
      refresh_token_encrypted = coalesce(decode($1 ->> 'refresh_token_encrypted', 'base64'), t.refresh_token_encrypted),
      key_id = $1 ->> 'key_id', token_expires_at = ($1 ->> 'token_expires_at')::timestamptz,
      refresh_leased_by = null, refresh_leased_until = null
  where t.connection_id = which and t.refresh_leased_by = $1 ->> 'worker';
  if found then
    return jsonb_build_object();
  end if;
  perform from public.wt_connection_tokens t where t.connection_id = which;
  if not found then
    raise exception 'no token for that connection' using errcode = 'PT404', hint = 'the account was disconnected';
  end if;
  raise exception 'the lease is somebody else''s' using errcode = 'PT409', hint = 'read the token that they stored';
end $$;

-- Hands out tokens that have to move to another key: {"key_id": the new one, "limit": 1..1000}
--   ->  {"tokens": [{"connection_id", "user_id", "provider", "access_token_encrypted", "refresh_token_encrypted", "key_id"}]}
-- Each is leased to one rotation for a minute. A worker that wants to refresh it waits, so that no token is overwritten by an older
-- one. Call it until it returns none.
create or replace function public.tokens_to_rotate(jsonb) returns jsonb
language sql security invoker set search_path = '' as $$
  with picked as materialized (
    select t.id from public.wt_connection_tokens t
    where t.key_id <> $1 ->> 'key_id' and (t.refresh_leased_until is null or t.refresh_leased_until < now())
    order by t.id
    limit least(greatest(($1 ->> 'limit')::integer, 1), 1000)
    for no key update skip locked
  ), leased as (
    update public.wt_connection_tokens t
    set refresh_leased_by = 'rotation', refresh_leased_until = now() + interval '1 minute'
    from picked p where t.id = p.id
    returning t.*
  )
  select jsonb_build_object('tokens', coalesce(jsonb_agg(jsonb_build_object(
    'connection_id', l.connection_id, 'user_id', l.user_id, 'provider', c.provider,
    'access_token_encrypted', wt_private.base64(l.access_token_encrypted),
    'refresh_token_encrypted', wt_private.base64(l.refresh_token_encrypted), 'key_id', l.key_id)), '[]'))
  from leased l join public.wt_health_connections c on c.id = l.connection_id
$$;

-- {"connection_id", "old_key_id", "access_token_encrypted", "refresh_token_encrypted"|null (there was none), "key_id"}
--   ->  {"rotated"}: false where the token has been refreshed or removed since it was handed out.
create or replace function public.rotate_token(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
begin
  update public.wt_connection_tokens t
  set access_token_encrypted = decode($1 ->> 'access_token_encrypted', 'base64'),
      refresh_token_encrypted = decode($1 ->> 'refresh_token_encrypted', 'base64'), key_id = $1 ->> 'key_id',
      refresh_leased_by = null, refresh_leased_until = null
  where t.connection_id = ($1 ->> 'connection_id')::uuid and t.key_id = $1 ->> 'old_key_id'
    and t.refresh_leased_by = 'rotation';
  return jsonb_build_object('rotated', found);
end $$;

grant execute on function public.get_connection_token(jsonb), public.lease_token_refresh(jsonb),
  public.store_connection_token(jsonb), public.tokens_to_rotate(jsonb), public.rotate_token(jsonb) to service_role;

-- sql/40_providers/92_operators_api.sql

-- Flows 3 and 4, for operators: dead letters, the length of the queue, and the removal of old events.

-- The dead letters, latest first, without their payloads, which are people's data.
create or replace function public.list_dead_letters(
  source public.wt_provider default null, event_type text default null, max_rows integer default 100
) returns table (
  id uuid, source public.wt_provider, event_type text, provider_user_id text, user_id uuid, attempts integer,
  last_error text, received_at timestamptz
) language sql stable security invoker set search_path = '' as $$
  select e.id, e.source, e.event_type, e.provider_user_id, e.user_id, e.attempts, e.last_error, e.received_at
  from public.wt_webhook_events e
  where e.status = 'dead_letter' and ($1 is null or e.source = $1) and ($2 is null or e.event_type = $2)
  order by e.received_at desc
  limit least(greatest($3, 1), 10000)
$$;

-- One dead letter, payload and all. Errors: PT404.
create or replace function public.show_dead_letter(event_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select to_jsonb(e) - 'idempotency_key' into answer
  from public.wt_webhook_events e where e.id = event_id and e.status = 'dead_letter';
  if answer is null then
    raise exception 'no such dead letter' using errcode = 'PT404', hint = 'list_dead_letters() shows their ids';
  end if;
  return answer;
end $$;

-- Puts dead letters back into the queue with all attempts left: one by its id, those of a source or type, or all (no argument).
-- Returns how many.
create or replace function public.replay_dead_letters(
  event_id uuid default null, source public.wt_provider default null, event_type text default null
) returns integer language plpgsql security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  replayed integer;
begin
  update public.wt_webhook_events e set status = 'pending', attempts = 0, next_retry_at = now()
  where e.status = 'dead_letter' and ($1 is null or e.id = $1) and ($2 is null or e.source = $2)
    and ($3 is null or e.event_type = $3);
  get diagnostics replayed = row_count;
  if replayed > 0 then
    perform pg_notify('welltrack_events', coalesce($2::text, 'replay'));
  end if;
  return replayed;
end $$;

-- Deletes a dead letter. Returns whether there was one.
create or replace function public.discard_dead_letter(event_id uuid) returns boolean
language plpgsql security invoker set search_path = '' as $$
begin
  delete from public.wt_webhook_events e where e.id = event_id and e.status = 'dead_letter';
  return found;
end $$;

-- Deletes at most `portion` events that were processed, and as many that were parked, more than `keep_days` ago. Dead letters stay
-- until an operator replays or discards them. Returns how many. Errors: 22023 for fewer than one day.
create or replace function public.purge_webhook_events(keep_days integer default 30, portion integer default 10000) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off as $$
declare
  removed integer;
  total integer;
begin
  if coalesce(keep_days < 1, true) then
    raise exception 'events are kept for at least a day' using errcode = '22023';
  end if;
  delete from public.wt_webhook_events where id in (
    select e.id from public.wt_webhook_events e
    where e.status = 'processed' and e.processed_at < now() - make_interval(days => keep_days)
    order by e.processed_at limit portion for update skip locked);
  get diagnostics total = row_count;
  delete from public.wt_webhook_events where id in (
    select e.id from public.wt_webhook_events e
    where e.status = 'pending' and e.next_retry_at = 'infinity'
      and e.received_at < now() - make_interval(days => keep_days)
    limit portion for update skip locked);
  get diagnostics removed = row_count;
  return total + removed;
end $$;

-- {}  ->  {"pending", "processing", "processed", "dead_letter", "parked", "oldest_pending_seconds", "retries"}
-- `pending` are those that are due or wait for their time, without the parked; `processed` those still kept, an estimate beyond
-- 100,000; `oldest_pending_seconds` how long the first due event has been due (0: none is); `retries` how many wait after a
-- failure.
create or replace function public.queue_stats(jsonb) returns jsonb
language sql stable security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with waiting as materialized (
    select count(*) filter (where e.next_retry_at < 'infinity') as pending,
           count(*) filter (where e.next_retry_at = 'infinity') as parked,
           count(*) filter (where e.next_retry_at < 'infinity' and e.attempts > 0) as retries,
           min(e.next_retry_at) as first_due
    from public.wt_webhook_events e where e.status = 'pending'
  ), rest as materialized (
    select (select count(*) from public.wt_webhook_events e where e.status = 'processing') as processing,
           (select count(*) from public.wt_webhook_events e where e.status = 'dead_letter') as dead,
           (select count(*) from (select from public.wt_webhook_events e where e.status = 'processed' limit 100000) p) as done
  )
  select jsonb_build_object(
    'pending', w.pending, 'processing', r.processing, 'dead_letter', r.dead, 'parked', w.parked, 'retries', w.retries,
    'processed', case when r.done < 100000 then r.done else greatest(r.done, (
      select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = 'public.wt_webhook_events'::regclass)
      - w.pending - w.parked - r.processing - r.dead) end,
    'oldest_pending_seconds',
    extract(epoch from t.now - least(w.first_due, t.now)))
  from waiting w cross join rest r
  -- Read once: a second look at the clock is later, and would make the waiting time negative.
  cross join (select clock_timestamp() as now offset 0) t
$$;

grant execute on function public.list_dead_letters(public.wt_provider, text, integer), public.show_dead_letter(uuid),
  public.replay_dead_letters(uuid, public.wt_provider, text), public.discard_dead_letter(uuid),
  public.purge_webhook_events(integer, integer), public.queue_stats(jsonb) to service_role;

-- sql/00_base/95_schedule.sql

-- Schedules the background jobs by pg_cron, where this database is pg_cron's. Elsewhere any scheduler can call the same functions.
-- Applied once: an upgrade doesn't run it again, so hours and numbers that an operator changed are kept.

do $block$ begin
  begin
    create extension if not exists pg_cron with schema pg_catalog;
  exception when raise_exception or undefined_file or feature_not_supported then
    -- pg_cron serves one database of a server and says so when asked for in another.
    raise warning 'no schedule here (%): call run_health_jobs() every minute, purge_webhook_events() every ten, '
      'run_performance_engine() (by several sessions at once, if you like) and prune_logs() daily', sqlerrm;
    return;
  end;
  -- A person whose readings are being validated can't write others until the portion is over. So portions are small, each in a
  -- transaction of its own, and what is left after 15 seconds waits for the next minute.
  perform cron.schedule('welltrack-health-jobs', '* * * * *', $job$do $$
declare
  part text;
  done integer;
  until timestamptz;
begin
  foreach part in array array['validate_pending_metrics(2000)', 'refresh_baselines(1000)', 'refresh_daily_values(100)'] loop
    until := clock_timestamp() + interval '15 seconds';
    loop
      execute 'select public.' || part into done;
      commit;
      exit when done = 0 or clock_timestamp() > until;
    end loop;
  end loop;
end $$$job$);
  -- Providers' events are kept for 30 days; schedule the job anew with another number to change that.
  perform cron.schedule('welltrack-purge-events', '*/10 * * * *', 'select public.purge_webhook_events(keep_days => 30)');
  perform wt_private.schedule_engines();
  perform cron.schedule('welltrack-prune-logs', '17 3 * * *', 'select public.prune_logs()');
end $block$;
