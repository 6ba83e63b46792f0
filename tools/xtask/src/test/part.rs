//! Which parts of the tests run, and which of their tests: what is said after `cargo xtask test`.

use std::ffi::OsStr;

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueEnum};

/// The parts, in the order they run: what fails soonest and costs least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Format, clippy, spelling, the form of the SQL, and rules that grep can check
    Lint,
    /// Tests of core and of the tools themselves, and the published hash vectors in plain Node
    Unit,
    /// The extension inside Postgres, its package, its upgrade from the first version
    Extension,
    /// Migrations with the real Supabase CLI: push, lint, advisors, types, reset, drift, upgrade
    Schema,
    /// pgTAP tests in supabase/tests
    Pgtap,
    /// Black-box tests in tests/, a database for each; takes names
    Flows,
    /// The edge host and its stand-ins for Supabase, and the real supabase-js through all of it; takes names
    Edge,
    /// The report in headless Chromium: every mark is there, and nothing overflows a phone
    Report,
    /// Pushes while hosts and database die: nothing is lost (named by itself: the thorough form, minutes); takes names
    Faults,
    /// Every command that the README shows
    Readme,
}

impl Part {
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether its tests can be chosen by name.
    fn takes_names(self) -> bool {
        matches!(self, Self::Flows | Self::Edge | Self::Faults)
    }
}

/// One word after `cargo xtask test`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A part.
    Part(Part),
    /// Anything else: a piece of the path of tests.
    Name(String),
}

/// Reads a [`Word`]; the help lists the parts.
#[derive(Clone)]
pub(crate) struct WordParser;

impl TypedValueParser for WordParser {
    type Value = Word;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, word: &OsStr) -> Result<Word, clap::Error> {
        let word = word.to_str().ok_or_else(|| clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        Ok(Part::from_str(word, false).map_or_else(|_| Word::Name(word.to_owned()), Word::Part))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Part::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// What is to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// The parts that were named; none means all.
    parts: Vec<Part>,
    /// Pieces of the paths of the tests to run, in those parts that take names; none means all.
    pub(super) names: Vec<String>,
}

impl Selection {
    /// # Errors
    ///
    /// A word is no part, and no part is named that takes names.
    pub(super) fn of(words: &[Word]) -> Result<Self> {
        let mut selection = Self::default();
        for word in words {
            match word {
                Word::Part(part) => selection.parts.push(*part),
                Word::Name(name) => selection.names.push(name.clone()),
            }
        }
        if let Some(name) = selection.names.first()
            && !selection.parts.iter().any(|part| part.takes_names())
        {
            bail!(
                "`{name}` is no part of the tests; the parts are {}. What to do: for one test by name, say the part as well, \
                 one of {}: `cargo xtask test flows {name}`",
                list(|_| true),
                list(Part::takes_names)
            );
        }
        Ok(selection)
    }

    /// The parts to run, in their order.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let all = self.parts.is_empty();
        Part::value_variants().iter().copied().filter(move |part| all || self.parts.contains(part))
    }

    /// Whether the parts were asked for by name.
    pub(super) fn is_named(&self) -> bool {
        !self.parts.is_empty()
    }
}

fn list(fits: impl Fn(Part) -> bool) -> String {
    let names: Vec<_> =
        Part::value_variants().iter().copied().filter(|&part| fits(part)).map(Part::name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(words: &[&str]) -> Result<Selection> {
        let parser = WordParser;
        let words = words.iter().map(|word| parser.parse_ref(&Command::new("test"), None, OsStr::new(word)));
        Selection::of(&words.collect::<Result<Vec<_>, _>>()?)
    }

    #[test]
    fn parts_run_in_their_own_order_and_no_word_means_all() {
        let selection = selected(&["unit", "lint"]).expect("parts");
        assert_eq!(selection.parts().collect::<Vec<_>>(), [Part::Lint, Part::Unit]);
        assert_eq!(selected(&[]).expect("nothing").parts().count(), Part::value_variants().len());
    }

    #[test]
    fn a_word_that_is_no_part_is_a_name_of_tests() {
        let selection = selected(&["lint", "flows", "engine_edges"]).expect("a part that takes names");
        assert_eq!(selection.names, ["engine_edges"]);
        assert_eq!(selection.parts().collect::<Vec<_>>(), [Part::Lint, Part::Flows]);
    }

    #[test]
    fn a_name_without_a_part_that_takes_names_is_refused_with_a_way_out() {
        for words in [&["engine_edges"][..], &["lint", "engine_edges"]] {
            let text = selected(words).expect_err("refused").to_string();
            for part in ["`engine_edges` is no part", "lint, unit, extension", "test flows engine_edges"] {
                assert!(text.contains(part), "{part} is missing in {text}");
            }
        }
    }
}
