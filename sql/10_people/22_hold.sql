-- Whoever writes what belongs to people holds them first, in one order for everybody.

-- Whoever writes readings holds their person until the end of the transaction: two phones, a phone and a batch, a phone
-- and the background job take turns, so that each settles what the other one wrote and none waits in a circle. A lock
-- on a row, for there are no more advisory locks than memory was set aside for. Service connections speak for many
-- people and hold each one as their rows come in: two that do so at once send their rows in the order of user_id.
create or replace function wt_private.hold_person() returns trigger
language plpgsql set search_path = '' as $$
declare
  me constant uuid := auth.uid();
begin
  perform from public.wt_users u where u.id = me for no key update;
  return null;
end $$;

-- A worker writes for many people at once and holds each of them first, as everybody does who writes readings. In the order
-- in which deleting an account takes the same rows, so that neither waits for the other in a circle. SECURITY DEFINER
-- because the first of these rows is GoTrue's.
create or replace function wt_private.hold_people(user_ids uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from auth.users a where a.id = any (user_ids) order by a.id for key share;
  perform from public.wt_users u where u.id = any (user_ids) order by u.id for no key update;
end $$;
grant execute on function wt_private.hold_people(uuid[]) to service_role;
