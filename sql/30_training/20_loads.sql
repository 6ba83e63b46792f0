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
