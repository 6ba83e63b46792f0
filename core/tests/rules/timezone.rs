//! The shape of time zone names.

use proptest::prelude::*;
use welltrack_core::timezone::is_iana_shaped;

#[test]
fn iana_names_have_the_shape() {
    for name in [
        "UTC",
        "GMT",
        "Zulu",
        "W-SU",
        "GB-Eire",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+12",
        "America/North_Dakota/New_Salem",
        "America/Port-au-Prince",
        "Etc/GMT-14",
        "Etc/GMT",
        "Etc/GMT0",
        "EST5EDT",
        "Antarctica/DumontDUrville",
        "europe/berlin",
    ] {
        assert!(is_iana_shaped(name), "{name}");
    }
}

#[test]
fn posix_rules_paths_and_neighbours_of_the_zones_do_not() {
    for name in [
        "",
        "/",
        "Europe/",
        "/Europe",
        "EST5EDT4",
        "EST5",
        "EST5EDT,M3.2.0,M11.1.0",
        "<+03>-3",
        "+02:00",
        "UTC+2",
        "Europe/Berlin5",
        "Etc/GMT+13",
        "Etc/GMT-15",
        "Etc/GMT+-1",
        "Etc/GMT5",
        "Etc/GMT+01",
        "../passwd",
        "right/UTC",
        "posix/UTC",
        "posixrules",
        "localtime",
        "Factory",
        "zone.tab",
        "Europe/Berlin\0",
        "Europe Berlin",
        "Zürich",
        "CET",
        "eet",
        "MET",
        "WET",
    ] {
        assert!(!is_iana_shaped(name), "{name}");
    }
}

proptest! {
    #[test]
    fn no_name_with_another_digit_has_the_shape(before in "[A-Za-z/]{1,10}", digit in "[0-9]", after in "[A-Za-z0-9/]{0,10}") {
        let name = format!("{before}{digit}{after}");
        prop_assume!(!name.starts_with("Etc/GMT") && !name.starts_with("GMT"));
        prop_assert_eq!(is_iana_shaped(&name), ["EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"].contains(&name.as_str()));
    }
}
