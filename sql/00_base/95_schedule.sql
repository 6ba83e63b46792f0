-- Schedules the background jobs by pg_cron, where this database is pg_cron's. Elsewhere any scheduler can call the same functions.
-- Applied once: an upgrade doesn't run it again, so hours and numbers that an operator changed are kept.

do $block$ begin
  begin
    create extension if not exists pg_cron with schema pg_catalog;
  exception when raise_exception or undefined_file or feature_not_supported then
    -- pg_cron serves one database of a server and says so when asked for in another.
    raise warning 'no schedule here (%): call run_health_jobs() every minute, purge_webhook_events() every ten, '
      'run_performance_engine() (by several sessions at once, if you like) and prune_logs() daily', sqlerrm;
    return;
  end;
  -- A person whose readings are being validated can't write others until the portion is over. So portions are small, each in a
  -- transaction of its own, and what is left after 15 seconds waits for the next minute.
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
