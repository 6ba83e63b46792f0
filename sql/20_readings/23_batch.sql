-- Flow 2: what a phone's batch becomes. public.ingest_health_metrics checks the batch and calls this.
-- Planner settings and the session variable wt.batch: docs/reference/sql.md.

-- What is in a batch for profile `target` of person `owner`, and the stored row that each reading belongs to: found by the
-- provider's name for the record, or by its identity where it has no name. `moved`: it has another period than its row; `changed`:
-- another value or another record. Rows for rejected and merged records have an `outcome` and a `reason` only.
create or replace function wt_private.batch_readings(owner uuid, target uuid, list jsonb, payload text) returns table (
  ordinal integer, outcome text, reason text, source public.wt_metric_source, metric_type public.wt_metric_type,
  value_num double precision, value_text text, unit text, start_time timestamptz, end_time timestamptz, recorded_at timestamptz,
  source_record_id text, ingestion_version text, dedupe_hash bytea, stored_id uuid, moved boolean, changed boolean)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  select i.ordinal, i.outcome, i.reason, i.src, i.metric, i.value_num, i.value_text, i.unit, i.start_time, i.end_time,
         i.recorded_at, i.source_record_id, i.ingestion_version, i.dedupe_hash, e.id, e.dedupe_hash <> i.dedupe_hash,
         e.value_num is distinct from i.value_num or e.value_text is distinct from i.value_text
           or e.raw_payload_json is distinct from list -> i.ordinal
  from (select n.*, n.source::public.wt_metric_source as src, n.metric_type::public.wt_metric_type as metric
        from welltrack.native_metrics(owner, target, payload) n) i
  left join lateral (
    (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
     where m.user_id = owner and m.source_record_id = i.source_record_id and m.source = i.src
       and m.metric_type = i.metric
     limit 1)
    union all
    (select m.id, m.dedupe_hash, m.value_num, m.value_text, m.raw_payload_json from public.wt_health_metrics m
     where i.source_record_id is null and m.user_id = owner and m.dedupe_hash = i.dedupe_hash
     limit 1)) e on i.dedupe_hash is not null;
end $$;

-- Writes a batch for profile `target` of person `owner`, whom the caller holds: `list` are its records, `payload` is the whole
-- batch as text, `zone` the person's time zone. Returns the answer of public.ingest_health_metrics.
--
-- What is written is found by lists of ids and hashes: a join may read all that the person ever sent.
create or replace function wt_private.write_batch(owner uuid, target uuid, zone text, list jsonb, payload text) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  with batch as materialized (
    select * from wt_private.batch_readings(owner, target, list, payload)
  ), placed as materialized (
    -- What has to be written. A row that moves away with its name leaves its period free: what the batch has there is a
    -- new reading.
    select f.*, list -> f.ordinal as record,
           (welltrack.day_anchor(welltrack.enum_label(f.metric_type), f.start_time, f.end_time) at time zone zone)::date
             as local_date,
           case when f.moved or f.stored_id not in (select v.stored_id from batch v where v.moved)
                then f.stored_id end as old_id
    from batch f
    where f.dedupe_hash is not null
      and (f.changed or f.moved or f.stored_id is null or f.stored_id in (select v.stored_id from batch v where v.moved))
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
    select coalesce(f.old_id, welltrack.uuid_v7()), owner, target, f.source, f.metric_type, f.value_num, f.value_text,
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
  from batch i;
  return answer;
end $$;
grant execute on function wt_private.batch_readings(uuid, uuid, jsonb, text), wt_private.write_batch(uuid, uuid, text, jsonb, text)
  to authenticated, service_role;
