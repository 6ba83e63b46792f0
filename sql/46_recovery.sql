-- Flow 8: recovery scores of claimed profiles, and the explanation of any one of them. What a score is is decided by the
-- aggregate welltrack.recovery, which is given a person's daily values of the day and the thirty before; and where those are too
-- few for a baseline (who wears a watch every third day), the last ones before them.

-- One day's score from all that may count in it: the long way, which answers the same for everybody.
create function wt_private.recovery(profile_id uuid, day date, sleep_target double precision) returns welltrack.recovery_day
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
create function wt_private.last_dependent(profile_id uuid, day date) returns date
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

-- Scores the days from `first_days` to `last_days` of the profiles `ids`, whose marks the caller holds; answers how many rows it
-- wrote. Rows that say what they should are not touched, and those of days that have nothing to go by any more go.
create function wt_private.score_days(
  ids uuid[], owners uuid[], sleep_targets double precision[], first_days date[], last_days date[]
) returns integer
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
          from unnest(ids, owners, sleep_targets, first_days, last_days) u (profile_id, user_id, sleep_target, first_day, last_day)
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
grant execute on function wt_private.score_days(uuid[], uuid[], double precision[], date[], date[]) to service_role;

-- Why a score is what it is, computed by the engine's own code from the daily values as they are now, also for days that were
-- never scored:
--   {"profile_id", "score_date", "status", "days_missing", "recovery_score", "formula_version", "scored_at",
--    "components": [{"name", "value", "weight", "weight_used", "formula", "source"}],
--    "inputs": {"stress_score", "sleep_minutes", "sleep_target_hours", "resting_hr_bpm", "load_7d", "input_days"},
--    "baselines": {"hr_baseline_bpm", "hr_spread_bpm", "hr_baseline_days", "load_baseline_7d", "load_history_days"},
--    "weights_used": {name: share}, "missing_inputs": [name]}
-- status: scored, calibrating (a score needs days_missing more days with data), insufficient (fewer than two components), no_data.
-- What is not known is left out of inputs and baselines; weight is the share when all four are there. The score is a heuristic
-- about training and rest, without medical meaning. score_date null: the person's today.
-- Errors: PT404 no such profile (or not the caller's).
create function public.explain_recovery(profile_id uuid, score_date date default null) returns jsonb
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
