-- People with a month of daily values behind them and one day that has just changed, and what one would write instead.
-- Filled without triggers, as a restored backup is; the readings lie in a twin of wt_health_metrics (the same rows, no indexes
-- but the one that a function per profile needs), so that filling takes minutes and not an hour.

create unlogged table bench_people (n integer primary key, user_id uuid not null, profile_id uuid not null);
create table bench_readings (like public.wt_health_metrics including defaults including constraints);
-- What the others write to, with the keys that the schema asks for: by hand set-based, by hand in a loop, and the floor.
create function bench_twin(name text, original regclass) returns void language plpgsql as $$
declare
  key record;
begin
  execute format('create table %I (like %s including all) with (%s)', name, original,
                 (select array_to_string(c.reloptions, ', ') from pg_class c where c.oid = original));
  for key in select pg_get_constraintdef(k.oid) as definition from pg_constraint k
             where k.conrelid = original and k.contype = 'f' loop
    execute format('alter table %I add %s', name, key.definition);
  end loop;
end $$;
select bench_twin('bench_scores_' || way, 'public.wt_recovery_scores'),
       bench_twin('bench_forecasts_' || way, 'public.wt_forecasts')
from unnest('{sql,loop,floor}'::text[]) way;
-- What the night makes, for the floor to write.
create table bench_scores_known (like public.wt_recovery_scores including indexes);
create table bench_forecasts_known (like public.wt_forecasts including indexes);

create function bench_grow(up_to integer, as_of date, with_readings boolean) returns void language plpgsql as $$
declare
  done constant integer := coalesce((select max(n) from bench_people), 0);
  daily_key text;
  daily_key_is text;
begin
  set local session_replication_role = replica;
  set local work_mem = '256MB';
  set local maintenance_work_mem = '1GB';
  insert into bench_people select n, gen_random_uuid(), welltrack.uuid_v7() from generate_series(done + 1, up_to) n;
  insert into auth.users (id, aud, role, email)
  select p.user_id, 'authenticated', 'authenticated', 'bench-' || p.n || '@example.org' from bench_people p where p.n > done;
  insert into public.wt_users (id, display_name) select p.user_id, 'Bench' from bench_people p where p.n > done;
  insert into public.wt_profiles (id, user_id, profile_type, is_primary, display_name)
  select p.profile_id, p.user_id, 'parent', true, 'Bench' from bench_people p where p.n > done;
  insert into public.wt_goals (user_id, profile_id, metric_type, target_value, unit, direction)
  select p.user_id, p.profile_id, 'hr', 48, 'bpm', 'decrease' from bench_people p where p.n > done;
  insert into public.wt_baselines (user_id, profile_id, metric_type, data_points_count, is_stale)
  select p.user_id, p.profile_id, 'hr', 14, false from bench_people p where p.n > done;
  -- Building an index at once is what makes millions of rows bearable.
  select c.conname, pg_get_constraintdef(c.oid) into strict daily_key, daily_key_is
  from pg_constraint c where c.conrelid = 'public.wt_daily_values'::regclass and c.contype = 'u';
  execute format('alter table public.wt_daily_values drop constraint %I', daily_key);
  insert into public.wt_daily_values (user_id, profile_id, local_date, sleep, stress, hr, active_minutes, training_load)
  select p.user_id, p.profile_id, as_of - d, 380 + random() * 120, 20 + random() * 40, 52 + d * 0.1 + random() * 6, m.minutes,
         m.minutes * 4
  from generate_series(30, 0, -1) d, bench_people p, lateral (select 5 + floor(random() * 85 + 0 * (p.n + d)) as minutes) m
  where p.n > done;
  execute format('alter table public.wt_daily_values add constraint %I %s', daily_key, daily_key_is);
  insert into public.wt_engine_marks (id, user_id, score_from, score_to)
  select p.profile_id, p.user_id, as_of, as_of from bench_people p where p.n > done;
  if with_readings then
    insert into bench_readings
      (id, user_id, profile_id, source, metric_type, value_num, unit, start_time, end_time, local_date, dedupe_hash,
       validation_status, processing_status)
    select welltrack.uuid_v7(), v.user_id, v.profile_id, 'garmin', r.metric_type::public.wt_metric_type, r.value, 'x', v.local_date,
           v.local_date + interval '23 hours', v.local_date,
           welltrack.dedupe_hash(v.user_id, v.profile_id, 'garmin', r.metric_type, v.local_date, v.local_date + interval '23 hours'),
           'validated', 'processed'
    from public.wt_daily_values v join bench_people p using (profile_id),
         lateral (values ('sleep', v.sleep), ('stress', v.stress), ('hr', v.hr), ('active_minutes', v.active_minutes))
           r (metric_type, value)
    where p.n > done
    order by v.local_date;
    create index if not exists bench_readings_day on bench_readings (profile_id, local_date, metric_type);
  end if;
