//! Rules for the files of `sql/`: each has a heading, each function its own comment and at most [`LONGEST`] lines, API functions lie
//! in API files, and no domain alters another one's table.

use std::fs;

use anyhow::{Result, bail};
use welltrack_stack::files::files_below;

use super::check::Context;

/// Lines of a function, from `create` to the quote that ends its body.
const LONGEST: usize = 80;

/// An error that names every place that breaks a rule.
pub(super) fn check(ctx: &Context) -> Result<()> {
    let root = &ctx.layout.root;
    let mut found = Vec::new();
    for file in files_below(&root.join("sql"))? {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let text = fs::read_to_string(&file)?;
        found.extend(complaints(&name, &text));
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("rules of docs/reference/sql.md that these places break:\n  {}", found.join("\n  "))
}

/// What is wrong with one file, a line each.
fn complaints(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    if !lines.first().is_some_and(|line| line.starts_with("-- ")) {
        found.push(format!("{name}: begin with a comment that says what the file is for"));
    }
    let number = name.rsplit('/').next().and_then(|file| file.get(..2)).unwrap_or_default();
    for (index, line) in lines.iter().enumerate() {
        let at = format!("{name}:{}", index + 1);
        let Some(created) = routine(line) else {
            if line.starts_with("alter table ") {
                found.push(format!("{at}: put the change into the table's own `create table`"));
            }
            continue;
        };
        if !line.starts_with("create or replace ") {
            found.push(format!("{at}: write `create or replace`, so that the file can run again"));
        }
        if index == 0 || !lines[index - 1].starts_with("--") {
            found.push(format!("{at}: {created} has no comment before it"));
        }
        if created.starts_with("public.") != number.starts_with('9') {
            found.push(format!(
                "{at}: {created} is in the wrong file: public functions, and they alone, are in 9x files"
            ));
        }
        let length = length(&lines[index..]);
        if length > LONGEST {
            found.push(format!("{at}: {created} has {length} lines, {LONGEST} is the most"));
        }
    }
    found
}

/// "public.f" of `create or replace function public.f(...`.
fn routine(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("create ")?;
    let rest = rest.strip_prefix("or replace ").unwrap_or(rest);
    let rest = rest.strip_prefix("function ").or_else(|| rest.strip_prefix("procedure "))?;
    rest.split('(').next()
}

/// How many lines it takes until the dollar quote that opens first is closed.
fn length(lines: &[&str]) -> usize {
    let mut open: Option<&str> = None;
    for (index, line) in lines.iter().enumerate() {
        let mut rest = *line;
        while let Some(tag) = dollar_tag(rest) {
            match open {
                None => open = Some(tag),
                Some(first) if first == tag => return index + 1,
                Some(_) => {}
            }
            rest = &rest[rest.find(tag).unwrap_or(0) + tag.len()..];
        }
    }
    lines.len()
}

/// The first `$$` or `$name$` of a line.
fn dollar_tag(line: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(start) = line[from..].find('$').map(|at| from + at) {
        let end = line[start + 1..].find(|c: char| !c.is_ascii_lowercase()).map(|at| start + 1 + at);
        match end {
            Some(end) if line[end..].starts_with('$') => return Some(&line[start..=end]),
            _ => from = start + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_in_form_is_left_alone() {
        let text = "-- File.\n\n-- Does it.\ncreate or replace function wt_private.f() returns void\nlanguage sql as $$\n  select $1\n$$;\n";
        assert_eq!(complaints("sql/10_people/20_f.sql", text), Vec::<String>::new());
    }

    #[test]
    fn every_rule_is_named_with_its_line() {
        let text = "create function public.f() returns void language sql as $$ $$;\nalter table public.t add column a text;\n";
        let found = complaints("sql/10_people/20_f.sql", text).join("\n");
        for part in [
            "begin with a comment",
            ":1: write `create or replace`",
            ":1: public.f has no comment",
            "wrong file",
            ":2: put",
        ] {
            assert!(found.contains(part), "{part} is missing in\n{found}");
        }
    }

    #[test]
    fn a_function_is_as_long_as_its_outer_quote() {
        let lines = [
            "create function f()",
            "as $function$",
            "execute $job$do $$",
            "end $$$job$;",
            "end $function$;",
            "next",
        ];
        assert_eq!(length(&lines), 5);
    }
}
