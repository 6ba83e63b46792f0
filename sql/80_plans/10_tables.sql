-- Plans and their items, the day's log, insights, reminders.

create type public.wt_plan_status as enum ('draft', 'active', 'completed', 'archived');
create type public.wt_period as enum ('day', 'week', 'month');

create table public.wt_plans (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  plan_type text not null check (char_length(plan_type) between 1 and 64),
  title text not null check (char_length(title) between 1 and 200),
  start_date date not null check (start_date between '1970-01-01' and '2100-12-31'),
  end_date date not null,
  status public.wt_plan_status not null default 'draft',
  ai_generated boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  check (end_date between start_date and start_date + 366),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_plans_profile_idx on public.wt_plans (profile_id, user_id);
call wt_private.protect('public.wt_plans', 'owned', audited => true);

create table public.wt_plan_items (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  plan_id uuid not null,
  module public.wt_module not null,
  item_type text not null check (char_length(item_type) between 1 and 64),
  item_data jsonb not null default '{}'
    check (jsonb_typeof(item_data) = 'object' and pg_column_size(item_data) <= 65536),
  scheduled_date date not null check (scheduled_date between '1970-01-01' and '2100-12-31'),
  scheduled_time time,
  completed boolean not null default false,
  completed_at timestamptz check (completed_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  user_override boolean not null default false,
  sort_order integer not null default 0 check (sort_order between 0 and 10000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (completed or completed_at is null),
  foreign key (plan_id, user_id) references public.wt_plans (id, user_id) on delete cascade
);
create index wt_plan_items_plan_idx on public.wt_plan_items (plan_id, user_id, scheduled_date);
create index wt_plan_items_day_idx on public.wt_plan_items (user_id, scheduled_date);
call wt_private.protect('public.wt_plan_items', 'owned', audited => true);

create table public.wt_daily_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  log_date date not null check (log_date between '1970-01-01' and '2100-12-31'),
  mood integer check (mood between 1 and 10),
  energy integer check (energy between 1 and 10),
  water_ml integer check (water_ml between 0 and 30000),
  notes text check (char_length(notes) <= 8000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, log_date),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_daily_logs_profile_idx on public.wt_daily_logs (profile_id, user_id);
call wt_private.protect('public.wt_daily_logs', 'owned', audited => true);

create table public.wt_insights (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  profile_id uuid not null,
  period_type public.wt_period not null,
  period_start date not null,
  title text not null check (char_length(title) between 1 and 200),
  body text not null check (char_length(body) <= 8000),
  data jsonb not null default '{}' check (jsonb_typeof(data) = 'object' and pg_column_size(data) <= 65536),
  ai_generated boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (profile_id, period_type, period_start),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_insights_profile_idx on public.wt_insights (profile_id, user_id);
call wt_private.protect('public.wt_insights', 'read_own');

create table public.wt_reminders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  module public.wt_module not null,
  title text not null check (char_length(title) between 1 and 200),
  remind_at time not null,
  days_of_week integer[] not null default '{1,2,3,4,5,6,7}' check (days_of_week <@ '{1,2,3,4,5,6,7}'),
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
comment on column public.wt_reminders.remind_at is 'in the person''s time zone';
create index wt_reminders_profile_idx on public.wt_reminders (profile_id, user_id);
call wt_private.protect('public.wt_reminders', 'owned');