end $$;

-- Before each run it is the evening: in the table that will be written to every goal has the forecast of the day before; no day
-- `as_of` is scored, and every profile has changed.
create procedure bench_reset(as_of date, forecasts regclass) language plpgsql as $$
begin
  set local session_replication_role = replica;
  truncate public.wt_recovery_scores, public.wt_forecasts, bench_scores_sql, bench_scores_loop, bench_scores_floor,
    bench_forecasts_sql, bench_forecasts_loop, bench_forecasts_floor;
  execute format($sql$
  insert into %s
    (id, user_id, profile_id, goal_id, metric_type, status, as_of, current_value, target_value, slope_per_day, intercept,
     r_squared, projected_date, projected_low, projected_high, confidence, data_points, narrative)
  select g.id, g.user_id, g.profile_id, g.id, g.metric_type, 'on_track', $1 - 1, 56, g.target_value, -0.1, 2100, 0.5,
         $1 + 79, $1 + 39, $1 + 119, 0.5, 30, rpad('Based on your current progress', 240, ' and so on')
  from public.wt_goals g$sql$, forecasts) using as_of;
  update public.wt_engine_marks set score_from = as_of, score_to = as_of;
end $$;

-- The least that the same rows cost, of the people after `low` up to `high`: their month's values are read, nothing is computed, and
-- what is known already is written.
create function bench_floor(as_of date, low uuid, high uuid) returns bigint language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
declare
  read bigint;
begin
  select sum(v.days) into read
  from public.wt_engine_marks m
  cross join lateral (select count(d.stress) + count(d.sleep) + count(d.hr) + count(d.training_load) as days
                      from public.wt_daily_values d
                      where d.profile_id = m.id and d.local_date between as_of - 30 and as_of) v
  where m.id > low and m.id <= high;
  insert into bench_scores_floor select * from bench_scores_known k where k.profile_id > low and k.profile_id <= high;
  update bench_forecasts_floor o
  set status = k.status, as_of = k.as_of, current_value = k.current_value, slope_per_day = k.slope_per_day,
      intercept = k.intercept, r_squared = k.r_squared, projected_date = k.projected_date, projected_low = k.projected_low,
      projected_high = k.projected_high, confidence = k.confidence, data_points = k.data_points, narrative = k.narrative,
      calculated_at = now(), updated_at = now()
  from bench_forecasts_known k
  where o.id = k.id and k.profile_id > low and k.profile_id <= high;
  return read;
end $$;

