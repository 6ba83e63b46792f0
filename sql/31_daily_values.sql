-- Flow 8, the component tables: what each day came to, and what is still to be worked out from it.
--
-- Readings are many and wide. Whoever needs a month of them (the engine, a home screen, a chart) reads one narrow row a day
-- instead, from one index that holds every value.

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
  training_load double precision,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, local_date) include (
    sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight, body_fat, blood_pressure, spo2,
    training_load),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
) with (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_scale_factor = 0.02);
comment on table public.wt_daily_values is
  'One row a local day that has anything: each metric''s sum or mean of the readings that count, in canonical units';
comment on column public.wt_daily_values.training_load is
  'sum of the day''s training loads (minutes x intensity factor); null where nothing was measured, 0 for a measured day of rest';
-- The engine writes millions of these rows and says itself that they are of now: those are spared the trigger.
call wt_private.protect('public.wt_daily_values', 'read_own', touched => false);
create trigger touch before insert or update on public.wt_daily_values
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

-- What is to be done for each profile. It says only which days, so it can be said twice, and doing it twice changes nothing.
-- One row a profile, changed in place: what is filled in and emptied again leaves room on its page for the next time.
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
comment on column public.wt_engine_marks.stale_from is 'first day whose readings or workouts changed since its daily values were summed up';
comment on column public.wt_engine_marks.score_from is
  'first day whose score may be out of date; stays ahead of the last run while earlier days still count in later scores';
comment on column public.wt_engine_marks.score_to is 'last day whose daily values changed; scores up to 30 days later depend on it, and further ones that lack fourteen days in between';
comment on column public.wt_engine_marks.forecast_due is 'a goal came or changed';
-- What is stale is looked for every minute, what is to be scored once a night: only the former is worth an index.
create index wt_engine_marks_stale on public.wt_engine_marks (id) where stale_from is not null;
call wt_private.protect('public.wt_engine_marks', 'service', touched => false);
create trigger touch before insert or update on public.wt_engine_marks
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

-- Marks days whose readings or workouts changed. Whoever calls holds the person, or is the job that writes for everybody; the
-- rows are taken in the order of their profiles. A profile that is just being deleted has nothing left to work out.
create function wt_private.mark_days(profile_ids uuid[], days date[]) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  insert into public.wt_engine_marks as m (id, user_id, stale_from, stale_to)
  select p.id, p.user_id, min(d.day), max(d.day)
  from unnest($1, $2) d (profile_id, day) join public.wt_profiles p on p.id = d.profile_id
  group by p.id
  order by p.id
  on conflict (id) do update
    set stale_from = least(m.stale_from, excluded.stale_from), stale_to = greatest(m.stale_to, excluded.stale_to),
        updated_at = now()
    where (m.stale_from <= excluded.stale_from and m.stale_to >= excluded.stale_to) is not true
$$;
