//! Providers behind a proxy, and providers with one address for browsers and another for us.

use super::peer::{Play, answer};
use super::*;

// XM04, KC21
#[tokio::test]
async fn what_we_ask_ourselves_goes_to_the_other_address_and_browsers_to_theirs() {
    let inside = Peer::start().await;
    let issuer_name = "https://login.example.com/realms/main";
    let mut metadata = document(issuer_name);
    metadata["jwks_uri"] = json!(format!("{}/realms/main/jwks", inside.base));
    inside.say("/realms/main/.well-known/openid-configuration", &metadata);
    let base = Url::parse(&format!("{}/realms/main", inside.base)).unwrap();
    let mut settings = plain(issuer_name);
    settings.backchannel_base_url = Some(base.clone());
    let federation = Federation::new(settings).unwrap();
    let carrier = federation.issuer(at(0)).await.unwrap();
    assert_eq!(carrier.issuer, issuer_name);
    assert_eq!(carrier.authorization_endpoint.as_str(), "https://login.example.com/realms/main/authorize");
    assert_eq!(carrier.token_endpoint.as_str(), format!("{base}/token"));
    assert_eq!(carrier.userinfo_endpoint.unwrap().as_str(), format!("{base}/userinfo"));
    assert_eq!(carrier.jwks_uri.as_str(), format!("{base}/jwks"));
    // The abuse: another issuer at that address, browsers sent there, or a third host.
    let bends: [(&str, String); 3] = [
        ("issuer", "https://evil.example".to_owned()),
        ("authorization_endpoint", format!("{base}/authorize")),
        ("token_endpoint", "https://evil.example/token".to_owned()),
    ];
    for (name, value) in bends {
        let mut bent = metadata.clone();
        bent[name] = json!(value);
        inside.say("/realms/main/.well-known/openid-configuration", &bent);
        let mut settings = plain(issuer_name);
        settings.backchannel_base_url = Some(base.clone());
        assert!(Federation::new(settings).unwrap().issuer(at(0)).await.is_err(), "{name}");
    }
}

// XM03, PM12
#[tokio::test]
async fn a_proxy_is_asked_for_what_is_not_this_machine_and_the_guard_stands_before_it() {
    let (proxy, local) = (Peer::start().await, Peer::start().await);
    proxy.play("idp.example:443", Play::Say(answer(502, &[], b"")));
    local.say("/x", &json!({}));
    let client = |allow_private: bool| {
        let mut settings = plain("https://idp.example");
        settings.allow_private_addresses = allow_private;
        settings.proxy =
            Some(OutboundProxy { url: Url::parse(&proxy.base).unwrap(), exempt: "direct.example".to_owned() });
        HttpClient::new(&settings).unwrap()
    };
    let get = async |client: &HttpClient, url: &str| client.get("metadata", &Url::parse(url).unwrap(), 1000).await;
    assert!(get(&client(true), "https://idp.example/x").await.is_err());
    assert_eq!(proxy.heard().last().unwrap().line, "CONNECT idp.example:443 HTTP/1.1");
    assert_eq!(get(&client(true), &format!("{}/x", local.base)).await.map(|answer| answer.status), Ok(200));
    assert_eq!(proxy.heard().len(), 1, "this machine is reached without it");
    for inside in ["https://10.0.0.1/x", "https://169.254.169.254/x", "https://localhost/x"] {
        let refused = get(&client(false), inside).await.map(|answer| answer.status);
        assert_eq!(refused, Err(ProviderError::untrusted("address is private or reserved")), "{inside}");
    }
    assert_eq!(proxy.heard().len(), 1);
}

// XM03: who we are towards the proxy, the proxy is told and nobody behind it.
#[tokio::test]
async fn a_proxy_that_wants_a_password_is_told_it_and_nobody_else() {
    for (password, told) in [("us:p%3Aw@", true), ("", false)] {
        let (proxy, local) = (Peer::start().await, Peer::start().await);
        proxy.play("idp.example:443", Play::Say(answer(502, &[], b"")));
        local.say("/x", &json!({}));
        let mut settings = plain("https://idp.example");
        settings.allow_private_addresses = true;
        let url = Url::parse(&proxy.base.replace("://", &format!("://{password}"))).unwrap();
        settings.proxy = Some(OutboundProxy { url, exempt: String::new() });
        let client = HttpClient::new(&settings).unwrap();
        let refused = client.get("metadata", &Url::parse("https://idp.example/x").unwrap(), 1000).await.err().unwrap();
        assert!(!format!("{refused} {refused:?}").contains("p%3Aw"), "{refused:?}");
        let asked = proxy.heard().pop().unwrap();
        assert_eq!(asked.line, "CONNECT idp.example:443 HTTP/1.1");
        // `us:p:w` (RFC 7617, 2).
        assert_eq!(asked.header("proxy-authorization"), told.then_some("Basic dXM6cDp3"));
        client.get("metadata", &Url::parse(&format!("{}/x", local.base)).unwrap(), 1000).await.unwrap();
        assert_eq!(local.heard().pop().unwrap().header("proxy-authorization"), None);
    }
}
