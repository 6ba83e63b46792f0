//! The part of OAuth 2 that both providers share: codes, tokens, rotation, expiry, revocation.
//!
//! Promises: a code works once, for the redirect address and the PKCE verifier it was made with; a refresh makes the
//! old pair useless; nothing works after a revocation. Stops at wording: the providers' pages answer in their own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Who may do what, at one provider.
pub(super) struct Authority {
    /// Stands in every token, so that one strayed to the other provider is seen.
    name: &'static str,
    lifetime: Duration,
    made: u64,
    codes: HashMap<String, Code>,
    grants: HashMap<String, Grant>,
    refreshes: HashMap<String, Refreshes>,
}

/// What somebody agreed to, until it is exchanged.
pub(super) struct Code {
    pub(super) user: String,
    pub(super) redirect_uri: String,
    /// PKCE, S256; Strava knows none.
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
}

/// The one live pair of tokens of a user.
struct Grant {
    access: String,
    refresh: String,
    scope: String,
    expires: Instant,
}

/// How often somebody's tokens were refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Refreshes {
    /// With the live refresh token: a new pair.
    pub granted: u32,
    /// With one that was used or revoked before.
    pub refused: u32,
}

/// A new pair of tokens.
pub(super) struct Issued {
    pub(super) user: String,
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) scope: String,
    pub(super) lifetime: Duration,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Code,
    RedirectUri,
    Verifier,
    RefreshToken,
}

/// Why an access token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unauthorized {
    Unknown,
    Expired,
}

impl Authority {
    pub(super) fn new(name: &'static str, lifetime: Duration) -> Self {
        let (codes, grants, refreshes) = Default::default();
        Self { name, lifetime, made: 0, codes, grants, refreshes }
    }

    fn make(&mut self, what: &str) -> String {
        self.made += 1;
        format!("stand-in-{}-{what}-{}", self.name, self.made)
    }

    /// A user id that nobody had before.
    pub(super) fn fresh_number(&mut self) -> u64 {
        self.made += 1;
        9_000_000 + self.made
    }

    pub(super) fn agree(&mut self, code: Code) -> String {
        let text = self.make("code");
        self.codes.insert(text.clone(), code);
        text
    }

    pub(super) fn exchange(
        &mut self,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Issued, Refusal> {
        let code = self.codes.remove(code).ok_or(Refusal::Code)?;
        if redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
            return Err(Refusal::RedirectUri);
        }
        if code.challenge != verifier.filter(|_| code.challenge.is_some()).map(challenge) {
            return Err(Refusal::Verifier);
        }
        Ok(self.issue(code.user, code.scope))
    }

    pub(super) fn refresh(&mut self, token: &str) -> Result<Issued, Refusal> {
        let owner = self.grants.iter().find(|(_, grant)| grant.refresh == token);
        match owner.map(|(user, grant)| (user.clone(), grant.scope.clone())) {
            Some((user, scope)) => {
                self.refreshes.entry(user.clone()).or_default().granted += 1;
                Ok(self.issue(user, scope))
            }
            None => {
                let user = token.rsplit_once('/').map_or("", |(_, user)| user).to_owned();
                self.refreshes.entry(user).or_default().refused += 1;
                Err(Refusal::RefreshToken)
            }
        }
    }

    fn issue(&mut self, user: String, scope: String) -> Issued {
        // The user stands in the token, so that a refused one still says whose it was.
        let access = format!("{}/{user}", self.make("access"));
        let refresh = format!("{}/{user}", self.make("refresh"));
        let grant = Grant {
            access: access.clone(),
            refresh: refresh.clone(),
            scope: scope.clone(),
            expires: Instant::now() + self.lifetime,
        };
        self.grants.insert(user.clone(), grant);
        Issued { user, access, refresh, scope, lifetime: self.lifetime }
    }

    /// Whose access token that is, and what it allows.
    pub(super) fn holder(&self, access: &str) -> Result<(&str, &str), Unauthorized> {
        let (user, grant) =
            self.grants.iter().find(|(_, grant)| grant.access == access).ok_or(Unauthorized::Unknown)?;
        if grant.expires <= Instant::now() { Err(Unauthorized::Expired) } else { Ok((user, &grant.scope)) }
    }

    pub(super) fn expire(&mut self, user: &str) {
        if let Some(grant) = self.grants.get_mut(user) {
            grant.expires = Instant::now();
        }
    }

    pub(super) fn revoke(&mut self, user: &str) {
        self.grants.remove(user);
    }

    /// Revokes the pair that `token` is one of.
    pub(super) fn forget(&mut self, token: &str) {
        self.grants.retain(|_, grant| grant.access != token && grant.refresh != token);
    }

    pub(super) fn connected(&self, user: &str) -> bool {
        self.grants.contains_key(user)
    }

    pub(super) fn refreshes(&self, user: &str) -> Refreshes {
        self.refreshes.get(user).copied().unwrap_or_default()
    }
}

/// The S256 challenge of a verifier (RFC 7636).
pub(super) fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> Authority {
        Authority::new("test", Duration::from_secs(3600))
    }

    fn agreed(authority: &mut Authority, challenge: Option<String>) -> String {
        authority.agree(Code {
            user: "u1".into(),
            redirect_uri: "http://app/back".into(),
            challenge,
            scope: "read".into(),
        })
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_code_works_once_and_only_for_its_verifier_and_address() {
        let mut authority = authority();
        let code = agreed(&mut authority, Some(challenge("v")));
        assert!(authority.exchange(&code, Some("http://app/back"), Some("v")).is_ok());
        assert_eq!(authority.exchange(&code, None, Some("v")).err(), Some(Refusal::Code));
        for (address, verifier, refusal) in [
            ("http://app/back", Some("w"), Refusal::Verifier),
            ("http://app/back", None, Refusal::Verifier),
            ("http://evil/", Some("v"), Refusal::RedirectUri),
        ] {
            let code = agreed(&mut authority, Some(challenge("v")));
            assert_eq!(authority.exchange(&code, Some(address), verifier).err(), Some(refusal));
        }
    }

    #[test]
    fn a_refresh_makes_the_old_pair_useless_and_is_counted() {
        let mut authority = authority();
        let code = agreed(&mut authority, None);
        let first = authority.exchange(&code, None, None).expect("a code");
        let second = authority.refresh(&first.refresh).expect("a live refresh token");
        assert_eq!(authority.holder(&first.access), Err(Unauthorized::Unknown));
        assert_eq!(authority.holder(&second.access), Ok(("u1", "read")));
        assert_eq!(authority.refresh(&first.refresh).err(), Some(Refusal::RefreshToken));
        assert_eq!(authority.refreshes("u1"), Refreshes { granted: 1, refused: 1 });
    }

    #[test]
    fn an_expired_token_can_be_refreshed_and_a_revoked_one_cannot() {
        let mut authority = authority();
        let code = agreed(&mut authority, None);
        let first = authority.exchange(&code, None, None).expect("a code");
        authority.expire("u1");
        assert_eq!(authority.holder(&first.access), Err(Unauthorized::Expired));
        let second = authority.refresh(&first.refresh).expect("still good");
        authority.revoke("u1");
        assert_eq!(authority.holder(&second.access), Err(Unauthorized::Unknown));
        assert!(authority.refresh(&second.refresh).is_err());
        assert!(!authority.connected("u1"));
    }
}
