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
          from (select v.local_date, wt_private.value_of(v, g.metric_type) as value
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
