-- Flow 2: raw readings become validated or rejected.
--
-- Input: raw readings. Output: their status. Locks: people and readings, only those that are free. Planner settings:
-- docs/reference/sql.md.

-- Validates up to `max_rows` raw readings of the profiles from `first_id` to `last_id`. Returns how many. Skips people whose
-- readings another session is writing. "In the future" is measured by the server's time of the reading's last change.
create or replace function wt_private.judge(first_id uuid, last_id uuid, max_rows integer) returns integer
language plpgsql security invoker set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  judged integer;
begin
  with picked as materialized (
    select m.id, m.metric_type, m.value_num, m.value_text, m.start_time, m.end_time, m.updated_at
    from public.wt_health_metrics m join public.wt_users u on u.id = m.user_id
    where m.validation_status = 'raw' and m.profile_id between first_id and last_id
    limit greatest(max_rows, 0)
    for no key update of u, m skip locked
  )
  update public.wt_health_metrics m
  set validation_status = v.status::public.wt_validation_status, rejection_reason = v.reason,
      is_primary = m.is_primary and v.status = 'validated', processing_status = 'processed'
  from picked p
  cross join lateral welltrack.validate_metric(
    welltrack.enum_label(p.metric_type), p.value_num, p.value_text, p.start_time, p.end_time, p.updated_at) v
  where m.id = p.id;
  get diagnostics judged = row_count;
  return judged;
end $$;
grant execute on function wt_private.judge(uuid, uuid, integer) to service_role;
