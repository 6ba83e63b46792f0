-- The export, as an app asks for it.

-- supabase.rpc('export_my_data'): {"format", "exported_at", "user_id", "account", "tables": {"wt_...": [rows]}}.
-- Returns json and not jsonb, whose lists end at 256 MB: a few years of a reading every five minutes. The document may have 1 GB.
-- PostgREST grants a function the statement_timeout that it sets.
-- Errors: PT401 without a signed-in person, PT413 above 1 GB.
create or replace function public.export_my_data() returns json
language sql stable security invoker set search_path = '' set statement_timeout = '2min' as $$
  select wt_private.export_caller()
$$;
grant execute on function public.export_my_data() to authenticated;
