-- The shape of the schema: what exists, who it is guarded by, what ties it together.
begin;
create extension if not exists pgtap with schema extensions;
select plan(19);

select has_extension('pg_welltrack', 'the rules of a reading are in the extension');
select is_empty(
  $$select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and not (relrowsecurity and relforcerowsecurity)$$, 'row-level security is on and forced everywhere');
select set_eq(
  $$select relname::text from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and not exists (select from pg_policy p where p.polrelid = c.oid)$$,
  array['wt_connection_tokens', 'wt_engine_marks', 'wt_error_log', 'wt_oauth_states', 'wt_webhook_events'], 'only what no client sees has no policy');
select is_empty(
  $$select tablename, policyname from pg_policies where schemaname = 'public' and roles && '{anon,public}'$$,
  'no policy lets anybody in who has not signed in');
select is_empty(
  $$select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and has_any_column_privilege('anon', oid, 'select, insert, update, references')$$, 'anon has no right on any table');

select policies_are('public', 'wt_users', array['own_rows', 'signup']);
select policies_are('public', 'wt_health_metrics', array['own_rows']);
select policies_are('public', 'wt_nutrients', array['signed_in_reads']);
select policy_cmd_is('public', 'wt_baselines', 'own_rows'::name, 'select');
select policy_roles_are('public', 'wt_profiles', 'signup', array['supabase_auth_admin']);

select col_is_unique('public', 'wt_health_metrics', array['user_id', 'dedupe_hash']);
select fk_ok('public', 'wt_health_metrics', array['profile_id', 'user_id'], 'public', 'wt_profiles', array['id', 'user_id']);
select fk_ok('public', 'wt_recipe_steps', array['recipe_id', 'user_id'], 'public', 'wt_recipes', array['id', 'user_id']);
select index_is_unique('public', 'wt_profiles', 'wt_profiles_one_primary');

select trigger_is('auth', 'users', 'on_auth_user_created', 'welltrack', 'handle_new_user');
select function_privs_are('public', 'ingest_health_metrics', array['uuid', 'jsonb'], 'anon', array[]::text[]);
select function_privs_are('public', 'prune_logs', array['integer', 'integer', 'integer'], 'authenticated', array[]::text[]);
select function_privs_are('welltrack', 'handle_new_user', array[]::text[], 'service_role', array[]::text[]);
select is_empty(
  $$select oid::regprocedure from pg_proc where prosecdef and not 'search_path=""' = any (coalesce(proconfig, '{}'))
    and pronamespace in ('public'::regnamespace, 'wt_private'::regnamespace, 'welltrack'::regnamespace)$$,
  'what runs with more rights than its caller looks names up nowhere else');

select * from finish();
rollback;
