//! Connecting and disconnecting through a real host, by a browser that may be anybody's.
//!
//! Promises: a consent is good once, leads back to listed pages only and gives nobody somebody else's account; a person gets out
//! also when the provider is down; keys can be changed under tokens in use. Stops at what the tokens are used for.

use std::collections::HashMap;

use reqwest_0_12::redirect::Policy;
use reqwest_0_12::{Client, Method, Response, Url};
use serde_json::{Value, json};
use uuid::Uuid;
use welltrack_tests::simulator::faults::{Endpoint, Fault, Rule, When};

use crate::seed;
use crate::stage::{APP, Stage};
use crate::tokens;

const GARMIN_USER: &str = "garmin-77";
const ATHLETE: u64 = 77;
/// At each provider: its name, and who consents there.
const PROVIDERS: [(&str, &str); 2] = [("garmin", GARMIN_USER), ("strava", "77")];

/// Somebody with a browser that shows where it is sent instead of going there.
struct Browser<'a> {
    stage: &'a Stage,
    host: usize,
    client: Client,
}

/// An answer: its status, where it leads, and its JSON.
struct Page {
    status: u16,
    location: String,
    json: Value,
}

impl Page {
    /// The parameters of the address that it leads to.
    fn parameters(&self) -> HashMap<String, String> {
        Url::parse(&self.location).map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
    }

    /// How the consent ended, as the app's page is told.
    fn ending(&self) -> String {
        assert!(self.status == 302 && self.location.starts_with(APP), "{} {}", self.status, self.location);
        self.parameters().remove("status").unwrap_or_default()
    }
}

impl<'a> Browser<'a> {
    fn new(stage: &'a Stage) -> Self {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { stage, host: 0, client }
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.stage.simulator.handle().block_on(work)
    }

    fn read(&self, answer: Result<Response, reqwest_0_12::Error>) -> Page {
        let answer = answer.expect("an answer");
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
        let (status, location) = (answer.status().as_u16(), location.unwrap_or_default().to_owned());
        let text = self.wait(answer.text()).expect("a body");
        Page { status, location, json: serde_json::from_str(&text).unwrap_or_default() }
    }

    fn get(&self, url: &str) -> Page {
        self.read(self.wait(self.client.get(url).send()))
    }

    /// Calls `provider-connect`.
    fn call(&self, path: &str, token: Option<String>, body: &Value) -> Page {
        let url = format!("{}/functions/v1/provider-connect/{path}", self.stage.hosts[self.host].origin());
        let mut request = self.client.request(Method::POST, url).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        self.read(self.wait(request.send()))
    }

    /// Where the provider sends a person back to who answers with `answer`.
    fn consent(&self, user: Uuid, provider: &str, answer: &str) -> String {
        let wish = json!({"provider": provider, "redirect_to": format!("{APP}?tab=1#devices")});
        let page = self.call("authorize", Some(tokens::person(user)), &wish);
        assert_eq!(page.status, 200, "{}", page.json);
        self.get(&format!("{}&{answer}", page.json["url"].as_str().expect("an address"))).location
    }

    /// What the app's page, where `user` is signed in, makes of the address that it is opened with.
    fn complete(&self, user: Uuid, opened: &Page) -> Page {
        assert_eq!(opened.ending(), "consented");
        self.call("complete", Some(tokens::person(user)), &json!(opened.parameters()))
    }

    fn connect(&self, user: Uuid, provider: &str, account: &str) -> String {
        let opened = self.get(&self.consent(user, provider, &format!("as={account}")));
        self.complete(user, &opened).json["status"].as_str().unwrap_or_default().to_owned()
    }
}

