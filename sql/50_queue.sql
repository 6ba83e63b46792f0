-- Flows 3 and 4, the tables: the queue behind the webhooks, what orders a provider's words, and who is woken or forgotten
-- when a connection comes or goes.

create type public.wt_event_status as enum ('pending', 'processing', 'processed', 'dead_letter');

-- What single columns may hold. A table's own checks are read anew from the catalogue by every statement, a domain's once in a
-- session: as checks these took a fifth of the time of storing a push (docs/edge-costs.md).
create domain wt_private.event_type as text check (char_length(value) between 1 and 64);
create domain wt_private.provider_account as text collate "C" check (char_length(value) <= 255);
create domain wt_private.worker_name as text check (char_length(value) <= 200);
create domain wt_private.error_text as text check (char_length(value) <= 2000);
create domain wt_private.attempts as integer check (value >= 0);
create domain wt_private.attempts_limit as integer check (value between 1 and 100);

create table public.wt_webhook_events (
  id uuid primary key default welltrack.uuid_v7(),
  -- Null until the provider's id is matched to a person.
  user_id uuid references public.wt_users (id) on delete cascade,
  source public.wt_provider not null,
  event_type wt_private.event_type not null,
  payload jsonb not null,
  provider_user_id wt_private.provider_account,
  status public.wt_event_status not null default 'pending',
  attempts wt_private.attempts not null default 0,
  max_attempts wt_private.attempts_limit not null default 5,
  next_retry_at timestamptz not null default now(),
  locked_at timestamptz,
  locked_until timestamptz,
  locked_by wt_private.worker_name,
  last_error wt_private.error_text,
  received_at timestamptz not null default clock_timestamp(),
  processed_at timestamptz,
  idempotency_key bytea not null unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((status = 'processing') = (locked_until is not null)),
  check ((status = 'processed') = (processed_at is not null))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table public.wt_webhook_events is
  'What providers pushed: kept until processed, and 30 days longer. An event of an account that nobody is connected with is '
  'parked (pending, next_retry_at infinity) until the connection appears';
comment on column public.wt_webhook_events.attempts is 'claims so far; a wait and a graceful stop give theirs back';
comment on column public.wt_webhook_events.locked_until is
  'end of the lease; whoever still holds the event then may settle it, unless somebody else has claimed it meanwhile';
-- An insert pays for every index, so each is as narrow as its question. (The one on user_id is what deleting a person needs.)
create index wt_webhook_events_user_idx on public.wt_webhook_events (user_id);
create index wt_webhook_events_due on public.wt_webhook_events (next_retry_at) where status = 'pending';
create index wt_webhook_events_open on public.wt_webhook_events (provider_user_id, received_at)
  where status in ('pending', 'processing');
create index wt_webhook_events_leased on public.wt_webhook_events (provider_user_id, locked_until)
  where status = 'processing';
create index wt_webhook_events_done on public.wt_webhook_events (processed_at) where status = 'processed';
create index wt_webhook_events_dead on public.wt_webhook_events (received_at) where status = 'dead_letter';
call wt_private.protect('public.wt_webhook_events', 'service');

-- Accounts are compared between the two tables, so they are of one collation.
alter table public.wt_health_connections alter column provider_user_id type text collate "C";

-- Providers correct themselves, and their corrections may be processed in any order. What a row remembers of the word that
-- it came from decides whether another word counts more: the surer one, then by time.
alter table public.wt_health_metrics add column reported_at timestamptz,
  add column finality smallint check (finality between 0 and 2);
comment on column public.wt_health_metrics.reported_at is
  'when the provider said so; null where no provider''s push brought the reading';
comment on column public.wt_health_metrics.finality is
  'how sure the provider is: 0 announced to correct it still, 1 final, 2 corrected by the person''s own hand';
-- Finds what else begins with a reading. Phones' readings aren't in it and cost nothing.
create index wt_health_metrics_reported on public.wt_health_metrics (user_id, start_time) where reported_at is not null;
alter table public.wt_workouts add column reported_at timestamptz check (reported_at between '1970-01-01 UTC' and '2101-01-01 UTC');
comment on column public.wt_workouts.reported_at is 'when the provider was asked for it; null where a person entered it';

alter table public.wt_health_connections add column connected_at timestamptz not null default now();
comment on column public.wt_health_connections.connected_at is
  'the last consent; what the provider said about the connection before that no longer counts';

-- Events and connections meet in two places: a claim parks what it finds no connection for, and a new connection wakes what
-- was parked. Each must see the other's work, so the first holds this lock shared, the second alone. Nobody waits for a row
-- while waiting for it.
create function wt_private.parking_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7236835017 $$;
grant execute on function wt_private.parking_lock() to service_role;

create function wt_private.wake_events() returns trigger
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
create trigger wake after insert or update of is_connected, provider_user_id on public.wt_health_connections
  for each row when (new.is_connected) execute function wt_private.wake_events();

-- Whose connection goes, their events go: also those not yet matched to them.
create function wt_private.forget_events() returns trigger
language plpgsql set search_path = '' set enable_seqscan = off set jit = off as $$
begin
  delete from public.wt_webhook_events e
  where e.user_id = old.user_id and e.source = old.provider and e.provider_user_id = old.provider_user_id;
  delete from public.wt_webhook_events e
  where e.provider_user_id = old.provider_user_id and e.source = old.provider and e.status in ('pending', 'processing');
  return old;
end $$;
-- Before the row goes: a cascade has the owner's rights then, and those of whoever began it afterwards.
create trigger forget before delete on public.wt_health_connections
  for each row execute function wt_private.forget_events();

-- A worker writes for many people at once and holds each of them first, as everybody does who writes readings. In the order
-- in which deleting an account takes the same rows, so that neither waits for the other in a circle. SECURITY DEFINER
-- because the first of these rows is GoTrue's.
create function wt_private.hold_people(user_ids uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from auth.users a where a.id = any (user_ids) order by a.id for key share;
  perform from public.wt_users u where u.id = any (user_ids) order by u.id for no key update;
end $$;
grant execute on function wt_private.hold_people(uuid[]) to service_role;
-- What a worker also touches, its person holds first as well.
create trigger hold before insert or update or delete on public.wt_workouts
  for each statement execute function wt_private.hold_person();
create trigger hold before update of date_of_birth or delete on public.wt_profiles
  for each statement execute function wt_private.hold_person();
