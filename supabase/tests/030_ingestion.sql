-- Flow 2: a batch comes in, again and corrected, is judged, and becomes a baseline.
begin;
create extension if not exists pgtap with schema extensions;
select plan(12);

insert into auth.users (id, aud, role, email) values
  ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org'),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'eve@example.org');
create temporary table profile as
  select id from public.wt_profiles where user_id = 'a0000000-0000-4000-8000-000000000001';
-- Fourteen days of weight in pounds, and one record that is none.
create temporary table batch as
  select jsonb_build_object('source', 'healthkit', 'ingestion_version', '1', 'records',
    jsonb_agg(jsonb_build_object('id', 'w' || n, 'type', 'weight', 'value', 150 + n, 'unit', 'lb',
                                 'start_time', timestamptz '2026-01-01 08:00Z' + n * interval '1 day',
                                 'end_time', timestamptz '2026-01-01 08:00Z' + n * interval '1 day'))
    || '{"type": "luck", "value": 7}') as body
  from generate_series(1, 14) n;
grant select on profile, batch to authenticated;

set local role authenticated;
select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "b0000000-0000-4000-8000-000000000001"}', true);
select throws_ok('select public.ingest_health_metrics(id, body) from profile, batch', 'PT404', null,
  'somebody else''s profile is no profile');

select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "a0000000-0000-4000-8000-000000000001"}', true);
select throws_ok($$select public.ingest_health_metrics(id, '"text"') from profile$$, 'PT400', null, 'a text is no batch');
select results_eq(
  $$select (a ->> 'inserted')::int, (a ->> 'rejected')::int, (a -> 'rejections' -> 0 ->> 'index')::int
    from (select public.ingest_health_metrics(id, body) as a from profile, batch) b$$,
  'values (14, 1, 14)', 'what is understood goes in, what is not is answered');
select is((select round(min(value_num)::numeric, 3) || ' ' || min(unit) from public.wt_health_metrics), '68.492 kg',
  'in the canonical unit');
select results_eq(
  $$select (a ->> 'unchanged')::int, (a ->> 'inserted')::int + (a ->> 'updated')::int
    from (select public.ingest_health_metrics(id, body) as a from profile, batch) b$$,
  'values (14, 0)', 'sent again, nothing is written');
select results_eq(
  $$select (a ->> 'updated')::int from (
      select public.ingest_health_metrics(id, jsonb_set(body, '{records,0,value}', '2000')) as a from profile, batch) b$$,
  'values (1)', 'a corrected value replaces');
select is((select count(*) from public.wt_health_metrics where validation_status = 'raw'), 14::bigint, 'all are raw');

reset role;
select lives_ok('select public.run_health_jobs()', 'the background job judges them');
select results_eq(
  $$select validation_status::text, count(*), bool_or(rejection_reason like 'out_of_range: %')
    from public.wt_health_metrics join profile on profile.id = profile_id group by 1 order by 1$$,
  $$values ('rejected', 1::bigint, true), ('validated', 13, null)$$, 'two thousand pounds are out of range');

set local role authenticated;
select results_eq(
  $$select data_points_count, is_complete, calibration_status::text from public.wt_baselines where metric_type = 'weight'$$,
  $$values (13, false, 'in_progress')$$, 'thirteen days are no baseline yet');
select public.ingest_health_metrics(id, body) from profile, batch;
reset role;
select lives_ok('select public.run_health_jobs()', 'the correction is judged');
select results_eq(
  $$select round(baseline_value::numeric, 6), is_complete
    from public.wt_baselines join profile on profile.id = profile_id where metric_type = 'weight'$$,
  $$values (round(157.5 * 0.45359237, 6), true)$$, 'and with fourteen the baseline is complete');

select * from finish();
rollback;
