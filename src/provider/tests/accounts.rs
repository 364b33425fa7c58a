//! An OAuth 2.0 provider without ID tokens, described in the configuration.

use super::*;
use crate::identity::ClaimValue;

fn described(peer: &Peer) -> ProviderSettings {
    let url = |path: &str| Url::parse(&format!("{}{path}", peer.base)).unwrap();
    let mut settings = plain("https://git.example.com");
    settings.federation.profile = &profile::OAUTH2;
    settings.federation.api = Some(Box::new(AccountApi {
        issuer: "https://git.example.com".to_owned(),
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        account_endpoint: url("/user"),
        auth_method: AuthMethod::ClientSecretBasic,
        subject: "id".to_owned(),
        claims: vec![("name".to_owned(), "full_name".to_owned())],
        email: Some(("mail".to_owned(), "mail_ok".to_owned())),
        lists: vec![AccountList {
            endpoint: url("/orgs"),
            meaning: ListMeaning::Values { claim: "groups".to_owned(), fields: vec!["username".to_owned()] },
            page_size_parameter: "limit".to_owned(),
            page_size: 2,
        }],
    }));
    settings
}

async fn account(settings: ProviderSettings) -> Result<ApiAccount, ProviderError> {
    let federation = Federation::new(settings).unwrap();
    let carrier = federation.issuer(at(0)).await?;
    let grant = CodeGrant {
        code: &SecretString::new("c"),
        redirect_uri: "https://app.example/oauth2/callback",
        code_verifier: &SecretString::new("v"),
        correlation_id: "x",
        now: at(0),
    };
    federation.account(&carrier, &grant).await.unwrap()
}

#[tokio::test]
async fn a_described_api_says_who_somebody_is_and_its_lists_are_read_by_its_own_pages() {
    let peer = Peer::start().await;
    peer.say("/token", &json!({ "access_token": "at", "token_type": "bearer" }));
    peer.say("/user", &json!({ "id": 7, "full_name": "Maya", "mail": "m@a.test", "mail_ok": true, "acr": "high" }));
    peer.say("/orgs", &json!([{ "username": "acme" }]));
    let person = account(described(&peer)).await.unwrap();
    assert_eq!((person.issuer(), person.subject()), ("https://git.example.com", "7"));
    let claim = |name: &str| person.claims().get(name).cloned();
    assert_eq!(claim("name"), Some(ClaimValue::Text("Maya".into())));
    assert_eq!(claim("email"), Some(ClaimValue::Text("m@a.test".into())));
    assert_eq!((claim("groups"), claim("acr")), (Some(ClaimValue::List(vec!["acme".into()])), None));
    let heard = peer.heard();
    let pages: Vec<_> = heard.iter().filter(|heard| heard.path() == "/orgs").map(|heard| heard.target()).collect();
    assert_eq!(pages, ["/orgs?limit=2&page=1"]);
    let redemption = heard.iter().find(|heard| heard.path() == "/token").unwrap();
    assert!(redemption.header("authorization").is_some() && !redemption.body.contains("client_secret"));
    // A full page is followed by another, and there is an end to it.
    peer.say("/orgs", &json!([{ "username": "a" }, { "username": "b" }]));
    account(described(&peer)).await.unwrap();
    assert_eq!(peer.count("/orgs"), 1 + 20);
    // The abuse: no subject, and an address that nobody verified.
    peer.say("/user", &json!({ "full_name": "Maya" }));
    assert!(account(described(&peer)).await.is_err());
    peer.say("/user", &json!({ "id": 7, "mail": "ceo@a.test", "mail_ok": "true" }));
    assert!(!account(described(&peer)).await.unwrap().claims().contains_key("email"));
}
