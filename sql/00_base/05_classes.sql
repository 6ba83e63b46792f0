-- Table classes: rights are decided once per class, never per table. Each `create table` is followed by one call of `protect`.
--
--   account    a person reads and edits their own row; only the database creates and deletes it
--   owned      a person reads and writes their own rows
--   read_own   a person reads their own rows; only the service and the database's own functions write them
--   append     like read_own, and nobody changes or removes what was written
--   reference  every signed-in person reads; only migrations write
--   service    no client at all
--
-- `anon` gets nothing anywhere. Each policy is the same one-column test on `user_id`, with auth.uid() in a sub-select
-- so that it is evaluated once for a statement and not once for a row.

-- Trigger: the server's clock decides created_at and updated_at, and a row keeps its id.
create or replace function wt_private.touch() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- Last-write-wins is by the server's clock, so a client's updated_at does not count. An offline client may set created_at, but
  -- not to a time in the future or before 1970.
  new.updated_at := now();
  if tg_op = 'UPDATE' then
    -- The audit trail and offline clients know a row by its id alone.
    new.id := old.id;
    new.created_at := old.created_at;
  else
    new.created_at := greatest(least(coalesce(new.created_at, now()), now()), '1970-01-01 UTC');
  end if;
  return new;
end $$;

-- Makes `target` a table of `class`: RLS, policy, grants, `updated_at`, and the audit trail where `audited`.
-- `client_columns` narrows what clients may write to these columns (null: all of them).
-- May run again, which is how a later migration changes a table's class. Errors: an unknown class.
create or replace procedure wt_private.protect(
  target regclass, class text, audited boolean default false, client_columns text[] default null,
  touched boolean default true
) language plpgsql set search_path = '' set client_min_messages = warning as $$
declare
  own constant text := 'user_id = (select auth.uid())';
  cols text := '';
  op text;
begin
  if class not in ('account', 'owned', 'read_own', 'append', 'reference', 'service') then
    raise exception 'unknown table class "%" for %', class, target
      using hint = 'classes: account, owned, read_own, append, reference, service';
  end if;
  if client_columns is not null then
    select ' (' || string_agg(quote_ident(c), ', ') || ')' into cols from unnest(client_columns) c;
  end if;

  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on %s from public, anon, authenticated, service_role', target);
  execute format('grant select, insert, update, delete on %s to service_role', target);
  execute format('drop policy if exists own_rows on %s', target);
  execute format('drop policy if exists signed_in_reads on %s', target);

  case class
    when 'account' then
      execute format('create policy own_rows on %s to authenticated using (%s) with check (%s)', target, own, own);
      execute format('grant select, update%s on %s to authenticated', cols, target);
    when 'owned' then
      execute format('create policy own_rows on %s to authenticated using (%s) with check (%s)', target, own, own);
      execute format('grant select, insert%s, update%s, delete on %s to authenticated', cols, cols, target);
    when 'read_own' then
      execute format('create policy own_rows on %s for select to authenticated using (%s)', target, own);
      execute format('grant select on %s to authenticated', target);
    when 'append' then
      execute format('create policy own_rows on %s for select to authenticated using (%s)', target, own);
      execute format('grant select on %s to authenticated', target);
      execute format('revoke update, delete on %s from service_role', target);
    when 'reference' then
      execute format('create policy signed_in_reads on %s for select to authenticated using (true)', target);
      execute format('grant select on %s to authenticated', target);
    when 'service' then
      -- RLS without a policy is the refusal; the missing grant refuses a second time.
      null;
  end case;

  if touched then
    execute format('create or replace trigger touch before insert or update on %s
                    for each row execute function wt_private.touch()', target);
  end if;

  if audited then
    foreach op in array array['insert', 'update', 'delete'] loop
      execute format(
        'create or replace trigger audit_%1$s after %1$s on %2$s referencing %3$s
         for each statement execute function wt_private.audit(%4$L)',
        op, target,
        case op when 'insert' then 'new table as new_rows' when 'delete' then 'old table as old_rows'
                else 'old table as old_rows new table as new_rows' end,
        class);
    end loop;
  end if;
end $$;
