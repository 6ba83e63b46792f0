-- Flows 3 and 4, the queue as the edge functions see it: events are stored, claimed, settled.

-- Stores what a webhook received, before anything looks at it.
--   {"source", "events": [{"event_type", "provider_user_id"?, "payload", "idempotency_key": 64 hex digits}]}
--     ->  {"stored", "repeated"}
-- Stores whatever the provider sent: cuts a name that is too long, and calls a missing one `unknown`. A key that was seen before is
-- a re-sent event. Removes the access tokens that Garmin puts into its pushes.
-- Errors: PT400 for another message. Locks: events in the order of their keys, so that two sessions which store the same events
-- wait for each other instead of deadlocking.
create or replace function public.receive_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  provider constant text := $1 ->> 'source';
  now_here constant timestamptz := clock_timestamp();
  events jsonb := $1 -> 'events';
  received integer;
  stored integer;
begin
  if coalesce(provider <> all (enum_range(null::public.wt_provider)::text[]), true)
     or jsonb_typeof(events) is distinct from 'array'
     or jsonb_path_exists(events, '$[*] ? (!(@.idempotency_key like_regex "^[0-9a-f]{64}$") ||
                                           (@.idempotency_key like_regex "x") is unknown)') then
    raise exception 'events are {"source", "events": [{"event_type", "provider_user_id", "payload", "idempotency_key"}]}'
      using errcode = 'PT400', hint = format('source is %s; an idempotency key has 64 lower-case hex digits',
                                       array_to_string(enum_range(null::public.wt_provider), ' or '));
  end if;
  received := jsonb_array_length(events);
  -- Quotes inside a text are escaped, so only a key can look like this one.
  if events::text like '%userAccessToken%' then
    events := regexp_replace(events::text, '("userAccessToken": )("([^"\\]|\\.)*"|[-+.0-9a-zA-Z]+)', '\1null', 'g')::jsonb;
  end if;

  insert into public.wt_webhook_events (source, event_type, provider_user_id, payload, max_attempts, received_at, idempotency_key)
  select provider::public.wt_provider, left(coalesce(nullif(e.item ->> 'event_type', ''), 'unknown'), 64),
         case when char_length(e.item ->> 'provider_user_id') <= 255 then e.item ->> 'provider_user_id' end,
         coalesce(e.item -> 'payload', 'null'), welltrack.max_attempts(provider), now_here + (e.n - 1) * interval '1 microsecond',
         decode(e.item ->> 'idempotency_key', 'hex')
  from jsonb_array_elements(events) with ordinality e (item, n)
  order by e.item ->> 'idempotency_key'
  on conflict (idempotency_key) do nothing;
  get diagnostics stored = row_count;

  -- Commits that notify wait for each other, disk included, so one of those that run at the same time is enough: a worker that
  -- wakes claims until nothing is left, and polls now and then.
  if stored > 0 and pg_try_advisory_xact_lock(wt_private.notify_lock()) then
    perform pg_notify('welltrack_events', provider);
  end if;
  return jsonb_build_object('stored', stored, 'repeated', received - stored);
end $$;
grant execute on function public.receive_webhook_events(jsonb) to service_role;

-- Hands out due events: {"worker", "limit": 1..1000, "lease_seconds": 5..3600, "yield_to_ms"?: 0..10000}
--   ->  {"events": [{"id", "source", "event_type", "payload", "provider_user_id", "received_at", "attempts", "last_error",
--                    "connection": {"id", "user_id", "profile_id", "is_connected", "timezone"}}],
--        "parked", "pending_now", "yielded"}
-- A batch is smaller than asked for where its payloads are large (8 MB as stored).
-- `pending_now`: how many due events are left, 10,000 at most. Where some are left and none was handed out, other workers hold
-- their accounts, or this claim `parked` as many events without a connected account as one claim may: claim again.
-- With `yield_to_ms`, a worker gets nothing (`yielded: true`) if another worker claimed within that window and at most five batches
-- are due. It polls again, in case that worker died.
-- An event whose lease ran out is handed out alone, since it may have killed its worker; the fifth time it becomes a dead letter.
-- Errors: PT400 for another message. Stages, locks and planner settings: 21_claim.sql.
create or replace function public.claim_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
declare
  worker constant text := $1 ->> 'worker';
  wanted constant bigint := case jsonb_typeof($1 -> 'limit') when 'number' then ($1 -> 'limit')::bigint end;
  seconds constant bigint :=
    case jsonb_typeof($1 -> 'lease_seconds') when 'number' then ($1 -> 'lease_seconds')::bigint end;
  patience constant bigint :=
    case when not $1 ? 'yield_to_ms' then 0
         when jsonb_typeof($1 -> 'yield_to_ms') = 'number' then ($1 -> 'yield_to_ms')::bigint end;
  due bigint;
  work wt_private.due_work;
  ids uuid[];
  events jsonb;
  look bigint := wanted;
  again boolean;
  parked integer;
  parked_in_all integer := 0;
