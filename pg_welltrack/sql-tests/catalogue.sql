-- Everything the catalogue knows about the extension and its members, one line each. Run on a database that was upgraded
-- and on one that was installed afresh: no line may differ.
with extension as (
  select * from pg_extension where extname = 'pg_welltrack'
), members as (
  select d.classid, d.objid
  from pg_depend d join extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
  where d.deptype = 'e'
)
select format('extension %s: %s', e.extname, json_build_object(
  'version', e.extversion, 'schema', e.extnamespace::regnamespace, 'relocatable', e.extrelocatable,
  'members', (select count(*) from members))) as line
from extension e
union all
select format('function %s: %s', p.oid::regprocedure, json_build_object(
  'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid), 'kind', p.prokind,
  'volatility', p.provolatile, 'strict', p.proisstrict, 'parallel', p.proparallel, 'leakproof', p.proleakproof,
  'security_definer', p.prosecdef, 'cost', p.procost, 'rows', p.prorows, 'support', p.prosupport,
  'config', p.proconfig, 'language', l.lanname, 'library', p.probin, 'symbol', p.prosrc,
  'comment', obj_description(p.oid, 'pg_proc'), 'owner', p.proowner::regrole, 'acl', (
    select json_agg(concat(coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), '=', a.privilege_type,
                           case when a.is_grantable then '*' end) order by a.grantee, a.privilege_type)
    from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a)))
from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
join pg_language l on l.oid = p.prolang
union all
select format('aggregate %s: %s', a.aggfnoid::regprocedure, to_jsonb(a) - 'aggfnoid')
from members m join pg_aggregate a on m.classid = 'pg_proc'::regclass and a.aggfnoid = m.objid
union all
select format('type %s: %s', t.oid::regtype, json_build_object(
  'comment', obj_description(t.oid, 'pg_type'), 'owner', t.typowner::regrole, 'acl', t.typacl, 'columns', (
    select json_agg(concat(c.attname, ' ', format_type(c.atttypid, c.atttypmod)) order by c.attnum)
    from pg_attribute c where c.attrelid = t.typrelid and c.attnum > 0)))
from members m join pg_type t on m.classid = 'pg_type'::regclass and t.oid = m.objid
union all
select format('other %s', pg_describe_object(m.classid, m.objid, 0))
from members m where m.classid <> 'pg_proc'::regclass
order by line;
