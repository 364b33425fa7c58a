//! R: what an operator reads, and what nobody must be able to read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::browser::{Browser, Page};
use crate::support::process::{Home, Process};
use crate::support::raw::{exchange, get};
use crate::support::rig::{CLIENT_SECRET, Choices, Rig};

/// A key that seals sessions: 32 bytes that are not random, but recognisable.
const SEAL_KEY: &str = "Y2FuYXJ5LXNlYWwta2V5LWZvci10aGUtc3dlZXAtNDc=";

/// A rig whose gateway is the built program, logging all it can, with `change` made to its configuration; and where its
/// private listener is.
async fn outside(change: impl Fn(&Home, String) -> String) -> (Rig, Process, std::net::SocketAddr, Home) {
    // The port goes from the rig's own gateway to the program; in between, another test may be given it.
    for _ in 0..10 {
        let choices = Choices {
            sessions: format!("  store: memory\n  keys: [{SEAL_KEY}]\n"),
            zenkey: "    scopes: [openid, name, email, phone, postal_code]\n    acr_values: [a1, a3]\n".to_owned(),
            top: "log: { level: trace }\n".to_owned(),
            ..Choices::default()
        };
        let mut rig = Rig::with(choices).await;
        rig.stop_gateway().await;
        let home = Home::new();
        let text = rig.config_text().replace("admin_listen: 127.0.0.1:1\n", "admin_listen: 127.0.0.1:0\n");
        let text = change(&home, text);
        if let Some((process, _, private)) = Process::try_serve(&home.write("zengate.yaml", &text)) {
            return (rig, process, private.parse().unwrap(), home);
        }
    }
    panic!("no port stays free");
}

fn events(log: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    log.lines().map(parse).collect()
}

