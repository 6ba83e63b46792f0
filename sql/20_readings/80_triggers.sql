-- The triggers on readings.

create or replace trigger hold before insert or update or delete on public.wt_health_metrics
  for each statement execute function wt_private.hold_person();

-- The batch function has done all this for the whole batch and says so; the setting can't be reached through REST, and
-- whoever sets it can only spoil rows of their own.
create or replace trigger admit before insert on public.wt_health_metrics
  for each row when (current_setting('wt.batch', true) is distinct from 'on')
  execute function wt_private.admit_metric();

create or replace trigger revise before update on public.wt_health_metrics
  for each row execute function wt_private.revise_metric();

create or replace trigger readings_inserted after insert on public.wt_health_metrics referencing new table as new_rows
  for each statement execute function wt_private.readings_changed();
create or replace trigger readings_updated after update on public.wt_health_metrics
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.readings_changed();
create or replace trigger readings_deleted after delete on public.wt_health_metrics referencing old table as old_rows
  for each statement execute function wt_private.readings_changed();
