//! What a sign-up's metadata may become.
//!
//! Promises: whatever stands in `raw_user_meta_data` (it is the client's to fill), the result is a name of 1 to 80
//! printable characters, an http(s) address or none, and a time zone that the server knows. Nothing here fails:
//! a sign-up must not. Stops at choosing: writing the rows is the trigger's.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::timezone::unambiguous;

/// The longest display name, in characters.
pub const MAX_NAME: usize = 80;
/// The longest avatar address, in bytes.
pub const MAX_URL: usize = 2_048;

const NAMELESS: &str = "Member";
const DEFAULT_TIMEZONE: &str = "UTC";

/// What the rows of a new person are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// 1 to [`MAX_NAME`] characters, without controls and text-direction overrides.
    pub display_name: String,
    /// An http or https address of at most [`MAX_URL`] bytes.
    pub avatar_url: Option<String>,
    /// A time zone for which `is_timezone` said yes, else `UTC`.
    pub timezone: String,
}

/// The keys in use: Supabase clients, Google, GitHub and OpenID Connect each have their own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    full_name: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    display_name: Option<&'a RawValue>,
    #[serde(borrow)]
    user_name: Option<&'a RawValue>,
    #[serde(borrow)]
    avatar_url: Option<&'a RawValue>,
    #[serde(borrow)]
    picture: Option<&'a RawValue>,
    #[serde(borrow)]
    timezone: Option<&'a RawValue>,
    #[serde(borrow)]
    zoneinfo: Option<&'a RawValue>,
}

/// Chooses and cleans. `metadata` is JSON text of any shape; `is_timezone` asks the server.
///
/// The name is the first usable of `full_name`, `name`, `display_name`, `user_name`, else what stands before the `@`
/// of `email`, else `Member`. The avatar is `avatar_url` or `picture`, the zone `timezone` or `zoneinfo`.
#[must_use]
pub fn new_user(metadata: Option<&str>, email: Option<&str>, is_timezone: impl Fn(&str) -> bool) -> NewUser {
    // An array, a number, broken JSON: as if there were none.
    let metadata: Metadata<'_> =
        metadata.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();

    let names = [metadata.full_name, metadata.name, metadata.display_name, metadata.user_name];
    let local_part = || email.and_then(|email| email.split('@').next()).and_then(clean_name);
    let urls = [metadata.avatar_url, metadata.picture];
    let zones = [metadata.timezone, metadata.zoneinfo];

    NewUser {
        display_name: texts(names)
            .find_map(|name| clean_name(&name))
            .or_else(local_part)
            .unwrap_or_else(|| NAMELESS.to_owned()),
        avatar_url: texts(urls).find(|url| is_web_address(url)),
        timezone: texts(zones)
            .map(|zone| unambiguous(&zone).to_owned())
            .find(|zone| is_timezone(zone))
            .unwrap_or_else(|| DEFAULT_TIMEZONE.to_owned()),
    }
}

/// Those of the values that are JSON strings.
fn texts<const N: usize>(values: [Option<&RawValue>; N]) -> impl Iterator<Item = String> {
    values.into_iter().flatten().filter_map(|value| serde_json::from_str(value.get()).ok())
}

/// Whitespace of any kind becomes one space, what can't be seen or turns the text around goes; `None` if nothing that
/// can be seen is left.
fn clean_name(raw: &str) -> Option<String> {
    let mut name = String::new();
    let mut length = 0;
    let mut space = false;
    for character in raw.chars() {
        if character.is_whitespace() {
            space = true;
        } else if !is_stripped(character) {
            if length + usize::from(space && length > 0) >= MAX_NAME {
                break;
            }
            if space && length > 0 {
                name.push(' ');
                length += 1;
            }
            space = false;
            name.push(character);
            length += 1;
        }
    }
    // Joiners and variation selectors shape other characters (emoji, Persian), but alone they are nothing.
    let invisible = |character| matches!(character, ' ' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    (!name.chars().all(invisible)).then_some(name)
}

/// Controls, text-direction marks, overrides and isolates, and characters without width that shape nothing.
fn is_stripped(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A scheme in small letters, a host, nothing that can't be seen: what the table's check accepts too.
fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= MAX_URL
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']))
        && !url.chars().any(|character| character.is_whitespace() || is_stripped(character))
}
