-- AI: what a plan allows, what was used, what was done, and what the assistant remembers.

create type public.wt_ai_memory_type as enum ('preference', 'embedding', 'pattern');
create type public.wt_ai_outcome as enum ('success', 'dry_run', 'rejected', 'unsafe', 'rate_limited', 'error');

create table public.wt_ai_plan_limits (
  id uuid primary key default gen_random_uuid(),
  plan_tier public.wt_plan_tier not null unique,
  daily_calls integer check (daily_calls >= 0),
  daily_tokens integer check (daily_tokens >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_ai_plan_limits is 'per UTC day; null means no limit';
call wt_private.protect('public.wt_ai_plan_limits', 'reference', audited => true);
insert into public.wt_ai_plan_limits (plan_tier, daily_calls, daily_tokens) values
  ('free', 50, 10000), ('pro', 500, 100000), ('enterprise', null, null);

create table public.wt_ai_usage (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  usage_date date not null default (now() at time zone 'UTC')::date,
  calls_used integer not null default 0 check (calls_used >= 0),
  tokens_used bigint not null default 0 check (tokens_used >= 0),
  calls_reserved integer not null default 0 check (calls_reserved >= 0),
  tokens_reserved bigint not null default 0 check (tokens_reserved >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, usage_date)
);
call wt_private.protect('public.wt_ai_usage', 'read_own');

create table public.wt_ai_audit_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  profile_id uuid,
  workflow_type text not null check (char_length(workflow_type) between 1 and 64),
  model text check (char_length(model) <= 128),
  prompt_tokens integer check (prompt_tokens >= 0),
  completion_tokens integer check (completion_tokens >= 0),
  duration_ms integer check (duration_ms >= 0),
  dry_run boolean not null default false,
  safety_flags jsonb not null default '[]',
  db_writes jsonb not null default '[]',
  request_summary text check (char_length(request_summary) <= 4000),
  response_summary text check (char_length(response_summary) <= 4000),
  outcome public.wt_ai_outcome not null,
  idempotency_key text check (char_length(idempotency_key) <= 128),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, idempotency_key),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete set null (profile_id)
);
create index wt_ai_audit_log_user_idx on public.wt_ai_audit_log (user_id, created_at desc);
create index wt_ai_audit_log_profile_idx on public.wt_ai_audit_log (profile_id, user_id);
call wt_private.protect('public.wt_ai_audit_log', 'append', touched => false);

create table public.wt_ai_memory (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  memory_type public.wt_ai_memory_type not null,
  memory_key text not null check (char_length(memory_key) between 1 and 128),
  memory_value jsonb not null check (pg_column_size(memory_value) <= 65536),
  source_tool text check (char_length(source_tool) <= 64),
  expires_at timestamptz check (expires_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, memory_type, memory_key),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_ai_memory_profile_idx on public.wt_ai_memory (profile_id, user_id);
call wt_private.protect('public.wt_ai_memory', 'owned');

-- Similarity search is an extra of servers that have pgvector.
do $$ begin
  if exists (select from pg_catalog.pg_extension where extname = 'vector') then
    execute format('alter table public.wt_ai_memory add column embedding %s(1536)',
                   (select t.oid::regtype from pg_catalog.pg_type t where t.typname = 'vector' limit 1));
  end if;
end $$;
