//! W31: an app that is somewhere else for people than for itself.

use super::{refused, signed_in};
use crate::support::raw::{exchange, get};
use crate::support::rig::{Choices, Rig};

const ROUTES: &str = "  - { host: localhost, path: /wiki, access: anonymous, upstream: 'UPSTREAM', strip_prefix: true }
  - { host: localhost, path: /moved, access: anonymous, upstream: 'UPSTREAM', replace_prefix: /base/of }
  - { host: localhost, path: /mine, access: session, upstream: 'UPSTREAM', strip_prefix: true }
  - { host: localhost, path: /raw, access: anonymous, upstream: 'UPSTREAM', strip_prefix: true, paths: as-is }
  - { host: localhost, path: /named, access: anonymous, upstream: { servers: ['UPSTREAM'], host: inner.test:81 } }
";

async fn rig(top: &str) -> Rig {
    Rig::with(Choices { routes: ROUTES.to_owned(), top: top.to_owned(), ..Choices::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_at_the_root_appears_below_a_path() {
    // W31, H11
    let rig = rig("").await;
    for (target, sent) in [
        ("/wiki", "/"),
        ("/wiki/", "/"),
        ("/wiki?x", "/?x"),
        ("/wiki/a%20b?c=/wiki", "/a%20b?c=/wiki"),
        ("/moved", "/base/of"),
        ("/moved/a", "/base/of/a"),
        ("/raw/a%2Fb//c%25", "/a%2Fb//c%25"),
        ("/raw//evil.com/x", "/evil.com/x"),
    ] {
        let answer = exchange(rig.address, get(target, "X-Forwarded-Prefix: /forged\r\n").as_bytes()).await;
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text);
        let seen = rig.upstream.last();
        assert_eq!(seen.target(), sent, "{target}");
        let told = target.split(['/', '?']).nth(1).map(|first| format!("/{first}"));
        assert_eq!(seen.all("x-forwarded-prefix"), told.into_iter().collect::<Vec<_>>(), "{target}");
    }
    // The same, where there is a person whose headers lie ready.
    let cookie = signed_in(&rig).await;
    for _ in 0..2 {
        let answer = exchange(rig.address, get("/mine/a", &cookie).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
        assert_eq!(
            (rig.upstream.last().target(), rig.upstream.last().one("x-forwarded-prefix")),
            ("/a", Some("/mine".into()))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_only_resembles_the_path_is_cut() {
    // H11
    let rig = rig("").await;
    for target in ["/wiki//evil.com/..", "/wiki/../x", "/wiki%2F..", "/raw//evil.com/..", "/raw/..%2Fx"] {
        refused(&rig, get(target, "").as_bytes(), &[400]).await;
    }
    // No route is there, or a stricter one whose path stands there in another spelling.
    for target in ["/wikipedia", "/wiki.old", "/MINE/x", "/wiki;x=1/a"] {
        let before = rig.upstream.count();
        let answer = exchange(rig.address, get(target, "").as_bytes()).await;
        assert!(matches!(answer.status(), 302 | 303 | 400 | 401 | 403), "{target}: {}", answer.text);
        assert_eq!(rig.upstream.count(), before, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stricter_route_in_another_spelling_is_refused_and_not_sent_uncut() {
    // H11: where `/` is weaker, the route below it judges `/MINE` too.
    let routes = format!("{ROUTES}  - {{ host: localhost, path: /, access: anonymous, upstream: 'UPSTREAM' }}\n");
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let cookie = signed_in(&rig).await;
    let before = rig.upstream.count();
    let answer = exchange(rig.address, get("/MINE/x", &cookie).as_bytes()).await;
    assert_eq!((answer.status(), rig.upstream.count()), (400, before), "{}", answer.text);
    let answer = exchange(rig.address, get("/mine/x", &cookie).as_bytes()).await;
    assert_eq!((answer.status(), rig.upstream.last().target()), (200, "/x"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_answers_leads_people_back_to_it() {
    // W31
    let rig = rig("").await;
    let upstream = rig.upstream.address;
    let answer = async |target: &str, fields: &str| {
        rig.upstream.answer(&format!("HTTP/1.1 302 Found\r\n{fields}Content-Length: 0\r\n\r\n"));
        exchange(rig.address, get(target, "").as_bytes()).await
    };
    let port = rig.address.port();
    for (target, location, seen) in [
        ("/wiki/a", "/login".to_owned(), "/wiki/login".to_owned()),
        ("/wiki/a", "/wiki/login".to_owned(), "/wiki/login".to_owned()),
        ("/wiki/a", "b".to_owned(), "b".to_owned()),
        ("/wiki/a", format!("http://localhost:{port}/b"), format!("http://localhost:{port}/wiki/b")),
        ("/wiki/a", format!("http://{upstream}/b"), "/wiki/b".to_owned()),
        ("/wiki/a", format!("http://{upstream}//evil.com/b"), "/wiki/evil.com/b".to_owned()),
        ("/wiki/a", "https://elsewhere.test/b".to_owned(), "https://elsewhere.test/b".to_owned()),
        ("/moved/a", "/base/of/b".to_owned(), "/moved/b".to_owned()),
        ("/moved/a", "/other".to_owned(), "/other".to_owned()),
        ("/named/a", "http://inner.test:81/b".to_owned(), "/b".to_owned()),
        ("/public/a", format!("http://{upstream}/b"), format!("http://{upstream}/b")),
    ] {
        let said = answer(target, &format!("Location: {location}\r\n")).await;
        assert_eq!(said.header("location"), Some(seen.as_str()), "{target} {location}");
    }
    let said = answer(
        "/wiki/a",
        "Content-Location: /c\r\nRefresh: 5; url=/r\r\nLink: </l>; rel=next\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: \
         c=d; path=/x; HttpOnly\r\nSet-Cookie: e=f\r\nSet-Cookie: __Host-g=h; Secure; Path=/\r\n",
    )
    .await;
    for line in [
        "content-location: /wiki/c",
        "refresh: 5; url=/wiki/r",
        "link: </l>; rel=next",
        "set-cookie: a=b; Path=/wiki\r",
        "set-cookie: c=d; path=/wiki/x; HttpOnly",
        "set-cookie: e=f\r",
        "set-cookie: __Host-g=h; Secure; Path=/\r",
    ] {
        let text = said.text.replacen("Set-Cookie", "set-cookie", 9);
        assert!(text.to_ascii_lowercase().contains(&line.to_ascii_lowercase()), "{line}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_of_a_trusted_proxy_stands_before_ours() {
    // W31, G06
    let rig = rig("trusted_proxies: [127.0.0.1]\n").await;
    for (theirs, told) in [("/outer", "/outer/wiki"), ("/outer/", "/outer/wiki"), ("//evil.com", "/wiki")] {
        let head = get("/wiki/a", &format!("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Prefix: {theirs}\r\n"));
        exchange(rig.address, head.as_bytes()).await;
        assert_eq!(rig.upstream.last().all("x-forwarded-prefix"), [told], "{theirs}");
    }
    // An app that heeds it writes its paths so, and they stay.
    rig.upstream.answer("HTTP/1.1 302 Found\r\nLocation: /outer/wiki/b\r\nContent-Length: 0\r\n\r\n");
    let head = get("/wiki/a", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Prefix: /outer\r\n");
    let answer = exchange(rig.address, head.as_bytes()).await;
    assert_eq!(answer.header("location"), Some("/outer/wiki/b"));
}
