-- Triggers on wt_health_connections.

create or replace trigger wake after insert or update of is_connected, provider_user_id on public.wt_health_connections
  for each row when (new.is_connected) execute function wt_private.wake_events();

-- Before the row goes: a cascade runs with the owner's rights then, and afterwards with those of the role that began it.
create or replace trigger forget before delete on public.wt_health_connections
  for each row execute function wt_private.forget_events();
