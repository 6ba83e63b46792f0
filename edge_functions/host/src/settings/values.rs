//! Values of settings that check themselves while they are read.
//!
//! Whatever is outside its range or not of its form is an error that says what is legal; `toml` adds the file's line.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A value that is not legal, and what is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within<const MIN: u64, const MAX: u64>(pub(crate) u64);

impl<const MIN: u64, const MAX: u64> Within<MIN, MAX> {
    /// The number where a library asks for this type; no range of a setting reaches beyond it.
    pub(crate) fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// The same in 32 bits.
    pub(crate) fn to_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> de::Visitor<'_> for Visitor<MIN, MAX> {
            type Value = u64;
            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                write!(to, "a whole number from {MIN} to {MAX}")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
                u64::try_from(number)
                    .ok()
                    .filter(|number| (MIN..=MAX).contains(number))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
            }
        }
        from.deserialize_i64(Visitor::<MIN, MAX>).map(Self)
    }
}

/// When a schedule fires: five fields of cron (minute, hour, day, month, weekday), in UTC.
#[derive(Clone, Debug)]
pub(crate) struct Schedule(croner::Cron);

impl Schedule {
    /// The first tick after `moment`, in seconds since 1970, if there is another one.
    #[must_use]
    pub(crate) fn next_after(
        &self,
        moment: chrono::DateTime<chrono::Utc>,
    ) -> Option<chrono::DateTime<chrono::Utc>> {
        self.0.find_next_occurrence(&moment, false).ok()
    }
}

impl FromStr for Schedule {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let legal = "expected five fields of cron in UTC, such as \"*/5 * * * *\"";
        if text.split_whitespace().count() != 5 {
            return Err(ValueError(format!("`{text}` is no schedule: {legal}")));
        }
        text.parse()
            .map(Self)
            .map_err(|error| ValueError(format!("`{text}` is no schedule ({error}): {legal}")))
    }
}

/// A host that a function may call: a name or an address, and a port (443 for https, 80 for http where it says none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    host: String,
    port: Option<u16>,
}

impl HostRule {
    /// Whether the rule allows a call to that host (in lower case, an IPv6 address without brackets) and port.
    #[must_use]
    pub(crate) fn allows(&self, host: &str, port: u16, default_port: u16) -> bool {
        self.host == host && self.port.unwrap_or(default_port) == port
    }

    /// The host, without the port.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for HostRule {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError(format!(
                "`{text}` is no host: expected a name or an address and perhaps a port, such as \"api.example.com\" or \"api.example.com:8443\""
            ))
        };
        let authority: http::uri::Authority = text.parse().map_err(|_| wrong())?;
        let host = plain_host(authority.host());
        let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        let port = authority.port_u16();
        let whole = text.len() == authority.host().len() || port.is_some_and(|port| port > 0);
        if !(named || host.parse::<IpAddr>().is_ok()) || !whole || text.contains('@') {
            return Err(wrong());
        }
        Ok(Self { host, port })
    }
}

/// The host of an authority as rules compare it: lower case, no brackets, no final dot.
#[must_use]
pub(crate) fn plain_host(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// The name of an environment variable that a function may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretName(pub(crate) String);

impl FromStr for SecretName {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if text.starts_with("SUPABASE_") {
            // Supabase reserves the prefix too; otherwise a list of secrets could hand out what `service_key` withholds.
            return Err(ValueError(format!(
                "`{text}` can't be a secret: names with SUPABASE_ are the host's to give"
            )));
        }
        if text.is_empty() || !text.chars().all(legal) || text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ValueError(format!(
                "`{text}` is no name of a secret: expected capitals, digits and _"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name in the database, of a channel of NOTIFY or of a function, that needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlName(pub(crate) String);

impl FromStr for SqlName {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.is_empty() || text.len() > 63 || !text.chars().all(legal) {
            return Err(ValueError(format!("`{text}` is no name: expected up to 63 of a-z, 0-9 and _")));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! deserialize_from_text {
    ($($kind:ty),*) => {$(
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
deserialize_from_text!(Schedule, HostRule, SecretName, SqlName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_rule_takes_names_addresses_and_ports_and_nothing_else() {
        for good in ["api.example.com", "API.example.com:8443", "127.0.0.1:9", "[::1]:80", "localhost"] {
            assert!(good.parse::<HostRule>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://a.example",
            "a.example/path",
            "u@a.example",
            "*.example",
            "a.example:x",
            "a:0",
            "a:",
        ] {
            assert!(bad.parse::<HostRule>().is_err(), "{bad}");
        }
        let rule: HostRule = "API.example.com".parse().unwrap();
        assert!(rule.allows("api.example.com", 443, 443));
        assert!(!rule.allows("api.example.com", 8443, 443));
        assert!(!rule.allows("evil.api.example.com", 443, 443));
    }

    #[test]
    fn a_schedule_is_read_as_cron_in_utc() {
        let schedule: Schedule = "*/15 3 * * *".parse().unwrap();
        let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert_eq!(schedule.next_after(at("2026-01-01T03:00:00Z")), Some(at("2026-01-01T03:15:00Z")));
        assert_eq!(schedule.next_after(at("2026-01-01T03:45:00Z")), Some(at("2026-01-02T03:00:00Z")));
        for bad in ["", "* * * *", "* * * * * *", "61 * * * *", "@hourly"] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_can_not_be_a_name_that_the_host_gives() {
        assert!("GARMIN_WEBHOOK_SECRET".parse::<SecretName>().is_ok());
        for bad in ["SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL", "lower", "", "1A", "A B"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }
}
