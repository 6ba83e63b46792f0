-- Flows 3 and 4, the near end of the queue: events come in and are handed out.

-- Stores what a webhook was sent, before anybody looks at it.
--   {"source", "events": [{"event_type", "provider_user_id"?, "payload", "idempotency_key": 64 hex digits}]}
--     ->  {"stored", "repeated"}
-- Whatever the provider sent is stored: a name that is too long is cut, one that is missing is `unknown`. A key that was seen
-- before is a re-sent event. Access tokens that Garmin puts into its pushes are blotted out.
-- Errors: PT400 for what no webhook of ours sends.
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
      using errcode = 'PT400', hint = 'source is garmin or strava; an idempotency key has 64 lower-case hex digits';
  end if;
  received := jsonb_array_length(events);
  -- Quotes inside a text are escaped, so only a key can look like this one.
  if events::text like '%userAccessToken%' then
    events := regexp_replace(events::text, '("userAccessToken": )("([^"\\]|\\.)*"|[-+.0-9a-zA-Z]+)', '\1null', 'g')::jsonb;
  end if;

  -- In the order of the keys, so that two who bring the same events wait for each other in the same order.
  insert into public.wt_webhook_events (source, event_type, provider_user_id, payload, received_at, idempotency_key)
  select provider::public.wt_provider, left(coalesce(nullif(e.item ->> 'event_type', ''), 'unknown'), 64),
         case when char_length(e.item ->> 'provider_user_id') <= 255 then e.item ->> 'provider_user_id' end,
         coalesce(e.item -> 'payload', 'null'), now_here + (e.n - 1) * interval '1 microsecond',
         decode(e.item ->> 'idempotency_key', 'hex')
  from jsonb_array_elements(events) with ordinality e (item, n)
  order by e.item ->> 'idempotency_key'
  on conflict (idempotency_key) do nothing;
  get diagnostics stored = row_count;

  -- Commits that notify wait for each other, disk and all, so of those at work at the same time one is enough: whoever is
  -- woken looks again until nothing is left, and looks now and then unasked.
  if stored > 0 and pg_try_advisory_xact_lock(7236835018) then
    perform pg_notify('welltrack_events', provider);
  end if;
  return jsonb_build_object('stored', stored, 'repeated', received - stored);
end $$;
grant execute on function public.receive_webhook_events(jsonb) to service_role;