-- By hand, set-based: window functions over the month's readings, regr_* for the goals. The sentence and the interval are left out.
-- A statement that writes has no parallel workers, so several sessions share the people; it is planned with the values that it has.
create function bench_by_sql(as_of date, low uuid, high uuid) returns void language plpgsql as $$
begin
  execute format($sql$
  with daily as (
    select m.user_id, m.profile_id, m.local_date,
           avg(m.value_num) filter (where m.metric_type = 'sleep') as sleep,
           avg(m.value_num) filter (where m.metric_type = 'stress') as stress,
           avg(m.value_num) filter (where m.metric_type = 'hr') as hr,
           sum(m.value_num * 4) filter (where m.metric_type = 'active_minutes') as load
    from bench_readings m
    where m.local_date between %1$L::date - 30 and %1$L::date and m.validation_status = 'validated' and m.is_primary
      and m.profile_id > %2$L and m.profile_id <= %3$L
    group by m.user_id, m.profile_id, m.local_date
  ), windowed as (
    select d.*,
           avg(d.hr) over (w rows between 14 preceding and 1 preceding) as hr_mean,
           stddev_samp(d.hr) over (w rows between 14 preceding and 1 preceding) as hr_spread,
           sum(d.load) over (w range between interval '6 days' preceding and current row) as week,
           sum(d.load) over (w range between interval '28 days' preceding and interval '1 day' preceding) as month,
           min(d.local_date) over (w range between interval '28 days' preceding and interval '1 day' preceding) as since
    from daily d
    window w as (partition by d.profile_id order by d.local_date)
  ), component as (
    select w.user_id, w.profile_id, w.week, w.month, greatest(0, least(100, 100 - w.stress)) as stress,
           greatest(0, least(100, w.sleep / 60 / 8 * 100)) as sleep,
           100 / (1 + exp(1.702 * (w.hr - w.hr_mean) / greatest(w.hr_spread, 1))) as hr,
           greatest(0, least(100, w.week / nullif(7 * w.month / (%1$L::date - w.since), 0) * 100)) as load,
           w.hr as hr_now, w.hr_mean, w.hr_spread
    from windowed w where w.local_date = %1$L::date
  ), written as (
    insert into bench_scores_sql
      (user_id, profile_id, score_date, status, stress_component, sleep_component, hr_component, load_component, recovery_score,
       weights_used, formula_version, raw_data)
    select c.user_id, c.profile_id, %1$L::date, 'scored', c.stress, c.sleep, c.hr, c.load,
           0.25 * c.stress + 0.30 * c.sleep + 0.20 * c.hr + 0.25 * c.load,
           '{"stress": 0.25, "sleep": 0.3, "hr": 0.2, "load": 0.25}', '1',
           row(null, null, null, c.hr_now, c.hr_mean, c.hr_spread, null, c.week, null, null, null)::welltrack.recovery_inputs
    from component c
    on conflict (profile_id, score_date) do update set recovery_score = excluded.recovery_score
  )
  insert into bench_forecasts_sql
    (user_id, profile_id, goal_id, metric_type, status, as_of, current_value, target_value, slope_per_day, intercept, r_squared,
     projected_date, data_points)
  select g.user_id, g.profile_id, g.id, g.metric_type, 'on_track', %1$L::date, f.latest, g.target_value, f.slope, f.intercept, f.r2,
         case when f.slope < 0 and (g.target_value - f.intercept) / f.slope < 30000
              then date '1970-01-01' + ((g.target_value - f.intercept) / f.slope)::integer end, f.n
  from public.wt_goals g
  join (select m.profile_id, m.metric_type, count(*) as n,
               regr_slope(m.value_num, m.local_date - date '1970-01-01') as slope,
               regr_intercept(m.value_num, m.local_date - date '1970-01-01') as intercept,
               least(1, regr_r2(m.value_num, m.local_date - date '1970-01-01')) as r2,
               (array_agg(m.value_num order by m.local_date desc))[1] as latest
        from bench_readings m
        where m.local_date between %1$L::date - 29 and %1$L::date and m.metric_type = 'hr' and m.validation_status = 'validated'
          and m.is_primary and m.profile_id > %2$L and m.profile_id <= %3$L
        group by m.profile_id, m.metric_type) f using (profile_id, metric_type)
  where g.is_active
  on conflict (goal_id) do update
    set status = excluded.status, as_of = excluded.as_of, current_value = excluded.current_value,
        slope_per_day = excluded.slope_per_day, intercept = excluded.intercept, r_squared = excluded.r_squared,
        projected_date = excluded.projected_date, data_points = excluded.data_points, calculated_at = now(), updated_at = now()
$sql$, as_of, low, high);
end $$;

