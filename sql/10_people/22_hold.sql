-- Locks on people: a session that writes for people locks them first, and all sessions do so in the same order.

-- Trigger: locks the caller's row of wt_users until the end of the transaction. So two phones, or a phone and the background job,
-- take turns: each sees what the other wrote, and no two deadlock. A row lock, because the number of advisory locks is limited.
-- Service connections write for many people and lock each one when its rows arrive; two of them at once send rows in the order of
-- user_id.
create or replace function wt_private.hold_person() returns trigger
language plpgsql set search_path = '' as $$
declare
  me constant uuid := auth.uid();
begin
  perform from public.wt_users u where u.id = me for no key update;
  return null;
end $$;

-- Locks the rows of several people, in the order in which deleting an account takes the same rows. SECURITY DEFINER because the
-- first of these rows is GoTrue's.
create or replace function wt_private.hold_people(user_ids uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from auth.users a where a.id = any (user_ids) order by a.id for key share;
  perform from public.wt_users u where u.id = any (user_ids) order by u.id for no key update;
end $$;
grant execute on function wt_private.hold_people(uuid[]) to service_role;
