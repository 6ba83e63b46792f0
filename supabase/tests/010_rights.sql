-- One denial of each kind for each table class; `cargo xtask test flows` tries every table.
begin;
create extension if not exists pgtap with schema extensions;
select plan(18);

insert into auth.users (id, aud, role, email) values
  ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org'),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'eve@example.org');
insert into public.wt_daily_logs (user_id, profile_id, log_date, mood)
  select user_id, id, '2026-01-01', 5 from public.wt_profiles where display_name in ('ada', 'eve');
insert into public.wt_baselines (user_id, profile_id, metric_type)
  select user_id, id, 'steps' from public.wt_profiles where display_name in ('ada', 'eve');

-- Eve, signed in.
set local role authenticated;
select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "b0000000-0000-4000-8000-000000000001"}', true);

select results_eq('select user_id from public.wt_users', array['b0000000-0000-4000-8000-000000000001'::uuid],
  'account: she sees herself');
select throws_ok($$update public.wt_users set plan_tier = 'pro'$$, '42501', null, 'account: her plan is not hers to set');
select throws_ok('delete from public.wt_users', '42501', null, 'account: it goes with the auth user only');

select is((select count(*) from public.wt_daily_logs), 1::bigint, 'owned: she sees her own');
select lives_ok('update public.wt_daily_logs set mood = 1', 'owned: an update of all is one of her own');
select lives_ok('delete from public.wt_daily_logs', 'owned: so is a delete');
select throws_ok(
  $$insert into public.wt_daily_logs (user_id, profile_id, log_date)
    values ('a0000000-0000-4000-8000-000000000001', gen_random_uuid(), '2026-01-02')$$,
  '42501', null, 'owned: nobody writes for somebody else');

select is((select count(*) from public.wt_baselines), 1::bigint, 'read_own: she reads her own');
select throws_ok('update public.wt_baselines set is_stale = false', '42501', null, 'read_own: and writes none');

select isnt_empty('select 1 from public.wt_audit_log', 'append: she reads her trail');
select throws_ok('delete from public.wt_audit_log', '42501', null, 'append: and removes nothing from it');

select isnt_empty('select 1 from public.wt_nutrients', 'reference: she reads');
select throws_ok('update public.wt_nutrients set unit = unit', '42501', null, 'reference: and does not write');

select throws_ok('select 1 from public.wt_error_log', '42501', null, 'service: not hers to see');

set local role anon;
select throws_ok('select 1 from public.wt_nutrients', '42501', null, 'nothing without signing in, not even reference data');

set local role service_role;
select throws_ok($$update public.wt_audit_log set actor_role = 'nobody'$$, '42501', null,
  'append: not even the service rewrites the trail');
select throws_ok('truncate public.wt_daily_logs', '42501', null, 'nobody truncates');

reset role;
select is((select mood from public.wt_daily_logs where user_id = 'a0000000-0000-4000-8000-000000000001'), 5,
  'Ada has what she had');

select * from finish();
rollback;