-- Hands out due events: {"worker", "limit": 1..1000, "lease_seconds": 5..3600, "yield_to_ms"?: 0..10000}
--   ->  {"events": [{"id", "source", "event_type", "payload", "provider_user_id", "received_at", "attempts", "last_error",
--                    "connection": {"id", "user_id", "profile_id", "is_connected", "timezone"}}],
--        "parked", "pending_now", "yielded"}
-- `pending_now` is how many due events are left, 10,000 at most; where there are some and no event was handed out, others are
-- at work on their accounts, or so many events of strangers were `parked` that others' are to be asked for again. A batch is
-- smaller than asked for where its payloads are large (8 MB as stored). Errors: PT400.
--
-- Workers who share a short queue make each other's batches small, and a small batch costs nearly what a large one does. So who
-- says `yield_to_ms` leaves what is due to whoever claimed within that time, unless it is more than five batches, is told that it
-- has `yielded`, and comes again: the other one may have died.
--
-- An account's events are in one pair of hands at a time, and in the order in which they came in: who claims locks the
-- account's connection, looks only then whether the account is free, and passes over what others have locked.
-- Both are asked account by account (`offset 0`; `status in (...)` with `locked_until`, which only the index by account
-- answers), and the next ones are read in the order of an index: a plan that sorts everybody's events suits no long queue.
-- An event whose lease ran out is suspected of having killed its worker and is handed out alone, so that it takes no others
-- with it; the fifth time it goes to the dead letters.
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
  strangers uuid[];
  accounts uuid[];
  shares bigint[];
  suspect uuid;
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

  if exists (select from public.wt_webhook_events o
             where o.status = 'processing' and o.locked_by <> worker
               and o.locked_at > clock_timestamp() - patience * interval '1 millisecond') then
    due := (select count(*) from (select from public.wt_webhook_events e
                                  where e.status = 'pending' and e.next_retry_at <= now() limit 5 * wanted + 1) d);
    if due <= 5 * wanted then
      return jsonb_build_object('events', '[]'::jsonb, 'parked', 0, 'pending_now', due, 'yielded', true);
    end if;
  end if;

  perform wt_private.bury_lost_events();
  select array_agg(e.id) into strangers
  from public.wt_webhook_events e
  where e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_health_connections c
                    where c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected);
  if strangers is not null then
    perform wt_private.park_events(strangers);
  end if;

  select e.id into suspect
  from public.wt_webhook_events e
  join public.wt_health_connections c
    on c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected
  join public.wt_users u on u.id = c.user_id
  where e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_webhook_events o
                    where o.provider_user_id = e.provider_user_id and o.source = e.source
                      and o.status = 'processing' and o.locked_until >= now()
                    offset 0)
  order by e.received_at, e.id
  limit 1
  for update of e skip locked for no key update of c skip locked for key share of u skip locked;
  -- The account is ours now. Whether it is free only a new look can tell: another claim may have ended a moment ago.
  select array_agg(e.id) into ids
  from public.wt_webhook_events e
  where e.id = suspect and e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_webhook_events o
                    where o.provider_user_id = e.provider_user_id and o.source = e.source
                      and o.status = 'processing' and o.locked_until >= now()
                    offset 0);

  while ids is null loop
    with due as materialized (
      select e.id, c.id as connection_id
      from (select p.id, p.source, p.provider_user_id
            from public.wt_webhook_events p
            where p.status = 'pending' and p.next_retry_at <= now()
              and (p.source, coalesce(p.provider_user_id, '')) not in (
                select o.source, coalesce(o.provider_user_id, '') from public.wt_webhook_events o
                where o.status = 'processing')
            order by p.next_retry_at
            limit look) e
      left join lateral (select k.id from public.wt_health_connections k
                         where k.provider = e.source and k.provider_user_id = e.provider_user_id and k.is_connected
                         limit 1) c on true
    ), account as materialized (
      select d.connection_id, count(*) as share
      from due d where d.connection_id is not null
      group by d.connection_id
    )
    select (select array_agg(d.id) from due d where d.connection_id is null),
           (select array_agg(a.connection_id order by a.connection_id) from account a),
           (select array_agg(a.share order by a.connection_id) from account a)
    into strangers, accounts, shares;
    if strangers is not null then
      -- Where one is, more may be: look further, and further still where there was nobody else.
      again := accounts is null or look = wanted;
      look := 2000;
      parked := wt_private.park_events(strangers);
      parked_in_all := parked_in_all + parked;
      -- What one claim parks is bounded, or a crowd of them would outlast the time of a statement, and all be undone.
      exit when parked_in_all >= 20000 and accounts is null;
      continue when parked > 0 and again;
    end if;
    exit when accounts is null;

    select array_agg(l.id), array_agg(l.share) into accounts, shares
    from (select c.id, a.share
          from unnest(accounts, shares) a (id, share)
          join public.wt_health_connections c on c.id = a.id
          join public.wt_users u on u.id = c.user_id
          where c.is_connected
          for no key update of c skip locked for key share of u skip locked) l;
    -- As many of an account's events as were found due, but the first that came in; and not more than a worker can carry.
    with picked as materialized (
      select e.id, e.received_at, e.size
      from unnest(accounts, shares) a (id, share)
      join public.wt_health_connections c on c.id = a.id
      cross join lateral (
        select p.id, p.received_at, pg_column_size(p.payload) as size
        from public.wt_webhook_events p
        where p.provider_user_id = c.provider_user_id and p.source = c.provider
          and p.status in ('pending', 'processing') and p.locked_until is null and p.next_retry_at <= now()
        order by p.received_at
        limit a.share
        for update skip locked) e
      where not exists (select from public.wt_webhook_events o
                        where o.provider_user_id = c.provider_user_id and o.source = c.provider
                          and o.status = 'processing'
                        offset 0)
    )
    select array_agg(s.id) into ids
    from (select p.id, sum(p.size) over w as carried, row_number() over w as n
          from picked p window w as (order by p.received_at, p.id)) s
    where s.n = 1 or s.n <= wanted and s.carried <= 8388608;
    -- Others are just at all of these: look further, once.
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

-- What became of claimed events, in one transaction with what they said:
--   {"worker", "results": [{"id", "outcome": "processed"|"retry"|"wait"|"dead"|"release", "error"?, "until"?,
--     "metrics"?: [{"metric_type", "value_num", "value_text", "unit", "start_time", "end_time", "source_record_id", "final"}],
--     "workouts"?: [{"source_record_id", "workout_type", "name", "start_time", "duration_minutes", "distance_m",
--                    "elevation_gain_m", "calories_kcal", "average_hr_bpm", "max_hr_bpm", "is_private"}],
--     "deleted"?: ["source_record_id"], "connection"?: {"is_connected"?, "scopes"?}}]}
--   ->  {"processed", "retried", "waiting", "dead", "lost"}
-- retry: a failed attempt; the next one after 5 and 30 minutes, 2 and 6 hours, then the dead letters.
-- wait: until then (at most a day), which is no attempt. release: not done, for somebody else, now.
-- lost: no longer this worker's, and nothing of it was written. Only what was processed writes anything.
-- Errors: PT400 for no such message.
create or replace function public.settle_webhook_events(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  results constant jsonb := $1 -> 'results';
  tally bigint[];
begin
  if jsonb_typeof($1 -> 'worker') is distinct from 'string' or jsonb_typeof(results) is distinct from 'array'
     or exists (select from jsonb_array_elements(results) r
                where coalesce(r ->> 'outcome' not in ('processed', 'retry', 'wait', 'dead', 'release')
                               or r ->> 'id' !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true))
     or (select count(*) > count(distinct r ->> 'id') from jsonb_array_elements(results) r) then
    raise exception 'a settlement says {"worker", "results": [{"id", "outcome"}]}'
      using errcode = 'PT400', hint = 'each id once, as it was claimed; outcome is processed, retry, wait, dead or release';
  end if;
  tally := case when results = '[]' then '{0,0,0,0,0}' else wt_private.settle_results($1 ->> 'worker', results) end;
  return jsonb_build_object('processed', tally[1], 'retried', tally[2], 'waiting', tally[3], 'dead', tally[4],
                            'lost', tally[5]);
end $$;
grant execute on function public.settle_webhook_events(jsonb) to service_role;
