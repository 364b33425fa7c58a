//! Whether somebody could sign in is said before anybody tries: in the log, in metrics and on the private listener.

use serde_json::Value;

use super::reasons::gateway;
use crate::support::browser::Browser;
use crate::support::process::Process;
use crate::support::redis::Redis;

/// A page of the private listener.
async fn private(process: &Process, target: &str) -> (u16, String) {
    let up: Value = serde_json::from_str(&process.line("The gateway is up")).unwrap();
    let page = Browser::new().open(format!("http://{}{target}", up["private"].as_str().unwrap())).await;
    (page.status.as_u16(), page.body)
}

/// What the log said of the store and the issuers first.
fn first_words(process: &Process, of: &str) -> Value {
    serde_json::from_str(&process.line(of)).unwrap()
}

async fn metrics(process: &Process) -> String {
    private(process, "/metrics").await.1
}

// FD07: all is well, and said.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_at_which_people_can_sign_in_says_so_at_its_start() {
    let (rig, process, _home) = gateway(|_| {}, |_, text| text).await;
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    assert_eq!(first_words(&process, "configuration and keys are at hand")["issuer"], issuer.as_str());
    process.line("The session store takes writes");
    let (status, words) = private(&process, "/readyz?strict").await;
    assert_eq!(status, 200);
    assert!(words.contains("sign-in: possible\nstore: takes writes\n"), "{words}");
    assert!(words.contains(&format!("issuer: {issuer}, keys ")), "{words}");
    let metrics = metrics(&process).await;
    for line in [
        "zengate_sign_in_ready{reason=\"store\"} 1",
        "zengate_sign_in_ready{reason=\"issuer\"} 1",
        "zengate_provider_ready{provider=\"provider\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

// FD07, FD08: the issuer names another; the store is away. Requests may be sent here all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_at_which_nobody_can_sign_in_says_why_at_its_start() {
    let Some(redis) = Redis::start("FD07") else { return };
    let away = redis.kill();
    let (rig, process, _home) = gateway(
        |_| {},
        |rig, text| {
            let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
            let text = text.replace(&format!("issuer: {issuer}\n"), &format!("issuer: {issuer}/\n"));
            text.replace("  store: memory\n", &format!("  store: redis://127.0.0.1:{away}/0\n"))
        },
    )
    .await;
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    let store = first_words(&process, "Nobody can sign in: the session store");
    assert_eq!((store["level"].as_str(), store["key"].as_str()), (Some("WARN"), Some("sessions.store")));
    let told = first_words(&process, "Nobody can sign in there now: the issuer");
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("expected `{issuer}/`, found `{issuer}`")), "{reason}");
    assert_eq!(private(&process, "/readyz").await, (200, "ready\n".to_owned()));
    let (status, words) = private(&process, "/readyz?strict").await;
    assert_eq!(status, 503);
    assert!(words.starts_with("not ready\nsign-in: not possible\nstore: "), "{words}");
    assert!(words.contains("cannot be reached") && words.contains("speaks for another issuer"), "{words}");
    let metrics = metrics(&process).await;
    for line in ["zengate_sign_in_ready{reason=\"store\"} 0", "zengate_sign_in_ready{reason=\"issuer\"} 0"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

// FD07, XM01: of two providers one is away. Somebody can sign in, and which one is away is known.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_providers_the_one_that_is_away_is_named() {
    let (_rig, process, _home) = gateway(
        |_| {},
        |rig, text| {
            let entry = |id: &str, issuer: &str| {
                format!("  - id: {id}\n    allow_private_addresses: true\n    oidc: {{ issuer: '{issuer}', client_id: a, client_secret: s }}\n")
            };
            let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
            let providers = format!("providers:\n{}{}", entry("here", &issuer), entry("gone", "http://127.0.0.1:9"));
            let from = text.find("provider:\n").unwrap();
            let rest = &text[from + "provider:\n".len()..];
            let ends = rest.split_inclusive('\n').take_while(|line| line.starts_with(' ')).map(str::len).sum::<usize>();
            format!("{}{providers}{}", &text[..from], &rest[ends..])
        },
    )
    .await;
    let told = first_words(&process, "Nobody can sign in there now: the issuer");
    assert_eq!(told["provider"], "gone");
    assert_eq!(first_words(&process, "configuration and keys are at hand")["provider"], "here");
    let (status, words) = private(&process, "/readyz?strict").await;
    assert_eq!(status, 200, "{words}");
    assert!(words.contains("issuer (here): http") && words.contains("issuer (gone): not reachable"), "{words}");
    let metrics = metrics(&process).await;
    for line in [
        "zengate_sign_in_ready{reason=\"issuer\"} 1",
        "zengate_provider_ready{provider=\"here\"} 1",
        "zengate_provider_ready{provider=\"gone\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}
