-- Flows 3 and 4: events that wait for a connection, that go with it, that are leased to a worker or lost by it.
--
-- Output: wt_webhook_events. Locks: the two advisory locks below; events, only those that are free. Planner settings:
-- docs/reference/sql.md.

-- A claim parks events without a connection, and a new connection wakes parked events. Each must see the other's work, so the first
-- takes this lock shared, the second alone. No session waits for a row while it waits for this lock.
create or replace function wt_private.parking_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7236835017 $$;
grant execute on function wt_private.parking_lock() to service_role;

-- Of the sessions that store events at the same time, the one that gets this lock notifies the workers.
create or replace function wt_private.notify_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7236835018 $$;
grant execute on function wt_private.notify_lock() to service_role;

-- Trigger: makes the parked events of a new connection due.
create or replace function wt_private.wake_events() returns trigger
language plpgsql set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  perform pg_advisory_xact_lock(wt_private.parking_lock());
  update public.wt_webhook_events e set next_retry_at = now()
  where e.provider_user_id = new.provider_user_id and e.source = new.provider
    and e.status = 'pending' and e.next_retry_at = 'infinity';
  if found then
    perform pg_notify('welltrack_events', new.provider::text);
  end if;
  return null;
end $$;

-- Trigger: deletes the events of a connection that goes, also those not yet matched to its person.
create or replace function wt_private.forget_events() returns trigger
language plpgsql set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  delete from public.wt_webhook_events e
  where e.user_id = old.user_id and e.source = old.provider and e.provider_user_id = old.provider_user_id;
  delete from public.wt_webhook_events e
  where e.provider_user_id = old.provider_user_id and e.source = old.provider and e.status in ('pending', 'processing');
  return old;
end $$;

-- Parks events whose account is not connected, until it is. Returns how many. An event that only says that the account disconnects
-- has nothing left to do and counts as processed.
create or replace function wt_private.park_events(ids uuid[]) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  parked integer;
begin
  perform pg_advisory_xact_lock_shared(wt_private.parking_lock());
  with alone as materialized (
    select e.id, coalesce(e.payload @? welltrack.farewell(e.source::text, e.event_type)::jsonpath, false) as farewell
    from public.wt_webhook_events e
    where e.id = any (ids)
      and (e.status = 'pending' and e.next_retry_at <= now() or e.status = 'processing' and e.locked_until < now())
      and not exists (select from public.wt_health_connections c
                      where c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected)
    for update skip locked
  )
  update public.wt_webhook_events e
  set status = case when a.farewell then 'processed' else 'pending' end::public.wt_event_status,
      next_retry_at = case when a.farewell then e.next_retry_at else 'infinity' end,
      processed_at = case when a.farewell then now() end,
      locked_at = null, locked_until = null, locked_by = null
  from alone a where e.id = a.id;
  get diagnostics parked = row_count;
  return parked;
end $$;
grant execute on function wt_private.park_events(uuid[]) to service_role;

-- Leases these events, which the caller has locked, to `worker`. Returns them as claim_webhook_events answers them.
create or replace function wt_private.lease_events(ids uuid[], worker text, seconds integer) returns jsonb
language sql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with leased as (
    update public.wt_webhook_events e
    set status = 'processing', attempts = e.attempts + 1, locked_by = worker, locked_at = clock_timestamp(),
        locked_until = clock_timestamp() + make_interval(secs => seconds), user_id = c.user_id
    from public.wt_health_connections c join public.wt_users u on u.id = c.user_id
    where e.id = any (ids) and c.provider = e.source and c.provider_user_id = e.provider_user_id
    returning e.id, e.source, e.event_type, e.payload, e.provider_user_id, e.received_at, e.attempts, e.last_error,
              c.id as connection_id, c.user_id, c.profile_id, c.is_connected, u.timezone
  )
  select jsonb_agg(jsonb_build_object(
    'id', l.id, 'source', l.source, 'event_type', l.event_type, 'payload', l.payload,
    'provider_user_id', l.provider_user_id, 'received_at', l.received_at, 'attempts', l.attempts,
    'last_error', l.last_error,
    'connection', jsonb_build_object('id', l.connection_id, 'user_id', l.user_id, 'profile_id', l.profile_id,
                                     'is_connected', l.is_connected, 'timezone', l.timezone))
    order by l.received_at, l.id)
  from leased l
$$;
grant execute on function wt_private.lease_events(uuid[], text, integer) to service_role;

-- Makes dead letters of events whose worker did not come back for the fifth time. The row in the error log names no person: it
-- would wait for one who is being deleted.
create or replace function wt_private.bury_lost_events() returns void
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  buried record;
begin
  for buried in
    with lost as materialized (
      select e.id from public.wt_webhook_events e
      where e.status = 'processing' and e.locked_until < now() and e.attempts >= e.max_attempts
      for update skip locked
    )
    update public.wt_webhook_events e
    set status = 'dead_letter', last_error = 'lease_lost: whoever processed it did not come back',
        locked_at = null, locked_until = null, locked_by = null
    from lost l where e.id = l.id
    returning e.id, e.source, e.event_type, e.attempts
  loop
    perform public.log_error(jsonb_build_object(
      'flow', buried.source || '_webhook', 'error_code', 'dead_letter', 'message', 'lease_lost',
      'context', jsonb_build_object('event_id', buried.id, 'event_type', buried.event_type, 'attempts', buried.attempts)));
  end loop;
end $$;
grant execute on function wt_private.bury_lost_events() to service_role;
