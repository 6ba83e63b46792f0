//! Where a person may be sent back to: an open redirect would lend the project's good name to anybody's page.
//!
//! Promises: an address that is let through has, to every browser, the same scheme, host and port as an entry of the
//! operator's list, and a path below that entry's. Stops at what that page then does.

/// Whether `address` begins as one of the comma-separated `prefixes` says, such as `https://app.example.org/settings`
/// or `welltrack://connected`.
///
/// Compared by bytes: whatever browsers would rewrite (backslashes, spaces, line ends, dots in paths) is refused, so
/// that nothing reads differently afterwards. A prefix ends where a part of the address ends: `https://app.example.org`
/// doesn't cover `https://app.example.org.evil.example`, nor `https://app.example.org@evil.example`.
#[must_use]
pub fn is_allowed(address: &str, prefixes: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !br#"\"<>^`{|}"#.contains(&byte);
    let path = address.split(['?', '#']).next().unwrap_or_default();
    address.bytes().all(is_plain)
        && !path.split('/').any(is_dots)
        && prefixes.split(',').map(str::trim).filter(|prefix| is_complete(prefix)).any(|prefix| {
            address.strip_prefix(prefix).is_some_and(|rest| {
                rest.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', '?', '#'])
            })
        })
}

/// A scheme and at least the beginning of an authority, which is whole: it has no user, and a slash that ends the
/// prefix doesn't begin it.
fn is_complete(prefix: &str) -> bool {
    prefix.split_once("://").is_some_and(|(scheme, rest)| {
        let authority = rest.split('/').next().unwrap_or_default();
        !scheme.is_empty() && !authority.is_empty() && !rest.contains(['?', '#', '@'])
    })
}

/// `.` and `..`, which browsers resolve, also where they are escaped.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// The address with more in its query: before a fragment, after what the query holds already.
#[must_use]
pub fn with_query(address: &str, query: &str) -> String {
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{query}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use url::Url;

    const ALLOWED: &str = "https://app.example.org/settings, welltrack://connected,http://localhost:3000/";

    #[test]
    fn pages_of_the_app_are_allowed() {
        for address in [
            "https://app.example.org/settings",
            "https://app.example.org/settings/devices?tab=1#top",
            "https://app.example.org/settings?next=https://elsewhere.example/../x",
            "welltrack://connected",
            "welltrack://connected/strava?x=1",
            "http://localhost:3000/anything",
        ] {
            assert!(is_allowed(address, ALLOWED), "{address}");
        }
    }

    #[test]
    fn what_only_looks_like_a_page_of_the_app_is_refused() {
        for address in [
            "",
            "/settings",
            "//app.example.org/settings",
            "https://app.example.org",
            "https://app.example.org/settingsx",
            "https://app.example.org.evil.example/settings",
            "https://app.example.org@evil.example/settings",
            "https://app.example.org/settings/../admin",
            "https://app.example.org/settings/%2e%2E/admin",
            "https://app.example.org/settings/..\\..\\admin",
            "https://app.example.org\\@evil.example/settings",
            "https:\\\\app.example.org/settings",
            "https://app.example.org/settings\n.evil.example",
            "https://app.example.org/settings/\t",
            "HTTPS://app.example.org/settings",
            "http://app.example.org/settings",
            "http://localhost:30001/",
            "http://localhost:3000",
            "javascript:alert(1)//https://app.example.org/settings",
            "welltrack://connected.evil.example",
            "welltrack://connected@evil.example",
        ] {
            assert!(!is_allowed(address, ALLOWED), "{address}");
        }
    }

    #[test]
    fn a_prefix_that_is_no_address_allows_nothing() {
        for prefixes in
            ["", ",", "https", "https:", "https://", "https:///x", "*", "https://u@app.example.org", "//x/"]
        {
            for address in ["https://evil.example/", "https://u@app.example.org/", "https:///x", "//x/", "*"]
            {
                assert!(!is_allowed(address, prefixes), "{address} by {prefixes}");
            }
        }
    }

    #[test]
    fn more_query_goes_before_the_fragment() {
        assert_eq!(with_query("https://a/b", "s=1"), "https://a/b?s=1");
        assert_eq!(with_query("https://a/b?x=2#/page?y", "s=1"), "https://a/b?x=2&s=1#/page?y");
    }

    /// Texts made of what makes URLs surprising.
    fn tricky() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("https://app.example.org"),
            Just("/settings"),
            Just("/../"),
            Just("/.%2E"),
            Just("/"),
            Just("\\"),
            Just("@"),
            Just("evil.example"),
            Just("."),
            Just(".."),
            Just("%2e"),
            Just("?"),
            Just("#"),
            Just(":"),
            Just("\t"),
            Just("\n"),
            Just(" "),
            Just("//"),
            Just("%5c"),
            Just("%00"),
            Just("%2f"),
            Just(";"),
            Just("8080"),
            Just("\u{3002}"),
            Just("ä"),
        ];
        (any::<bool>(), proptest::collection::vec(piece, 0..8)).prop_map(|(anchored, pieces)| {
            let begin = if anchored { "https://app.example.org/settings" } else { "" };
            begin.to_owned() + &pieces.concat()
        })
    }

    proptest! {
        /// The judge is a browser's own parser.
        #[test]
        fn what_is_allowed_is_the_apps_to_every_browser(address in tricky()) {
            if is_allowed(&address, "https://app.example.org/settings") {
                let url = Url::parse(&address).expect("what is allowed is a URL");
                prop_assert_eq!(url.origin().ascii_serialization(), "https://app.example.org");
                prop_assert_eq!((url.username(), url.password()), ("", None));
                prop_assert!(url.path() == "/settings" || url.path().starts_with("/settings/"), "{}", url);
            }
        }

        #[test]
        fn a_browser_finds_what_was_added_and_nothing_else_changed(address in tricky()) {
            if is_allowed(&address, "https://app.example.org/settings") {
                let (before, after) = (Url::parse(&address)?, Url::parse(&with_query(&address, "status=connected"))?);
                prop_assert_eq!(after.query_pairs().last(), Some(("status".into(), "connected".into())));
                prop_assert_eq!((before.path(), before.fragment()), (after.path(), after.fragment()));
            }
        }
    }
}
