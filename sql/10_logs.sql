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

-- One call for a statement, not one for a row: the transition tables carry what changed. A bulk insert of a thousand
-- readings is one audit row. SECURITY DEFINER because nobody may write the log by hand.
create function wt_private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  -- What the database keeps for itself is bookkeeping, not a change of somebody's data.
  bookkeeping constant text[] := array[
    'created_at', 'updated_at', 'is_primary', 'processing_status', 'last_sync_at', 'reported_at', 'finality'];
  actor constant uuid := auth.uid();
  actor_role constant text := coalesce(auth.role(), session_user);
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  if tg_op = 'DELETE' then
    perform from old_rows limit 1;
  else
    perform from new_rows limit 1;
  end if;
  if not found then
    return null;
  end if;

  if tg_argv[0] = 'reference' then
    if tg_op = 'UPDATE' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids, changed_columns)
      select actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
      from (select n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
            from old_rows o join new_rows n using (id)) c
      where c.changed <> '{}'
      group by c.changed;
    elsif tg_op = 'INSERT' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(n.id) from new_rows n;
    else
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(o.id) from old_rows o;
    end if;
    return null;
  end if;

  -- Deleting a person cascades here after their auth.users row is gone: their trail goes with them.
  if tg_op = 'UPDATE' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids, changed_columns)
    select c.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
    from (select n.user_id, n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
          from old_rows o join new_rows n using (id)) c
    where c.changed <> '{}'
    group by c.user_id, c.changed
    -- A scalar, for EXISTS may become a join that reads everybody.
    having (select true from auth.users u where u.id = c.user_id);
  elsif tg_op = 'INSERT' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select n.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(n.id)
    from new_rows n group by n.user_id;
  else
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select o.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(o.id)
    from old_rows o
    group by o.user_id
    having (select true from auth.users u where u.id = o.user_id);
  end if;
  return null;
end $$;

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
-- Errors are for operators, not for the person they happened to: the app tells people in its own words.
call wt_private.protect('public.wt_error_log', 'service');

-- The one way to write to the error log. Takes and returns jsonb, as every function that edge functions call.
--   {"flow", "error_code", "message", "context"?: {}, "retriable"?: bool, "user_id"?: uuid}  ->  {"id": uuid}
-- Context holds plain values only, and none whose key names a secret, a person or a reading; what looks like a secret
-- inside a text is blotted out. A message is cut at 2,000 characters and a context over 8 kB is replaced by its size:
-- logging must not fail for being verbose.
-- Errors: 22023 not an object, 22P02 no uuid or boolean, 23502 and 23514 no flow, error_code or message as asked for.
create function public.log_error(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  forbidden constant text :=
    'token|secret|passw|credential|authorization|signature|session|private|api[_-]?key|cookie|jwt|email|phone|'
    'payload|value|reading|raw|body|steps|stress|sleep|vo2|heart|hrv|(^|_)hr(_|$)|bpm|calorie|distance|weight|pressure|spo2';
  -- Bearer tokens, JWTs, credentials in a query string or in a URL. Stops at quotes, so that JSON text stays JSON.
  secret constant text :=
    '(bearer\s+|eyJ)[a-z0-9._~+/=-]{8,}|(token|secret|password|key|code)=[^&\s"\\]+|//[^/\s@"\\]+:[^/\s@"\\]+@';
  message constant text := left(regexp_replace($1 ->> 'message', secret, '[secret]', 'gi'), 2000);
  retriable constant boolean := coalesce(($1 ->> 'retriable')::boolean, false);
  clean jsonb;
  new_id uuid := gen_random_uuid();
begin
  if jsonb_typeof($1) is distinct from 'object' then
    raise exception 'log_error takes one JSON object' using errcode = '22023';
  end if;
  select regexp_replace(coalesce(jsonb_object_agg(e.key, e.value), '{}')::text, secret, '[secret]', 'gi')::jsonb into clean
  from jsonb_each(case when jsonb_typeof($1 -> 'context') = 'object' then $1 -> 'context' else '{}' end) e
  where e.key !~* forbidden and jsonb_typeof(e.value) in ('string', 'number', 'boolean', 'null');
  if pg_column_size(clean) > 8000 then
    clean := jsonb_build_object('context_bytes', pg_column_size(clean));
  end if;
  begin
    insert into public.wt_error_log (id, user_id, flow, error_code, message, context, retriable)
    values (new_id, ($1 ->> 'user_id')::uuid, $1 ->> 'flow', $1 ->> 'error_code', message, clean, retriable);
  exception when foreign_key_violation then
    -- The person is gone; what went wrong is still worth knowing.
    insert into public.wt_error_log (id, flow, error_code, message, context, retriable)
    values (new_id, $1 ->> 'flow', $1 ->> 'error_code', message, clean, retriable);
  end;
  return jsonb_build_object('id', new_id);
end $$;
grant execute on function public.log_error(jsonb) to service_role;
