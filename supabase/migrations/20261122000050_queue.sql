-- The queue behind the webhooks: what a provider pushed, kept until it has been processed.

create type public.wt_event_status as enum ('pending', 'processing', 'processed', 'dead_letter');

create table public.wt_webhook_events (
  id uuid primary key default gen_random_uuid(),
  -- Null until the provider's id is matched to a person.
  user_id uuid references auth.users (id) on delete cascade,
  source public.wt_provider not null,
  event_type text not null check (char_length(event_type) between 1 and 64),
  payload jsonb not null,
  provider_user_id text check (char_length(provider_user_id) <= 255),
  status public.wt_event_status not null default 'pending',
  attempts integer not null default 0 check (attempts >= 0),
  max_attempts integer not null default 5 check (max_attempts between 1 and 100),
  next_retry_at timestamptz not null default now(),
  locked_until timestamptz,
  locked_by text,
  last_error text check (char_length(last_error) <= 2000),
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  idempotency_key bytea not null unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((status = 'processing') = (locked_until is not null)),
  check ((status = 'processed') = (processed_at is not null))
);
create index wt_webhook_events_user_idx on public.wt_webhook_events (user_id);
create index wt_webhook_events_due on public.wt_webhook_events (next_retry_at) where status = 'pending';
create index wt_webhook_events_leased on public.wt_webhook_events (locked_until) where status = 'processing';
create index wt_webhook_events_unmatched on public.wt_webhook_events (source, provider_user_id) where user_id is null;
call wt_private.protect('public.wt_webhook_events', 'service');
