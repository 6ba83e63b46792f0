-- Flow 8: from a month of readings to a score and a forecast, and who may ask for them. `cargo xtask test flows` has the rest.
begin;
create extension if not exists pgtap with schema extensions;
select plan(19);

insert into auth.users (id, aud, role, email) values
  ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org'),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'eve@example.org');
insert into public.wt_health_metrics (user_id, profile_id, source, metric_type, value_num, unit, start_time, end_time)
  select p.user_id, p.id, 'garmin', m.metric, m.value - m.slope * d, m.unit, day, day + interval '23 hours'
  from public.wt_profiles p,
       (values ('sleep'::public.wt_metric_type, 420, 0, 'min'), ('stress', 30, 0, 'score'), ('hr', 60, 0, 'bpm'),
               ('weight', 80, 0.1, 'kg'), ('active_minutes', 30, 0, 'min')) m (metric, value, slope, unit),
       generate_series(0, 30) d, lateral (select timestamptz '2025-03-03 UTC' + make_interval(days => d)) t (day)
  where p.display_name = 'ada';
insert into public.wt_goals (user_id, profile_id, metric_type, target_value, unit, direction)
  select user_id, id, 'weight', 75, 'kg', 'decrease' from public.wt_profiles where display_name = 'ada';

select lives_ok('select public.run_health_jobs()', 'the background job judges readings and sums up days');
select is((select count(*) from public.wt_daily_values), 31::bigint, 'one row a day');
select is((public.run_performance_engine('2025-04-02') ->> 'scores')::integer, 31, 'the night scores each of them');
select results_eq(
  $$select status::text, stress_component, sleep_component, hr_component, load_component
    from public.wt_recovery_scores where score_date = '2025-04-02'$$,
  $$values ('scored', 70::double precision, 87.5::double precision, 50::double precision, 100::double precision)$$,
  'the components of a day like every other');
select ok(
  (select recovery_score = 0.25::double precision * 70 + 0.3::double precision * 87.5 + 0.2::double precision * 50
                             + 0.25::double precision * 100
   from public.wt_recovery_scores where score_date = '2025-04-02'), 'weighed as the flow says, exactly');
select results_eq('select status::text, round(slope_per_day::numeric, 6) from public.wt_forecasts',
                  $$values ('on_track', -0.1)$$, 'the goal is on its way');
select is(public.run_performance_engine('2025-04-02'),
          '{"as_of": "2025-04-02", "profiles": 0, "scores": 0, "forecasts": 0, "left": false}', 'twice is once');

-- Another target day of the same goal: what was said is said anew.
update public.wt_goals set deadline = '2025-04-10';
select is((public.run_performance_engine('2025-04-02') ->> 'forecasts')::integer, 1, 'a deadline is part of the goal');
select results_eq('select status::text from public.wt_forecasts', $$values ('late')$$, 'a date after it is late');

select results_eq(
  $$select schedule from cron.job where jobname like 'welltrack-performance-engine-%'$$,
  $$values ('0 0 * * *'), ('0 0 * * *')$$, 'two engines share the night');
select lives_ok('select wt_private.schedule_engines(3)', 'their number can be changed');
select is(
  (select string_agg(right(jobname, 2), ' ' order by jobid) from cron.job where jobname like 'welltrack-performance-engine-%'),
  '-1 -2 -3', 'to as many as one likes');
select throws_ok('select wt_private.schedule_engines(0)', '22023', null, 'but at least one');

set local role authenticated;
select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "b0000000-0000-4000-8000-000000000001"}', true);
select throws_ok(
  $$select public.run_performance_engine(null, 'a0000000-0000-4000-8000-000000000001')$$, '42501', null,
  'Eve does not run it for Ada');
select is_empty('select 1 from public.wt_recovery_scores', 'nor see her scores');
select is_empty('select 1 from public.wt_daily_values', 'nor her days');
select throws_ok('select 1 from public.wt_engine_marks', '42501', null, 'marks are the engine''s own');
select lives_ok('select public.run_performance_engine()', 'she runs it for herself');
set local role anon;
select throws_ok('select public.run_performance_engine()', '42501', null, 'nobody without signing in');

select * from finish();
rollback;
