//! Rust tests chosen by name, with an error where a name fits none.

use anyhow::{Result, ensure};
use welltrack_stack::cmd::Cmd;

/// The title of a check, with the names that narrow it.
pub(super) fn title(check: &str, names: &[String]) -> String {
    if names.is_empty() { check.to_owned() } else { format!("{check}, named {}", names.join(" or ")) }
}

/// An error if a name is in the path of no test. `cargo_test` is the command that will run them, without what follows `--`.
pub(super) fn ensure_found(cargo_test: Cmd, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let listing = cargo_test.args(["--", "--list"]).capture()?;
    for name in names {
        ensure!(
            tests(&listing).any(|test| test.contains(name.as_str())),
            "no test has `{name}` in its path. What to do: name a test, or a piece of its path such as its file{}",
            near(&listing, name).map(|test| format!("; there is `{test}`")).unwrap_or_default()
        );
    }
    Ok(())
}

/// The paths in the output of `cargo test -- --list`.
fn tests(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.strip_suffix(": test"))
}

/// A test that has a word of the name in its path.
fn near<'a>(listing: &'a str, name: &str) -> Option<&'a str> {
    let mut words: Vec<&str> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.iter().find_map(|word| tests(listing).find(|test| test.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "goals::a_goal_ends: test\nlogs::old_rows_go: test\n\n2 tests, 0 benchmarks\n";

    #[test]
    fn the_tests_of_a_listing_are_its_paths() {
        assert_eq!(super::tests(LISTING).collect::<Vec<_>>(), ["goals::a_goal_ends", "logs::old_rows_go"]);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_one_that_shares_a_word() {
        assert_eq!(near(LISTING, "goals::a_gaol_ends"), Some("goals::a_goal_ends"));
        assert_eq!(near(LISTING, "x"), None);
    }

    #[test]
    fn a_title_says_what_was_chosen() {
        assert_eq!(title("tests", &[]), "tests");
        assert_eq!(title("tests", &["a".into(), "b".into()]), "tests, named a or b");
    }
}
