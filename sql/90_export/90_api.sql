-- The export, as an app asks for it.

-- supabase.rpc('export_my_data'): {"format", "exported_at", "user_id", "account", "tables": {"wt_...": [rows]}}.
-- As json and not jsonb, which holds no list above 256 MB: a few years of a reading every five minutes. The document may have 1 GB;
-- PostgREST gives a function the time that it asks for.
-- Errors: PT401 without a signed-in person, PT413 beyond that.
create or replace function public.export_my_data() returns json
language sql stable security invoker set search_path = '' set statement_timeout = '2min' as $$
  select wt_private.export_caller()
$$;
grant execute on function public.export_my_data() to authenticated;
