-- Flows 3 and 4, the far end of the queue: what became of each event is written together with what it reported.
--
-- Input: a worker's results. Output: wt_webhook_events, wt_error_log, and what 21_provider_rows.sql writes.
-- Locks: people first, in the order in which deleting an account takes them, then events in the order of their ids.
-- Planner settings: docs/reference/sql.md.

-- Writes the results of events that `worker` still holds, all or nothing. Returns how many had which outcome; `lost` are those that
-- it doesn't hold any more. Errors: a check or a key that a result offends.
create or replace function wt_private.write_results(worker text, results jsonb) returns wt_private.settled_counts
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  ids constant uuid[] := array(select (r.item ->> 'id')::uuid from jsonb_array_elements(results) r (item));
  held wt_private.held_event[];
  counts wt_private.settled_counts;
begin
  -- People before events: whoever deletes a person comes in this order.
  perform wt_private.hold_people(array(
    select distinct e.user_id from public.wt_webhook_events e
    where e.id = any (ids) and e.status = 'processing' and e.locked_by = worker and e.user_id is not null));

  select array_agg((l.id, l.source, c.user_id, c.profile_id, c.id, u.timezone, l.received_at,
                    case welltrack.reported_at(l.source::text) when 'receipt' then l.received_at else l.locked_at end
                   )::wt_private.held_event)
  into held
  from (select e.id, e.source, e.provider_user_id, e.received_at, e.locked_at
        from public.wt_webhook_events e
        where e.id = any (ids) and e.status = 'processing' and e.locked_by = worker
        order by e.id
        for update) l
  left join public.wt_health_connections c on c.provider = l.source and c.provider_user_id = l.provider_user_id
  left join public.wt_users u on u.id = c.user_id;

  perform wt_private.write_provider_readings(held, results);
  perform wt_private.write_provider_workouts(held, results);
  perform wt_private.delete_provider_records(held, results);
  perform wt_private.note_on_connections(held, results);

  with verdict as materialized (
    -- An event whose account is nobody's any more goes back, to be parked.
    select r.id, r.error, r.until,
           case when h.connection_id is null then 'release'
                when r.outcome <> 'retry' then r.outcome
                when e.attempts >= e.max_attempts or welltrack.retry_delay(e.source::text, e.attempts) is null then 'dead'
                else 'retry' end as outcome
    from jsonb_to_recordset(results) as r (id uuid, outcome text, error text, until timestamptz)
    join unnest(held) h on h.id = r.id
    join public.wt_webhook_events e on e.id = r.id
  ), settled as (
    update public.wt_webhook_events e
    set status = case v.outcome when 'processed' then 'processed' when 'dead' then 'dead_letter'
                                else 'pending' end::public.wt_event_status,
        processed_at = case v.outcome when 'processed' then now() end,
        attempts = e.attempts - (v.outcome in ('wait', 'release'))::integer,
        next_retry_at = case v.outcome
          when 'retry' then now() + welltrack.retry_delay(e.source::text, e.attempts)
          -- A provider's limits end within a day; a worker whose clock is wrong must not put an event off for ever.
          when 'wait' then least(greatest(coalesce(v.until, now() + interval '15 minutes'), now()), now() + interval '1 day')
          when 'release' then now()
          else e.next_retry_at end,
        last_error = coalesce(left(v.error, 2000), e.last_error),
        locked_at = null, locked_until = null, locked_by = null
    from verdict v where e.id = v.id
    returning e.id, e.source, e.event_type, e.user_id, e.attempts, v.outcome, v.error
  ), logged as materialized (
    select public.log_error(jsonb_build_object(
      'flow', s.source || '_webhook', 'error_code', 'dead_letter', 'message', coalesce(s.error, 'gave up'),
      'user_id', s.user_id,
      'context', jsonb_build_object('event_id', s.id, 'event_type', s.event_type, 'attempts', s.attempts)))
    from settled s where s.outcome = 'dead'
  )
  select count(*) filter (where s.outcome = 'processed'), count(*) filter (where s.outcome = 'retry'),
         count(*) filter (where s.outcome in ('wait', 'release')), count(*) filter (where s.outcome = 'dead'),
         jsonb_array_length(results) - count(*)
  into counts
  from settled s
  where (select count(*) from logged) >= 0;
  return counts;
end $$;

-- Writes results so that one which the database refuses doesn't hold up the others. Bisects the batch to isolate the offending
-- result, then records it as a failed attempt that names the violated constraint. (Not the value: that may be a person's reading.)
create or replace function wt_private.settle_results(worker text, results jsonb) returns wt_private.settled_counts
language plpgsql security invoker set search_path = '' as $$
declare
  half constant integer := jsonb_array_length(results) / 2;
  state text;
  offended text;
  one wt_private.settled_counts;
  other wt_private.settled_counts;
begin
  begin
    return wt_private.write_results(worker, results);
  exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics state = returned_sqlstate, offended = constraint_name;
  end;
  if half = 0 then
    return wt_private.write_results(worker, jsonb_build_array(jsonb_build_object(
      'id', results -> 0 ->> 'id', 'outcome', 'retry',
      'error', concat_ws(' ', 'refused_by_database:', state, nullif(offended, '')))));
  end if;
  one := wt_private.settle_results(
    worker, jsonb_path_query_array(results, '$[0 to $n]', jsonb_build_object('n', half - 1)));
  other := wt_private.settle_results(
    worker, jsonb_path_query_array(results, '$[$n to last]', jsonb_build_object('n', half)));
  return (one.processed + other.processed, one.retried + other.retried, one.waiting + other.waiting, one.dead + other.dead,
          one.lost + other.lost)::wt_private.settled_counts;
end $$;
grant execute on function wt_private.settle_results(text, jsonb), wt_private.write_results(text, jsonb) to service_role;
