//! How the components are made and weighted, for people to read.
//!
//! Promises: the weights with which the score is computed, and beside each formula where it comes from. Stops at words: the
//! formulas are computed next door.

/// The parts of the score, in the order in which the formula adds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "CURVES says it")]
pub enum Component {
    Stress,
    Sleep,
    Hr,
    Load,
}

/// How one component is made: one line of [`CURVES`].
#[derive(Debug)]
pub struct Curve {
    /// Which component the line is about.
    pub component: Component,
    /// Its name in `weights_used` and `missing_inputs`.
    pub label: &'static str,
    /// Its share of the score when all four are there.
    pub weight: f64,
    /// The formula, for people to read.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
}

/// The four components.
///
/// Source of weights and of the curves but for heart rate: event flows, flow 8, "Recovery Score Formula" and "Component
/// Normalization".
pub const CURVES: [Curve; 4] = [
    Curve {
        component: Component::Stress,
        label: "stress",
        weight: 0.25,
        formula: "clamp(100 - stress, 0, 100)",
        source: "Garmin's stress score runs from 0 (rest) to 100",
    },
    Curve {
        component: Component::Sleep,
        label: "sleep",
        weight: 0.30,
        formula: "clamp(hours of sleep / target hours x 100, 0, 100)",
        source: "the person's own target, 8 h unless they chose another",
    },
    Curve {
        component: Component::Hr,
        label: "hr",
        weight: 0.20,
        formula: "100 / (1 + exp(1.702 x (resting HR - mean) / max(SD, 1 bpm))), mean and SD of the last 14 days before \
                  that have a reading",
        source: "a z-score against one's own rolling baseline, as Plews et al. 2013 (Sports Med 43:773) and Buchheit 2014 \
                 (Front Physiol 5:73) advise for resting heart rate measures; the logistic with 1.702 approximates the \
                 normal distribution (Camilli 1994, J Educ Behav Stat 19:293), so 100 x the share of baseline days \
                 with a higher resting heart rate",
    },
    Curve {
        component: Component::Load,
        label: "load",
        weight: 0.25,
        formula: "clamp(load of 7 days / usual load of 7 days x 100, 0, 100), usual: 7 x the daily mean of the 28 days \
                  before, since the first of them with a load",
        source: "session load = minutes x exertion (Foster et al. 2001, J Strength Cond Res 15:109); the ratio is the \
                 flow's own",
    },
];
