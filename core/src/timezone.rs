//! Whether a text has the shape of an IANA time zone name.
//!
//! Promises: what Postgres would read as a POSIX rule (`EST5EDT4`, `Europe/Berlin5`, `<+03>-3`), as an abbreviation without
//! summer (`CET`) or find by accident beside the zones (`posixrules`, `right/UTC`, `../passwd`) is refused. Stops at the shape:
//! whether the zone exists is asked of whoever has a zone database.

/// The only IANA names with digits. Postgres takes any other name with a digit for a POSIX rule, and then knows a
/// "zone" that nobody else has heard of.
const WITH_DIGITS: [&str; 8] =
    ["GMT0", "GMT+0", "GMT-0", "Etc/GMT0", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"];

/// Zones whose names are abbreviations as well. `at time zone 'CET'` takes the abbreviation, which knows no summer time; beside each
/// is the zone that the IANA data themselves link it to.
const AMBIGUOUS: [(&str, &str); 4] = [
    ("CET", "Europe/Brussels"),
    ("EET", "Europe/Athens"),
    ("MET", "Europe/Brussels"),
    ("WET", "Europe/Lisbon"),
];

/// The same zone by a name that means nothing else.
///
/// ```
/// use welltrack_core::timezone::unambiguous;
///
/// assert_eq!(unambiguous("cet"), "Europe/Brussels");
/// assert_eq!(unambiguous("Europe/Berlin"), "Europe/Berlin");
/// ```
#[must_use]
pub fn unambiguous(name: &str) -> &str {
    AMBIGUOUS
        .iter()
        .find(|(abbreviation, _)| abbreviation.eq_ignore_ascii_case(name))
        .map_or(name, |(_, zone)| zone)
}

/// Whether `name` could be an IANA zone such as `Europe/Berlin`, `Etc/GMT+5` or `UTC`; capitals as they are written
/// there don't matter.
///
/// ```
/// use welltrack_core::timezone::is_iana_shaped;
///
/// assert!(is_iana_shaped("America/Argentina/Buenos_Aires"));
/// assert!(!is_iana_shaped("EST5EDT4"));
/// assert!(!is_iana_shaped("CET"));
/// ```
#[must_use]
pub fn is_iana_shaped(name: &str) -> bool {
    if WITH_DIGITS.contains(&name) {
        return true;
    }
    // Etc/GMT+12 lies west of Greenwich, Etc/GMT-14 east of it.
    if let Some(offset) = name.strip_prefix("Etc/GMT").filter(|offset| !offset.is_empty()) {
        let most = if offset.starts_with('+') { 12 } else { 14 };
        let hours = offset.strip_prefix(['+', '-']);
        return hours.is_some_and(|hours| (0..=most).any(|known: u8| known.to_string() == hours));
    }
    const MAX: usize = 64;
    name.len() <= MAX
        && unambiguous(name) == name
        && !["posixrules", "localtime", "Factory"].contains(&name)
        && !name.starts_with("posix/")
        && !name.starts_with("right/")
        && name.split('/').all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic())
                && part.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-')
        })
}
