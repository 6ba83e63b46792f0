//! The files of `sql/`, the order in which they are loaded, and the baseline migration that is made from them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use welltrack_stack::files::files_below;

use super::metrics::is_template;

/// The generated migration, from the checkout.
pub(super) const BASELINE: &str = "supabase/migrations/20261128000000_baseline.sql";

/// Set this to true in the commit of the first release: databases out there have the baseline as it is then. From there on
/// `--write` refuses, `--check` no longer compares the baseline with `sql/`, and a change of `sql/` comes with a migration
/// written by hand, which the comparison of dumps proves.
pub(super) const BASELINE_IS_FROZEN: bool = false;

/// The files of `sql/` in the order in which they are loaded: by the file's number, then by the domain's. So every table is
/// there before the first rule, and every rule before the first trigger, whichever domains they belong to.
pub(super) fn declared_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in files_below(&root.join("sql"))?.into_iter().filter(|path| !is_template(path)) {
        let name = path.strip_prefix(root).unwrap_or(&path);
        match load_key(name) {
            Some(key) => files.push((key, path)),
            None => bail!(
                "{} has no place in the order of sql/. What to do: name it sql/<nn_domain>/<nn_name>.sql, with two digits each",
                name.display()
            ),
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// (10, 20, "sql/20_readings/10_tables.sql") of that path.
fn load_key(name: &Path) -> Option<(u8, u8, String)> {
    let text = name.to_str()?;
    let mut parts = text.strip_prefix("sql/")?.split('/');
    let (domain, file) = (parts.next()?, parts.next()?);
    if parts.next().is_some() || !file.ends_with(".sql") {
        return None;
    }
    let number = |part: &str| part.split_once('_').filter(|(digits, _)| digits.len() == 2)?.0.parse().ok();
    Some((number(file)?, number(domain)?, text.to_owned()))
}

/// Whether a file may be applied to a database that has it already. Those that make tables (10 to 19) can't, and the schedule
/// (from 95 on) must not: an operator may have changed it.
pub(super) fn runs_again(root: &Path, path: &Path) -> bool {
    load_key(path.strip_prefix(root).unwrap_or(path))
        .is_some_and(|(number, ..)| number < 95 && !(10..20).contains(&number))
}

/// The text of the baseline.
pub(super) fn baseline(root: &Path) -> Result<String> {
    let mut text = String::from(
        "-- The whole schema. `cargo xtask schema --write` makes this file from sql/: change it there, never here.\n",
    );
    for path in declared_files(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        let sql = fs::read_to_string(&path).with_context(|| format!("could not read {name}"))?;
        text.push_str(&format!("\n-- {name}\n\n{}\n", sql.trim_end()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_load_by_file_number_then_domain() {
        let mut names = [
            "sql/10_people/80_triggers.sql",
            "sql/20_readings/10_tables.sql",
            "sql/10_people/10_tables.sql",
            "sql/00_base/95_schedule.sql",
            "sql/20_readings/21_priority.sql",
        ];
        names.sort_by_key(|name| load_key(Path::new(name)));
        assert_eq!(
            names,
            [
                "sql/10_people/10_tables.sql",
                "sql/20_readings/10_tables.sql",
                "sql/20_readings/21_priority.sql",
                "sql/10_people/80_triggers.sql",
                "sql/00_base/95_schedule.sql",
            ]
        );
    }

    #[test]
    fn only_files_without_tables_or_schedule_run_again() {
        let again = |name: &str| runs_again(Path::new("/w"), &Path::new("/w/sql").join(name));
        assert!(
            again("00_base/05_classes.sql")
                && again("10_people/20_profiles.sql")
                && again("90_export/90_api.sql")
        );
        assert!(!again("10_people/10_tables.sql") && !again("00_base/95_schedule.sql"));
    }

    #[test]
    fn a_file_without_two_numbers_has_no_place() {
        for name in [
            "sql/10_tables.sql",
            "sql/people/10_tables.sql",
            "sql/10_people/tables.sql",
            "sql/10_people/10_a.md",
        ] {
            assert_eq!(load_key(Path::new(name)), None, "{name}");
        }
    }
}
