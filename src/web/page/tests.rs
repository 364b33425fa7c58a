use url::Url;

use super::sign_out::{Onward, SignOutQuestion, onward_page, signed_out_page};
use super::*;

const ID: &str = "01J9ZQ4T5R8V6W7X2Y3Z4A5B6C-0123456789";

fn value<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let mut found = reply.headers.iter().filter(|(other, _)| other == name);
    let value = found.next().unwrap().1.to_str().unwrap();
    assert!(found.next().is_none(), "{name} once");
    value
}

fn body(reply: &Reply) -> &str {
    str::from_utf8(&reply.body).unwrap()
}

fn failure<'a>(href: &'a str, request_id: &'a str) -> Reply {
    error_page(ErrorPage {
        status: StatusCode::BAD_REQUEST,
        title: "This sign-in took too long",
        text: "It was begun more than ten minutes ago, so it cannot be completed. Nothing is wrong with your account.",
        code: "login_expired",
        request_id,
        action: Some(Action { label: "Sign in again", href }),
    })
}

fn question<'a>(href: &'a str, request_id: &'a str) -> SignOutQuestion<'a> {
    SignOutQuestion { here: Some(href), both: None, refused: false, request_id }
}

fn all_pages(href: &str, request_id: &str) -> Vec<Reply> {
    let longest = |limit: usize| -> &'static str { "<".repeat(limit).leak() };
    vec![
        failure(href, request_id),
        sign_in_page(href, href, true, request_id),
        already_signed_in_page(href, href, Some("<b>&ä"), request_id),
        signed_out_page(false, href, request_id),
        question(href, request_id).page(),
        error_page(ErrorPage {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "W".repeat(TITLE_LIMIT).leak(),
            text: "w".repeat(TEXT_LIMIT).leak(),
            code: "w".repeat(TITLE_LIMIT).leak(),
            request_id,
            action: Some(Action { label: "W".repeat(TITLE_LIMIT).leak(), href }),
        }),
        error_page(ErrorPage {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: longest(TITLE_LIMIT / 4),
            text: longest(TEXT_LIMIT / 4),
            code: "x",
            request_id,
            action: None,
        }),
    ]
}

#[test]
fn no_page_is_longer_than_a_kibibyte_but_for_the_address_it_leads_to_and_none_is_empty() {
    let long = format!("/oauth2/start?rd=/{}", "a".repeat(8100));
    for href in ["/oauth2/start", "/oauth2/start?rd=%2Fapp%3Fx%3D1", &long] {
        for id in [ID, "", &"i".repeat(500)] {
            for page in all_pages(href, id) {
                // The page that asks for a sign-in leads to it twice.
                assert!(page.body.len() <= PAGE_LIMIT + 2 * href.len(), "{}", page.body.len());
                assert!(body(&page).contains("<h1>") && body(&page).ends_with("</main>"));
            }
            let json = error_json(StatusCode::UNAUTHORIZED, "login_required", id, Some(href));
            assert!(!json.body.is_empty() && json.body.len() <= PAGE_LIMIT + href.len());
        }
    }
}

// FD04
#[test]
fn the_longest_words_and_the_longest_address_both_have_room() {
    for length in [1, 250, 300, 1000, 3000, 8100] {
        let href = format!("/oauth2/start?rd=/{}", "a".repeat(length));
        for page in all_pages(&href, ID).iter().take(6) {
            assert!(body(page).contains(&format!("\"{href}\"")) && body(page).contains(ID), "{length}");
        }
    }
    let page = failure("/oauth2/start?rd=%2Fapp&x=1", ID);
    assert!(body(&page).contains("href=\"/oauth2/start?rd=%2Fapp&amp;x=1\""));
    // Beyond what any listener of ours takes, the query is given up, not the link.
    let page = failure(&format!("/oauth2/start?rd=/{}", "&".repeat(LINK_LIMIT / 4)), ID);
    assert!(body(&page).contains("href=\"/oauth2/start\""));
}

