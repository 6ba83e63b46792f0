-- Flows 3 and 4: a push is stored once, waits for its person, is claimed, settled, tried again and buried.
begin;
create extension if not exists pgtap with schema extensions;
select plan(16);

insert into auth.users (id, aud, role, email) values
  ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org');
create temporary table push as
  select jsonb_build_object('source', 'garmin', 'events', jsonb_build_array(jsonb_build_object(
    'event_type', 'dailies', 'provider_user_id', 'g1', 'idempotency_key', repeat('ab', 32),
    'payload', '{"dailies": [{"userId": "g1", "userAccessToken": "s3cret"}]}'::jsonb))) as body;
create temporary table consent as
  select jsonb_build_object('user_id', p.user_id, 'profile_id', p.id, 'provider', 'garmin', 'provider_user_id', 'g1',
                            'scopes', '["read"]'::jsonb, 'access_token_encrypted', 'YWNjZXNz', 'key_id', 'k1') as body
  from public.wt_profiles p where p.user_id = 'a0000000-0000-4000-8000-000000000001';
grant select on push, consent to service_role, authenticated;

set local role authenticated;
select set_config('request.jwt.claims',
  '{"role": "authenticated", "sub": "a0000000-0000-4000-8000-000000000001"}', true);
select throws_ok('select public.receive_webhook_events(body) from push', '42501', null, 'people push nothing');
select throws_ok('select public.store_connection(body) from consent', '42501', null, 'and connect nobody');

set local role service_role;
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
select is((select public.receive_webhook_events(body) from push), '{"stored": 1, "repeated": 0}', 'a push is stored');
select is((select public.receive_webhook_events(body) from push), '{"stored": 0, "repeated": 1}', 'once');
select is((select payload from public.wt_webhook_events), '{"dailies": [{"userId": "g1", "userAccessToken": null}]}',
  'without the token that came with it');
select is(public.claim_webhook_events('{"worker": "w", "limit": 10, "lease_seconds": 60}') -> 'events', '[]',
  'nobody is connected with that account');
select is((select next_retry_at from public.wt_webhook_events), 'infinity', 'so the event is parked');
select lives_ok('select public.store_connection(body) from consent', 'she consents');

create temporary table claimed as
  select public.claim_webhook_events('{"worker": "w", "limit": 10, "lease_seconds": 60}') -> 'events' -> 0 as event;
select is((select event -> 'connection' ->> 'user_id' from claimed), 'a0000000-0000-4000-8000-000000000001',
  'and her event is handed out');
create temporary table said as
  select jsonb_build_object('worker', 'w', 'results', jsonb_build_array(jsonb_build_object(
    'id', event -> 'id', 'outcome', 'processed', 'metrics', jsonb_build_array(jsonb_build_object(
      'metric_type', 'steps', 'value_num', 5000, 'unit', 'count', 'start_time', '2026-03-01T00:00:00Z',
      'end_time', '2026-03-02T00:00:00Z', 'source_record_id', 's1', 'final', 2))))) as body
  from claimed;
select is((select public.settle_webhook_events(jsonb_set(body, '{worker}', '"other"')) ->> 'lost' from said), '1',
  'somebody else cannot settle it');
select is((select public.settle_webhook_events(body) ->> 'processed' from said), '1', 'its worker can');
select results_eq(
  'select source::text, value_num, validation_status::text, finality from public.wt_health_metrics',
  $$values ('garmin', 5000::double precision, 'raw', 2::smallint)$$, 'and her reading is there');
select is(public.queue_stats('{}') ->> 'processed', '1', 'the queue knows');

select public.receive_webhook_events(jsonb_set(body, '{events,0,idempotency_key}', to_jsonb(repeat('cd', 32)))) from push;
select is(
  (select public.settle_webhook_events(jsonb_build_object('worker', 'w', 'results', jsonb_build_array(jsonb_build_object(
     'id', e -> 'events' -> 0 -> 'id', 'outcome', 'dead', 'error', 'no sense')))) ->> 'dead'
   from public.claim_webhook_events('{"worker": "w", "limit": 10, "lease_seconds": 60}') e),
  '1', 'what makes no sense is a dead letter');
select is((select last_error from public.list_dead_letters()), 'no sense', 'that says why');
select is(public.replay_dead_letters(), 1, 'and can be replayed');

select * from finish();
rollback;
