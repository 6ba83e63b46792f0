//! The one table of what differs between the providers that people connect with.
//!
//! A new provider is a variant of [`Provider`] and its [`ProviderRules`] here, a parser beside this file, a function that
//! takes its webhook, and the enum label in the database, whose functions ask the extension for these facts.

use std::str::FromStr;

use serde::Deserialize;

use crate::Source;
use crate::metric::UnknownLabel;
use crate::reason::Quoted;
use crate::retry::{self, Schedule};

/// Whom people connect with: the labels of `wt_provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Garmin Connect.
    Garmin,
    /// Strava.
    Strava,
}

/// When a provider's report about a reading was true: of two reports the later one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedAt {
    /// When the event came in: the push itself says what was true.
    Receipt,
    /// When the event was processed: the provider is asked then, and answers what is true now.
    Processing,
}

/// An address of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The setting that may name another one, for tests and for proxies.
    pub setting: Option<&'static str>,
    /// The provider's public address; one that begins with a slash is below the API's origin.
    pub default: &'static str,
}

/// What differs between providers.
#[derive(Debug)]
pub struct ProviderRules {
    /// The provider as a source of readings.
    pub source: Source,
    /// Of two reports about one reading of equal finality, whether the one about the longer period counts. (A day grows
    /// until it is over, and its morning may be delivered last.) Otherwise only the time of the report decides.
    pub longer_period_wins: bool,
    /// Whether two records that begin at the same instant are one reading under a new name.
    pub same_start_is_same_reading: bool,
    /// When its reports were true.
    pub reported_at: ReportedAt,
    /// Events that end a connection or change its scope, so that they are settled when nobody is connected: event type,
    /// and the SQL/JSON path that finds something in the payload of such an event.
    pub farewells: &'static [(&'static str, &'static str)],
    /// When a failed event is tried again.
    pub retry: Schedule,
    /// The API's origin, without a slash at the end.
    pub api: Address,
    /// The page on which people consent.
    pub authorize: Address,
    /// Where codes and refresh tokens become tokens.
    pub token: Address,
    /// The settings that hold our id and secret at the provider.
    pub client_settings: [&'static str; 2],
    /// The scope to ask for; `None` where people choose on the provider's own page.
    pub scope: Option<&'static str>,
    /// How a granted scope begins that is enough to bring readings; `None` where any is.
    pub sufficient_scope: Option<&'static str>,
    /// Whether it takes part in PKCE.
    pub uses_pkce: bool,
}

const GARMIN: ProviderRules = ProviderRules {
    source: Source::Garmin,
    longer_period_wins: true,
    same_start_is_same_reading: true,
    reported_at: ReportedAt::Receipt,
    farewells: &[("deregistrations", "$"), ("userPermissionsChange", "$")],
    retry: retry::STANDARD,
    api: Address { setting: Some("GARMIN_API_BASE"), default: "https://apis.garmin.com" },
    authorize: Address {
        setting: Some("GARMIN_AUTHORIZE_URL"),
        default: "https://connect.garmin.com/oauth2Confirm",
    },
    token: Address {
        setting: Some("GARMIN_TOKEN_URL"),
        default: "https://diauth.garmin.com/di-oauth2-service/oauth/token",
    },
    client_settings: ["GARMIN_CLIENT_ID", "GARMIN_CLIENT_SECRET"],
    scope: None,
    sufficient_scope: None,
    uses_pkce: true,
};

const STRAVA: ProviderRules = ProviderRules {
    source: Source::Strava,
    // The latest answer counts, also about an activity that was cropped.
    longer_period_wins: false,
    same_start_is_same_reading: false,
    reported_at: ReportedAt::Processing,
    farewells: &[
        ("athlete.delete", "$"),
        // Values of `updates` are texts; a plain `false` can't be meant otherwise.
        ("athlete.update", r#"$.updates.authorized ? (@ == "false" || @ == false)"#),
    ],
    retry: retry::STANDARD,
    api: Address { setting: Some("STRAVA_API_BASE"), default: "https://www.strava.com" },
    authorize: Address { setting: None, default: "/oauth/authorize" },
    token: Address { setting: None, default: "/oauth/token" },
    client_settings: ["STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET"],
    // Also activities that only their owner sees, or a change of privacy would look like a deletion.
    scope: Some("read,activity:read_all"),
    sufficient_scope: Some("activity:read"),
    uses_pkce: false,
};

impl Provider {
    /// Every provider, in the order of the database's enum.
    pub const ALL: [Provider; 2] = [Provider::Garmin, Provider::Strava];

    /// What differs between providers, for this one.
    #[must_use]
    pub const fn rules(self) -> &'static ProviderRules {
        match self {
            Provider::Garmin => &GARMIN,
            Provider::Strava => &STRAVA,
        }
    }

    /// The enum label, such as `garmin`; that of its [`Source`].
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.rules().source.label()
    }

