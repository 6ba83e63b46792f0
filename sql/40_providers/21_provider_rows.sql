-- Flows 3 and 4, what providers' reports become: readings, workouts, the state of a connection.
--
-- Input: `results`, a batch as it came in, and `held`, the events among them that write_results found to be the worker's.
-- Output: wt_health_metrics, wt_workouts, wt_health_connections, wt_connection_tokens. Errors: a check or a key that a result
-- offends.
-- Locks: the caller holds the people and the events. Planner settings and wt.batch: docs/reference/sql.md.

-- What a batch reports about each record, as a reading: in canonical units, with its local day, and with the stored row of the same
-- name (`old_...`). Of several reports about one record, the one that counts (see write_provider_readings); none where the stored
-- row is from a report that counts more. A record without a name is known by its period. `n` numbers the records.
create or replace function wt_private.reported_readings(held wt_private.held_event[], results jsonb) returns table (
  user_id uuid, profile_id uuid, source public.wt_metric_source, metric_type public.wt_metric_type, value_num double precision,
  value_text text, unit text, start_time timestamptz, end_time timestamptz, span interval, local_date date, source_record_id text,
  reported_at timestamptz, finality smallint, received_at timestamptz, n bigint, old_id uuid, old_profile_id uuid,
  old_start timestamptz, old_end timestamptz)
