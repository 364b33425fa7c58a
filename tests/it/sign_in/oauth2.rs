//! A provider without ID tokens: its API says who somebody is. The stand-in answers as GitHub's documents say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::assert_refused;
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// Path, status and body of each answer.
type Answers = Arc<Mutex<Vec<(&'static str, u16, String)>>>;

/// A stand-in for GitHub; what it says can be changed, what it was asked is kept.
struct GitHub {
    address: SocketAddr,
    answers: Answers,
    asked: Arc<Mutex<Vec<String>>>,
}

impl GitHub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let teams = (0..250).map(|n| format!(r#"{{"slug":"t{n}","organization":{{"login":"acme"}}}}"#));
        let answers = vec![
            (
                "/login/oauth/access_token",
                200,
                r#"{"access_token":"gho_x","scope":"","token_type":"bearer"}"#.to_owned(),
            ),
            ("/user", 200, r#"{"id":583231,"login":"maya","name":"Maya","acr":"a3","auth_time":1}"#.to_owned()),
            ("/user/emails", 200, r#"[{"email":"m@a.test","primary":true,"verified":true}]"#.to_owned()),
            ("/user/orgs", 200, r#"[{"login":"acme"}]"#.to_owned()),
            ("/user/teams", 200, format!("[{}]", teams.collect::<Vec<_>>().join(","))),
        ];
        let github = Self { address, answers: Arc::new(Mutex::new(answers)), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&github.answers), Arc::clone(&github.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&asked)));
            }
        });
        github
    }

    fn says(&self, path: &'static str, status: u16, body: &str) {
        self.answers.lock().unwrap().iter_mut().filter(|answer| answer.0 == path).for_each(|answer| {
            (answer.1, answer.2) = (status, body.to_owned());
        });
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(path)).count()
    }
}

/// One request on one connection: a list is cut into pages as it was asked for.
async fn serve(mut stream: TcpStream, answers: Answers, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut request = Vec::new();
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_ascii_lowercase();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        (body.len() >= length.unwrap_or(0)).then_some(())
    };
    while whole(&request).is_none() {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let target = request.split(' ').nth(1)?.to_owned();
    asked.lock().unwrap().push(request.clone());
    let url = url::Url::parse(&format!("http://x{target}")).unwrap();
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let answer = if url.path() == "/login/oauth/authorize" {
        let to = format!("{}?code=c0de&state={}", parameter("redirect_uri")?, parameter("state")?);
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    } else {
        let found = answers.lock().unwrap().iter().find(|answer| answer.0 == url.path()).cloned();
        let (_, status, mut body) = found?;
        let authorized = request.to_ascii_lowercase().contains("authorization: bearer gho_x");
        assert!(url.path().starts_with("/login") || authorized, "{request}");
        if let (Some(page), Ok(serde_json::Value::Array(items))) = (parameter("page"), serde_json::from_str(&body)) {
            let page: usize = page.parse().unwrap();
            let items: Vec<_> = items.into_iter().skip((page - 1) * 100).take(100).collect();
            body = serde_json::Value::Array(items).to_string();
        }
        let length = body.len();
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    stream.write_all(answer.as_bytes()).await.ok()
}

async fn rig(github: &GitHub) -> Rig {
    rig_on(github, Choices::default().sessions).await
}

async fn rig_on(github: &GitHub, sessions: String) -> Rig {
    let routes = "  - { host: localhost, path: /team, access: session, upstream: 'UPSTREAM', require: { claims: { groups: [acme/t249] } },
      identity_headers: { map: { X-User: sub, X-Login: preferred_username, X-Acr: acr, X-Issuer: iss, X-Email: email } } }
  - { host: localhost, path: /strong, access: session, upstream: 'UPSTREAM', require: { acr: [a3] } }\n";
    let base = format!("http://{}", github.address);
    let oauth2 = format!(
        "  oauth2: {{ profile: github, client_id: Ov23, client_secret: s, web_url: '{base}', api_url: '{base}' }}\n  allow_private_addresses: true\n"
    );
    Rig::with(Choices { oauth2: Some(oauth2), routes: routes.to_owned(), sessions, ..Choices::default() }).await
}

