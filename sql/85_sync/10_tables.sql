-- Offline sync: what each offline write came to, so that a replayed one is answered with its first outcome.

create type public.wt_sync_operation as enum ('insert', 'update', 'upsert', 'delete');

create table public.wt_sync_mutations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.wt_users (id) on delete cascade,
  client_id uuid not null,
  mutation_id uuid not null,
  table_name text not null check (table_name ~ '^wt_[a-z_]{1,60}$'),
  operation public.wt_sync_operation not null,
  outcome jsonb not null check (pg_column_size(outcome) <= 65536),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, client_id, mutation_id)
);
call wt_private.protect('public.wt_sync_mutations', 'read_own');
