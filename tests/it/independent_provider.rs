//! A plain OpenID Connect issuer, served by software that others wrote: what both sides make of the same standards.
//! Without Node.js or its registry these tests say so and pass.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;
use zengate::app::App;
use zengate::config::Config;
use zengate::gateway::Sockets;

use crate::support::browser::{Browser, Page};
use crate::support::foreign::ForeignProvider;
use crate::support::upstream::Upstream;

/// Every kind of sign a secret may have (RFC 6749, A.2) that form-encoding changes.
const SECRET: &str = "a secret:with %2F, +plus & \"quotes\" = 43 signs";

/// The gateway in front of a recording app, with the foreign provider as its only issuer.
struct Gate {
    app: App,
    upstream: Upstream,
    client_id: String,
    origin: String,
}

impl Gate {
    async fn start(provider: &mut ForeignProvider, algorithm: &str) -> Self {
        Self::with_secret(provider, algorithm, SECRET).await
    }

    /// `secret` is what the gateway is told; the provider knows [`SECRET`].
    async fn with_secret(provider: &mut ForeignProvider, algorithm: &str, secret: &str) -> Self {
        crate::support::init();
        let upstream = Upstream::start().await;
        let loopback = ([127, 0, 0, 1], 0).into();
        let sockets = Sockets::bind(loopback, loopback).unwrap();
        let origin = format!("http://localhost:{}", sockets.address().port());
        let client_id = format!("gate-{}", sockets.address().port());
        provider.register(&client_id, SECRET, &format!("{origin}/oauth2/callback"), algorithm);
        let text = format!(
            "public_url: {origin}
listen: {address}
admin_listen: 127.0.0.1:1
provider:
  oidc:
    issuer: {issuer}
    client_id: {client_id}
    client_secret: {secret}
    algorithms: [{algorithm}]
    scopes: [openid, profile, email, groups]
    acr_values: [phr]
  allow_private_addresses: true
sessions: {{ store: memory }}
routes:
  - {{ host: localhost, path: /public, access: anonymous, upstream: 'http://{app}' }}
  - host: localhost
    path: /app
    access: session
    upstream: http://{app}
    require: {{ claims: {{ groups: admins }} }}
    identity_headers:
      preset: [x-auth-request, remote-user]
      map: {{ X-Auth-Sub: sub, X-Auth-Issuer: iss, X-Auth-Email: email, X-Auth-Acr: acr, X-Auth-Time: auth_time }}
",
            address = sockets.address(),
            issuer = provider.issuer,
            secret = serde_json::to_string(secret).unwrap(),
            app = upstream.address,
        );
        let (config, _) =
            Config::parse(&text, "gate.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        let app = App::start_on(sockets, config).await.unwrap();
        Self { app, upstream, client_id, origin }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// As far as the authorization request: a redirect that is not followed.
    async fn to_request(&self, browser: &Browser) -> Url {
        let page = until(browser, browser.open(self.url("/app")).await, |url| url.path() == "/auth").await;
        page.location().unwrap()
    }

    /// Sends the request to the provider and goes as far as the redirect that carries its response.
    async fn to_response(&self, browser: &Browser, request: Url) -> Url {
        let page = until(browser, browser.open(request).await, |url| url.path() == "/oauth2/callback").await;
        page.location().unwrap()
    }

    async fn stop(self) {
        self.app.stop(Duration::ZERO).await;
    }
}

/// Follows redirects up to the one that leads to `there`.
async fn until(browser: &Browser, mut page: Page, there: impl Fn(&Url) -> bool) -> Page {
    for _ in 0..10 {
        let Some(next) = page.location() else { panic!("no redirect at {}: {} {}", page.url, page.status, page.body) };
        if there(&next) {
            return page;
        }
        page = browser.open(next).await;
    }
    panic!("a redirect loop at {}", page.url);
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The same address with one parameter of its query put differently, or taken out.
fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let others =
        url.query_pairs().filter(|(key, _)| key != name).map(|(key, value)| (key.into_owned(), value.into_owned()));
    let pairs: Vec<_> = others.chain(value.map(|value| (name.to_owned(), value.to_owned()))).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_a_provider_written_by_others_is_told_to_the_app_as_the_provider_said() {
    // C01, C30
    let Some(mut provider) = ForeignProvider::start() else { return };
    for algorithm in ["RS256", "PS256", "ES256"] {
        let gate = Gate::start(&mut provider, algorithm).await;
        let browser = Browser::new();
        let page = browser.go(gate.url("/app/deep?x=1&y=two%20words")).await;
        assert_eq!(
            (page.status.as_u16(), page.url.as_str()),
            (200, gate.url("/app/deep?x=1&y=two%20words").as_str()),
            "{}",
            page.body
        );
        let seen = gate.upstream.last();
        let one = |name: &str| seen.one(name).unwrap_or_else(|| panic!("{name} is missing: {}", seen.head));
        for name in ["x-auth-sub", "x-auth-request-user", "remote-user"] {
            assert_eq!(one(name), "person|7c6f:0042");
        }
        assert_eq!(one("x-auth-issuer"), provider.issuer);
        assert_eq!(one("x-auth-email"), "zoe@example.org");
        assert_eq!(one("remote-name"), "Zo%C3%AB %C3%9E%C3%B3rsd%C3%B3ttir-%E6%9D%8E");
        assert_eq!(one("x-auth-request-groups"), "admins,Gr%C3%B6%C3%9Fe%2C XL");
        assert_eq!(one("x-auth-acr"), "phr");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
            - one("x-auth-time").parse::<u64>().unwrap();
        assert!(since < 60, "{since}");
        let count = gate.upstream.count();
        assert_eq!(browser.open(gate.url("/app")).await.status, 200);
        assert_eq!(gate.upstream.count(), count + 1);
        gate.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_lacks_the_promised_issuer_or_names_another_signs_nobody_in() {
    // D01, D02
    let Some(mut provider) = ForeignProvider::start() else { return };
    let gate = Gate::start(&mut provider, "RS256").await;
    let issuer = provider.issuer.clone();
    let other = format!("{issuer}/");
    for (iss, status) in [(None, 400), (Some(other.as_str()), 400), (Some(issuer.as_str()), 200)] {
        let browser = Browser::new();
        let request = gate.to_request(&browser).await;
        assert_eq!(parameter(&request, "client_id").unwrap(), gate.client_id);
        assert_eq!(parameter(&request, "code_challenge_method").unwrap(), "S256");
        let response = gate.to_response(&browser, request).await;
        assert_eq!(parameter(&response, "iss"), Some(issuer.clone()));
        let page = browser.go(with_parameter(&response, "iss", iss)).await;
        assert_eq!(page.status, status, "{iss:?}: {}", page.body);
        assert_eq!(browser.cookies("localhost").contains_key("__Host-gw"), status == 200, "{iss:?}");
        assert_eq!(gate.upstream.count(), usize::from(status == 200), "{iss:?}");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_nonce_and_a_code_for_another_verifier_sign_nobody_in() {
    // B08, B10: the provider answers honestly, but to another question than ours.
    let Some(mut provider) = ForeignProvider::start() else { return };
    let gate = Gate::start(&mut provider, "RS256").await;
    let elsewhere = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (name, value, status) in [
        ("nonce", Some("of-somebody-else"), 502),
        ("nonce", None, 502),
        ("code_challenge", Some(elsewhere), 502),
        ("unknown", Some("1"), 200),
    ] {
        let browser = Browser::new();
        let request = gate.to_request(&browser).await;
        assert!(parameter(&request, "nonce").is_some());
        let response = gate.to_response(&browser, with_parameter(&request, name, value)).await;
        assert!(parameter(&response, "code").is_some(), "{name}: {response}");
        let page = browser.go(response).await;
        assert_eq!(page.status, status, "{name} {value:?}: {}", page.body);
        assert_eq!(browser.cookies("localhost").contains_key("__Host-gw"), status == 200, "{name} {value:?}");
        assert_eq!(gate.upstream.count(), usize::from(status == 200), "{name} {value:?}");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_are_found_at_the_first_sign_in_and_the_session_from_before_stays() {
    // E01
    let Some(mut provider) = ForeignProvider::start() else { return };
    let gate = Gate::start(&mut provider, "RS256").await;
    let before = Browser::new();
    assert_eq!(before.go(gate.url("/app")).await.status, 200);
    provider.rotate();
    let page = Browser::new().go(gate.url("/app")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(before.open(gate.url("/app")).await.status, 200);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_says_no_and_a_gateway_with_the_wrong_secret_end_on_a_page_in_plain_words() {
    // N03
    let Some(mut provider) = ForeignProvider::start() else { return };
    let wrong = Gate::with_secret(&mut provider, "RS256", "not the secret").await;
    let page = Browser::new().go(wrong.url("/app")).await;
    assert_eq!(page.status, 502, "{}", page.body);
    assert_eq!(wrong.upstream.count(), 0);
    wrong.stop().await;

    let gate = Gate::start(&mut provider, "RS256").await;
    let browser = Browser::new();
    provider.decline();
    let page = browser.go(gate.url("/app")).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("You were not signed in") && !page.body.contains("The person said no"), "{}", page.body);
    assert!(!page.gives_session());
    assert_eq!(gate.upstream.count(), 0);
    gate.stop().await;
}