/// What the database has of a person's connections: provider, account, whether it is on, and the key of its tokens.
fn connections(stage: &Stage, user: Uuid) -> Vec<(String, String, bool, Option<String>)> {
    let sql = "select c.provider::text, c.provider_user_id, c.is_connected, t.key_id
               from public.wt_health_connections c
               left join public.wt_connection_tokens t on t.connection_id = c.id
               where c.user_id = $1 order by 1";
    let rows = stage.admin().query(sql, &[&user]).expect("connections can be read");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

#[test]
fn a_consent_is_good_once_and_its_tokens_are_stored_sealed() {
    let _alone = crate::alone();
    let stage = Stage::new("consent", seed(), 1);
    let (browser, ada) = (Browser::new(&stage), stage.sign_up("ada").user_id);
    for (provider, account) in PROVIDERS {
        let back = browser.consent(ada, provider, &format!("as={account}"));
        let opened = browser.get(&back);
        assert!(opened.location.starts_with(&format!("{APP}?tab=1&status=consented&provider={provider}&")));
        assert!(opened.location.ends_with("#devices"));
        let done = browser.complete(ada, &opened);
        assert_eq!((done.status, done.json), (200, json!({"status": "connected", "provider": provider})));
        for again in [browser.complete(ada, &opened), browser.get(&back)] {
            assert_eq!((again.status, &again.json["code"]), (400, &json!("STATE_NOT_FOUND")));
        }
    }
    let connected =
        |provider: &str, account: &str| (provider.into(), account.into(), true, Some("k1".into()));
    assert_eq!(connections(&stage, ada), PROVIDERS.map(|(provider, account)| connected(provider, account)));
    // Every token of the stand-in begins with these letters.
    let sql = "select count(*), bool_or(position('stand-in'::bytea in access_token_encrypted) > 0
                                        or position('stand-in'::bytea in refresh_token_encrypted) > 0)
               from public.wt_connection_tokens";
    let row = stage.admin().query_one(sql, &[]).expect("tokens can be read by a superuser");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (2, false));
}

#[test]
fn a_state_that_was_made_up_and_a_refusal_connect_nobody() {
    let _alone = crate::alone();
    let stage = Stage::new("refusal", seed(), 1);
    let (browser, ada) = (Browser::new(&stage), stage.sign_up("ada").user_id);
    let origin = stage.hosts[0].origin();
    for query in
        ["", "?code=x", "?code=x&state=", "?state=made-up&code=x", "?state=%00%ff&error=access_denied"]
    {
        let page = browser.get(&format!("{origin}/functions/v1/provider-connect/callback{query}"));
        assert_eq!((page.status, page.location.as_str()), (400, ""), "{query}");
    }
    for (provider, _) in PROVIDERS {
        assert_eq!(browser.get(&browser.consent(ada, provider, "deny=1")).ending(), "denied");
        let strange = browser.consent(ada, provider, "as=78").replace("code=", "code=x");
        let failed = browser.complete(ada, &browser.get(&strange));
        assert_eq!((failed.status, &failed.json["status"]), (502, &json!("failed")));
        let neither = browser.consent(ada, provider, "as=78").replace("code=", "x=");
        assert_eq!(browser.get(&neither).ending(), "failed");
    }
    // Of what was asked for, people may untick what matters.
    let back = browser.consent(ada, "strava", "as=78").replace("activity", "profile");
    let denied = browser.complete(ada, &browser.get(&back));
    assert_eq!((denied.status, &denied.json["status"]), (403, &json!("denied")));
    assert_eq!(connections(&stage, ada), []);
}

#[test]
fn a_consent_that_somebody_else_began_connects_nobody() {
    let _alone = crate::alone();
    let stage = Stage::new("sent-link", seed(), 1);
    let browser = Browser::new(&stage);
    let (ada, eve) = (stage.sign_up("ada").user_id, stage.sign_up("eve").user_id);
    for (provider, account) in PROVIDERS {
        // Eve sends Ada the address of the consent page; Ada consents with her own account, and her app is opened.
        let opened = browser.get(&browser.consent(eve, provider, &format!("as={account}")));
        let refused = browser.complete(ada, &opened);
        assert_eq!((refused.status, &refused.json["code"]), (400, &json!("STATE_NOT_FOUND")));
        for token in [None, Some(tokens::anon()), Some(tokens::service())] {
            assert_eq!(browser.call("complete", token, &json!(opened.parameters())).status, 401);
        }
        for body in [json!({}), json!([]), json!({"state": 1, "code": "x"}), json!({"state": "x"})] {
            assert_eq!(browser.call("complete", Some(tokens::person(ada)), &body).status, 400);
        }
    }
    assert_eq!((connections(&stage, ada), connections(&stage, eve)), (vec![], vec![]));
}

