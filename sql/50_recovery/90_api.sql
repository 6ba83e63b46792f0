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
