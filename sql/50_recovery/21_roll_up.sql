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
