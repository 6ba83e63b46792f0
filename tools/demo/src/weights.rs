//! The weights of the recovery score, as `welltrack.recovery_curves()` tells them.
//!
//! Promises: what demo and report print of a weight is what the engine computes with. Stops at words: how a component is called
//! where people read it.

use anyhow::{Context, Result};
use postgres::{Client, NoTls};
use welltrack_stack::cluster::{Cluster, Role};

/// Each component's label and its share of a whole score, in the order of the formula.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights(Vec<(String, f64)>);

impl Weights {
    /// The weights that the cluster's extension computes with.
    pub(crate) fn read(cluster: &Cluster) -> Result<Self> {
        let mut client = Client::connect(&cluster.url(Role::Postgres), NoTls).context("could not connect")?;
        let rows = client
            .query("select component, weight from welltrack.recovery_curves()", &[])
            .context("could not read the weights of the recovery score")?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_>>().map(Self)
    }

    /// `0.25 stress + 0.30 sleep + …`.
    pub(crate) fn formula(&self) -> String {
        let terms = self.0.iter().map(|(label, weight)| format!("{weight:.2} {}", word(label)));
        terms.collect::<Vec<_>>().join(" + ")
    }

    /// `Stress, 25 %`: a component's name with its share; the name alone where the formula doesn't have it.
    pub(crate) fn named(&self, label: &str, name: &str) -> String {
        match self.0.iter().find(|(known, _)| known == label) {
            Some((_, weight)) => format!("{name}, {:.0} %", weight * 100.0),
            None => name.to_owned(),
        }
    }
}

/// A component within a sentence.
fn word(label: &str) -> &str {
    match label {
        "hr" => "resting heart rate",
        "load" => "training load",
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use welltrack_core::recovery::CURVES;

    /// What a database of today's extension tells.
    pub(crate) fn todays() -> Weights {
        Weights(CURVES.iter().map(|curve| (curve.label.to_owned(), curve.weight)).collect())
    }

    #[test]
    fn weights_are_told_as_the_flow_writes_them() {
        let weights = todays();
        assert_eq!(
            weights.formula(),
            "0.25 stress + 0.30 sleep + 0.20 resting heart rate + 0.25 training load"
        );
        assert_eq!(weights.named("sleep", "Sleep"), "Sleep, 30 %");
        assert_eq!(weights.named("hr", "Resting heart rate"), "Resting heart rate, 20 %");
        assert_eq!(weights.named("mood", "Mood"), "Mood");
    }
}
