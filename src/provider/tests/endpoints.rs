//! Addresses of an issuer that the configuration gives, and plain http where it says so.

use super::*;
use crate::oidc::tenants::Tenants;

const METADATA: &str = "/.well-known/openid-configuration";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn given(base: &str) -> Endpoints {
    Endpoints {
        authorization: Some(url(&format!("{base}/a?p=policy"))),
        token: Some(url(&format!("{base}/t?p=policy"))),
        jwks: Some(url(&format!("{base}/k"))),
        userinfo: Some(url(&format!("{base}/u"))),
        end_session: Some(url(&format!("{base}/e"))),
        pushed_authorization_request: None,
    }
}

async fn issuer_of(settings: ProviderSettings) -> Result<Carrier, ProviderError> {
    Federation::new(settings).unwrap().issuer(at(0)).await
}

// PM14: no metadata, or metadata that is wrong.
#[tokio::test]
async fn an_issuer_whose_addresses_are_given_is_not_asked_for_its_metadata() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    peer.fail(METADATA, 500);
    let settings = |endpoints| ProviderSettings { endpoints, ..plain(&peer.base) };
    let carrier = issuer_of(settings(given(&elsewhere.base))).await.unwrap();
    assert_eq!(carrier.issuer, peer.base);
    assert_eq!(carrier.token_endpoint, url(&format!("{}/t?p=policy", elsewhere.base)));
    assert_eq!(carrier.authorization_endpoint, url(&format!("{}/a?p=policy", elsewhere.base)));
    assert_eq!((carrier.jwks_uri.path(), carrier.userinfo_endpoint.unwrap().path()), ("/k", "/u"));
    assert_eq!(carrier.end_session_endpoint.unwrap().path(), "/e");
    assert_eq!(peer.count(METADATA), 0);
    // The twin: one of the three is missing, and the metadata is needed.
    let lacking = Endpoints { jwks: None, ..given(&elsewhere.base) };
    assert!(issuer_of(settings(lacking.clone())).await.is_err());
    peer.say(METADATA, &document(&peer.base));
    let carrier = issuer_of(settings(lacking)).await.unwrap();
    assert_eq!(carrier.jwks_uri, url(&format!("{}/jwks", peer.base)), "what is not given is asked for");
    assert_eq!(carrier.token_endpoint.path(), "/t", "what is given goes before");
}

// The abuse: an address that is given opens its host to no other address.
#[tokio::test]
async fn metadata_does_not_get_at_the_hosts_of_addresses_that_are_given() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    let settings = || ProviderSettings {
        endpoints: Endpoints { userinfo: Some(url(&format!("{}/u", elsewhere.base))), ..Endpoints::default() },
        ..plain(&peer.base)
    };
    for member in ["token_endpoint", "jwks_uri", "authorization_endpoint"] {
        let mut bent = document(&peer.base);
        bent[member] = json!(format!("{}/u/", elsewhere.base));
        peer.say(METADATA, &bent);
        let refused = issuer_of(settings()).await.unwrap_err();
        assert_eq!(refused, ProviderError::untrusted("endpoint lies outside the issuer's hosts"), "{member}");
    }
    peer.say(METADATA, &document(&peer.base));
    assert!(issuer_of(settings()).await.is_ok());
    // It is still the issuer's own word that names the issuer.
    peer.say(METADATA, &document("https://other.example"));
    assert!(issuer_of(settings()).await.is_err());
}

