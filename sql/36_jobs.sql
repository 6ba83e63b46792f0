-- Flow 2, the background: raw readings become validated or rejected, and stale baselines and days are computed anew. Any
-- scheduler may call these functions; runs that overlap share the work instead of waiting for each other.

-- Judges up to `max_rows` raw readings of the profiles from `first_id` to `last_id`; answers how many it judged. Readings of people
-- whose readings somebody else is just writing are left for the next time. When a reading was said last, the server knows: that is
-- what "future" is measured by.
create function wt_private.judge(first_id uuid, last_id uuid, max_rows integer) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  judged integer;
begin
  with picked as materialized (
    select m.id, m.metric_type, m.value_num, m.value_text, m.start_time, m.end_time, m.updated_at
    from public.wt_health_metrics m join public.wt_users u on u.id = m.user_id
    where m.validation_status = 'raw' and m.profile_id between first_id and last_id
    limit greatest(max_rows, 0)
    for no key update of u, m skip locked
  )
  update public.wt_health_metrics m
  set validation_status = v.status::public.wt_validation_status, rejection_reason = v.reason,
      is_primary = m.is_primary and v.status = 'validated', processing_status = 'processed'
  from picked p
  cross join lateral welltrack.validate_metric(
    welltrack.enum_label(p.metric_type), p.value_num, p.value_text, p.start_time, p.end_time, p.updated_at) v
  where m.id = p.id;
  get diagnostics judged = row_count;
  return judged;
end $$;
grant execute on function wt_private.judge(uuid, uuid, integer) to service_role;

-- Judges up to `max_rows` raw readings of anybody's; answers how many. 0: nothing was left to do, or all of it is just being written
-- by others.
create function public.validate_pending_metrics(max_rows integer default 20000) returns integer
language sql security invoker set search_path = '' as $$
  select wt_private.judge('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1)
$$;

-- Recomputes up to `max_baselines` stale baselines; answers how many. Mean and sample standard deviation of the daily
-- values (a sum or a mean of the day's readings, by metric) of the last 14 distinct local days that have any.
create function public.refresh_baselines(max_baselines integer default 20000) returns integer
language plpgsql security invoker set search_path = '' set jit = off as $$
declare
  ids uuid[];
  refreshed integer;
begin
  -- Claimed first and read in another statement: what is read was committed after the claim, so a change that is not seen here
  -- has yet to say that the baseline is stale.
  select array_agg(p.id) into ids
  from (select b.id from public.wt_baselines b
        where b.is_stale
        order by b.updated_at
        limit greatest(max_baselines, 0)
        for no key update skip locked) p;
  with picked as materialized (
    select b.id, b.profile_id, b.metric_type,
           welltrack.daily_aggregate(welltrack.enum_label(b.metric_type)) = 'sum' as adds_up
    from unnest(ids) c (id) join public.wt_baselines b using (id)
  ), computed as (
    select p.id, c.*
    from picked p
    cross join lateral (
      select avg(d.value) as mean, stddev_samp(d.value) as spread, count(*)::integer as days,
             min(d.local_date) as first_day, max(d.local_date) as last_day
      from (select m.local_date, case when p.adds_up then sum(m.value_num) else avg(m.value_num) end as value
            from public.wt_health_metrics m
            where m.profile_id = p.profile_id and m.metric_type = p.metric_type
              and m.validation_status = 'validated' and m.is_primary and m.value_num is not null
            group by m.local_date
            order by m.local_date desc
            limit 14) d) c
  )
  update public.wt_baselines b
  set baseline_value = c.mean, baseline_stddev = c.spread, data_points_count = c.days, capture_start = c.first_day,
      capture_end = c.last_day, is_stale = false
  from computed c
  where b.id = c.id;
  get diagnostics refreshed = row_count;
  return refreshed;
end $$;

-- What any scheduler may call: raw readings, then stale baselines and days, in portions. Answers {"judged", "baselines", "days"}
-- (`days` counts profiles whose days were summed up): all 0 when nothing was left to do. People whose readings are judged
-- can't write others until this is over, so a run begins no portion after its fifth second and leaves the rest to the next
-- one. Where that is long, call the three parts instead, each call a transaction of its own, as pg_cron's job does.
create function public.run_health_jobs() returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  portion integer;
  judged integer := 0;
  baselines integer := 0;
  days integer := 0;
begin
  loop
    portion := public.validate_pending_metrics();
    judged := judged + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  loop
    portion := public.refresh_baselines();
    baselines := baselines + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  loop
    portion := public.refresh_daily_values();
    days := days + portion;
    exit when portion = 0 or clock_timestamp() > now() + interval '5 seconds';
  end loop;
  return jsonb_build_object('judged', judged, 'baselines', baselines, 'days', days);
end $$;

grant execute on function public.validate_pending_metrics(integer), public.refresh_baselines(integer),
  public.run_health_jobs() to service_role;
