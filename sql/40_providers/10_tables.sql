-- Flows 3 and 4: connections to providers, their tokens and consents, and the queue behind the webhooks.
--
-- Tokens are encrypted outside of the database, which never has the keys. Only the service reaches these tables; people read their
-- rows of wt_health_connections.

create type public.wt_provider as enum ('garmin', 'strava');

create table public.wt_health_connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  provider public.wt_provider not null,
  -- Accounts are compared between two tables, so they are of one collation.
  provider_user_id text collate "C" not null check (char_length(provider_user_id) between 1 and 255),
  scopes text[] not null default '{}',
  is_connected boolean not null default true,
  last_sync_at timestamptz,
  connection_metadata jsonb not null default '{}' check (jsonb_typeof(connection_metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  connected_at timestamptz not null default now(),
  unique (id, user_id),
  unique (profile_id, provider),
  unique (provider, provider_user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_health_connections.connected_at is
  'the last consent; what the provider said about the connection before that no longer counts';
create index wt_health_connections_profile_idx on public.wt_health_connections (profile_id, user_id);
call wt_private.protect('public.wt_health_connections', 'read_own', audited => true);

-- Tokens live apart from the connection that people read: a table without any client grant can't leak by `select *`.
create table public.wt_connection_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  connection_id uuid not null unique,
  access_token_encrypted bytea not null,
  refresh_token_encrypted bytea,
  key_id text not null,
  token_expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A provider may invalidate a refresh token when it issues the next one, so one worker at a time may refresh.
  refresh_leased_by text check (char_length(refresh_leased_by) <= 200),
  refresh_leased_until timestamptz,
  foreign key (connection_id, user_id) references public.wt_health_connections (id, user_id) on delete cascade
);
create index wt_connection_tokens_connection_idx on public.wt_connection_tokens (connection_id, user_id);
call wt_private.protect('public.wt_connection_tokens', 'service');

-- Consents under way: which provider was asked for which person. Keeps the hash of the OAuth state, not the state.
create table public.wt_oauth_states (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  provider public.wt_provider not null,
  state_hash bytea not null unique,
  verifier_encrypted bytea,
  key_id text not null check (char_length(key_id) between 1 and 64),
  redirect_to text check (char_length(redirect_to) <= 2048),
  expires_at timestamptz not null default now() + interval '10 minutes',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_oauth_states_profile_idx on public.wt_oauth_states (profile_id, user_id);
call wt_private.protect('public.wt_oauth_states', 'service');

create type public.wt_event_status as enum ('pending', 'processing', 'processed', 'dead_letter');

-- Domains instead of checks: Postgres reads a table's checks from the catalogue for every statement, a domain's once in a session.
-- As checks these took a fifth of the time of storing a push (docs/edge-costs.md).
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
  max_attempts wt_private.attempts_limit not null default welltrack.max_attempts(),
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

create type wt_private.held_event as (
  id uuid, source public.wt_provider, user_id uuid, profile_id uuid, connection_id uuid, timezone text,
  received_at timestamptz, reported_at timestamptz
);

-- How many due events an account has; what a look at the queue found.
create type wt_private.account_share as (connection_id uuid, share bigint);
create type wt_private.due_work as (strangers uuid[], accounts wt_private.account_share[]);

-- How many results of a batch had which outcome; the names are those of public.settle_webhook_events.
create type wt_private.settled_counts as (processed bigint, retried bigint, waiting bigint, dead bigint, lost bigint);
