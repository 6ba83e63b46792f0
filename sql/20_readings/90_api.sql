-- Flow 2, what apps and schedulers call: a phone's batch, and the background jobs that judge what came in.

-- Writes a batch of readings for a profile, in one transaction: all of it or nothing. Runs with the caller's rights, so row-level
-- security holds.
--   {"source", "ingestion_version", "records": [...]}, as the native plugin sends it, or a bare array whose records name their
--   source; at most welltrack.size_limit('batch_records') of them, 'batch_bytes', and 'batch_text_bytes' written out
--     ->  {"received", "inserted", "updated", "unchanged", "merged", "rejected", "rejections": [{"index", "reason"}]}
-- The five counts add up to `received`. `merged` records were folded into another one of the same batch (repeats: the last one
-- wins; the second half of a blood pressure). `rejections` says why, by position in the batch.
-- Errors: PT404 no such profile (or not the caller's), PT400 not a batch, PT413 too much at once.
-- Locks: the person, so that two batches of one person wait for each other and the second sees what the first wrote.
-- One plan serves all batches (force_generic_plan): planning anew would copy the batch into the plan. docs/reference/sql.md
create or replace function public.ingest_health_metrics(profile_id uuid, records jsonb) returns jsonb
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  target constant uuid := $1;
  list constant jsonb := case jsonb_typeof($2) when 'object' then $2 -> 'records' else $2 end;
  owner uuid;
  zone text;
  most_records constant bigint := welltrack.size_limit('batch_records');
  most_bytes constant bigint := welltrack.size_limit('batch_bytes');
  most_text constant bigint := welltrack.size_limit('batch_text_bytes');
  payload constant text := welltrack.json_text($2, most_text::integer);
  answer jsonb;
begin
  if list is null or jsonb_typeof(list) <> 'array' then
    raise exception 'records must be an array of readings, or an object with such an array under "records"'
      using errcode = 'PT400';
  elsif jsonb_array_length(list) > most_records then
    raise exception '% records are too many for one batch', jsonb_array_length(list)
      using errcode = 'PT413', hint = format('send at most %s records at once', most_records);
  elsif pg_column_size($2) > most_bytes or payload is null then
    raise exception 'the batch is larger than % MB, or % MB written out', most_bytes / 1048576, most_text / 1048576
      using errcode = 'PT413', hint = 'send fewer records at once';
  end if;

  select p.user_id, u.timezone into owner, zone
  from public.wt_profiles p join public.wt_users u on u.id = p.user_id
  where p.id = target
  for no key update of u;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names one of your own profiles';
  end if;

  perform set_config('wt.batch', 'on', true);
  answer := wt_private.write_batch(owner, target, zone, list, payload);
  perform set_config('wt.batch', 'off', true);
  return answer;
end $$;
grant execute on function public.ingest_health_metrics(uuid, jsonb) to authenticated, service_role;

-- Validates up to `max_rows` raw readings of any profiles. Returns how many; 0 if none is left, or other sessions hold all of them.
-- Any scheduler may call this and the next two functions; calls that overlap share the work.
create or replace function public.validate_pending_metrics(max_rows integer default 20000) returns integer
language sql security invoker set search_path = '' as $$
  select wt_private.judge('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1)
$$;

-- Recomputes up to `max_baselines` stale baselines: mean and sample standard deviation of the daily values (a sum or a mean of the
-- day's readings, by metric) of the last 14 distinct local days that have any. Returns how many.
create or replace function public.refresh_baselines(max_baselines integer default 20000) returns integer
language plpgsql security invoker set search_path = '' set jit = off as $$
declare
  ids uuid[];
  refreshed integer;
begin
  -- Claiming and reading are separate statements: what is read was committed after the claim, so a change that is not seen here has
  -- yet to mark the baseline as stale.
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

-- Runs the background jobs: raw readings, then stale baselines and days, in portions.
--   ->  {"judged", "baselines", "days"} (`days` counts profiles whose days were summed up); all 0 when nothing was left to do
-- A person whose readings are being validated can't write others until this transaction is over. So a run begins no portion after
-- its fifth second and leaves the rest to the next run. Where that is too long, call the three parts instead, each in a transaction
-- of its own, as pg_cron's job does.
create or replace function public.run_health_jobs() returns jsonb
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
