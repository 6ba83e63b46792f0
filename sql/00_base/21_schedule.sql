-- What schedules the night by pg_cron.

-- The night at midnight in UTC (pg_cron's own time zone), for everybody, by as many engines side by side as `sessions` says; they
-- share the work, so one for each core that the night may have. Call it again to change the number. Each runs again and again
-- until nothing is left, each time a transaction of its own, so that nobody's marks are held for longer than a few seconds. (A
-- block and not a procedure: what pins its search path may not commit.)
create or replace function wt_private.schedule_engines(sessions integer default 2) returns void
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
