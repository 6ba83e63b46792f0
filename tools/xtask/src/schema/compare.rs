//! The description of a database by `pg_dump`, and the difference between two of them.
//!
//! Guarantee: whatever two databases differ in is shown, except the order of columns and grants, and rows that are data.

use std::collections::BTreeMap;

use anyhow::Result;
use similar::{ChangeTag, TextDiff};

use welltrack_stack::cluster::{Cluster, Role};

/// Tables that migrations fill. Keys and times are the database's own doing and left out.
const REFERENCE: [(&str, &str); 4] = [
    (
        "public.wt_nutrients",
        "select to_jsonb(t) - '{id,created_at,updated_at}'::text[] from public.wt_nutrients t",
    ),
    (
        "public.wt_exercises",
        "select to_jsonb(t) - '{id,created_at,updated_at}'::text[] from public.wt_exercises t",
    ),
    (
        "public.wt_ai_plan_limits",
        "select to_jsonb(t) - '{id,created_at,updated_at}'::text[] from public.wt_ai_plan_limits t",
    ),
    (
        "cron.job",
        "select jsonb_build_object('job', jobname, 'schedule', schedule, 'command', command, 'active', active) from cron.job",
    ),
];

/// Every object of a database by its heading in pg_dump's output, and the rows of the reference tables.
pub(crate) type Description = BTreeMap<String, String>;

pub(crate) fn describe(cluster: &Cluster) -> Result<Description> {
    let dump = cluster
        .client("pg_dump", Role::SupabaseAdmin, "postgres")
        .args(["--schema-only", "--exclude-schema", "supabase_migrations"])
        .capture()?;
    let mut objects = parse(&dump);
    for (table, rows) in REFERENCE {
        let there =
            cluster.query(Role::SupabaseAdmin, &format!("select to_regclass('{table}') is not null"))?;
        if there == ["t"] {
            let mut rows = cluster.query(Role::SupabaseAdmin, rows)?;
            rows.sort();
            objects.insert(format!("Rows of {table}"), rows.join("\n"));
        }
    }
    Ok(objects)
}

/// Cuts a dump at its headings `-- Name: ...; Type: ...`. Lines within an object whose order means nothing are sorted.
fn parse(dump: &str) -> Description {
    let mut objects = Description::new();
    let mut heading = String::new();
    let mut lines: Vec<&str> = Vec::new();
    let mut finish = |heading: &str, lines: &mut Vec<&str>| {
        let text = normal(lines);
        // What precedes the first heading are settings of the session.
        if !heading.is_empty() {
            let known: &mut String = objects.entry(heading.to_owned()).or_default();
            known.push_str(&text);
        }
        lines.clear();
    };
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix("-- Name: ") {
            finish(&heading, &mut lines);
            heading = name.to_owned();
        } else if !line.is_empty() && line != "--" && !line.starts_with("\\") {
            lines.push(line);
        }
    }
    finish(&heading, &mut lines);
    objects
}

/// The text of one object: columns and grants sorted, `set` lines of pg_dump's own left out, all else as it is.
fn normal(lines: &[&str]) -> String {
    let mut lines: Vec<&str> = lines
        .iter()
        .filter(|line| {
            !line.starts_with("SET default_") && !line.starts_with("-- PostgreSQL database dump complete")
        })
        .copied()
        .collect();
    let first = lines.first().copied().unwrap_or_default();
    if first.starts_with("GRANT ") || first.starts_with("REVOKE ") {
        lines.sort_unstable();
    } else if first.starts_with("CREATE TABLE ")
        && let Some(end) = lines.iter().position(|line| line.starts_with(')'))
    {
        for line in &mut lines[1..end] {
            *line = line.trim_end_matches(',');
        }
        lines[1..end].sort_unstable();
    }
    lines.join("\n")
}

/// The objects that differ, as a diff that a person can read.
pub(crate) fn difference(declared: &Description, migrated: &Description) -> Option<String> {
    let mut text = String::new();
    let headings: std::collections::BTreeSet<_> = declared.keys().chain(migrated.keys()).collect();
    for heading in headings {
        let (one, other) = (declared.get(heading), migrated.get(heading));
        if one == other {
            continue;
        }
        text.push_str(&format!("\n  {heading}\n"));
        let (one, other) = (one.map_or("", String::as_str), other.map_or("", String::as_str));
        for change in TextDiff::from_lines(one, other)
            .iter_all_changes()
            .filter(|change| change.tag() != ChangeTag::Equal)
        {
            let sign = if change.tag() == ChangeTag::Delete { '-' } else { '+' };
            text.push_str(&format!("    {sign} {}\n", change.value().trim_end()));
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(table: &str) -> String {
        format!(
            "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n--\n-- Name: t; Type: TABLE; Schema: public; \
             Owner: postgres\n--\n\n{table}\n\n\n--\n-- Name: TABLE t; Type: ACL; Schema: public; Owner: postgres\n--\n\n\
             GRANT SELECT ON TABLE public.t TO b;\nGRANT SELECT ON TABLE public.t TO a;\n\n"
        )
    }

    #[test]
    fn the_order_of_columns_is_no_difference() {
        let one = parse(&dump("CREATE TABLE public.t (\n    a integer,\n    b text\n);"));
        let other = parse(&dump("CREATE TABLE public.t (\n    b text,\n    a integer\n);"));
        assert_eq!(difference(&one, &other), None);
    }

    #[test]
    fn a_changed_column_is_shown_with_its_table() {
        let one = parse(&dump("CREATE TABLE public.t (\n    a integer\n);"));
        let other = parse(&dump("CREATE TABLE public.t (\n    a bigint\n);"));
        let text = difference(&one, &other).expect("they differ");
        assert!(
            text.contains("t; Type: TABLE")
                && text.contains("-     a integer")
                && text.contains("+     a bigint"),
            "{text}"
        );
    }

    #[test]
    fn an_object_that_only_one_side_has_is_shown() {
        let one = parse(&dump("CREATE TABLE public.t (\n    a integer\n);"));
        let text = difference(&one, &Description::new()).expect("they differ");
        assert!(text.contains("Type: TABLE") && text.contains("Type: ACL"), "{text}");
    }

    #[test]
    fn the_order_of_lines_in_a_function_matters() {
        let function = |body: &str| {
            parse(&dump(&format!("CREATE FUNCTION public.f() RETURNS integer\n    AS $$\n{body}\n$$;")))
        };
        assert!(difference(&function("one\ntwo"), &function("two\none")).is_some());
    }
}
