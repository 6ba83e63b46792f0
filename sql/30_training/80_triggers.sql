-- Triggers on wt_workouts and wt_training_loads.

-- Workers write workouts too, so a person's own statements lock the person first.
create or replace trigger hold before insert or update or delete on public.wt_workouts
  for each statement execute function wt_private.hold_person();

create or replace trigger workouts_inserted after insert on public.wt_workouts referencing new table as new_rows
  for each statement execute function wt_private.workouts_changed();
create or replace trigger workouts_updated after update on public.wt_workouts
  referencing old table as old_rows new table as new_rows for each statement execute function wt_private.workouts_changed();
create or replace trigger workouts_deleted after delete on public.wt_workouts referencing old table as old_rows
  for each statement execute function wt_private.workouts_changed();

create or replace trigger loads_inserted after insert on public.wt_training_loads referencing new table as new_rows
  for each statement execute function wt_private.loads_changed();
create or replace trigger loads_updated after update on public.wt_training_loads
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.loads_changed();
create or replace trigger loads_deleted after delete on public.wt_training_loads referencing old table as old_rows
  for each statement execute function wt_private.loads_changed();
