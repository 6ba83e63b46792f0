-- Flows 3 and 4, for operators: dead letters, the length of the queue, and the removal of old events.

-- The dead letters, latest first, without their payloads, which are people's data.
create or replace function public.list_dead_letters(
  source public.wt_provider default null, event_type text default null, max_rows integer default 100
) returns table (
  id uuid, source public.wt_provider, event_type text, provider_user_id text, user_id uuid, attempts integer,
  last_error text, received_at timestamptz
) language sql stable security invoker set search_path = '' as $$
  select e.id, e.source, e.event_type, e.provider_user_id, e.user_id, e.attempts, e.last_error, e.received_at
  from public.wt_webhook_events e
  where e.status = 'dead_letter' and ($1 is null or e.source = $1) and ($2 is null or e.event_type = $2)
  order by e.received_at desc
  limit least(greatest($3, 1), 10000)
$$;

-- One dead letter, payload and all. Errors: PT404.
create or replace function public.show_dead_letter(event_id uuid) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  answer jsonb;
begin
  select to_jsonb(e) - 'idempotency_key' into answer
  from public.wt_webhook_events e where e.id = event_id and e.status = 'dead_letter';
  if answer is null then
    raise exception 'no such dead letter' using errcode = 'PT404', hint = 'list_dead_letters() shows their ids';
  end if;
  return answer;
end $$;

-- Puts dead letters back into the queue with all attempts left: one by its id, those of a source or type, or all (no argument).
-- Returns how many.
create or replace function public.replay_dead_letters(
  event_id uuid default null, source public.wt_provider default null, event_type text default null
) returns integer language plpgsql security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  replayed integer;
begin
  update public.wt_webhook_events e set status = 'pending', attempts = 0, next_retry_at = now()
  where e.status = 'dead_letter' and ($1 is null or e.id = $1) and ($2 is null or e.source = $2)
    and ($3 is null or e.event_type = $3);
  get diagnostics replayed = row_count;
  if replayed > 0 then
    perform pg_notify('welltrack_events', coalesce($2::text, 'replay'));
  end if;
  return replayed;
end $$;

-- Deletes a dead letter. Returns whether there was one.
create or replace function public.discard_dead_letter(event_id uuid) returns boolean
language plpgsql security invoker set search_path = '' as $$
begin
  delete from public.wt_webhook_events e where e.id = event_id and e.status = 'dead_letter';
  return found;
end $$;

-- Deletes at most `portion` events that were processed, and as many that were parked, more than `keep_days` ago. Dead letters stay
-- until an operator replays or discards them. Returns how many. Errors: 22023 for fewer than one day.
create or replace function public.purge_webhook_events(keep_days integer default 30, portion integer default 10000) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off as $$
declare
  removed integer;
  total integer;
begin
  if coalesce(keep_days < 1, true) then
    raise exception 'events are kept for at least a day' using errcode = '22023';
  end if;
  delete from public.wt_webhook_events where id in (
    select e.id from public.wt_webhook_events e
    where e.status = 'processed' and e.processed_at < now() - make_interval(days => keep_days)
    order by e.processed_at limit portion for update skip locked);
  get diagnostics total = row_count;
  delete from public.wt_webhook_events where id in (
    select e.id from public.wt_webhook_events e
    where e.status = 'pending' and e.next_retry_at = 'infinity'
      and e.received_at < now() - make_interval(days => keep_days)
    limit portion for update skip locked);
  get diagnostics removed = row_count;
  return total + removed;
end $$;

-- {}  ->  {"pending", "processing", "processed", "dead_letter", "parked", "oldest_pending_seconds", "retries"}
-- `pending` are those that are due or wait for their time, without the parked; `processed` those still kept, an estimate beyond
-- 100,000; `oldest_pending_seconds` how long the first due event has been due (0: none is); `retries` how many wait after a
-- failure.
create or replace function public.queue_stats(jsonb) returns jsonb
language sql stable security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
  with waiting as materialized (
    select count(*) filter (where e.next_retry_at < 'infinity') as pending,
           count(*) filter (where e.next_retry_at = 'infinity') as parked,
           count(*) filter (where e.next_retry_at < 'infinity' and e.attempts > 0) as retries,
           min(e.next_retry_at) as first_due
    from public.wt_webhook_events e where e.status = 'pending'
  ), rest as materialized (
    select (select count(*) from public.wt_webhook_events e where e.status = 'processing') as processing,
           (select count(*) from public.wt_webhook_events e where e.status = 'dead_letter') as dead,
           (select count(*) from (select from public.wt_webhook_events e where e.status = 'processed' limit 100000) p) as done
  )
  select jsonb_build_object(
    'pending', w.pending, 'processing', r.processing, 'dead_letter', r.dead, 'parked', w.parked, 'retries', w.retries,
    'processed', case when r.done < 100000 then r.done else greatest(r.done, (
      select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = 'public.wt_webhook_events'::regclass)
      - w.pending - w.parked - r.processing - r.dead) end,
    'oldest_pending_seconds',
    extract(epoch from t.now - least(w.first_due, t.now)))
  from waiting w cross join rest r
  -- Read once: a second look at the clock is later, and would make the waiting time negative.
  cross join (select clock_timestamp() as now offset 0) t
$$;

grant execute on function public.list_dead_letters(public.wt_provider, text, integer), public.show_dead_letter(uuid),
  public.replay_dead_letters(uuid, public.wt_provider, text), public.discard_dead_letter(uuid),
  public.purge_webhook_events(integer, integer), public.queue_stats(jsonb) to service_role;
