-- Flow 1: signup and onboarding.
begin;
create extension if not exists pgtap with schema extensions;
select plan(15);

select lives_ok(
  $$insert into auth.users (id, aud, role, email, raw_user_meta_data) values
    ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org',
     '{"full_name": "Ada Lovelace", "timezone": "Europe/London"}')$$, 'by e-mail');
select lives_ok(
  $$insert into auth.users (id, aud, role, phone, raw_user_meta_data) values
    ('a0000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', '4915112345678',
     '{"full_name": {"not": ["a", "name"]}, "timezone": 17, "avatar_url": "javascript:alert(1)"}')$$,
  'by phone, with metadata of the wrong types');
select lives_ok(
  $$insert into auth.users (id, aud, role, is_anonymous, raw_user_meta_data) values
    ('a0000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', true, '[[[]]]')$$, 'anonymously');

select results_eq(
  'select display_name, timezone, plan_tier::text, onboarding_completed, avatar_url from public.wt_users
   where id::text like ''a0000000%'' order by id',
  $$values ('Ada Lovelace', 'Europe/London', 'free', false, null), ('Member', 'UTC', 'free', false, null),
           ('Member', 'UTC', 'free', false, null)$$, 'each has a free account that is not onboarded');
select results_eq(
  'select display_name, profile_type::text, is_primary from public.wt_profiles
   where user_id::text like ''a0000000%'' order by user_id',
  $$values ('Ada Lovelace', 'parent', true), ('Member', 'parent', true), ('Member', 'parent', true)$$,
  'each has one primary parent profile');

set local role authenticated;
select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "a0000000-0000-4000-8000-000000000001"}', true);

select lives_ok($$insert into public.wt_profile_modules (profile_id, module_name, enabled)
                  select id, 'meals', false from public.wt_profiles$$, 'a toggle before onboarding');
select lives_ok($$update public.wt_profiles set fitness_goals = '{run}'$$, 'the first answer');
select is((select count(*) from public.wt_profile_modules), 10::bigint, 'lays out all modules');
select ok((select not enabled from public.wt_profile_modules where module_name = 'meals'), 'and keeps the toggle');
select ok((select onboarding_completed from public.wt_users), 'and marks the account');

select lives_ok($$delete from public.wt_profile_modules where module_name = 'pantry'$$, 'a module is removed');
select lives_ok($$update public.wt_profiles set dietary_restrictions = '{vegan}'$$, 'the next answer');
select is((select count(*) from public.wt_profile_modules), 9::bigint, 'does not bring it back');

select throws_ok($$update public.wt_users set timezone = 'Mars/Phobos'$$, '23514', null, 'a time zone is a known one');
select throws_ok('delete from public.wt_profiles', '23001', null, 'the primary profile stays with the account');

select * from finish();
rollback;
