-- Triggers on daily values, marks, scores, goals and forecasts. The engine sets updated_at itself, so `touch` skips its rows.

create or replace trigger touch before insert or update on public.wt_daily_values
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_engine_marks
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_recovery_scores
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger touch before insert or update on public.wt_forecasts
  for each row when (new.updated_at is distinct from now()) execute function wt_private.touch();

create or replace trigger admit before insert or update of metric_type, target_value, current_value, unit on public.wt_goals
  for each row execute function wt_private.admit_goal();

create or replace trigger changed after insert or update of profile_id, metric_type, target_value, direction, deadline, is_active
  on public.wt_goals
  for each row execute function wt_private.goal_changed();
