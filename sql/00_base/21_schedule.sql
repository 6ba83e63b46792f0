-- How the nightly run is scheduled. Needs pg_cron, which 95_schedule.sql installs where it can.

-- Schedules the nightly run at midnight UTC (pg_cron's own time zone) with `sessions` engines side by side, which share the work:
-- one for each core that the nightly run may use. Call it again to change the number. Each engine runs until nothing is left, in
-- transactions of a few seconds, so that marks are held only that long. Errors: 22023 for fewer than 1 or more than 32.
-- (The job is a block and not a procedure: a procedure that pins its search path may not commit.)
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
