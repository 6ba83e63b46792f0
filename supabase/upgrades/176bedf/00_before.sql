-- The first step from the 31 migrations of commit 176bedf to the baseline: what has to be committed before anything can use it.
-- docs/operations/upgrade.md says how it is used. Runs in a transaction of its own, and again without harm.
--
-- The versions in supabase_migrations.schema_migrations that the upgrade starts from, all of them and no others:
-- from: 20261122000000 20261122000005 20261122000010 20261122000020 20261122000030 20261122000031 20261122000032 20261122000034
-- from: 20261122000036 20261122000040 20261122000041 20261122000042 20261122000045 20261122000046 20261122000047 20261122000048
-- from: 20261122000049 20261122000050 20261122000051 20261122000052 20261122000053 20261122000054 20261122000055 20261122000056
-- from: 20261122000060 20261122000070 20261122000075 20261122000080 20261122000085 20261122000090 20261122000095

-- A newer version of the extension, where one is installed on the server.
alter extension pg_welltrack update;

-- New labels of enums: `alter type ... add value if not exists ...`. Postgres refuses a label in the transaction that adds it.
alter type public.wt_metric_type add value if not exists 'respiratory_rate';
