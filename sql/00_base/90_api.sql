-- The error log's API, and the job that removes old rows of both logs.

-- Writes a row to the error log; no other function does. Takes and returns jsonb, as every function that edge functions call.
--   {"flow", "error_code", "message", "context"?: {}, "retriable"?: bool, "user_id"?: uuid}  ->  {"id": uuid}
-- Keeps plain values of the context only, and none whose key names a secret, a person or a reading. Replaces what looks like a
-- secret inside a text. Cuts a message at 2,000 characters and replaces a context over 8 kB by its size, so that logging doesn't
-- fail for being verbose.
-- Errors: 22023 not an object, 22P02 not a uuid or boolean, 23502 and 23514 a flow, error_code or message that breaks its check.
create or replace function public.log_error(jsonb) returns jsonb
language plpgsql security invoker set search_path = '' as $$
declare
  forbidden constant text :=
    'token|secret|passw|credential|authorization|signature|session|private|api[_-]?key|cookie|jwt|email|phone|'
    'payload|value|reading|raw|body|' || (select string_agg(m.log_keys, '|') from welltrack.metrics() m);
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
    -- The person was deleted meanwhile; the error is still worth knowing.
    insert into public.wt_error_log (id, flow, error_code, message, context, retriable)
    values (new_id, $1 ->> 'flow', $1 ->> 'error_code', message, clean, retriable);
  end;
  return jsonb_build_object('id', new_id);
end $$;
grant execute on function public.log_error(jsonb) to service_role;

-- Removes at most `portion` rows of each log that are older than its limit. Returns how many. SECURITY DEFINER because no role may
-- delete from the audit log. Errors: 22023 for a limit under 30 days.
create or replace function public.prune_logs(
  audit_days integer default 400, error_days integer default 90, portion integer default 10000
) returns integer language plpgsql security definer set search_path = '' as $$
declare
  removed integer;
  total integer := 0;
begin
  if least(audit_days, error_days) < 30 then
    raise exception 'logs are kept for at least 30 days' using errcode = '22023';
  end if;
  delete from public.wt_audit_log where id in (
    select a.id from public.wt_audit_log a where a.created_at < now() - make_interval(days => audit_days) limit portion);
  get diagnostics removed = row_count;
  total := total + removed;
  delete from public.wt_error_log where id in (
    select e.id from public.wt_error_log e where e.created_at < now() - make_interval(days => error_days) limit portion);
  get diagnostics removed = row_count;
  return total + removed;
end $$;
grant execute on function public.prune_logs(integer, integer, integer) to service_role;
