-- Background work by pg_cron where this database is pg_cron's; elsewhere any scheduler calls the same functions.

-- Logs that only grow are a bug. Removes at most `portion` rows of each log past its age; answers how many.
create function public.prune_logs(
  audit_days integer default 400, error_days integer default 90, portion integer default 10000
) returns integer language plpgsql security definer set search_path = '' as $$
declare
  removed integer;
  total integer := 0;
begin
  if least(audit_days, error_days) < 30 then
    raise exception 'logs are kept for at least 30 days' using errcode = '22023';
  end if;
  delete from public.wt_audit_log where id in (
    select a.id from public.wt_audit_log a where a.created_at < now() - make_interval(days => audit_days) limit portion);
  get diagnostics removed = row_count;
  total := total + removed;
  delete from public.wt_error_log where id in (
    select e.id from public.wt_error_log e where e.created_at < now() - make_interval(days => error_days) limit portion);
  get diagnostics removed = row_count;
  return total + removed;
end $$;
grant execute on function public.prune_logs(integer, integer, integer) to service_role;

-- The night at midnight in UTC (pg_cron's own time zone), for everybody, by as many engines side by side as `sessions` says; they
-- share the work, so one for each core that the night may have. Call it again to change the number. Each runs again and again
-- until nothing is left, each time a transaction of its own, so that nobody's marks are held for longer than a few seconds. (A
-- block and not a procedure: what pins its search path may not commit.)
create function wt_private.schedule_engines(sessions integer default 2) returns void
language plpgsql security invoker set search_path = '' as $function$
begin
  if sessions not between 1 and 32 then
    raise exception 'sessions is a number from 1 to 32' using errcode = '22023';
  end if;
  perform cron.unschedule(j.jobid) from cron.job j where j.jobname like 'welltrack-performance-engine-%';
  perform cron.schedule('welltrack-performance-engine-' || n, '0 0 * * *', $job$do $$
declare
  done jsonb;
begin
  loop
    done := public.run_performance_engine();
    commit;
    exit when not (done ->> 'left')::boolean;
  end loop;
end $$$job$)
  from generate_series(1, sessions) n;
end $function$;

do $block$ begin
  begin
    create extension if not exists pg_cron with schema pg_catalog;
  exception when raise_exception or undefined_file or feature_not_supported then
    -- pg_cron serves one database of a server and says so when asked for in another.
    raise warning 'no schedule here (%): call run_health_jobs() every minute, purge_webhook_events() every ten, run_performance_engine() (by several sessions at once, if you like) and prune_logs() daily', sqlerrm;
    return;
  end;
  -- Whoever is judged can't write other readings until the portion is over, so each is small and a transaction of its own; what
  -- is left after a while is for the next minute.
  perform cron.schedule('welltrack-health-jobs', '* * * * *', $job$do $$
declare
  part text;
  done integer;
  until timestamptz;
begin
  foreach part in array array['validate_pending_metrics(2000)', 'refresh_baselines(1000)', 'refresh_daily_values(100)'] loop
    until := clock_timestamp() + interval '15 seconds';
    loop
      execute 'select public.' || part into done;
      commit;
      exit when done = 0 or clock_timestamp() > until;
    end loop;
  end loop;
end $$$job$);
  -- Providers' events are kept for 30 days; schedule the job anew with another number to change that.
  perform cron.schedule('welltrack-purge-events', '*/10 * * * *', 'select public.purge_webhook_events(keep_days => 30)');
  perform wt_private.schedule_engines();
  perform cron.schedule('welltrack-prune-logs', '17 3 * * *', 'select public.prune_logs()');
end $block$;
