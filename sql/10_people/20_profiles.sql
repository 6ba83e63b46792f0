-- An account keeps its primary profile.

-- Trigger: refuses to delete a primary profile unless its account goes too. Errors: 23001.
create or replace function wt_private.keep_primary_profile() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- A cascade from the account deletes the account first; anything else would leave an account without a profile.
  if exists (select from public.wt_users u where u.id = old.user_id) then
    raise exception 'the primary profile can only be deleted together with its account'
      using errcode = '23001', hint = 'delete the auth user instead';
  end if;
  return old;
end $$;
