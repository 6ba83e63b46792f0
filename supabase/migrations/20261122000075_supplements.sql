-- Supplements: what a person has, the protocol they follow, and what they took.

create table public.wt_supplements (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  profile_id uuid not null,
  name text not null check (char_length(name) between 1 and 120),
  brand text check (char_length(brand) <= 120),
  form text check (char_length(form) <= 40),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  dose_unit text check (char_length(dose_unit) <= 32),
  notes text check (char_length(notes) <= 2000),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (profile_id, user_id) references public.wt_profiles (id, user_id) on delete cascade
);
create index wt_supplements_profile_idx on public.wt_supplements (profile_id, user_id);
call wt_private.protect('public.wt_supplements', 'owned');

create table public.wt_supplement_protocols (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  times_of_day time[] not null default '{}' check (cardinality(times_of_day) <= 24),
  days_of_week integer[] not null default '{1,2,3,4,5,6,7}' check (days_of_week <@ '{1,2,3,4,5,6,7}'),
  start_date date not null default current_date check (start_date between '1970-01-01' and '2100-12-31'),
  end_date date check (end_date between start_date and '2100-12-31'),
  instructions text check (char_length(instructions) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
comment on column public.wt_supplement_protocols.days_of_week is 'ISO: 1 is Monday, 7 is Sunday';
create index wt_supplement_protocols_supplement_idx on public.wt_supplement_protocols (supplement_id, user_id);
call wt_private.protect('public.wt_supplement_protocols', 'owned');

create table public.wt_supplement_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  supplement_id uuid not null,
  taken_at timestamptz not null default now() check (taken_at between '1970-01-01 UTC' and '2101-01-01 UTC'),
  dose_amount double precision check (dose_amount between 0 and 1000000),
  notes text check (char_length(notes) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (supplement_id, user_id) references public.wt_supplements (id, user_id) on delete cascade
);
create index wt_supplement_logs_supplement_idx on public.wt_supplement_logs (supplement_id, user_id, taken_at);
call wt_private.protect('public.wt_supplement_logs', 'owned');
