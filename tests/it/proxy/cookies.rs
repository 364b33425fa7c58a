//! F28: our cookies are between the browser and us; an app's are between the browser and the app.

use super::signed_in;
use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sees_its_own_cookies_and_none_of_ours() {
    // F28
    let rig = Rig::start().await;
    let line = signed_in(&rig).await;
    let ours = line.trim_end().strip_prefix("Cookie: ").unwrap();
    assert!(ours.contains("__Host-gw="));
    for (sent, seen) in [
        (vec![format!("a=1; {ours}; b=\"x y\"; c")], Some("a=1; b=\"x y\"; c")),
        (vec![format!("{ours}; z=1;a=2; z=3")], Some("z=1;a=2; z=3")),
        (vec![ours.to_owned()], None),
        (vec!["a=1".to_owned(), format!("{ours}; b=2"), "c=3".to_owned()], Some("a=1; b=2; c=3")),
        (
            vec![format!("__Host-gwx=1; gw=2; {ours}; X__Host-gw=3; __host-gw=4")],
            Some("__Host-gwx=1; gw=2; X__Host-gw=3; __host-gw=4"),
        ),
    ] {
        let lines: String = sent.iter().map(|value| format!("Cookie: {value}\r\n")).collect();
        let answer = exchange(rig.address, get("/app", &lines).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{sent:?}: {}", answer.text);
        let last = rig.upstream.last();
        assert_eq!(last.one("cookie").as_deref(), seen, "{sent:?}");
        // On a route where nobody looks at the session, too.
        exchange(rig.address, get("/public", &lines).as_bytes()).await;
        assert_eq!(rig.upstream.last().one("cookie").as_deref(), seen, "{sent:?}");
    }
    exchange(rig.address, get("/public", "Cookie: __Host-gwtx-abc=1; k=v; __Host-gwtx-=2\r\n").as_bytes()).await;
    assert_eq!(rig.upstream.last().one("cookie").as_deref(), Some("k=v"));
    let raw = String::from_utf8_lossy(&rig.upstream.raw()).into_owned();
    let id = ours.split("__Host-gw=").nth(1).unwrap().split(';').next().unwrap();
    assert!(!raw.contains(id), "the session id reached the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_cannot_set_a_cookie_of_ours() {
    // F28, O10: an app behind one route could otherwise sign people in on all the others
    let rig = Rig::start().await;
    rig.upstream.answer(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: first=1; Path=/\r\nSet-Cookie: __Host-gw=evil; Path=/; Secure\r\n\
         Set-Cookie: second=2\r\nset-cookie: __host-GW=evil\r\nSet-Cookie: __Host-gwtx-1=evil\r\nSet-Cookie: =__Host-gw=evil\r\n\
         Set-Cookie:  __Host-gw =evil\r\nSet-Cookie: first=3; HttpOnly\r\nSet-Cookie: gw=theirs\r\n\r\nok",
    );
    let answer = exchange(rig.address, get("/public", "").as_bytes()).await;
    let cookies: Vec<&str> = answer
        .text
        .split("\r\n")
        .filter_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")))
        .map(|(_, value)| value)
        .collect();
    assert_eq!(cookies, ["first=1; Path=/", "second=2", "first=3; HttpOnly", "gw=theirs"], "{}", answer.text);
    assert!(!answer.text.contains("evil"));
}
