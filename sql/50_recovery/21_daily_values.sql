-- Flow 8: the marked days of a few profiles are summed up: readings and loads become daily values.
--
-- Input: wt_engine_marks (stale_from, stale_to), validated readings of the source that counts, loads of workouts.
-- Output: wt_daily_values, wt_training_loads of active minutes, and in the marks which days have to be scored.
-- Locks: profiles (key share), then their marks; both in the order of their ids, and only those that are free.
-- Planner settings: docs/reference/sql.md. The functions that `roll_up` calls run under its settings.

-- What the readings and workouts of the claimed days come to, a row for each day that has anything. Values are added up in the
-- order of their size and not of their rows, so that the same readings give the same bits in whatever order they arrived.
create or replace function wt_private.summed_days(claimed wt_private.claimed_days[]) returns table (
  profile_id uuid, user_id uuid, local_date date, sleep double precision, stress double precision, vo2max double precision,
  steps double precision, hr double precision, hrv double precision, calories double precision, distance double precision,
  active_minutes double precision, weight double precision, body_fat double precision, blood_pressure double precision,
  spo2 double precision, training_load double precision, active_source public.wt_metric_source, other_minutes double precision)
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
           max(i.source) filter (where i.metric_type = 'active_minutes') as active_source,
           coalesce(max(i.minutes), 0) as workout_minutes, max(i.load) as workout_load
    from input i
    group by i.profile_id, i.user_id, i.local_date
    -- The end of yesterday's workout by itself makes no day.
    having count(i.value) > 0 or count(i.load) > 0
  )
  select p.profile_id, p.user_id, p.local_date, p.sleep, p.stress, p.vo2max, p.steps, p.hr, p.hrv, p.calories, p.distance,
         p.active_minutes, p.weight, p.body_fat, p.blood_pressure, p.spo2,
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
      (user_id, profile_id, local_date, sleep, stress, vo2max, steps, hr, hrv, calories, distance, active_minutes, weight,
       body_fat, blood_pressure, spo2, training_load)
    select d.user_id, d.profile_id, d.local_date, d.sleep, d.stress, d.vo2max, d.steps, d.hr, d.hrv, d.calories, d.distance,
           d.active_minutes, d.weight, d.body_fat, d.blood_pressure, d.spo2, d.training_load
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
