-- A local stand-in for what a Supabase image contains, part 1: roles, rights on the database and default privileges.
--
-- Promises: every role name, attribute and default privilege that a migration or a policy can notice is as on a Supabase
-- project with Postgres 15 or later. Stops at the services that WellTrack does not use (storage, realtime, vault, graphql).
-- Source: github.com/supabase/postgres, migrations/db (initial-schema, demote-postgres, the later grants).
-- Run as the bootstrap superuser `supabase_admin`, in database `postgres`; safe to run again.
--
-- The password of every login role is the Supabase CLI's well-known local one. The server listens on 127.0.0.1 only.

set client_min_messages = warning;

do $$
declare
    wanted constant text[][] := array[
        -- name                  attributes
        ['postgres',            'login nosuperuser createdb createrole replication bypassrls'],
        ['anon',                'nologin inherit'],
        ['authenticated',       'nologin inherit'],
        ['service_role',        'nologin inherit bypassrls'],
        ['authenticator',       'login noinherit'],
        ['supabase_auth_admin', 'login noinherit createrole']
    ];
    pair text[];
begin
    foreach pair slice 1 in array wanted loop
        if not exists (select from pg_catalog.pg_roles where rolname = pair[1]) then
            execute format('create role %I', pair[1]);
        end if;
        execute format('alter role %I with %s', pair[1], pair[2]);
        if pair[2] like 'login%' then
            execute format('alter role %I password %L', pair[1], 'postgres');
        end if;
    end loop;
end
$$;

alter role supabase_admin password 'postgres';

-- PostgREST logs in as authenticator and becomes one of these three for each request.
grant anon, authenticated, service_role to authenticator;
-- The owner of the project may act as the API roles, and hand them on (from Postgres 16 on that needs to be said).
grant anon, authenticated, service_role to postgres with admin option;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';

-- Schema public belongs to the database's owner (pg_database_owner), so this makes both postgres's.
alter database postgres owner to postgres;
grant create on database postgres to supabase_auth_admin;

create schema if not exists extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
grant usage on schema public to postgres, anon, authenticated, service_role;

-- Whatever postgres or supabase_admin makes in public is open to the API roles until a migration says otherwise. Migrations
-- take back what is too much, and only a database with these defaults can show that they do.
do $$
declare
    creator text;
    kind text;
begin
    foreach creator in array array['postgres', 'supabase_admin'] loop
        foreach kind in array array['tables', 'functions', 'sequences'] loop
            execute format('alter default privileges for role %I in schema public grant all on %s '
                           'to postgres, anon, authenticated, service_role', creator, kind);
        end loop;
    end loop;
end
$$;

create extension if not exists "uuid-ossp" with schema extensions;
create extension if not exists pgcrypto with schema extensions;

do $$
begin
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
        alter publication supabase_realtime owner to postgres;
    end if;
end
$$;
