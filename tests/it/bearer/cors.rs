//! What scripts of other origins can read, and which preflights are answered.

use reqwest::Method;
use serde_json::json;

use super::{Api, challenge};
use crate::support::browser::{Browser, Page};

fn allowed(page: &Page) -> Option<&str> {
    page.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_listed_origin_can_read_why_it_was_refused() {
    let api = Api::start().await;
    for (path, status) in [("/api", 401), ("/app", 401), ("/either", 401)] {
        let page = api.ask(path, &[("origin", "https://spa.test"), ("sec-fetch-mode", "cors")]).await;
        assert_eq!((page.status.as_u16(), allowed(&page)), (status, Some("https://spa.test")), "{path}");
        assert_eq!(page.headers["access-control-allow-credentials"], "true");
        assert!(page.headers["access-control-expose-headers"].to_str().unwrap().contains("WWW-Authenticate"));
        assert_eq!(page.headers["vary"], "Origin");
    }
    let bearer = format!("Bearer {}", api.token(json!({})).await);
    let page = api.ask("/api/write", &[("origin", "https://spa.test:8443"), ("authorization", &bearer)]).await;
    assert_eq!((page.status.as_u16(), allowed(&page)), (403, Some("https://spa.test:8443")));
    assert!(challenge(&page).contains("insufficient_scope"));
}

// A11
#[tokio::test]
async fn no_other_origin_can() {
    let api = Api::start().await;
    for origin in [
        "https://evil.test",
        "null",
        "https://spa.test.evil.test",
        "http://spa.test",
        "https://spa.test:1",
        "https://SPA.test",
        "https://spa.test/",
        "https://x.spa.test",
        "*",
        "https://spa.test, https://evil.test",
    ] {
        let page = api.ask("/api", &[("origin", origin)]).await;
        assert_eq!((page.status.as_u16(), allowed(&page)), (401, None), "{origin}");
        assert!(!page.headers.contains_key("access-control-allow-credentials"));
        assert_eq!(page.headers["vary"], "Origin", "who asks makes a difference, and caches must know");
        let asked = [("origin", origin), ("access-control-request-method", "GET")];
        let page = api.client.send(Method::OPTIONS, api.rig.url("/api"), None, &asked).await;
        assert_eq!((page.status.as_u16(), allowed(&page)), (401, None), "{origin}");
    }
    let twice = [("origin", "https://spa.test"), ("origin", "https://spa.test")];
    assert_eq!(allowed(&api.ask("/api", &twice).await), None);
    assert_eq!(allowed(&api.ask("/nowhere", &[("origin", "https://spa.test")]).await), None);
    assert_eq!(api.rig.upstream.count(), 0);
}

#[tokio::test]
async fn a_preflight_of_a_listed_origin_is_answered_here() {
    let api = Api::start().await;
    for path in ["/api", "/app", "/either"] {
        let asked = [
            ("origin", "https://spa.test"),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "authorization, x-thing"),
        ];
        let page = Browser::new().send(Method::OPTIONS, api.rig.url(path), None, &asked).await;
        assert_eq!((page.status.as_u16(), allowed(&page)), (204, Some("https://spa.test")), "{path}");
        assert_eq!(page.headers["access-control-allow-methods"], "DELETE");
        assert_eq!(page.headers["access-control-allow-headers"], "authorization, x-thing");
        assert_eq!(page.headers["access-control-allow-credentials"], "true");
        assert!(page.headers["vary"].to_str().unwrap().starts_with("Origin"));
        assert!(page.set_cookies().is_empty());
    }
    assert_eq!(api.rig.upstream.count(), 0);
}

#[tokio::test]
async fn what_is_no_preflight_is_judged_like_any_request() {
    let api = Api::start().await;
    let options = async |path: &str, headers: &[(&str, &str)]| {
        api.client.send(Method::OPTIONS, api.rig.url(path), None, headers).await.status.as_u16()
    };
    let origin = ("origin", "https://spa.test");
    assert_eq!(options("/api", &[origin]).await, 401);
    assert_eq!(options("/api", &[origin, ("access-control-request-method", "GET x")]).await, 401);
    assert_eq!(options("/api", &[origin, ("access-control-request-method", "")]).await, 401);
    let odd = ("access-control-request-headers", "a;b");
    assert_eq!(options("/api", &[origin, ("access-control-request-method", "GET"), odd]).await, 401);
    assert_eq!(api.rig.upstream.count(), 0);
    // An app that is open to everybody answers for itself.
    assert_eq!(options("/public", &[origin, ("access-control-request-method", "GET")]).await, 200);
    assert_eq!(api.rig.upstream.count(), 1);
    let bearer = format!("Bearer {}", api.token(json!({})).await);
    assert_eq!(options("/api", &[("authorization", &bearer)]).await, 200);
}
