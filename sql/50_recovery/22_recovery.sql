-- Flow 8: recovery scores of claimed profiles.
--
-- Input: wt_daily_values. Output: wt_recovery_scores. Locks: none of its own; the caller holds the marks.
-- The aggregate welltrack.recovery decides what a score is. It gets a person's daily values of the day and the thirty before, and
-- where those are too few for a baseline (a watch that is worn every third day), the last ones before them.
-- Planner settings: docs/reference/sql.md.

-- One day's score from all that may count in it: the long way, which answers the same for everybody.
create or replace function wt_private.recovery(profile_id uuid, day date, sleep_target double precision)
returns welltrack.recovery_day
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
create or replace function wt_private.last_dependent(profile_id uuid, day date) returns date
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

-- Scores the days of the claimed profiles, whose marks the caller holds. Returns how many rows it wrote. A row that says what it
-- should is not touched; a row of a day without any input goes.
create or replace function wt_private.score_days(claimed wt_private.claimed_profile[]) returns integer
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
          from unnest(claimed) u
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
grant execute on function wt_private.score_days(wt_private.claimed_profile[]) to service_role;
