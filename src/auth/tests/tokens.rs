//! Tokens that are longer than they may be.

use super::lines::Lines;
use super::*;

const ROUTES: &str = "
public_url: https://apps.example
provider:
  zenkey: { client_id: ccid-a, client_secret: s, trusted_issuers: ['https://carrier.example'] }
bearer:
  max_token: 1KiB
  issuers: [{ issuer: 'https://carrier.example', audiences: [api] }]
sessions: { store: memory }
routes:
  - { host: apps.example, path: /api, access: bearer, upstream: 'http://127.0.0.1:1' }
";

// XS26, MV15: a limit is named where it refuses.
#[tokio::test]
async fn an_access_token_that_is_too_long_is_refused_by_the_name_of_the_limit() {
    let mut story = Story::begin();
    story.configure(ROUTES, |_| {});
    for (length, over) in [(1024, false), (1025, true)] {
        story.headers = vec![("authorization", format!("Bearer {}", "a".repeat(length)))];
        let (lines, _listening) = Lines::of_this_thread();
        let reply = story.get("https://apps.example/api").await;
        assert_eq!(reply.status, 401);
        let told = lines
            .all()
            .iter()
            .any(|line| line["key"] == "bearer.max_token" && line["bytes"] == length && line["longest"] == 1024);
        assert_eq!(told, over, "{:#?}", lines.all());
        let refusal = lines.one("Refused");
        assert_eq!(refusal["code"], "invalid_token");
        assert!(!lines.all().iter().any(|line| line.to_string().contains("aaaaaaaa")), "never the token itself");
    }
}

// XM: an ID token that cannot go along at sign-out is named, and the client goes in its place.
#[tokio::test]
async fn an_id_token_that_is_too_long_for_an_address_is_said_and_replaced_by_the_client() {
    for (padding, left_out) in [(0, 0), (6 * 1024, 1)] {
        let mut story = Story::begin();
        *story.provider.ends.lock() = Some(Url::parse("https://carrier.example/end").unwrap());
        *story.provider.padding.lock() = "p".repeat(padding);
        let (lines, _listening) = Lines::of_this_thread();
        story.sign_in().await;
        assert_eq!(story.auth.metrics.hints_left_out.get(), left_out);
        let told = lines.all().iter().filter(|line| line["most"] == 4096 && line["issuer"] == CARRIER).count();
        assert_eq!(told as u64, left_out);
        let Decision::Answer(reply) =
            story.ask(Method::POST, "https://apps.example/oauth2/sign_out?provider=yes").await
        else {
            panic!("it was passed on")
        };
        let page = String::from_utf8_lossy(&reply.body);
        assert!(page.contains("client_id=ccid-a"), "{page}");
        assert_eq!(page.contains("id_token_hint="), left_out == 0, "{page}");
    }
}
