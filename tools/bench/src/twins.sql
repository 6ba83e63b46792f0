-- Twins of wt_health_metrics that keep the same promises (units, local day, names, priority, baselines, audit, RLS), each
-- with one thing done as one would do it by hand. Their functions are our own with the table's name replaced.
--
--   bench_always  every re-sent record is an update, changed or not
--   bench_rows    rows come in one by one through row triggers in plpgsql, the hash included

create function bench_twin(twin text) returns void language plpgsql as $$
declare
  names constant text[] := array[
    'wt_private.settle_priority', 'wt_private.settle_days', 'wt_private.readings_inserted', 'wt_private.readings_updated',
    'wt_private.readings_deleted', 'wt_private.revise_metric', 'wt_private.admit_metric', 'wt_private.batch_readings',
    'wt_private.write_batch',
    'public.ingest_health_metrics'];
  def text;
  name text;
begin
  execute format('create table %I (like public.wt_health_metrics including all,
    foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade)', twin);
  execute format('call wt_private.protect(%L, ''owned'', audited => true, touched => false)', 'public.' || twin);
  for def in
    select pg_get_functiondef(n::regproc) || ';' from unnest(names) n
    union all
    select pg_get_triggerdef(t.oid) || ';' from pg_trigger t
    where t.tgrelid = 'public.wt_health_metrics'::regclass and not t.tgisinternal and t.tgname !~ '^audit'
  loop
    foreach name in array names loop
      def := replace(def, name, 'public.' || twin || split_part(name, '.', 2));
    end loop;
    execute replace(def, 'public.wt_health_metrics', 'public.' || twin);
  end loop;
  execute format('alter table %I alter id set default gen_random_uuid()', twin);
end $$;

create function bench_reword(function_name text, was text, becomes text) returns void language plpgsql as $$
declare
  def constant text := pg_get_functiondef(function_name::regproc);
begin
  if strpos(def, was) = 0 then
    raise exception '% no longer says: %', function_name, was;
  end if;
  execute replace(def, was, becomes);
end $$;

select bench_twin('bench_always');
select bench_reword('bench_alwayswrite_batch', 'and (f.changed or', 'and (true or');
select bench_reword('bench_alwayswrite_batch', 'and f.changed and', 'and');
select bench_reword('bench_alwaysrevise_metric', $$changed = '{}'$$, $$cardinality(changed || 'value_num'::text) = 0$$);
select bench_reword('bench_alwaysrevise_metric', $$if changed && array['profile_id'$$, $$if true or changed && array['profile_id'$$);
grant execute on function bench_alwaysingest_health_metrics, bench_alwaysbatch_readings,
  bench_alwayswrite_batch to authenticated;

select bench_twin('bench_rows');
alter table bench_rows alter dedupe_hash drop expression;
create trigger hash before insert on bench_rows for each row execute function bench_hash_row();
