-- The function that writes the audit trail. `wt_private.protect` makes its triggers on audited tables, so it comes before them.
--
-- Input: the transition tables of a statement. Output: rows of wt_audit_log. Locks: none.

-- Trigger, called once for a statement: a bulk insert of a thousand readings is one audit row. Its argument is the table's class.
-- SECURITY DEFINER because no role may write the log directly.
create or replace function wt_private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  -- What the database keeps for itself is bookkeeping, not a change of somebody's data.
  bookkeeping constant text[] := array[
    'created_at', 'updated_at', 'is_primary', 'processing_status', 'last_sync_at', 'reported_at', 'finality'];
  actor constant uuid := auth.uid();
  actor_role constant text := coalesce(auth.role(), session_user);
begin
  -- A statement with ON CONFLICT or several parts fires this for parts that touched nothing.
  if tg_op = 'DELETE' then
    perform from old_rows limit 1;
  else
    perform from new_rows limit 1;
  end if;
  if not found then
    return null;
  end if;

  if tg_argv[0] = 'reference' then
    if tg_op = 'UPDATE' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids, changed_columns)
      select actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
      from (select n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
            from old_rows o join new_rows n using (id)) c
      where c.changed <> '{}'
      group by c.changed;
    elsif tg_op = 'INSERT' then
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(n.id) from new_rows n;
    else
      insert into public.wt_audit_log (actor_id, actor_role, table_name, operation, row_ids)
      select actor, actor_role, tg_table_name, tg_op, array_agg(o.id) from old_rows o;
    end if;
    return null;
  end if;

  -- Deleting a person cascades here after their auth.users row is gone: their trail goes with them.
  if tg_op = 'UPDATE' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids, changed_columns)
    select c.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(c.id), c.changed
    from (select n.user_id, n.id, welltrack.changed_columns(o, n, bookkeeping) as changed
          from old_rows o join new_rows n using (id)) c
    where c.changed <> '{}'
    group by c.user_id, c.changed
    -- A scalar, for EXISTS may become a join that reads everybody.
    having (select true from auth.users u where u.id = c.user_id);
  elsif tg_op = 'INSERT' then
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select n.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(n.id)
    from new_rows n group by n.user_id;
  else
    insert into public.wt_audit_log (user_id, actor_id, actor_role, table_name, operation, row_ids)
    select o.user_id, actor, actor_role, tg_table_name, tg_op, array_agg(o.id)
    from old_rows o
    group by o.user_id
    having (select true from auth.users u where u.id = o.user_id);
  end if;
  return null;
end $$;
