-- Triggers on auth.users and wt_profiles.

create or replace trigger keep_primary before delete on public.wt_profiles
  for each row when (old.is_primary) execute function wt_private.keep_primary_profile();

create or replace trigger onboarding_mark before insert or update of fitness_goals, dietary_restrictions on public.wt_profiles
  for each row when (new.modules_provisioned_at is null
                     and (new.fitness_goals is not null or new.dietary_restrictions is not null))
  execute function wt_private.mark_provisioned();

create or replace trigger onboarding_provision_new after insert on public.wt_profiles
  for each row when (new.modules_provisioned_at is not null) execute function wt_private.provision_modules();
create or replace trigger onboarding_provision after update on public.wt_profiles
  for each row when (old.modules_provisioned_at is null and new.modules_provisioned_at is not null)
  execute function wt_private.provision_modules();

create or replace trigger hold before update of date_of_birth or delete on public.wt_profiles
  for each statement execute function wt_private.hold_person();

create or replace trigger birthday after update of date_of_birth on public.wt_profiles
  for each row when (old.date_of_birth is distinct from new.date_of_birth)
  execute function wt_private.birthday_changed();

create or replace trigger sleep_target after update of sleep_target_hours on public.wt_profiles
  for each row when (old.sleep_target_hours <> new.sleep_target_hours)
  execute function wt_private.sleep_target_changed();

create or replace trigger units after update of preferences on public.wt_profiles
  for each row when (old.preferences ->> 'units' is distinct from new.preferences ->> 'units')
  execute function wt_private.units_changed();

create or replace trigger on_auth_user_created after insert on auth.users
  for each row execute function welltrack.handle_new_user();
