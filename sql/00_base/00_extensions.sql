-- What the schema stands on: the WellTrack extension (functions only) and two schemas that the API never serves.

create extension if not exists pg_welltrack;

-- The functions run inside column defaults, generated columns and triggers of the calling role.
grant usage on schema welltrack to authenticated, service_role, supabase_auth_admin;

-- Trigger functions, jobs and the few SECURITY DEFINER functions live here: `wt_private` is not among the API's
-- schemas, so nothing in it can be reached by REST, whatever is granted.
create schema if not exists wt_private;
revoke all on schema wt_private from public;
-- Triggers run with the caller's rights and look helpers up by name; each helper is granted on its own.
grant usage on schema wt_private to authenticated, service_role;

-- Postgres lets everyone execute a new function. Here a function is granted by name or not at all; the second
-- statement takes back what Supabase's own defaults for `public` would hand to the API roles.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke execute on functions from anon, authenticated;