begin
  if coalesce(char_length(worker) not between 1 and 200 or wanted not between 1 and 1000
              or seconds not between 5 and 3600 or patience not between 0 and 10000, true) then
    raise exception 'a claim says {"worker", "limit", "lease_seconds", "yield_to_ms"?}'
      using errcode = 'PT400', hint = 'limit is 1 to 1000, lease_seconds 5 to 3600, yield_to_ms 0 to 10000';
  end if;

  due := wt_private.due_to_yield(worker, wanted, patience);
  if due is not null then
    return jsonb_build_object('events', '[]'::jsonb, 'parked', 0, 'pending_now', due, 'yielded', true);
  end if;
  perform wt_private.bury_lost_events();
  perform wt_private.park_lost_events();

  ids := wt_private.claim_suspect();
  while ids is null loop
    work := wt_private.find_due(look);
    if work.strangers is not null then
      -- Where one is, more may be: look further, and further still where there was nobody else.
      again := work.accounts is null or look = wanted;
      look := 2000;
      parked := wt_private.park_events(work.strangers);
      parked_in_all := parked_in_all + parked;
      -- What one claim parks is bounded, or a crowd of them would outlast the time of a statement, and all be undone.
      exit when parked_in_all >= 20000 and work.accounts is null;
      continue when parked > 0 and again;
    end if;
    exit when work.accounts is null;
    work.accounts := wt_private.lock_accounts(work.accounts);
    ids := wt_private.pick_events(work.accounts, wanted);
    -- Other workers hold all of these: look further, once.
    exit when look >= 2000;
    look := 2000;
  end loop;

  if ids is not null then
    events := wt_private.lease_events(ids, worker, seconds::integer);
  end if;
  return jsonb_build_object(
    'events', coalesce(events, '[]'),
    'parked', parked_in_all,
    'yielded', false,
    'pending_now', (select count(*) from (select from public.wt_webhook_events e
                                          where e.status = 'pending' and e.next_retry_at <= now() limit 10000) d));
end $$;
grant execute on function public.claim_webhook_events(jsonb) to service_role;

-- Records what became of claimed events, in one transaction with what they reported:
--   {"worker", "results": [{"id", "outcome": "processed"|"retry"|"wait"|"dead"|"release", "error"?, "until"?,
--     "metrics"?: [{"metric_type", "value_num", "value_text", "unit", "start_time", "end_time", "source_record_id", "final"}],
--     "workouts"?: [{"source_record_id", "workout_type", "name", "start_time", "duration_minutes", "distance_m",
--                    "elevation_gain_m", "calories_kcal", "average_hr_bpm", "max_hr_bpm", "is_private"}],
--     "deleted"?: ["source_record_id"], "connection"?: {"is_connected"?, "scopes"?}}]}
--   ->  {"processed", "retried", "waiting", "dead", "lost"}
-- retry: a failed attempt; the next one after 5 and 30 minutes, 2 and 6 hours, then the event becomes a dead letter.
-- wait: not before `until` (at most a day); counts as no attempt. release: not done, for another worker, at once.
-- lost: this worker doesn't hold the event any more, and nothing of it was written. Only `processed` writes rows.
-- Errors: PT400 for another message. Locks: see 22_settle.sql.
create or replace function public.settle_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  results constant jsonb := $1 -> 'results';
  counts wt_private.settled_counts := (0, 0, 0, 0, 0);
begin
  if jsonb_typeof($1 -> 'worker') is distinct from 'string' or jsonb_typeof(results) is distinct from 'array'
     or exists (select from jsonb_array_elements(results) r
                where coalesce(r ->> 'outcome' not in ('processed', 'retry', 'wait', 'dead', 'release')
                               or r ->> 'id' !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true))
     or (select count(*) > count(distinct r ->> 'id') from jsonb_array_elements(results) r) then
    raise exception 'a settlement says {"worker", "results": [{"id", "outcome"}]}'
      using errcode = 'PT400', hint = 'each id once, as it was claimed; outcome is processed, retry, wait, dead or release';
  end if;
  if results <> '[]' then
    counts := wt_private.settle_results($1 ->> 'worker', results);
  end if;
  return to_jsonb(counts);
end $$;
grant execute on function public.settle_webhook_events(jsonb) to service_role;
