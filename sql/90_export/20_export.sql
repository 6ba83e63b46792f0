-- Everything that the project holds about a person, as one document. Input: all tables with a user_id. Locks: none.

-- The caller's export. Walks the catalogue, so that a new table is in the export without being named here. SECURITY DEFINER because
-- some of a person's data (raw provider events, errors) is in tables that clients can't read; takes no argument, so that a caller
-- can't ask for another person. Provider tokens and consents under way are credentials, not data about the person, and stay out.
-- Errors: PT401 without a person, PT413 above 1 GB.
create or replace function wt_private.export_caller() returns json
language plpgsql stable security definer set search_path = '' as $$
declare
  me constant uuid := auth.uid();
  rel record;
  part json;
  names text[];
  parts json[];
begin
  if me is null then
    raise exception 'sign in to export your data' using errcode = 'PT401';
  end if;
  for rel in
    select c.relname
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname like 'wt\_%'
      and c.relname not in ('wt_connection_tokens', 'wt_oauth_states')
    order by c.relname
  loop
    execute format('select coalesce(json_agg(t order by t.created_at, t.id), ''[]'')
                    from public.%I t where t.user_id = $1', rel.relname)
    into part using me;
    names := names || rel.relname::text;
    parts := parts || part;
  end loop;
  return json_build_object(
    'format', 'welltrack-export/1', 'exported_at', now(), 'user_id', me,
    'account', (select json_build_object('email', u.email, 'phone', u.phone, 'created_at', u.created_at)
                from auth.users u where u.id = me),
    'tables', (select json_object_agg(t.name, t.part) from unnest(names, parts) t (name, part)));
exception when program_limit_exceeded then
  raise exception 'your data are larger than one document can be'
    using errcode = 'PT413', hint = 'read the tables one by one, in pages: every one of them shows you your own rows';
end $$;
-- The service gets PT401, as any caller without a person.
grant execute on function wt_private.export_caller() to authenticated, service_role;