/// The one event with `message`.
fn event<'a>(events: &'a [Value], message: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event["message"] == message);
    let first = found.next().unwrap_or_else(|| panic!("no {message:?} in {events:#?}"));
    assert!(found.next().is_none(), "{message:?} twice");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_person_is_in_anything_an_operator_or_a_stranger_reads() {
    // R01, R02, R05, R08, R10
    let (rig, process, private, _home) = outside(|_, text| text).await;
    let browser = Browser::new();
    let begun = browser.open(rig.url("/app?canary_query=canary-of-the-query")).await;
    let departed = browser.open(begun.location().unwrap()).await;
    let ui = browser.go(departed.location().unwrap()).await;
    let chosen = rig.choose(&browser, &ui, "maya").await;
    let attempts = browser.cookies("localhost");
    let asked = browser.open(chosen.location().unwrap()).await;
    let consent = browser.go(asked.location().unwrap()).await;
    let share = [("decision", "agree"), ("factor", "pin"), ("share", "name"), ("share", "email"), ("share", "phone")];
    let answered = rig.decide(&browser, &consent, &share).await;
    let callback = answered.location().unwrap();
    let page = browser.follow(answered).await;
    assert_eq!(page.status.as_u16(), 200, "{}", page.body);
    let userinfo = browser.open(rig.url("/oauth2/userinfo")).await;
    let session = browser.open(rig.url("/oauth2/session")).await;
    let cookies = browser.cookies("localhost");
    let token = rig.simulator.carrier("aurora").unwrap().last("token").unwrap();
    let bearer = rig.simulator.carrier("aurora").unwrap().last("userinfo").unwrap();

    // Pages of ours about what went wrong: a callback used twice, a forged one, a refusal by the carrier.
    let mut pages: Vec<Page> = vec![begun, departed, session];
    pages.push(browser.open(&callback).await);
    pages.push(browser.open(rig.url("/oauth2/callback?code=canary-code&state=canary-state&error=canary-error")).await);
    pages
        .push(browser.open(rig.url("/oauth2/callback?error=canary-error&error_description=canary&state=canary")).await);
    pages.push(browser.open(rig.url("/oauth2/start?rd=https://canary.test/")).await);
    pages.push(browser.open(rig.url("/nowhere?access_token=canary-token")).await);
    pages.push(browser.post(rig.url("/oauth2/sign_out"), &[]).await);
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await;
    process.signal("TERM");
    process.line("Stopped");
    let ended = process.end();

    let parameter = |name: &str| callback.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let authorize = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    let subject = userinfo.json()["sub"].as_str().unwrap().to_owned();
    let mut canaries: Vec<(&str, String)> = vec![
        ("client secret", CLIENT_SECRET.into()),
        ("client secret, encoded", "rig%20secret".into()),
        ("client secret, form", "rig+secret".into()),
        ("seal key", SEAL_KEY.into()),
        ("code", parameter("code")),
        ("state", parameter("state")),
        ("nonce", authorize.parameter("nonce").unwrap().into()),
        ("login hint", authorize.parameter("login_hint_token").unwrap().into()),
        ("verifier", token.parameter("code_verifier").unwrap().into()),
        ("access token", bearer.header("authorization").unwrap().trim_start_matches("Bearer ").into()),
        ("a token", "eyJ".into()),
        ("session cookie", cookies["__Host-gw"].clone()),
        ("query", "canary".into()),
    ];
    if let Some(basic) = token.header("authorization") {
        canaries.push(("client authentication", basic.trim_start_matches("Basic ").into()));
        let decoded = STANDARD.decode(basic.trim_start_matches("Basic ")).unwrap();
        canaries.push(("client authentication, decoded", String::from_utf8(decoded).unwrap()));
    }
    for (name, value) in &attempts {
        assert!(name.starts_with("__Host-gwtx-"), "{name}");
        canaries.push(("attempt cookie", value.clone()));
    }
    let people = [
        ("subject", subject.clone()),
        ("e-mail", "maya.okafor".into()),
        ("name", "Okafor".into()),
        ("phone", "3105550142".into()),
        ("postal code", "90802".into()),
    ];
    assert!(userinfo.body.contains("maya.okafor@example.com"), "{}", userinfo.body);
    for (what, canary) in canaries.iter().chain(&people) {
        assert!(canary.len() >= 3, "{what}: {canary:?}");
        for (place, text) in
            [("the log", &ended.stderr), ("standard output", &ended.stdout), ("metrics", &metrics.text)]
        {
            let line = text.lines().find(|line| line.contains(canary.as_str()));
            assert!(line.is_none(), "{what} ({canary}) is in {place}: {}", line.unwrap());
        }
        for page in &pages {
            assert!(!page.body.contains(canary.as_str()), "{what} ({canary}) is on {}: {}", page.url, page.body);
        }
    }
    // R08: of the person, to the person: named claims, never a token.
    for (what, canary) in &canaries {
        assert!(!userinfo.body.contains(canary.as_str()), "{what} is in userinfo: {}", userinfo.body);
    }
    let allowed =
        ["sub", "iss", "email", "email_verified", "family_name", "given_name", "groups", "name", "preferred_username"];
    let told = userinfo.json();
    assert!(told.as_object().unwrap().keys().all(|key| allowed.contains(&key.as_str())), "{told}");
    assert_eq!(userinfo.headers["cache-control"], "no-store");
    assert!(!userinfo.headers.keys().any(|name| name.as_str().starts_with("access-control")));

    // R10: who (not by name), through whom, what, when, and which request.
    let events = events(&ended.stderr);
    let signed_in = event(&events, "A person signed in");
    let signed_out = event(&events, "A person signed out");
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    for (event, outcome) in [(signed_in, "signed_in"), (signed_out, "signed_out")] {
        assert_eq!(
            (event["outcome"].as_str(), event["issuer"].as_str()),
            (Some(outcome), Some(issuer.as_str())),
            "{event}"
        );
        assert_eq!(event["request_id"].as_str().map(str::len), Some(16), "{event}");
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
    }
    assert_eq!(signed_in["subject"].as_str().map(str::len), Some(12), "{signed_in}");
    assert_eq!(signed_in["subject"], signed_out["subject"]);
    // What was refused, and what was led on to another round, is told once each.
    let anew = |event: &&serde_json::Value| {
        event["message"] == "Refused" || event["outcome"] == "begun_anew" || event["outcome"] == "late_answer"
    };
    let declined = events.iter().filter(anew).count();
    assert!(declined >= 3, "{declined}");
    // R02: the path of every request is there, its query is not.
    assert!(events.iter().any(|event| event["message"] == "request" && event["path"] == "/oauth2/callback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_one_line_whatever_a_stranger_writes() {
    // R03: CWE-117
    let (rig, process, _, _home) = outside(|_, text| text).await;
    let forged = "\\r\\n{\\\"level\\\":\\\"INFO\\\",\\\"message\\\":\\\"forged\\\"}";
    for target in [
        "/public/%0d%0a{\"message\":\"forged\"}",
        "/public/%1b[31m",
        "/public/%E2%80%A8forged",
        "/public/%C2%85forged",
        "/public/a%22b%5Cn",
        "/oauth2/callback?error=x%0d%0aforged&state=%1b[31m&code=%00",
        "/oauth2/start?rd=%0d%0aforged",
        "/oauth2/callback?error=%22%7d%0a%7b%22message%22:%22forged%22&state=x",
    ] {
        let lines = format!(
            "User-Agent: a\tb\x1b[31m{forged}\r\nReferer: http://x/?code=forged\r\nX-Forwarded-For: \u{1b}forged\r\n"
        );
        exchange(rig.address, get(target, &lines).as_bytes()).await;
        exchange(rig.address, get(target, "User-Agent: x\ty\u{85}z\r\n").as_bytes()).await;
    }
    exchange(rig.address, b"forged\r\n{\"message\":\"forged\"}\r\n\r\n").await;
    exchange(rig.address, b"GET /public/\x1b[31mforged HTTP/1.1\r\nHost: forged\r\n\r\n").await;
    exchange(rig.address, b"FORGED /public HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    process.signal("TERM");
    let ended = process.end();
    for event in events(&ended.stderr) {
        assert!(event["level"].is_string() && event["message"].is_string(), "{event}");
        assert_ne!(event["message"], "forged", "{event}");
    }
    assert!(!ended.stderr.bytes().any(|byte| byte < 0x20 && byte != b'\n'), "a control character is in the log");
    assert!(!ended.stderr.contains('\u{85}') && !ended.stderr.contains('\u{2028}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_store_is_never_told() {
    // R01, R04: the store is away, which is told often; its password never is
    let (rig, process, private, home) = outside(|home, text| {
        home.write("redis.txt", "redis://gateway:canary-redis-password@127.0.0.1:9/0\n");
        text.replace("  store: memory\n", "  store: { file: redis.txt }\n")
    })
    .await;
    let path = home.path("zengate.yaml");
    let cookie = format!("Cookie: __Host-gw={}\r\n", "A".repeat(43));
    let mut pages = String::new();
    for target in ["/app", "/oauth2/start", "/oauth2/callback?code=x&state=y"] {
        let answer = exchange(rig.address, get(target, &format!("{cookie}Accept: text/html\r\n")).as_bytes()).await;
        assert!(answer.status() >= 300, "{target}: {}", answer.text);
        pages.push_str(&answer.text);
    }
    for (target, status) in [("/readyz", 200), ("/readyz?verbose", 200), ("/readyz?strict", 503)] {
        let ready = exchange(private, get(target, "").as_bytes()).await;
        assert_eq!(ready.status(), status, "{target}: {}", ready.text);
        pages.push_str(&ready.text);
    }
    process.signal("TERM");
    let ended = process.end();
    let check = Process::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    for text in [&pages, &ended.stderr, &ended.stdout, &check.stdout, &check.stderr] {
        assert!(!text.contains("canary-redis") && !text.contains(SEAL_KEY), "{text}");
    }
    assert!(events(&ended.stderr).iter().any(|event| event["level"] == "WARN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_of_a_refused_head_names_host_path_and_rule() {
    // W10, R02
    let (rig, process, private, _home) = outside(|_, text| text).await;
    let heads = [
        ("/public/%2Fx?canary=1", "localhost", "/public/%2Fx", "target_encoded_separator"),
        ("/public//x", "localhost", "/public//x", "target_empty_segment"),
        ("/public/%zz?canary=1", "localhost", "/public/%zz", "target_escape"),
        ("/public/<x#canary", "localhost", "/public/<x", "target_unsafe"),
    ];
    for (target, ..) in heads {
        assert_eq!(exchange(rig.address, get(target, "").as_bytes()).await.status(), 400);
    }
    // One that not even the parser can read.
    let unreadable = b"GET /public?canary=1 HTTP/1.1\r\nHost: localhost\r\nno field\r\n\r\n";
    assert_eq!(exchange(rig.address, unreadable).await.status(), 400);
    let metrics = Browser::new().open(format!("http://{private}/metrics")).await.body;
    assert!(metrics.contains("zengate_refusals_total{code=\"request_malformed\"} 5\n"), "{metrics}");
    process.signal("TERM");
    let ended = process.end();
    assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    let events = events(&ended.stderr);
    let lines: Vec<_> = events.iter().filter(|event| event["target"] == "zengate::access").collect();
    let told = |line: &Value| ["host", "path", "rule"].map(|key| line[key].as_str().unwrap().to_owned());
    let told: Vec<_> = lines.iter().map(|line| told(line)).collect();
    let mut expected: Vec<_> =
        heads.iter().map(|(_, host, path, rule)| [*host, *path, *rule].map(str::to_owned)).collect();
    expected.push(["", "/public", "unreadable"].map(str::to_owned));
    assert_eq!(told, expected);
    assert!(lines.iter().all(|line| line["status"] == 400 && line["method"] == "GET"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refusals_fills_no_log() {
    let (rig, process, private, _home) = outside(|_, text| text).await;
    let began = std::time::Instant::now();
    const MANY: usize = 400;
    for _ in 0..MANY {
        exchange(rig.address, get("/public/%00", "").as_bytes()).await;
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    // Another reason is heard all the same.
    exchange(rig.address, get("/oauth2/nowhere", "").as_bytes()).await;
    let metrics = Browser::new().open(format!("http://{private}/metrics")).await.body;
    process.signal("TERM");
    let ended = process.end();
    let events = events(&ended.stderr);
    let told = |code: &str| events.iter().filter(|event| event["code"] == code).count();
    let malformed = told("request_malformed");
    assert!((20..=20 * seconds).contains(&malformed), "{malformed} in {seconds} s");
    assert_eq!(told("not_found"), 1);
    let left_out = format!("zengate_log_lines_left_out_total {}", MANY - malformed);
    assert!(metrics.contains(&left_out), "{left_out}: {metrics}");
}

// RB19: what is started again when it ends must have a reason to end; a task without work was started again for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_in_good_health_complains_of_nothing() {
    let (rig, process, private, _home) = outside(|_, text| text).await;
    assert_eq!(exchange(rig.address, get("/public", "").as_bytes()).await.status(), 200);
    let metrics = Browser::new().open(format!("http://{private}/metrics")).await.body;
    assert!(!metrics.contains("zengate_background_restarts_total{"), "{metrics}");
    process.signal("TERM");
    let ended = process.end();
    let errors: Vec<_> = events(&ended.stderr).into_iter().filter(|event| event["level"] == "ERROR").collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