-- By hand, a function per profile.
create function bench_one_profile(owner uuid, profile uuid, as_of date) returns void language plpgsql as $$
declare
  stress double precision; sleep double precision; hr double precision; hr_mean double precision; hr_spread double precision;
  week double precision; month double precision; since date; load double precision; goal record; fit record;
begin
  select 100 - avg(value_num) into stress from bench_readings
  where profile_id = profile and local_date = as_of and metric_type = 'stress' and validation_status = 'validated' and is_primary;
  select least(100, avg(value_num) / 60 / 8 * 100) into sleep from bench_readings
  where profile_id = profile and local_date = as_of and metric_type = 'sleep' and validation_status = 'validated' and is_primary;
  select avg(value_num) into hr from bench_readings
  where profile_id = profile and local_date = as_of and metric_type = 'hr' and validation_status = 'validated' and is_primary;
  select avg(v), stddev_samp(v) into hr_mean, hr_spread
  from (select avg(value_num) as v from bench_readings
        where profile_id = profile and local_date between as_of - 30 and as_of - 1 and metric_type = 'hr'
          and validation_status = 'validated' and is_primary
        group by local_date order by local_date desc limit 14) d;
  hr := 100 / (1 + exp(1.702 * (hr - hr_mean) / greatest(hr_spread, 1)));
  select sum(value_num * 4) filter (where local_date > as_of - 7), sum(value_num * 4) filter (where local_date < as_of),
         min(local_date)
  into week, month, since from bench_readings
  where profile_id = profile and local_date between as_of - 28 and as_of and metric_type = 'active_minutes'
    and validation_status = 'validated' and is_primary;
  load := least(100, week / nullif(7 * month / (as_of - since), 0) * 100);
  insert into bench_scores_loop
    (user_id, profile_id, score_date, status, stress_component, sleep_component, hr_component, load_component, recovery_score,
     weights_used, formula_version, raw_data)
  values (owner, profile, as_of, 'scored', stress, sleep, hr, load, 0.25 * stress + 0.30 * sleep + 0.20 * hr + 0.25 * load,
          '{"stress": 0.25, "sleep": 0.3, "hr": 0.2, "load": 0.25}', '1',
          row(null, null, null, null, hr_mean, hr_spread, null, week, null, null, null)::welltrack.recovery_inputs)
  on conflict (profile_id, score_date) do update set recovery_score = excluded.recovery_score;
  for goal in select * from public.wt_goals g where g.profile_id = profile and g.is_active loop
    select regr_slope(value_num, local_date - date '1970-01-01') as slope,
           regr_intercept(value_num, local_date - date '1970-01-01') as intercept,
           least(1, regr_r2(value_num, local_date - date '1970-01-01')) as r2, count(*) as n
    into fit from bench_readings
    where profile_id = profile and local_date between as_of - 29 and as_of and metric_type = goal.metric_type
      and validation_status = 'validated' and is_primary;
    insert into bench_forecasts_loop
      (user_id, profile_id, goal_id, metric_type, status, as_of, target_value, slope_per_day, intercept, r_squared, data_points)
    values (owner, profile, goal.id, goal.metric_type, 'on_track', as_of, goal.target_value, fit.slope, fit.intercept, fit.r2, fit.n)
    on conflict (goal_id) do update
      set status = excluded.status, as_of = excluded.as_of, current_value = excluded.current_value,
          slope_per_day = excluded.slope_per_day, intercept = excluded.intercept, r_squared = excluded.r_squared,
          projected_date = excluded.projected_date, data_points = excluded.data_points, calculated_at = now(), updated_at = now();
  end loop;
end $$;
