//! How a provider is reached: its addresses and our credentials there, from the settings.
//!
//! Where no setting says otherwise, the addresses are the public ones of the providers.
//!
//! Settings: GARMIN_CLIENT_ID, GARMIN_CLIENT_SECRET, GARMIN_AUTHORIZE_URL, GARMIN_TOKEN_URL, GARMIN_API_BASE; STRAVA_CLIENT_ID,
//! STRAVA_CLIENT_SECRET, STRAVA_API_BASE.

use welltrack_core::providers::oauth::{self, Client};
use welltrack_core::providers::{Address, Provider};
use wstd::http::{Body, Request};

use crate::settings::{self, Missing};

/// Where a provider is, and who we are there.
#[derive(Clone, Debug)]
pub struct ProviderEndpoint {
    provider: Provider,
    /// The consent page.
    pub authorize: String,
    /// Where codes and refresh tokens become tokens.
    pub token: String,
    /// The API's origin, without a slash at the end.
    pub api: String,
    /// Our credentials.
    pub client: Client,
}

impl ProviderEndpoint {
    /// Reads the provider's settings.
    ///
    /// # Errors
    ///
    /// [`Missing`] where the credentials are not there.
    pub fn from_settings(provider: Provider) -> Result<Self, Missing> {
        let rules = provider.rules();
        let [id, secret] = rules.client_settings;
        let client = Client { id: settings::required(id)?, secret: settings::required(secret)? };
        let api = api_base(provider);
        let address = |of| {
            let address = set_or_default(of);
            if address.starts_with('/') { format!("{api}{address}") } else { address }
        };
        let (authorize, token) = (address(rules.authorize), address(rules.token));
        Ok(Self { provider, authorize, token, api, client })
    }

    /// The request that turns a form of `welltrack_core::providers::oauth` into tokens; `None` where the settings hold no address.
    #[must_use]
    pub fn token_request(&self, form: String) -> Option<Request<Body>> {
        posted(&self.token).body(Body::from(form)).ok()
    }

    /// The request that ends a person's consent: Garmin deletes the registration of whose access token it is; Strava takes either
    /// token, and a refresh token is good for longer.
    #[must_use]
    pub fn revocation(&self, access_token: &str, refresh_token: Option<&str>) -> Option<Request<Body>> {
        match self.provider {
            Provider::Garmin => Request::delete(format!("{}/wellness-api/rest/user/registration", self.api))
                .header("authorization", format!("Bearer {access_token}"))
                .body(Body::empty()),
            Provider::Strava => posted(&format!("{}/oauth/revoke", self.api))
                .header("authorization", self.client.basic())
                .body(Body::from(oauth::revoke_form(refresh_token.unwrap_or(access_token)))),
        }
        .ok()
    }

    /// The request that says whose token it is; `None` at Strava, whose token answer says so.
    #[must_use]
    pub fn user_request(&self, access_token: &str) -> Option<Request<Body>> {
        match self.provider {
            Provider::Garmin => Request::get(format!("{}/wellness-api/rest/user/id", self.api))
                .header("authorization", format!("Bearer {access_token}"))
                .body(Body::empty())
                .ok(),
            Provider::Strava => None,
        }
    }
}

/// The origin of a provider's API, without a slash at the end.
#[must_use]
pub fn api_base(provider: Provider) -> String {
    set_or_default(provider.rules().api)
}

fn set_or_default(address: Address) -> String {
    let set = address.setting.and_then(settings::optional);
    set.as_deref().unwrap_or(address.default).trim_end_matches('/').to_owned()
}

fn posted(url: &str) -> wstd::http::request::Builder {
    Request::post(url).header("content-type", "application/x-www-form-urlencoded")
}
