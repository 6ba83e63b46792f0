-- Flows 3 and 4, the stages of a claim: which due events a worker gets. public.claim_webhook_events puts them together, and they
-- run under its planner settings (docs/reference/sql.md).
--
-- Guarantee: at most one worker holds events of an account, and it gets them in the order in which they arrived. A claim locks the
-- account's connection, only then checks that the account is free, and skips what other claims have locked.
-- Locks: connections (no key update) and people (key share), then events; all of them SKIP LOCKED.

-- How many events are due, if another worker claimed within `patience_ms` and at most five batches are due: then the caller gets
-- nothing this time. Null otherwise. Workers that share a short queue make each other's batches small, and a small batch costs
-- nearly as much as a large one.
create or replace function wt_private.due_to_yield(worker text, wanted bigint, patience_ms bigint) returns bigint
language plpgsql security invoker set search_path = '' as $$
declare
  due bigint;
begin
  if exists (select from public.wt_webhook_events o
             where o.status = 'processing' and o.locked_by <> worker
               and o.locked_at > clock_timestamp() - patience_ms * interval '1 millisecond') then
    due := (select count(*) from (select from public.wt_webhook_events e
                                  where e.status = 'pending' and e.next_retry_at <= now() limit 5 * wanted + 1) d);
    if due <= 5 * wanted then
      return due;
    end if;
  end if;
  return null;
end $$;

-- Parks events whose lease ran out and whose account is not connected any more.
create or replace function wt_private.park_lost_events() returns void
language plpgsql security invoker set search_path = '' as $$
declare
  strangers uuid[];
begin
  select array_agg(e.id) into strangers
  from public.wt_webhook_events e
  where e.status = 'processing' and e.locked_until < now()
    and not exists (select from public.wt_health_connections c
                    where c.provider = e.source and c.provider_user_id = e.provider_user_id and c.is_connected);
  if strangers is not null then
    perform wt_private.park_events(strangers);
  end if;
end $$;

-- The oldest event whose lease ran out, with its account locked; null if there is none. It may have killed its worker, so it is
-- handed out alone and takes no other event with it.
create or replace function wt_private.claim_suspect() returns uuid[]
language plpgsql security invoker set search_path = '' as $$
declare
  suspect uuid;
  ids uuid[];
begin
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
  return ids;
end $$;

-- The first `look` due events: the ids of those without a connected account, and how many each connected account has of the rest.
-- Reads them in the order of an index; a plan that sorts all events does not suit a long queue.
create or replace function wt_private.find_due(look bigint) returns wt_private.due_work
language plpgsql security invoker set search_path = '' as $$
declare
  work wt_private.due_work;
begin
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
         (select array_agg((a.connection_id, a.share)::wt_private.account_share order by a.connection_id) from account a)
  into work;
  return work;
end $$;

-- Locks these accounts' connections; returns those that were free to lock and are still connected.
create or replace function wt_private.lock_accounts(accounts wt_private.account_share[]) returns wt_private.account_share[]
language plpgsql security invoker set search_path = '' as $$
declare
  locked wt_private.account_share[];
begin
  select array_agg((l.id, l.share)::wt_private.account_share) into locked
  from (select c.id, a.share
        from unnest(accounts) a
        join public.wt_health_connections c on c.id = a.connection_id
        join public.wt_users u on u.id = c.user_id
        where c.is_connected
        for no key update of c skip locked for key share of u skip locked) l;
  return locked;
end $$;

-- As many events of each locked account as were found due, but the first that arrived; at most `wanted`, and at most 8 MB of
-- payload unless a single event is larger. Both questions are asked account by account (`offset 0`; `status in (...)` with
-- `locked_until`, which only the index by account answers).
create or replace function wt_private.pick_events(accounts wt_private.account_share[], wanted bigint) returns uuid[]
language plpgsql security invoker set search_path = '' as $$
declare
  ids uuid[];
begin
  with picked as materialized (
    select e.id, e.received_at, e.size
    from unnest(accounts) a
    join public.wt_health_connections c on c.id = a.connection_id
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
  return ids;
end $$;

grant execute on function wt_private.due_to_yield(text, bigint, bigint), wt_private.park_lost_events(),
  wt_private.claim_suspect(), wt_private.find_due(bigint), wt_private.lock_accounts(wt_private.account_share[]),
  wt_private.pick_events(wt_private.account_share[], bigint) to service_role;