async fn go(rig: &Rig, path: &str) -> Page {
    Browser::new().go(rig.url(path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_who_the_api_says_with_all_their_teams() {
    let github = GitHub::start().await;
    let rig = rig(&github).await;
    let page = go(&rig, "/team/x?y=1").await;
    assert_eq!(
        (page.status.as_u16(), page.url.path(), page.url.query()),
        (200, "/team/x", Some("y=1")),
        "{}",
        page.body
    );
    let seen = rig.upstream.last();
    let header = |name: &str| seen.one(name);
    assert_eq!(header("x-user").unwrap(), "583231");
    assert_eq!(header("x-login").unwrap(), "maya");
    assert_eq!(header("x-email").unwrap(), "m@a.test");
    assert_eq!(header("x-issuer").unwrap(), format!("http://{}", github.address));
    assert_eq!(header("x-acr"), None, "an API's word is no authentication context");
    assert_eq!((github.asked("/user/teams?"), github.asked("/user/orgs?")), (3, 1), "three pages, one page");
    let asked = github.asked.lock().unwrap().clone();
    let token = asked.iter().find(|request| request.starts_with("POST ")).unwrap();
    for part in ["code_verifier=", "client_id=Ov23", "client_secret=s", "code=c0de"] {
        assert!(token.contains(part), "{token}");
    }
    let authorize = asked.iter().find(|request| request.contains("/authorize?")).unwrap();
    for part in ["code_challenge_method=S256", "scope=read%3Auser+user%3Aemail+read%3Aorg", "state="] {
        assert!(authorize.contains(part), "{authorize}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_never_meets_a_demand_for_an_authentication_context() {
    let github = GitHub::start().await;
    let rig = rig(&github).await;
    assert_refused(&go(&rig, "/strong").await, 403, "policy_unmet");
    assert_eq!(go(&rig, "/team").await.status.as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_does_not_say_opens_nothing() {
    let github = GitHub::start().await;
    let rig = rig(&github).await;
    let (teams, user) = ("/user/teams", "/user");
    for (path, status, body, refused) in [
        (teams, 200, "[]", (403, "policy_unmet")),
        (teams, 403, "{}", (403, "policy_unmet")),
        (teams, 200, r#"{"message":"no"}"#, (502, "provider_invalid")),
        (user, 200, r#"{"login":"maya"}"#, (502, "provider_invalid")),
        (user, 200, r#"{"id":"","login":"maya"}"#, (502, "provider_invalid")),
        ("/login/oauth/access_token", 200, r#"{"error":"bad_verification_code"}"#, (502, "provider_refused")),
        ("/login/oauth/access_token", 200, r#"{"access_token":"gho_x","token_type":"mac"}"#, (502, "provider_invalid")),
    ] {
        let (before, _) = {
            let answers = github.answers.lock().unwrap();
            let kept = answers.iter().find(|answer| answer.0 == path).unwrap().clone();
            (kept.2, kept.1)
        };
        github.says(path, status, body);
        let page = go(&rig, "/team").await;
        assert_eq!(page.status.as_u16(), refused.0, "{path} {status} {body}: {}", page.body);
        assert!(page.body.contains(refused.1), "{path} {status} {body}: {}", page.body);
        github.says(path, 200, &before);
    }
    assert_eq!(go(&rig, "/team").await.status.as_u16(), 200, "the twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_ends_what_one_began() {
    let Some(redis) = Redis::start("an API's people across replicas") else { return };
    let github = GitHub::start().await;
    let rig = rig_on(&github, redis.sessions()).await;
    let other = rig.another_node().await;
    let browser = Browser::new();
    let mut answer = super::until_code(&browser, rig.url("/team/x")).await;
    answer.set_port(Some(other.address().port())).unwrap();
    let arrived = browser.open(answer).await;
    assert_eq!((arrived.raw_location(), arrived.gives_session()), ("/team/x", true));
    assert_eq!(browser.open(rig.url("/team/x")).await.status, 200);
    other.stop(std::time::Duration::ZERO).await;
}
