//! The judge against a table written without looking at it: every kind of route, with every kind of credentials, while the
//! store answers and while it is away.

use super::*;
use crate::auth::judge::{Cause, Verdict, judge};
use crate::route::Access;

const ROUTES: &str = "
public_url: https://apps.example
provider:
  zenkey: { client_id: ccid-a, client_secret: s, trusted_issuers: ['https://carrier.example'] }
bearer:
  issuers: [{ issuer: 'https://carrier.example', audiences: [api] }]
sessions: { store: memory }
routes:
  - { host: second.example, path: /app, access: session, upstream: 'http://127.0.0.1:1' }
";

const ACCESSES: [Access; 4] = [Access::Anonymous, Access::Bearer, Access::Session, Access::SessionOrBearer];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    None,
    Live,
    /// Nobody of ours drew it.
    MadeUp,
    /// Drawn by a gateway of ours, and no session (any more).
    Unknown,
    /// A live session of another host.
    OtherHosts,
    SignedOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authorization {
    None,
    Good,
    OfAnotherApi,
    Malformed,
    Twice,
    AnotherScheme,
}

/// What the judge must say.
fn expected(access: Access, strict: bool, cookie: Cookie, authorization: Authorization, away: bool) -> String {
    let token = || match authorization {
        Authorization::Good if strict => "program PolicyUnmet",
        Authorization::Good => "allowed token",
        Authorization::OfAnotherApi | Authorization::Malformed => "program TokenInvalid",
        Authorization::Twice => "program SeveralCredentials",
        Authorization::None | Authorization::AnotherScheme => "program TokenMissing",
    };
    let session = || match cookie {
        Cookie::None => "sign in",
        Cookie::Live if strict => "person PolicyUnmet",
        Cookie::Live => "allowed session",
        Cookie::Unknown if away => "person StoreUnavailable",
        Cookie::MadeUp | Cookie::Unknown | Cookie::OtherHosts | Cookie::SignedOut => "sign in, dead cookie",
    };
    let brought = !matches!(authorization, Authorization::None | Authorization::AnotherScheme);
    match access {
        Access::Anonymous => "allowed nobody".to_owned(),
        Access::Bearer => token().to_owned(),
        Access::Session => session().to_owned(),
        Access::SessionOrBearer if brought => token().to_owned(),
        Access::SessionOrBearer => session().replace("sign in", "sign in or token"),
    }
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allowed(permit) => {
            let holder = match permit.outcome() {
                RequestOutcome::Anonymous => "nobody",
                RequestOutcome::Bearer => "token",
                _ => "session",
            };
            // Who passes as somebody is named to the app, and by the headers of this very route.
            assert_eq!(permit.identity_headers().is_some(), permit.names_somebody());
            if let Some(set) = permit.identity_headers() {
                assert!(set.iter().any(|(name, _)| name == "remote-user"), "{}", permit.route().name);
            }
            format!("allowed {holder}")
        }
        Verdict::Preflight(_) => "preflight".to_owned(),
        Verdict::Refused(denial) => match &denial.cause {
            Cause::Closed(_) => "closed".to_owned(),
            Cause::Person(denied) => format!("person {:?}", denied.refusal),
            Cause::Unmet { denied, .. } => format!("person {:?}", denied.refusal),
            Cause::Lacking { attribute, .. } => format!("lacks {attribute}"),
            Cause::StepUp(_) => "step up".to_owned(),
            Cause::Unlinked(_) => "unlinked".to_owned(),
            Cause::Program(denied) => format!("program {:?}", denied.refusal),
            Cause::SignInFirst { dead_cookie, or_token } => {
                let (or_token, dead) =
                    (if *or_token { " or token" } else { "" }, if *dead_cookie { ", dead cookie" } else { "" });
                format!("sign in{or_token}{dead}")
            }
        },
    }
}

