-- Rows for the test of the upgrade: two people with a month of readings, workouts, a goal, a connection, events of every state,
-- and everything that is worked out from them. Runs on the schema of commit 176bedf.

insert into auth.users (id, aud, role, email, raw_user_meta_data) values
  ('a0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'ada@example.org',
   '{"full_name": "Ada", "timezone": "Europe/London"}'),
  ('b0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'bob@example.org',
   '{"full_name": "Bob", "timezone": "America/Lima"}');
update public.wt_profiles set fitness_goals = '{sleep}', date_of_birth = '1985-12-10';

-- A month of readings by the phone's door, one of them out of range.
select public.ingest_health_metrics(p.id, jsonb_build_object('source', 'healthkit', 'ingestion_version', '1', 'records', b.records))
from public.wt_profiles p, (
  select jsonb_agg(jsonb_build_object(
           'id', m.metric || d, 'type', m.metric, 'value', m.value + m.slope * d, 'unit', m.unit,
           'start_time', t.day, 'end_time', t.day + interval '9 hours')) as records
  from (values ('sleep', 420, 1, 'min'), ('hr', 60, 0, 'bpm'), ('weight', 80, -0.1, 'kg'), ('steps', 5000, 30, 'count'),
               ('active_minutes', 30, 0, 'min')) m (metric, value, slope, unit),
       generate_series(0, 30) d,
       lateral (select date_trunc('day', now()) - interval '32 days' + make_interval(days => d) as day) t) b;
insert into public.wt_health_metrics (user_id, profile_id, source, metric_type, value_num, unit, start_time, end_time)
select p.user_id, p.id, 'garmin', 'stress', case when d = 3 then 5000 else 30 + d end, 'score', t.day, t.day + interval '1 hour'
from public.wt_profiles p, generate_series(0, 30) d,
     lateral (select date_trunc('day', now()) - interval '32 days' + make_interval(days => d) as day) t;

insert into public.wt_workouts (user_id, profile_id, source, workout_type, start_time, duration_minutes, perceived_exertion)
select p.user_id, p.id, 'manual', 'running', now() - make_interval(days => d), 30 + d, 5
from public.wt_profiles p, generate_series(2, 20, 3) d;
insert into public.wt_workout_logs (user_id, workout_id, exercise_id, exercise_name, reps)
select w.user_id, w.id, e.id, e.name, 10
from public.wt_workouts w, public.wt_exercises e where e.name = 'Plank';
insert into public.wt_goals (user_id, profile_id, metric_type, target_value, unit, direction)
select p.user_id, p.id, 'weight', 70, 'kg', 'decrease' from public.wt_profiles p;
insert into public.wt_meals (user_id, profile_id, meal_type, name)
select p.user_id, p.id, 'lunch', 'Soup' from public.wt_profiles p;
insert into public.wt_plans (user_id, profile_id, plan_type, title, start_date, end_date)
select p.user_id, p.id, 'training', 'Ten weeks', current_date, current_date + 70 from public.wt_profiles p;

-- A connection, and events that are processed, pending, parked, and dead.
select public.store_connection(jsonb_build_object(
  'user_id', p.user_id, 'profile_id', p.id, 'provider', 'garmin', 'provider_user_id', 'g1', 'scopes', '["read"]'::jsonb,
  'access_token_encrypted', 'YWNjZXNz', 'refresh_token_encrypted', 'cmVmcmVzaA==', 'key_id', 'k1'))
from public.wt_profiles p where p.display_name = 'Ada';
create temporary table event as
  select name, jsonb_build_object('source', 'garmin', 'events', jsonb_build_array(jsonb_build_object(
    'event_type', 'dailies', 'provider_user_id', account, 'idempotency_key', encode(sha256(name::bytea), 'hex'),
    'payload', jsonb_build_object('dailies', jsonb_build_array(name))))) as push
  from (values ('processed', 'g1'), ('dead', 'g1'), ('parked', 'g2'), ('pending', 'g1')) v (name, account);
select public.receive_webhook_events(push) from event where name <> 'pending';
select public.settle_webhook_events(jsonb_build_object('worker', 'w', 'results', (
  select jsonb_agg(jsonb_build_object(
    'id', e -> 'id', 'outcome', e #>> '{payload,dailies,0}', 'error', 'no sense', 'metrics', jsonb_build_array(jsonb_build_object(
      'metric_type', 'calories', 'value_num', 2000, 'unit', 'kcal', 'start_time', now() - interval '2 days',
      'end_time', now() - interval '1 day', 'source_record_id', 's1', 'final', 2))))
  from jsonb_array_elements(c.claimed -> 'events') e)))
from (select public.claim_webhook_events('{"worker": "w", "limit": 10, "lease_seconds": 60}') as claimed) c;
select public.receive_webhook_events(push) from event where name = 'pending';

-- Everything that follows from it, so that no background job changes a row between two looks.
select public.run_health_jobs();
select public.run_performance_engine(current_date);
