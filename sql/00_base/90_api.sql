-- What keeps the logs from growing for ever.

-- Logs that only grow are a bug. Removes at most `portion` rows of each log past its age; answers how many.
create or replace function public.prune_logs(
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