    /// Whether it takes part in PKCE.
    #[must_use]
    pub const fn uses_pkce(self) -> bool {
        self.rules().uses_pkce
    }

    /// Whether the scopes that a person granted are enough to bring anything: people may untick what was asked for.
    #[must_use]
    pub fn suffices(self, granted: &[String]) -> bool {
        let least = self.rules().sufficient_scope;
        least.is_none_or(|least| granted.iter().any(|scope| scope.starts_with(least)))
    }

    /// Where the payload of an event of this type must hold something for the event to be a farewell, as an SQL/JSON
    /// path; `None` for every other type.
    #[must_use]
    pub fn farewell(self, event_type: &str) -> Option<&'static str> {
        self.rules().farewells.iter().find(|(farewell, _)| *farewell == event_type).map(|(_, path)| *path)
    }
}

impl FromStr for Provider {
    type Err = UnknownLabel;

    fn from_str(label: &str) -> Result<Self, UnknownLabel> {
        let named = Self::ALL.into_iter().find(|provider| provider.label() == label);
        named.ok_or_else(|| UnknownLabel::new(format!("{} is not a provider", Quoted(label))))
    }
}

impl ReportedAt {
    /// `receipt` or `processing`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ReportedAt::Receipt => "receipt",
            ReportedAt::Processing => "processing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_called_the_same_as_source_label_and_in_json() {
        for provider in Provider::ALL {
            assert_eq!(provider.label().parse(), Ok(provider.rules().source));
            assert_eq!(provider.label().parse(), Ok(provider));
            let json = serde_json::Value::from(provider.label());
            assert_eq!(serde_json::from_value::<Provider>(json).ok(), Some(provider));
        }
        assert!("manual".parse::<Provider>().is_err());
    }

    #[test]
    fn the_host_lets_the_functions_call_every_default_address() {
        let allowed = include_str!("../../../supabase/functions.toml");
        for provider in Provider::ALL {
            let rules = provider.rules();
            let absolute =
                [rules.api, rules.token].into_iter().filter_map(|address| address.default.split('/').nth(2));
            for host in absolute.filter(|host| host.contains('.')) {
                assert!(
                    allowed.contains(&format!("\"{host}\"")),
                    "supabase/functions.toml: allowed_hosts lacks {host}"
                );
            }
            for setting in rules.client_settings.into_iter().chain(rules.api.setting) {
                assert!(
                    allowed.contains(&format!("\"{setting}\"")),
                    "supabase/functions.toml: secrets lack {setting}"
                );
            }
        }
    }

    #[test]
    fn a_farewell_is_known_by_its_type() {
        assert_eq!(Provider::Garmin.farewell("deregistrations"), Some("$"));
        assert_eq!(Provider::Strava.farewell("deregistrations"), None);
        assert!(Provider::Strava.farewell("athlete.update").is_some_and(|path| path.contains("authorized")));
        assert_eq!(Provider::Strava.farewell("activity.delete"), None);
    }
}
