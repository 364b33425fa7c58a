//! Routes without an app: a fixed answer, another address, closed for a while.

use super::signed_in;
use crate::support::raw::{exchange, get};
use crate::support::rig::{Choices, Rig};

const ROUTES: &str = r#"  - host: localhost
    path: /fixed
    access: anonymous
    answer: { status: 203, body: "hello\n" }
    response_headers: { set: { Cache-Control: public, X-Frame-Options: DENY } }
  - { host: localhost, path: /empty, access: anonymous, answer: { status: 204 } }
  - { host: localhost, path: /mine, access: session, answer: { body: "<p>mine", content_type: text/html } }
  - { host: localhost, path: /moved, access: anonymous, redirect: { to: "https://new.test/docs%path%", status: 308 } }
  - { host: localhost, path: /raw, access: anonymous, paths: as-is, redirect: { to: "https://new.test%path%" } }
  - { host: localhost, path: /gone, access: anonymous, redirect: { to: /public } }
  - { host: localhost, path: /theirs, access: session, redirect: { to: "%path%" } }
  - { host: localhost, path: /closed, access: session, upstream: 'UPSTREAM', maintenance: { message: Back at <noon>., retry_after: 1h } }
  - { host: localhost, path: /shut, access: anonymous, upstream: 'UPSTREAM', maintenance: true }
  - { host: localhost, path: /, access: anonymous, upstream: 'UPSTREAM' }
"#;

async fn rig() -> Rig {
    Rig::with(Choices { routes: ROUTES.to_owned(), ..Choices::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_an_app_answers_itself() {
    let rig = rig().await;
    let fixed = exchange(rig.address, get("/fixed/x?y", "").as_bytes()).await;
    assert_eq!((fixed.status(), fixed.body()), (203, "hello\n"), "{}", fixed.text);
    assert_eq!(fixed.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!((fixed.header("cache-control"), fixed.header("x-frame-options")), (Some("public"), Some("DENY")));
    let head = get("/fixed", "Connection: close\r\n").replacen("GET", "HEAD", 1);
    let head = exchange(rig.address, head.as_bytes()).await;
    assert_eq!((head.status(), head.header("content-length"), head.body()), (203, Some("6"), ""), "{}", head.text);
    let empty = exchange(rig.address, get("/empty", "Connection: close\r\n").as_bytes()).await;
    assert_eq!((empty.status(), empty.header("content-length"), empty.body()), (204, None, ""), "{}", empty.text);
    // Access is judged first.
    let stranger = exchange(rig.address, get("/mine", "").as_bytes()).await;
    assert!(stranger.status() == 401 && !stranger.text.contains("mine</"), "{}", stranger.text);
    let cookie = signed_in(&rig).await;
    let before = rig.upstream.count();
    let mine = exchange(rig.address, get("/mine", &cookie).as_bytes()).await;
    assert_eq!((mine.status(), mine.body(), mine.header("cache-control")), (200, "<p>mine", Some("no-store")));
    assert_eq!(rig.upstream.count(), before, "no app is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_to_the_configured_host_whatever_is_asked_for() {
    // A12: no target makes it lead elsewhere.
    let rig = rig().await;
    let cookie = signed_in(&rig).await;
    for (target, status, location) in [
        ("/moved", 308, "https://new.test/docs/"),
        ("/moved/a%20b?c=d", 308, "https://new.test/docs/a%20b?c=d"),
        ("/moved/@evil.com", 308, "https://new.test/docs/@evil.com"),
        ("/raw//evil.com/x", 302, "https://new.test/evil.com/x"),
        ("/raw/%2Fevil.com", 302, "https://new.test/%2Fevil.com"),
        ("/raw/.evil.com", 302, "https://new.test/.evil.com"),
        ("/gone/x?y", 302, "/public"),
        ("/theirs/x?y", 302, "/x?y"),
        ("/theirs/%2Fevil.com", 400, ""),
    ] {
        let answer = exchange(rig.address, get(target, &cookie).as_bytes()).await;
        assert_eq!(answer.status(), status, "{target}: {}", answer.text);
        assert_eq!(answer.header("location").unwrap_or_default(), location, "{target}");
    }
    let stranger = exchange(rig.address, get("/theirs/x", "").as_bytes()).await;
    assert_eq!((stranger.status(), stranger.header("location")), (401, None), "{}", stranger.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_route_says_so_to_everybody_and_asks_nobody() {
    let rig = rig().await;
    let cookie = signed_in(&rig).await;
    let before = rig.upstream.count();
    for (target, lines) in [("/closed/x", ""), ("/closed/x", cookie.as_str()), ("/shut", ""), ("/CLOSED", "")] {
        let html = exchange(rig.address, get(target, &format!("{lines}Accept: text/html\r\n")).as_bytes()).await;
        assert_eq!((html.status(), html.header("location")), (503, None), "{target}: {}", html.text);
        let words = if target.starts_with("/shut") { "being worked on" } else { "Back at &lt;noon&gt;." };
        assert!(html.body().contains(words), "{target}: {}", html.text);
        let json = exchange(rig.address, get(target, lines).as_bytes()).await;
        assert!(json.status() == 503 && json.body().contains("\"maintenance\""), "{target}: {}", json.text);
        let after = (!target.starts_with("/shut")).then_some("3600");
        assert_eq!((html.header("retry-after"), json.header("retry-after")), (after, after), "{target}");
    }
    assert_eq!(rig.upstream.count(), before);
    let open = exchange(rig.address, get("/public", "").as_bytes()).await;
    assert_eq!(open.status(), 200, "{}", open.text);
}