// XS19
#[test]
fn the_page_for_frames_leads_out_of_them_and_may_stand_in_one() {
    let page = framed_sign_in_page("/oauth2/start?rd=%2Fx", "unauthenticated", ID);
    assert!(body(&page).contains("<a href=\"/oauth2/start?rd=%2Fx\" target=_top>Sign in</a>"), "{}", body(&page));
    let policy = value(&page, "content-security-policy");
    assert!(!policy.contains("frame-ancestors") && policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self'") && policy.contains("base-uri 'none'"), "{policy}");
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let foreign = framed_sign_in_page("//evil.test", "unauthenticated", ID);
    assert!(!body(&foreign).contains("href"));
}

#[test]
fn every_page_carries_the_headers_that_keep_it_harmless() {
    // A17
    for page in all_pages("/oauth2/start", ID) {
        let policy = value(&page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; frame-ancestors 'none'; "), "{policy}");
        assert!(policy.contains("form-action 'self'") && policy.contains("base-uri 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("script"));
        assert_eq!(value(&page, "x-content-type-options"), "nosniff");
        assert_eq!(value(&page, "referrer-policy"), "no-referrer");
        assert_eq!(value(&page, "cache-control"), "no-store");
        assert_eq!(value(&page, "content-type"), "text/html; charset=utf-8");
        // The hash is that of the style as it stands on the page, or browsers would not apply it.
        let style = body(&page).split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        assert!(policy.contains(&STANDARD.encode(sha256(style.as_bytes()))));
        assert!(!body(&page).contains("<script") && !body(&page).contains(" style="));
        assert!(style.contains("color-scheme:light dark"));
        assert!(
            body(&page).contains("lang=en") && body(&page).contains("name=viewport") && body(&page).contains("<main>")
        );
    }
}

#[test]
fn nothing_that_came_from_outside_becomes_markup_or_a_foreign_link() {
    // A17, R09
    for page in all_pages("/x?\"><script>alert(1)</script>'&", "\"><img src=x onerror=1>\r\n\u{1b}") {
        let html = body(&page);
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains('\u{1b}') && !html.contains('\r'),
            "{html}"
        );
    }
    for foreign in ["https://evil.test", "//evil.test", "javascript:alert(1)", "/\\evil.test", "/\t/evil.test", "", "x"]
    {
        for page in all_pages(foreign, ID) {
            let html = body(&page).replace("<a href=\"/\">", "");
            assert!(!html.contains("href") && !html.contains("action="), "{foreign}");
        }
    }
    assert_eq!(escape("<a href=\"x\">'&\u{e4}\u{0}"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{e4}\u{fffd}");
}

#[test]
fn signing_out_is_asked_for_by_post() {
    // B16 (the part that is decided here)
    let page = question("/oauth2/sign_out", ID).page();
    assert!(body(&page).contains("<form method=post action=\"/oauth2/sign_out\"><button>Sign out</button></form>"));
    assert!(!body(&page).contains("<a href=\"/oauth2"), "no link does it");
    assert!(body(&page).contains("<a href=\"/\">Stay signed in</a>"));
    let both =
        SignOutQuestion { both: Some("/oauth2/sign_out?provider=yes"), refused: true, ..question("/x", ID) }.page();
    assert!(body(&both).contains("action=\"/oauth2/sign_out?provider=yes\"><button>Sign out of both</button>"));
    assert!(body(&both).contains("is not allowed here"));
}

// XS03: a policy of ours binds what follows a form, so the page behind it leads on by itself.
#[test]
fn a_page_that_leads_on_names_one_place_and_cannot_be_bent() {
    let to = Url::parse("https://op.example/end?a=\"><script>&b='x").unwrap();
    let page = onward_page(Onward::Provider, &to, ID);
    let html = body(&page);
    assert!(
        html.contains("<meta http-equiv=refresh content=\"0;url=https://op.example/end?a=%22%3E%3Cscript%3E&amp;b=")
    );
    assert!(html.contains("<a href=\"https://op.example/end?a=") && !html.contains("<script>"), "{html}");
}

#[test]
fn programs_get_the_same_as_json() {
    let reply = error_json(StatusCode::UNAUTHORIZED, "login_required", "a\"b", Some("/oauth2/start?rd=%2F"));
    let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"error": "login_required", "request_id": "a\"b", "login_url": "/oauth2/start?rd=%2F"})
    );
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(value(&reply, "content-type"), "application/json");
    assert_eq!(value(&reply, "cache-control"), "no-store");
    assert_eq!(value(&reply, "x-content-type-options"), "nosniff");
    let plain = error_json(StatusCode::FORBIDDEN, "forbidden", ID, None);
    assert!(!body(&plain).contains("login_url"));
    let long = error_json(
        StatusCode::UNAUTHORIZED,
        "login_required",
        ID,
        Some(&format!("/oauth2/start?{}", "x".repeat(LINK_LIMIT))),
    );
    let json: serde_json::Value = serde_json::from_slice(&long.body).unwrap();
    assert_eq!(json["login_url"], "/oauth2/start");
}
