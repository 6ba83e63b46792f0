//! The three people of the demo.
//!
//! Promises: invented names, time zones, phones and answers, the same in every run, under a domain that
//! nobody can own. Stops at their bodies: whose days they live is [`super::data`]'s business.

use jiff::tz::{self, TimeZone};
use welltrack_core::{MetricType, Source};

/// Everybody whose e-mail ends like this belongs to the demo and is removed by its next run. `.example` is
/// reserved (RFC 2606).
pub(super) const DOMAIN: &str = "@demo.welltrack.example";

/// Somebody who tries the app.
pub(super) struct Person {
    pub(super) name: &'static str,
    /// What stands before [`DOMAIN`].
    pub(super) mailbox: &'static str,
    pub(super) zone: TimeZone,
    /// Whose health store the app reads: [`Source::Healthkit`] or [`Source::HealthConnect`].
    pub(super) phone: Source,
    pub(super) goals: &'static [&'static str],
    pub(super) restrictions: &'static [&'static str],
    /// What is to be forecast.
    pub(super) aim: Aim,
    /// What goes wrong on this phone.
    pub(super) trouble: Trouble,
}

/// A goal in numbers.
pub(super) struct Aim {
    pub(super) metric: MetricType,
    /// In the metric's canonical unit.
    pub(super) target: f64,
    /// `increase` or `decrease`.
    pub(super) direction: &'static str,
}

/// Why a phone sends records that don't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A beta of the app writes what comes to its mind.
    Beta,
    /// Units and numbers are mixed up.
    Units,
    /// The clock is wrong.
    Clock,
}

impl Person {
    /// The first name, for narrow columns.
    pub(super) fn first_name(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or(self.name)
    }

    pub(super) fn email(&self) -> String {
        format!("{}{DOMAIN}", self.mailbox)
    }

    /// The IANA name of the time zone.
    pub(super) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// Three zones, so that "a day" begins at three different instants; one of them half an hour off, two of them
/// with summer time.
pub(super) static PEOPLE: [Person; 3] = [
    Person {
        name: "Eleni Markou",
        mailbox: "eleni",
        zone: tz::get!("Europe/Athens"),
        phone: Source::HealthConnect,
        goals: &["sleep better", "run 10 km"],
        restrictions: &["vegetarian"],
        aim: Aim { metric: MetricType::Sleep, target: 420.0, direction: "increase" },
        trouble: Trouble::Beta,
    },
    Person {
        name: "Maya Torres",
        mailbox: "maya",
        zone: tz::get!("America/Los_Angeles"),
        phone: Source::Healthkit,
        goals: &["less stress"],
        restrictions: &["gluten-free", "no peanuts"],
        aim: Aim { metric: MetricType::Stress, target: 12.0, direction: "decrease" },
        trouble: Trouble::Units,
    },
    Person {
        name: "Arjun Rao",
        mailbox: "arjun",
        zone: tz::get!("Asia/Kolkata"),
        phone: Source::HealthConnect,
        goals: &["walk every day"],
        // No restrictions is an answer too.
        restrictions: &[],
        aim: Aim { metric: MetricType::Steps, target: 15_000.0, direction: "increase" },
        trouble: Trouble::Clock,
    },
];
