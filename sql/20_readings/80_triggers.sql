-- Triggers on wt_health_metrics.

create or replace trigger hold before insert or update or delete on public.wt_health_metrics
  for each statement execute function wt_private.hold_person();

-- Not for the rows of a batch function, which has done all this (wt.batch, docs/reference/sql.md).
create or replace trigger admit before insert on public.wt_health_metrics
  for each row when (current_setting('wt.batch', true) is distinct from 'on')
  execute function wt_private.admit_metric();

create or replace trigger revise before update on public.wt_health_metrics
  for each row execute function wt_private.revise_metric();

create or replace trigger readings_inserted after insert on public.wt_health_metrics referencing new table as new_rows
  for each statement execute function wt_private.readings_inserted();
create or replace trigger readings_updated after update on public.wt_health_metrics
  referencing old table as old_rows new table as new_rows
  for each statement execute function wt_private.readings_updated();
create or replace trigger readings_deleted after delete on public.wt_health_metrics referencing old table as old_rows
  for each statement execute function wt_private.readings_deleted();
