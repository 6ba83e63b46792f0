-- Flow 8: the marked days of a few profiles are summed up anew: readings and loads become daily values.

-- Claims up to `max_profiles` marks with days to sum up, of the profiles from `first_id` to `last_id`, and writes what changed;
-- answers how many it claimed. Marks that somebody else is just changing are left for the next time.
--
-- Claiming and reading are two statements on purpose: what is read was committed after the mark was taken, so a change that is
-- not seen here has yet to set its mark. Values are added up in the order of their size and not of their rows, so that the same
-- readings give the same bits whatever order they came in.
create or replace function wt_private.roll_up(first_id uuid, last_id uuid, max_profiles integer) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_mergejoin = off set jit = off as $$
declare
  ids uuid[];
  owners uuid[];
  first_days date[];
  last_days date[];
begin
  -- A first import may mark years: the portion ends where its days add up to a lot.
  select array_agg(c.id), array_agg(c.user_id), array_agg(c.stale_from), array_agg(c.stale_to)
  into ids, owners, first_days, last_days
  from (select m.*, sum(m.stale_to - m.stale_from + 1) over (order by m.id) as days, row_number() over (order by m.id) as n
        from (select k.id, k.user_id, k.stale_from, k.stale_to
              from public.wt_engine_marks k join public.wt_profiles p on p.id = k.id
              where k.stale_from is not null and k.id between first_id and last_id
              order by k.id
              limit greatest(max_profiles, 0)
              for key share of p skip locked
              for no key update of k skip locked) m) c
  where c.n = 1 or c.days <= 200000;
  if ids is null then
    return 0;
  end if;

  with claimed as materialized (
    select * from unnest(ids, owners, first_days, last_days) as c (profile_id, user_id, first_day, last_day)
  ), input as (
    select c.profile_id, c.user_id, r.local_date, r.metric_type, r.source, r.value,
           null::double precision as minutes, null::double precision as load
    from claimed c
    cross join lateral (
      select m.local_date, m.metric_type, min(m.source) as source,
             sum(m.value_num order by m.value_num)
               / case welltrack.daily_aggregate(welltrack.enum_label(m.metric_type)) when 'mean' then count(*) else 1 end as value
      from public.wt_health_metrics m
      where m.profile_id = c.profile_id and m.local_date between c.first_day and c.last_day
        and m.validation_status = 'validated' and m.is_primary and m.value_num is not null
      group by m.local_date, m.metric_type) r
    union all
    select c.profile_id, c.user_id, l.day, null, null, null, l.minutes, l.load
    from claimed c
    cross join lateral (
      -- A load is all of its first day's, but its minutes are those of each day that it lasts: at most two more. Where somebody has
      -- travelled since, the clock of then isn't known, and it counts as begun at midnight.
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
      group by d.day) l
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
           max(i.source) filter (where i.metric_type = 'active_minutes') as active_source,
           coalesce(max(i.minutes), 0) as workout_minutes, max(i.load) as workout_load
    from input i
    group by i.profile_id, i.user_id, i.local_date
    -- The end of yesterday's workout by itself makes no day.
    having count(i.value) > 0 or count(i.load) > 0
  ), day as materialized (
    -- Minutes in motion that no workout of the day has counted; no day has more than its own.
    select p.*, case when p.active_minutes is not null
                     then least(greatest(p.active_minutes - p.workout_minutes, 0), 1440) end as other_minutes
    from pivoted p
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
    delete from public.wt_training_loads l using claimed c
    where l.profile_id = c.profile_id and l.user_id = c.user_id and l.load_date between c.first_day and c.last_day
      and l.load_type = 'active_minutes'
      and not exists (select from day d where d.profile_id = l.profile_id and d.local_date = l.load_date
                        and d.other_minutes is not null)
  ), written as (
    insert into public.wt_daily_values as v
      (user_id, profile_id, local_date, sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight,
       body_fat, blood_pressure, spo2, training_load)
    select d.user_id, d.profile_id, d.local_date, d.sleep, d.stress, d.vo2max, d.steps, d.hr, d.hrv, d.calories, d.distance,
           d.active_minutes, d.weight, d.body_fat, d.blood_pressure, d.spo2,
           case when d.workout_load is null then d.other_minutes * 4
                else d.workout_load + coalesce(d.other_minutes * 4, 0) end
    from day d
    on conflict (profile_id, local_date) do update
      set sleep = excluded.sleep, stress = excluded.stress, vo2max = excluded.vo2max, steps = excluded.steps,
          hr = excluded.hr, hrv = excluded.hrv, calories = excluded.calories, distance = excluded.distance,
          active_minutes = excluded.active_minutes, weight = excluded.weight, body_fat = excluded.body_fat,
          blood_pressure = excluded.blood_pressure, spo2 = excluded.spo2, training_load = excluded.training_load,
          updated_at = now()
      where (v.sleep, v.stress, v.vo2max, v.steps, v.hr, v.hrv, v.calories, v.distance, v.active_minutes, v.weight,
             v.body_fat, v.blood_pressure, v.spo2, v.training_load) is distinct from
            (excluded.sleep, excluded.stress, excluded.vo2max, excluded.steps, excluded.hr, excluded.hrv,
             excluded.calories, excluded.distance, excluded.active_minutes, excluded.weight, excluded.body_fat,
             excluded.blood_pressure, excluded.spo2, excluded.training_load)
    returning v.profile_id, v.local_date
  ), emptied as (
    delete from public.wt_daily_values v using claimed c
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
  from claimed c left join changed n using (profile_id)
  where m.id = c.profile_id;
  return cardinality(ids);
end $$;
grant execute on function wt_private.roll_up(uuid, uuid, integer) to service_role;
