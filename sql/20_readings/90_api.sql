-- Flow 2, the door: a phone's batch becomes rows in one transaction.

-- Takes what the native plugin sends: {"source", "ingestion_version", "records": [...]}, or a bare array whose records
-- name their source; at most 10,000 records and 32 MB (64 MB written out). Answers
--   {"received", "inserted", "updated", "unchanged", "merged", "rejected", "rejections": [{"index", "reason"}]}
-- where the five counts add up to `received`: `merged` records were folded into another one of the same batch (repeats:
-- the last one wins; the second half of a blood pressure), `rejections` says why by position in the batch.
--
-- Runs with the caller's rights, so row-level security holds; one transaction: all of it or nothing.
-- Errors: PT404 no such profile (or not the caller's), PT400 not a batch, PT413 too much at once.
-- Without sequential scans, a plan that a session made while the tables were small (this statement's or that of a foreign
-- key's check) still suits them when they have grown; compiling the plan would take longer than running it. One plan for all
-- batches: planning anew for each would copy the batch into the plan. What is written is found by lists of ids and hashes,
-- for a join may read all that the person ever sent.
create or replace function public.ingest_health_metrics(profile_id uuid, records jsonb) returns jsonb
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  target constant uuid := $1;
  list constant jsonb := case jsonb_typeof($2) when 'object' then $2 -> 'records' else $2 end;
  owner uuid;
  zone text;
  payload constant text := welltrack.json_text($2, 67108864);
  answer jsonb;
begin
  if list is null or jsonb_typeof(list) <> 'array' then
    raise exception 'records must be an array of readings, or an object with such an array under "records"'
      using errcode = 'PT400';
  elsif jsonb_array_length(list) > 10000 then
    raise exception '% records are too many for one batch', jsonb_array_length(list)
      using errcode = 'PT413', hint = 'send at most 10000 records at once';
  elsif pg_column_size($2) > 33554432 or payload is null then
    raise exception 'the batch is larger than 32 MB, or 64 MB written out' using errcode = 'PT413', hint = 'send fewer records at once';
  end if;

  -- Two batches of one person wait for each other, so that what the second finds is what the first wrote.
  select p.user_id, u.timezone into owner, zone
  from public.wt_profiles p join public.wt_users u on u.id = p.user_id
  where p.id = target
  for no key update of u;
  if not found then
    raise exception 'no such profile' using errcode = 'PT404', hint = 'profile_id names one of your own profiles';
  end if;

  perform set_config('wt.batch', 'on', true);

  with incoming as materialized (
    select *, source::public.wt_metric_source as src, metric_type::public.wt_metric_type as metric
    from welltrack.native_metrics(owner, target, payload)
  ), found as materialized (
    select i.src, i.metric, i.value_num, i.value_text, i.unit, i.start_time, i.end_time, i.recorded_at,
           i.source_record_id, i.ingestion_version, i.dedupe_hash, i.ordinal, e.id as stored_id,
           e.dedupe_hash <> i.dedupe_hash as moved,
           e.value_num is distinct from i.value_num or e.value_text is distinct from i.value_text
             or e.raw_payload_json is distinct from list -> i.ordinal as changed
    from incoming i
    -- The provider's name for a record finds it first; a record without a name is found by its identity.
    left join lateral (
      (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
       where m.user_id = owner and m.source_record_id = i.source_record_id and m.source = i.src
         and m.metric_type = i.metric
       limit 1)
      union all
      (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
       where i.source_record_id is null and m.user_id = owner and m.dedupe_hash = i.dedupe_hash
       limit 1)) e on true
    where i.dedupe_hash is not null
  ), placed as materialized (
    -- What has to be written. A row that moves away with its name leaves its period free: what the batch has there is a
    -- new reading.
    select f.*, list -> f.ordinal as record,
           (welltrack.day_anchor(welltrack.enum_label(f.metric), f.start_time, f.end_time) at time zone zone)::date
             as local_date,
           case when f.moved or f.stored_id not in (select v.stored_id from found v where v.moved)
                then f.stored_id end as old_id
    from found f
    where f.changed or f.moved or f.stored_id is null or f.stored_id in (select v.stored_id from found v where v.moved)
  ), gone as (
    -- A record whose period moved gets a new identity: its old row, and whatever stood at the new identity, give way.
    delete from public.wt_health_metrics m
    where m.user_id = owner and m.id = any (array(
      select f.old_id from placed f where f.moved
      union all
      select e.id from public.wt_health_metrics e
      where e.user_id = owner and e.dedupe_hash = any (array(select f.dedupe_hash from placed f where f.moved))))
    returning m.id
  ), revised as (
    update public.wt_health_metrics m
    set value_num = f.value_num, value_text = f.value_text, raw_payload_json = f.record,
        recorded_at = coalesce(f.recorded_at, m.recorded_at), ingestion_source_version = f.ingestion_version
    from placed f
    where m.id = any (array(select v.old_id from placed v)) and m.id = f.old_id and f.changed and not coalesce(f.moved, false)
    returning m.id
  ), added as (
    insert into public.wt_health_metrics as m
      (id, user_id, profile_id, source, metric_type, value_num, value_text, unit, start_time, end_time, local_date,
       recorded_at, raw_payload_json, source_record_id, ingestion_source_version)
    select coalesce(f.old_id, welltrack.uuid_v7()), owner, target, f.src, f.metric, f.value_num, f.value_text,
           f.unit, f.start_time, f.end_time, f.local_date, coalesce(f.recorded_at, now()), f.record,
           f.source_record_id, f.ingestion_version
    from placed f
    where (f.old_id is null or f.moved) and (select count(*) from gone) >= 0
    on conflict (user_id, dedupe_hash) do update
      set value_num = excluded.value_num, value_text = excluded.value_text,
          raw_payload_json = excluded.raw_payload_json, recorded_at = excluded.recorded_at,
          source_record_id = coalesce(excluded.source_record_id, m.source_record_id),
          ingestion_source_version = excluded.ingestion_source_version
      where (m.value_num, m.value_text, m.raw_payload_json, m.source_record_id) is distinct from
            (excluded.value_num, excluded.value_text, excluded.raw_payload_json,
             coalesce(excluded.source_record_id, m.source_record_id))
    returning m.id, m.xmax = 0 as fresh
  ), tally as (
    -- A moved row went and came again: it counts as updated.
    select (select count(*) filter (where a.fresh) from added a) - n.moved as inserted,
           (select count(*) from revised) + (select count(*) filter (where not a.fresh) from added a) + n.moved as updated
    from (select count(*) filter (where f.moved) as moved from placed f) n
  )
  select jsonb_build_object(
    'received', count(*),
    'inserted', (select t.inserted from tally t),
    'updated', (select t.updated from tally t),
    'unchanged', count(*) filter (where i.outcome = 'row') - (select t.inserted + t.updated from tally t),
    'merged', count(*) filter (where i.outcome = 'merged'),
    'rejected', count(*) filter (where i.outcome = 'rejected'),
    'rejections', coalesce(
      jsonb_agg(jsonb_build_object('index', i.ordinal, 'reason', i.reason) order by i.ordinal)
        filter (where i.outcome = 'rejected'), '[]'))
  into answer
  from incoming i;

  perform set_config('wt.batch', 'off', true);
  return answer;
end $$;
grant execute on function public.ingest_health_metrics(uuid, jsonb) to authenticated, service_role;

-- Flow 2, the background: raw readings become validated or rejected, and stale baselines and days are computed anew. Any
-- scheduler may call these functions; runs that overlap share the work instead of waiting for each other.

-- Judges up to `max_rows` raw readings of anybody's; answers how many. 0: nothing was left to do, or all of it is just being written
-- by others.
create or replace function public.validate_pending_metrics(max_rows integer default 20000) returns integer
language sql security invoker set search_path = '' as $$
  select wt_private.judge('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1)
$$;

-- Recomputes up to `max_baselines` stale baselines; answers how many. Mean and sample standard deviation of the daily
-- values (a sum or a mean of the day's readings, by metric) of the last 14 distinct local days that have any.
create or replace function public.refresh_baselines(max_baselines integer default 20000) returns integer
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
