-- The triggers on connections.

create or replace trigger wake after insert or update of is_connected, provider_user_id on public.wt_health_connections
  for each row when (new.is_connected) execute function wt_private.wake_events();

-- Before the row goes: a cascade has the owner's rights then, and those of whoever began it afterwards.
create or replace trigger forget before delete on public.wt_health_connections
  for each row execute function wt_private.forget_events();
