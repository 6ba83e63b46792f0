-- Flow 8, training load of workouts: minutes x intensity factor, and no effort twice.
--
-- A watch, Strava and a typed entry may all tell of the same run. Of workouts that overlap, the one of the best source (then
-- the longest, then the least id) counts in full, and each other one only for the minutes that no better one covers. That is a
-- rule about periods, not about the order in which they arrive.

-- Works out anew the loads of the workouts that touch the given periods. A load stays on the day on which it first was, unless
-- its row was removed because the workout itself moved.
create function wt_private.settle_loads(profile_ids uuid[], starts timestamptz[], ends timestamptz[]) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with touched as materialized (
    select distinct w.id
    from unnest($1, $2, $3) g (profile_id, starts, ends)
    join public.wt_profiles p on p.id = g.profile_id
    -- No workout is longer than two days.
    join public.wt_workouts w on w.profile_id = p.id and w.user_id = p.user_id
      and w.start_time between g.starts - interval '2 days' and g.ends
      and w.start_time + make_interval(secs => w.duration_minutes * 60) >= g.starts
  ), workout as materialized (
    select w.*, p.date_of_birth, u.timezone,
           tstzrange(w.start_time, w.start_time + make_interval(secs => w.duration_minutes * 60)) as period,
           welltrack.source_priority(case w.source when 'plan' then 'manual' else w.source::text end) as rank
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
        from (select o.id, o.duration_minutes,
                     tstzrange(o.start_time, o.start_time + make_interval(secs => o.duration_minutes * 60)) as period,
                     welltrack.source_priority(case o.source when 'plan' then 'manual' else o.source::text end) as rank
              from public.wt_workouts o
              where o.profile_id = w.profile_id and o.user_id = w.user_id
                and o.start_time between w.start_time - interval '2 days' and upper(w.period)) b
        where b.period && w.period and (b.rank, -b.duration_minutes, b.id) < (w.rank, -w.duration_minutes, w.id)
      )) r (part)) c
  )
  insert into public.wt_training_loads as l
    (user_id, profile_id, workout_id, load_date, load_type, duration_minutes, intensity_factor)
  select c.user_id, c.profile_id, c.id, (c.start_time at time zone c.timezone)::date,
         case when c.source in ('manual', 'plan') then 'workout' else 'activity' end::public.wt_load_type, c.minutes,
         welltrack.intensity_factor(c.perceived_exertion, c.average_hr_bpm,
           ((c.start_time at time zone 'UTC')::date - c.date_of_birth) / 365.25::double precision, c.workout_type)
  from counted c
  on conflict (workout_id) do update
    set load_type = excluded.load_type, duration_minutes = excluded.duration_minutes,
        intensity_factor = excluded.intensity_factor
    where (l.load_type, l.duration_minutes, l.intensity_factor)
      is distinct from (excluded.load_type, excluded.duration_minutes, excluded.intensity_factor)
$$;

-- After every statement on workouts: settle the loads of what it touched. SECURITY DEFINER because clients write no loads. Nothing
-- to do for a profile that is just being deleted.
create function wt_private.workouts_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  profile_ids uuid[];
  starts timestamptz[];
  ends timestamptz[];
begin
  if tg_op = 'INSERT' then
    select array_agg(n.profile_id), array_agg(n.start_time),
           array_agg(n.start_time + make_interval(secs => n.duration_minutes * 60))
    into profile_ids, starts, ends
    from new_rows n;
  elsif tg_op = 'DELETE' then
    select array_agg(o.profile_id), array_agg(o.start_time),
           array_agg(o.start_time + make_interval(secs => o.duration_minutes * 60))
    into profile_ids, starts, ends
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
    select array_agg(c.profile_id), array_agg(c.start_time),
           array_agg(c.start_time + make_interval(secs => c.duration_minutes * 60))
    into profile_ids, starts, ends
    from changed c;
  end if;
  if profile_ids is null then
    return null;
  end if;

  -- Clients and workers hold their person already. Another service connection takes its turn here.
  perform from public.wt_users u
  where u.id in (select p.user_id from public.wt_profiles p where p.id = any (profile_ids))
  order by u.id
  for no key update;
  perform wt_private.settle_loads(profile_ids, starts, ends);
  return null;
end $$;
create trigger workouts_inserted after insert on public.wt_workouts referencing new table as new_rows
  for each statement execute function wt_private.workouts_changed();
create trigger workouts_updated after update on public.wt_workouts referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.workouts_changed();
create trigger workouts_deleted after delete on public.wt_workouts referencing old table as old_rows
  for each statement execute function wt_private.workouts_changed();

-- The days of loads that came, changed or went (with their workout, too) are to be summed up anew. The rows for active minutes
-- are written by that summing up itself. SECURITY DEFINER because clients write no marks, and a cascade from a workout ends with
-- the rights of whoever deleted it.
create function wt_private.loads_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform wt_private.mark_days(array_agg(n.profile_id), array_agg(n.load_date))
    from new_rows n where n.load_type <> 'active_minutes' having count(*) > 0;
  elsif tg_op = 'DELETE' then
    perform wt_private.mark_days(array_agg(o.profile_id), array_agg(o.load_date))
    from old_rows o where o.load_type <> 'active_minutes' having count(*) > 0;
  else
    perform wt_private.mark_days(array_agg(c.profile_id), array_agg(c.load_date))
    from (select o.profile_id, o.load_date from old_rows o where o.load_type <> 'active_minutes'
          union
          select n.profile_id, n.load_date from new_rows n where n.load_type <> 'active_minutes') c
    having count(*) > 0;
  end if;
  return null;
end $$;
create trigger loads_inserted after insert on public.wt_training_loads referencing new table as new_rows
  for each statement execute function wt_private.loads_changed();
create trigger loads_updated after update on public.wt_training_loads
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.loads_changed();
create trigger loads_deleted after delete on public.wt_training_loads referencing old table as old_rows
  for each statement execute function wt_private.loads_changed();
