-- The audit trail (who changed which columns of which rows, and when) and the error log.

create table public.wt_audit_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  actor_id uuid,
  actor_role text not null,
  table_name text not null,
  operation text not null check (operation in ('INSERT', 'UPDATE', 'DELETE')),
  row_ids uuid[] not null,
  changed_columns text[],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_audit_log is
  'Data changes: one row for each statement, person and set of changed columns; append-only, readable by its person alone';
comment on column public.wt_audit_log.user_id is 'whose data changed; null for tables that belong to nobody';
comment on column public.wt_audit_log.actor_id is 'the signed-in person who did it; null for the service and for jobs';
comment on column public.wt_audit_log.row_ids is 'ids of the rows that the statement touched';
comment on column public.wt_audit_log.changed_columns is 'names of the changed columns; null for INSERT and DELETE';
create index wt_audit_log_user_idx on public.wt_audit_log (user_id, created_at desc);
-- Pruning walks the log by age.
create index wt_audit_log_age_idx on public.wt_audit_log using brin (created_at);

call wt_private.protect('public.wt_audit_log', 'append', touched => false);

create table public.wt_error_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  flow text not null check (flow ~ '^[a-z][a-z0-9_-]{0,62}$'),
  error_code text not null check (error_code ~ '^[A-Za-z0-9_.-]{1,64}$'),
  message text not null check (char_length(message) <= 2000),
  context jsonb not null default '{}' check (jsonb_typeof(context) = 'object' and pg_column_size(context) <= 8192),
  retriable boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.wt_error_log is 'Permanent errors of all flows; never a secret, never a health value';
create index wt_error_log_user_idx on public.wt_error_log (user_id);
create index wt_error_log_age_idx on public.wt_error_log using brin (created_at);
-- Errors are for operators. The app tells people about errors in its own words.
call wt_private.protect('public.wt_error_log', 'service');
