-- Onboarding: the first time that a profile has an answer about goals or restrictions, it gets its default modules. Toggles that
-- were set before stay. A module that is removed later does not come back, because this happens once.
--
-- Output: wt_profile_modules, wt_profiles.modules_provisioned_at, wt_users.onboarding_completed. Locks: those rows.

-- Trigger: notes when the default modules were provisioned.
create or replace function wt_private.mark_provisioned() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.modules_provisioned_at := now();
  return new;
end $$;

-- Trigger: inserts every module that the profile doesn't have yet; a primary profile completes its person's onboarding.
create or replace function wt_private.provision_modules() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.wt_profile_modules (user_id, profile_id, module_name, tile_order)
  select new.user_id, new.id, m.name, m.position - 1
  from unnest(enum_range(null::public.wt_module)) with ordinality m (name, position)
  on conflict (profile_id, module_name) do nothing;
  if new.is_primary then
    update public.wt_users set onboarding_completed = true where id = new.user_id and not onboarding_completed;
  end if;
  return null;
end $$;