language plpgsql stable rows 100 security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
  with said as (
    select h.user_id, h.profile_id, h.source::text::public.wt_metric_source as source,
           m.metric_type::public.wt_metric_type as metric_type,
           welltrack.to_canonical(m.metric_type, m.value_num, m.unit, h.source::text) as value_num, m.value_text,
           welltrack.canonical_unit(m.metric_type) as unit, m.start_time, m.end_time,
           case when welltrack.longer_period_wins(h.source::text) then coalesce(m.end_time - m.start_time, '0')
                else '0' end as span,
           (welltrack.day_anchor(m.metric_type, m.start_time, m.end_time) at time zone h.timezone)::date as local_date,
           m.source_record_id collate "C" as source_record_id, h.reported_at,
           coalesce(case jsonb_typeof(m.final) when 'boolean' then m.final::boolean::integer else m.final::integer end,
                    1)::smallint as finality,
           h.received_at, row_number() over (order by h.received_at, h.id, m.n) as n
    from jsonb_to_recordset($2) as r (id uuid, outcome text, metrics jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral rows from (jsonb_to_recordset(r.metrics) as (
           metric_type text, value_num double precision, value_text text, unit text, start_time timestamptz,
           end_time timestamptz, source_record_id text, final jsonb)) with ordinality
         as m (metric_type, value_num, value_text, unit, start_time, end_time, source_record_id, final, n)
    where r.outcome = 'processed'
  ), latest as materialized (
    select distinct on (s.user_id, s.source, s.metric_type, s.source_record_id,
                        case when s.source_record_id is null then s.profile_id end,
                        case when s.source_record_id is null then s.start_time end,
                        case when s.source_record_id is null then s.end_time end) s.*
    from said s
    order by s.user_id, s.source, s.metric_type, s.source_record_id,
             case when s.source_record_id is null then s.profile_id end,
             case when s.source_record_id is null then s.start_time end,
             case when s.source_record_id is null then s.end_time end,
             s.finality desc, s.span desc, s.reported_at desc, s.n desc
  )
  select l.*, x.id as old_id, x.profile_id as old_profile_id, x.start_time as old_start, x.end_time as old_end
  from latest l
  left join lateral (
    select m.* from public.wt_health_metrics m
    where m.user_id = l.user_id and m.source_record_id = l.source_record_id and m.source = l.source
      and m.metric_type = l.metric_type
    limit 1) x on true
  where x.reported_at is null
     or (x.finality,
         case when welltrack.longer_period_wins(l.source::text) then coalesce(x.end_time - x.start_time, '0') else '0' end,
         x.reported_at)
          < (l.finality, l.span, l.reported_at);
end $$;

-- Writes what a batch reports about readings.
--
-- A provider's record has a name (Garmin's summaryId, Strava's activity id), and two records of Garmin that begin at the same
-- instant are one reading that it named anew. Conflict rule for reports about one reading: finality, then duration (a day grows
-- until it is over, and its morning may be delivered last), then report time. Strava is asked and answers with the state of now:
-- there the later report counts, also of an activity that was cropped. So the result does not depend on the order of processing.
--
-- A record keeps its row's id when its period changes.
create or replace function wt_private.write_provider_readings(held wt_private.held_event[], results jsonb) returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
begin
  perform set_config('wt.batch', 'on', true);

  with standing as materialized (
    select * from wt_private.reported_readings(held, results)
  ), chosen as materialized (
    -- Of the batch's records that are one reading, the one that counts.
    select distinct on (s.profile_id, s.source, s.metric_type, s.start_time,
                        case when not welltrack.same_start_is_same_reading(s.source::text) then s.end_time end) s.*
    from standing s
    order by s.profile_id, s.source, s.metric_type, s.start_time,
             case when not welltrack.same_start_is_same_reading(s.source::text) then s.end_time end,
             s.finality desc, s.span desc, s.reported_at desc, s.n desc
  ), rival as materialized (
    -- Stored records that are the same reading; not those that the batch itself has news of.
    select c.n, m.id, m.end_time, coalesce(m.end_time - m.start_time, '0') as span,
           (m.finality, coalesce(m.end_time - m.start_time, '0'), m.reported_at)
             > (c.finality, c.span, c.reported_at) as counts
    from chosen c
    join lateral (
      select e.* from public.wt_health_metrics e
      where e.user_id = c.user_id and e.start_time = c.start_time and e.reported_at is not null
        and e.profile_id = c.profile_id and e.source = c.source and e.metric_type = c.metric_type) m on true
    where welltrack.same_start_is_same_reading(c.source::text)
      and m.id not in (select s.old_id from standing s where s.old_id is not null)
  ), kept as materialized (
    -- Each goes to the row of its own name, or to that of the reading it renames.
    select c.*, coalesce(c.old_id, v.id) as row_id,
           case when c.old_id is not null
                then (c.old_profile_id, c.old_start) = (c.profile_id, c.start_time)
                     and c.old_end is not distinct from c.end_time
                else v.id is not null and v.end_time is not distinct from c.end_time end as in_place
    from chosen c
    left join lateral (select r.id, r.end_time from rival r where r.n = c.n order by r.span desc limit 1) v on true
    where not exists (select from rival r where r.n = c.n and r.counts)
  ), gone as (
    -- A reading whose period changed has another identity: its row goes, and comes again under the same id.
    delete from public.wt_health_metrics m
    using (select s.old_id as id from standing s where s.old_id is not null
           union
           select r.id from rival r join kept k using (n)
           except
           select k.row_id from kept k where k.in_place and k.row_id is not null) g
    where m.id = g.id
    returning m.id
  ), revised as (
    update public.wt_health_metrics m
    set value_num = k.value_num, value_text = k.value_text, source_record_id = k.source_record_id,
        recorded_at = case when (m.value_num, m.value_text) is distinct from (k.value_num, k.value_text)
                           then k.received_at else m.recorded_at end,
        reported_at = k.reported_at, finality = k.finality
    from kept k
    where m.id = k.row_id and k.in_place
  )
  insert into public.wt_health_metrics as m
    (id, user_id, profile_id, source, metric_type, value_num, value_text, unit, start_time, end_time, local_date,
     recorded_at, source_record_id, reported_at, finality)
  select coalesce(k.row_id, welltrack.uuid_v7()), k.user_id, k.profile_id, k.source, k.metric_type, k.value_num,
         k.value_text, k.unit, k.start_time, k.end_time, k.local_date, k.received_at, k.source_record_id, k.reported_at,
         k.finality
  from kept k
  where not k.in_place and (select count(*) from gone) >= 0
  on conflict (user_id, dedupe_hash) do update
    set value_num = excluded.value_num, value_text = excluded.value_text, recorded_at = excluded.recorded_at,
        source_record_id = coalesce(excluded.source_record_id, m.source_record_id),
        reported_at = excluded.reported_at, finality = excluded.finality
    where m.reported_at is null or (m.finality, m.reported_at) < (excluded.finality, excluded.reported_at);

  perform set_config('wt.batch', 'off', true);
end $$;

-- An activity is a workout: its name finds it, and what was fetched later replaces what was fetched before.
create or replace function wt_private.write_provider_workouts(held wt_private.held_event[], results jsonb) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  insert into public.wt_workouts as o
    (user_id, profile_id, source, source_record_id, workout_type, name, start_time, duration_minutes, distance_m,
     elevation_gain_m, calories_kcal, average_hr_bpm, max_hr_bpm, is_private, reported_at)
  select distinct on (h.user_id, h.source, w.source_record_id)
         h.user_id, h.profile_id, h.source::text::public.wt_workout_source, w.source_record_id, left(w.workout_type, 80),
         left(w.name, 200), w.start_time, w.duration_minutes, w.distance_m, w.elevation_gain_m, w.calories_kcal,
         w.average_hr_bpm, w.max_hr_bpm, coalesce(w.is_private, false), h.reported_at
  from jsonb_to_recordset($2) as r (id uuid, outcome text, workouts jsonb)
  join unnest($1) h on h.id = r.id
  cross join lateral rows from (jsonb_to_recordset(r.workouts) as (
    source_record_id text, workout_type text, name text, start_time timestamptz, duration_minutes double precision,
    distance_m double precision, elevation_gain_m double precision, calories_kcal double precision,
    average_hr_bpm double precision, max_hr_bpm double precision, is_private boolean)) with ordinality
    as w (source_record_id, workout_type, name, start_time, duration_minutes, distance_m, elevation_gain_m, calories_kcal,
          average_hr_bpm, max_hr_bpm, is_private, n)
  where r.outcome = 'processed'
  order by h.user_id, h.source, w.source_record_id, h.reported_at desc, h.received_at desc, w.n desc
  on conflict (user_id, source, source_record_id) where source_record_id is not null do update
    set profile_id = excluded.profile_id, workout_type = excluded.workout_type, name = excluded.name,
        start_time = excluded.start_time, duration_minutes = excluded.duration_minutes, distance_m = excluded.distance_m,
        elevation_gain_m = excluded.elevation_gain_m, calories_kcal = excluded.calories_kcal,
        average_hr_bpm = excluded.average_hr_bpm, max_hr_bpm = excluded.max_hr_bpm, is_private = excluded.is_private,
        reported_at = excluded.reported_at
    where (o.reported_at is null or o.reported_at <= excluded.reported_at)
      and (o.profile_id, o.workout_type, o.name, o.start_time, o.duration_minutes, o.distance_m, o.elevation_gain_m,
           o.calories_kcal, o.average_hr_bpm, o.max_hr_bpm, o.is_private) is distinct from
          (excluded.profile_id, excluded.workout_type, excluded.name, excluded.start_time, excluded.duration_minutes,
           excluded.distance_m, excluded.elevation_gain_m, excluded.calories_kcal, excluded.average_hr_bpm,
           excluded.max_hr_bpm, excluded.is_private)
$$;

-- What the provider took back.
create or replace function wt_private.delete_provider_records(held wt_private.held_event[], results jsonb) returns void
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with taken_back as materialized (
    select distinct h.user_id, h.source, d.source_record_id collate "C" as source_record_id
    from jsonb_to_recordset($2) as r (id uuid, outcome text, deleted jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral jsonb_array_elements_text(r.deleted) d (source_record_id)
    where r.outcome = 'processed'
  ), workout as (
    delete from public.wt_workouts w using taken_back t
    where w.user_id = t.user_id and w.source = t.source::text::public.wt_workout_source
      and w.source_record_id = t.source_record_id
  )
  delete from public.wt_health_metrics m using taken_back t
  where m.user_id = t.user_id and m.source_record_id = t.source_record_id
    and m.source = t.source::text::public.wt_metric_source
$$;

-- When a connection brought something last, and what the provider said about the connection itself since its owner last
-- consented. A provider can end a connection, not begin one.
create or replace function wt_private.note_on_connections(held wt_private.held_event[], results jsonb) returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  update public.wt_health_connections c
  set last_sync_at = s.brought_at
  from (select h.connection_id, max(h.received_at) as brought_at
        from jsonb_to_recordset($2) as r (id uuid, outcome text, metrics jsonb, workouts jsonb)
        join unnest($1) h on h.id = r.id
        where r.outcome = 'processed' and (jsonb_array_length(r.metrics) > 0 or jsonb_array_length(r.workouts) > 0)
        group by h.connection_id) s
  where c.id = s.connection_id and (c.last_sync_at is null or c.last_sync_at < s.brought_at);

  with news as materialized (
    select h.connection_id, bool_and(coalesce(n.is_connected, true)) as is_connected,
           array(select jsonb_array_elements_text(
             (array_agg(n.scopes order by h.received_at desc) filter (where jsonb_typeof(n.scopes) = 'array'))[1])) as scopes,
           bool_or(jsonb_typeof(n.scopes) = 'array') as has_scopes
    from jsonb_to_recordset($2) as r (id uuid, outcome text, connection jsonb)
    join unnest($1) h on h.id = r.id
    cross join lateral jsonb_to_record(r.connection) as n (is_connected boolean, scopes jsonb)
    join public.wt_health_connections c on c.id = h.connection_id and c.connected_at <= h.received_at
    where r.outcome = 'processed' and jsonb_typeof(r.connection) = 'object'
    group by h.connection_id
  ), changed as (
    update public.wt_health_connections c
    set is_connected = c.is_connected and n.is_connected, scopes = case when n.has_scopes then n.scopes else c.scopes end
    from news n
    where c.id = n.connection_id
      and (c.is_connected and not n.is_connected or n.has_scopes and n.scopes <> c.scopes)
  )
  delete from public.wt_connection_tokens t using news n
  where t.connection_id = n.connection_id and not n.is_connected;
end $$;

grant execute on function wt_private.reported_readings(wt_private.held_event[], jsonb),
  wt_private.write_provider_readings(wt_private.held_event[], jsonb),
  wt_private.write_provider_workouts(wt_private.held_event[], jsonb),
  wt_private.delete_provider_records(wt_private.held_event[], jsonb),
  wt_private.note_on_connections(wt_private.held_event[], jsonb) to service_role;
