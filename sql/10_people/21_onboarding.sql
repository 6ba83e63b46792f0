-- Onboarding: a profile gets its default modules.

-- Onboarding: the first time that a profile has an answer about goals or restrictions, its default modules are laid
-- out. Toggles made before stay; a module removed later does not come back, because this happens once.
create or replace function wt_private.mark_provisioned() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.modules_provisioned_at := now();
  return new;
end $$;

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