// What is plain http and not this machine is asked if it was written down and allowed, and in no other case.
#[tokio::test]
async fn plain_http_is_asked_only_where_it_was_written_down_and_allowed() {
    let issuer = "http://idp.invalid:8080/realms/main";
    let not_https = ProviderError::untrusted("endpoint is not https");
    let asked = |settings: ProviderSettings, address: &'static str| async move {
        let client = HttpClient::new(&settings).unwrap();
        client.get("metadata", &url(address), 1000).await.map(|answer| answer.status).unwrap_err()
    };
    let allowed = |allow| ProviderSettings { allow_plain_http: allow, ..plain(issuer) };
    assert_eq!(asked(allowed(false), "http://idp.invalid:8080/x").await, not_https);
    // `.invalid` has no address: the guard lets it pass and the network does not.
    assert_eq!(asked(allowed(true), "http://idp.invalid:8080/x").await.kind(), ErrorKind::Unavailable);
    for other in ["http://idp.invalid/x", "http://other.invalid:8080/x", "http://169.254.169.254/x"] {
        assert_eq!(asked(allowed(true), other).await, not_https, "{other}");
    }
    // Nor does its metadata lead to another origin, though its host is listed.
    let trusts = |endpoint: &str| {
        let mut settings = allowed(true);
        settings.federation.members[0].allowed_hosts = vec!["other.invalid".to_owned()];
        let mut carrier = carrier("http://idp.invalid:8080/realms/main");
        carrier.token_endpoint = url(endpoint);
        trust::TrustList::new(&settings).check(&carrier)
    };
    assert_eq!(trusts("http://idp.invalid:8080/token"), Ok(()));
    assert_eq!(trusts("https://other.invalid/token"), Ok(()));
    assert_eq!(trusts("http://other.invalid/token"), Err(not_https));
}

// XM09
#[tokio::test]
async fn a_document_for_many_tenants_counts_where_tenants_are_listed_and_nowhere_else() {
    let peer = Peer::start().await;
    let issuer = format!("{}/common/v2.0", peer.base);
    let path = "/common/v2.0/.well-known/openid-configuration";
    let settings = |ids: &[&str]| {
        let mut settings = plain(&issuer);
        let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        settings.federation.members[0].tenants = Tenants::at(&issuer, &ids).unwrap();
        settings
    };
    let say = |named: &str| {
        let mut metadata = document(&issuer);
        metadata["issuer"] = json!(named);
        peer.say(path, &metadata);
    };
    let template = format!("{}/{{tenantid}}/v2.0", peer.base);
    say(&template);
    assert_eq!(issuer_of(settings(&["t-1"])).await.unwrap().issuer, issuer);
    assert!(issuer_of(settings(&[])).await.is_err(), "nobody is listed");
    let elsewhere = template.replace("{tenantid}", "{tenant}");
    for named in [issuer.as_str(), "https://evil.example/{tenantid}/v2.0", elsewhere.as_str()] {
        say(named);
        let refused = issuer_of(settings(&["t-1"])).await.unwrap_err();
        assert_eq!(refused, ProviderError::invalid("metadata speaks for another issuer"), "{named}");
    }
}

// What is said of the issuer that people sign in with is not said of an issuer of access tokens.
#[tokio::test]
async fn addresses_of_one_issuer_are_not_those_of_another() {
    let (inside, api) = (Peer::start().await, Peer::start().await);
    api.say(METADATA, &document(&api.base));
    api.say("/jwks", &key_set(&["k"]));
    let mut settings = plain("https://login.example.com");
    settings.backchannel_base_url = Some(url(&inside.base));
    settings.endpoints = given(&inside.base);
    let token_issuer =
        |issuer: &str| TokenIssuerSettings { issuer: issuer.to_owned(), jwks_uri: None, allowed_hosts: Vec::new() };
    inside.say("/k", &key_set(&["k"]));
    settings.token_issuers = vec![token_issuer(&api.base), token_issuer("https://login.example.com")];
    let federation = Federation::new(settings).unwrap();
    let client = "192.0.2.1".parse().unwrap();
    assert!(federation.token_keys(&api.base, Some("k"), client, at(0)).await.is_ok());
    // The very issuer of sign-in is found where the configuration says.
    assert!(federation.token_keys("https://login.example.com", Some("k"), client, at(0)).await.is_ok());
    assert_eq!((inside.count("/k"), inside.count(METADATA), api.count("/jwks")), (1, 0, 1));
}
