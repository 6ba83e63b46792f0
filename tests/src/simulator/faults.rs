//! What can go wrong at a provider, where, and how often.
//!
//! Promises: a rule by count meets exactly that many requests; a rule by chance meets the same ones whenever the same
//! seed sees the same requests in the same order. The first rule that applies decides.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// A door of the providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Garmin's consent page.
    GarminAuthorize,
    /// Garmin's token exchange and refresh.
    GarminToken,
    /// Garmin's user id, permissions and deregistration.
    GarminUser,
    /// What a ping's callback address answers.
    GarminSummaries,
    /// Strava's consent page.
    StravaAuthorize,
    /// Strava's token exchange and refresh.
    StravaToken,
    /// Strava's deauthorization.
    StravaDeauthorize,
    /// An activity.
    StravaActivity,
}

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This status with an error body, such as 500 or 404.
    Status(u16),
    /// 429, with Strava's two families of headers saying which window is used up.
    RateLimited(Window),
    /// No answer for so many milliseconds, then the connection ends. Healing ends it too.
    Hang(u64),
    /// The answer breaks off in the middle of its body.
    Cut,
}

/// Strava counts requests in windows that reset on the quarter hour and at midnight UTC, all and reads apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// All requests of this quarter hour.
    Quarter,
    /// All requests of this day.
    Day,
    /// Reads of this quarter hour.
    ReadQuarter,
    /// Reads of this day.
    ReadDay,
}

/// How often a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The next so many requests.
    Times(u32),
    /// Each request with this probability, 0 to 1.
    Share(f64),
}

/// A fault at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Where.
    pub endpoint: Endpoint,
    /// What.
    pub fault: Fault,
    /// How often.
    pub when: When,
}

pub(super) struct Faults {
    rules: Vec<Rule>,
    chance: Xoshiro256PlusPlus,
    healed: tokio::sync::watch::Sender<u64>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            chance: Xoshiro256PlusPlus::seed_from_u64(seed),
            healed: tokio::sync::watch::Sender::new(0),
        }
    }

    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.healed.send_modify(|times| *times += 1);
    }

    /// Changes when everything is healed, for those who hang.
    pub(super) fn healing(&self) -> tokio::sync::watch::Receiver<u64> {
        let mut healing = self.healed.subscribe();
        healing.mark_unchanged();
        healing
    }

    /// The fault that the next request at `endpoint` meets.
    pub(super) fn draw(&mut self, endpoint: Endpoint) -> Option<Fault> {
        for index in 0..self.rules.len() {
            let rule = &mut self.rules[index];
            if rule.endpoint != endpoint {
                continue;
            }
            let applies = match &mut rule.when {
                When::Times(left) => {
                    let applies = *left > 0;
                    *left = left.saturating_sub(1);
                    applies
                }
                When::Share(share) => self.chance.random::<f64>() < *share,
            };
            if applies {
                return Some(rule.fault);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(when: When) -> Rule {
        Rule { endpoint: Endpoint::StravaActivity, fault: Fault::Status(500), when }
    }

    #[test]
    fn a_rule_by_count_meets_exactly_so_many_requests_of_its_endpoint() {
        let mut faults = Faults::new(1);
        faults.add(rule(When::Times(2)));
        assert_eq!(faults.draw(Endpoint::StravaToken), None);
        let met = (0..5).filter(|_| faults.draw(Endpoint::StravaActivity).is_some()).count();
        assert_eq!(met, 2);
    }

    #[test]
    fn the_same_seed_meets_the_same_requests_and_about_its_share_of_them() {
        let draw = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(rule(When::Share(0.3)));
            (0..1000).map(|_| faults.draw(Endpoint::StravaActivity).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let met = draw(7).into_iter().filter(|&met| met).count();
        assert!((200..400).contains(&met), "{met}");
    }
}
