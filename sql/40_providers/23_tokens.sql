-- How encrypted tokens are written in an answer.

-- Base64 without the line breaks that Postgres puts in.
create or replace function wt_private.base64(bytea) returns text
language sql immutable parallel safe set search_path = '' as $$ select translate(encode($1, 'base64'), E'\n', '') $$;
grant execute on function wt_private.base64(bytea) to service_role;