fn cookie_of(story: &Story, host: &str) -> String {
    story.jar.iter().find(|(of, name, _)| *of == host && name == "__Host-gw").unwrap().2.clone()
}

#[tokio::test]
async fn every_route_judges_every_kind_of_credentials_as_the_table_says() {
    let mut story = Story::begin();
    story.sign_in().await;
    let signed_out = cookie_of(&story, "apps.example");
    story.ask(Method::POST, "https://apps.example/oauth2/sign_out").await;
    story.sign_in().await;
    ends::hand_over(&mut story).await;
    let draw = || story.auth.sessions.sealer().new_id(&SystemEntropy);
    let cookies = [
        (Cookie::None, None),
        (Cookie::Live, Some(cookie_of(&story, "apps.example"))),
        (Cookie::MadeUp, Some(SessionId::generate(&SystemEntropy).to_text().expose().to_owned())),
        (Cookie::Unknown, Some(draw().to_text().expose().to_owned())),
        (Cookie::OtherHosts, Some(cookie_of(&story, "second.example"))),
        (Cookie::SignedOut, Some(signed_out)),
    ];
    let seconds = story.now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let token = |audience: &str| {
        let header = json!({ "alg": "RS256", "kid": "k", "typ": "at+jwt" });
        let claims = json!({
            "iss": CARRIER, "sub": "robot", "aud": audience, "client_id": "c", "jti": "1", "iat": seconds, "exp": seconds + 600,
        });
        format!("Bearer {}", RSA.token(&header, &claims).expose())
    };
    let (good, other) = (token("api"), token("another"));
    let authorizations = [
        (Authorization::None, vec![]),
        (Authorization::Good, vec![good.as_str()]),
        (Authorization::OfAnotherApi, vec![other.as_str()]),
        (Authorization::Malformed, vec!["Bearer a b"]),
        (Authorization::Twice, vec![good.as_str(), good.as_str()]),
        (Authorization::AnotherScheme, vec!["Basic YTpi"]),
    ];
    let mut text = ROUTES.to_owned();
    for access in ACCESSES {
        for (suffix, demand) in [("", ""), ("-strict", ", require: { claims: { role: [admin] } }")] {
            let demand = if access == Access::Anonymous { "" } else { demand };
            let access = access.as_str();
            text.push_str(&format!(
                "  - {{ host: apps.example, path: /{access}{suffix}, access: {access}, upstream: 'http://127.0.0.1:1', \
                 identity_headers: {{ preset: remote-user }}{demand} }}\n"
            ));
        }
    }
    let snapshot = snapshot(&text);
    let mut judged = 0;
    for away in [false, true] {
        story.store.set_away(away);
        for access in ACCESSES {
            for strict in [false, true] {
                for (cookie, cookie_value) in &cookies {
                    for (authorization, values) in &authorizations {
                        let mut headers = HeaderMap::new();
                        if let Some(value) = cookie_value {
                            headers.insert(COOKIE, format!("__Host-gw={value}").parse().unwrap());
                        }
                        for value in values {
                            headers.append("authorization", value.parse().unwrap());
                        }
                        let path = format!("/{}{}", access.as_str(), if strict { "-strict" } else { "" });
                        let target = NormalTarget::parse(path.as_bytes()).unwrap();
                        let view = RequestView {
                            method: &Method::GET,
                            host: "apps.example",
                            target: &target,
                            headers: &headers,
                            client: std::net::IpAddr::from([127, 0, 0, 1]),
                            request_id: "r",
                            form: b"",
                        };
                        let verdict =
                            judge(&snapshot, &view, &story.auth.sessions, &story.auth.tokens, story.now).await;
                        let expected = expected(access, strict, *cookie, *authorization, away);
                        assert_eq!(said(&verdict), expected, "{path}, {cookie:?}, {authorization:?}, away: {away}");
                        judged += 1;
                    }
                }
            }
        }
    }
    assert_eq!(judged, 2 * 4 * 2 * 6 * 6);
}