#[test]
fn only_a_signed_in_person_begins_and_only_for_themselves_and_listed_pages() {
    let _alone = crate::alone();
    let stage = Stage::new("begin", seed(), 1);
    let browser = Browser::new(&stage);
    let (ada, eve) = (stage.sign_up("ada"), stage.sign_up("eve"));
    let forged = {
        let token = tokens::person(ada.user_id);
        format!("{}x", token.rsplit_once('.').map_or("", |(signed, _)| signed).to_owned() + ".c2lnbmF0dXJl")
    };
    let wish = json!({"provider": "garmin"});
    for token in [None, Some(tokens::anon()), Some(tokens::service()), Some(forged)] {
        assert_eq!(browser.call("authorize", token.clone(), &wish).status, 401);
        assert_eq!(browser.call("disconnect", token, &wish).status, 401);
    }
    let begin = |wish: Value| browser.call("authorize", Some(tokens::person(eve.user_id)), &wish).status;
    assert_eq!(begin(json!({"provider": "garmin", "profile_id": ada.profile_id})), 404);
    assert_eq!(begin(json!({"provider": "garmin", "profile_id": eve.profile_id})), 200);
    for body in
        [json!({}), json!([]), json!({"provider": "x"}), json!({"provider": "garmin", "profile_id": "x"})]
    {
        assert_eq!(begin(body), 400);
    }
    for page in [
        "http://evil.example/",
        "//evil.example/",
        "http://app.example/connected.evil.example/",
        "",
        "http://app.example/connected/../x",
        "http://app.example@evil.example/connected",
    ] {
        assert_eq!(begin(json!({"provider": "strava", "redirect_to": page})), 400, "{page}");
    }
}

#[test]
fn an_account_that_somebody_uses_stays_theirs() {
    let _alone = crate::alone();
    let stage = Stage::new("account", seed(), 1);
    let browser = Browser::new(&stage);
    let (ada, eve) = (stage.sign_up("ada").user_id, stage.sign_up("eve").user_id);
    for (provider, account) in PROVIDERS {
        assert_eq!(browser.connect(ada, provider, account), "connected");
        assert_eq!(browser.connect(eve, provider, account), "account_in_use");
    }
    assert_eq!((connections(&stage, ada).len(), connections(&stage, eve).len()), (2, 0));
}

#[test]
fn a_person_gets_out_at_the_provider_too_and_also_when_it_is_down() {
    let _alone = crate::alone();
    let stage = Stage::new("leave", seed(), 1);
    let (browser, ada) = (Browser::new(&stage), stage.sign_up("ada").user_id);
    let leave = |provider: &str| {
        browser.call("disconnect", Some(tokens::person(ada)), &json!({"provider": provider})).status
    };
    assert_eq!(leave("garmin"), 404, "nothing to leave");
    for (provider, account) in PROVIDERS {
        assert_eq!(browser.connect(ada, provider, account), "connected");
        assert_eq!(leave(provider), 200);
    }
    assert!(!stage.simulator.garmin_connected(GARMIN_USER) && !stage.simulator.strava_connected(ATHLETE));

    for (provider, account) in PROVIDERS {
        assert_eq!(browser.connect(ada, provider, account), "connected");
    }
    for endpoint in [Endpoint::GarminUser, Endpoint::StravaDeauthorize] {
        stage.simulator.fail(Rule { endpoint, fault: Fault::Status(500), when: When::Times(1) });
    }
    for (provider, _) in PROVIDERS {
        assert_eq!(leave(provider), 200);
    }
    let left = |(provider, account): (&str, &str)| (provider.into(), account.into(), false, None);
    assert_eq!(connections(&stage, ada), PROVIDERS.map(left), "the tokens are gone");
}

#[test]
fn keys_change_under_tokens_in_use_and_only_the_service_changes_them() {
    const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "new:8PHy8/T19vf4+fr7/P3+/+Dh4uPk5ebn6Onq6+zt7u8=";
    let _alone = crate::alone();
    let mut stage = Stage::new("keys", seed(), 0);
    for keys in [OLD.to_owned(), format!("{NEW},{OLD}"), NEW.to_owned()] {
        stage.tell_new_hosts("WELLTRACK_TOKEN_KEYS", &keys);
        stage.add_host();
    }
    let ada = stage.sign_up("ada").user_id;
    let mut browser = Browser::new(&stage);
    for (provider, account) in PROVIDERS {
        assert_eq!(browser.connect(ada, provider, account), "connected");
    }
    browser.host = 1;
    for token in [None, Some(tokens::anon()), Some(tokens::person(ada))] {
        assert_eq!(browser.call("rotate-keys", token, &json!({})).status, 403);
    }
    let rotate = |browser: &Browser| browser.call("rotate-keys", Some(tokens::service()), &json!({})).json;
    assert_eq!(rotate(&browser), json!({"key_id": "new", "rotated": 2, "unreadable": 0}));
    assert_eq!(rotate(&browser), json!({"key_id": "new", "rotated": 0, "unreadable": 0}));
    // Where the old key is gone, the tokens still open: the providers hear of the end.
    browser.host = 2;
    for (provider, _) in PROVIDERS {
        let wish = json!({"provider": provider});
        assert_eq!(browser.call("disconnect", Some(tokens::person(ada)), &wish).status, 200);
    }
    assert!(!stage.simulator.garmin_connected(GARMIN_USER) && !stage.simulator.strava_connected(ATHLETE));
}
