-- A local stand-in for what a Supabase image contains, part 3: pg_cron's rights.
--
-- A Supabase image has the extension available, not created: a migration says `create extension pg_cron`, and the image then
-- hands its schema to `postgres`. Here an event trigger does that, and `postgres` may create the extension because the private
-- prefix's control file says `trusted`. One difference stays: there the extension belongs to supabase_admin, here to postgres,
-- and cron.schedule() writes cron.job as the extension's owner. So postgres may write that table here and may not there: make
-- jobs with cron.schedule(), which works on both.
-- Source: github.com/supabase/postgres, ansible/files/postgresql_extension_custom_scripts/pg_cron.
-- Run as `supabase_admin`, in database `postgres`, after 10_roles.sql; safe to run again.

set client_min_messages = warning;

create or replace function extensions.grant_pg_cron_access() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if exists (select from pg_event_trigger_ddl_commands() c join pg_extension e on e.oid = c.objid
               where e.extname = 'pg_cron') then
        grant usage on schema cron to postgres with grant option;
        grant all on all functions in schema cron to postgres with grant option;
        grant select, insert, update, delete on cron.job to postgres with grant option;
        grant usage, select on all sequences in schema cron to postgres with grant option;
        grant select, insert, update, delete, truncate, references on cron.job_run_details
            to postgres with grant option;
    end if;
end
$$;

drop event trigger if exists issue_pg_cron_access;
create event trigger issue_pg_cron_access on ddl_command_end when tag in ('CREATE EXTENSION')
    execute function extensions.grant_pg_cron_access();
