-- The way into the error log. It is an API function, but rules that are written in SQL call it too, so it comes before them.

-- The one way to write to the error log. Takes and returns jsonb, as every function that edge functions call.
--   {"flow", "error_code", "message", "context"?: {}, "retriable"?: bool, "user_id"?: uuid}  ->  {"id": uuid}
-- Context holds plain values only, and none whose key names a secret, a person or a reading; what looks like a secret
-- inside a text is blotted out. A message is cut at 2,000 characters and a context over 8 kB is replaced by its size:
-- logging must not fail for being verbose.
-- Errors: 22023 not an object, 22P02 no uuid or boolean, 23502 and 23514 no flow, error_code or message as asked for.
create or replace function public.log_error(jsonb) returns jsonb
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
