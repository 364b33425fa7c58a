//! Keys under rotation, outage and attack, while tokens come in.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{A, Api};
use crate::support::raw;
use crate::support::redis::Redis;

// E01, E07
#[tokio::test]
async fn a_rotation_costs_one_fetch_and_takes_the_old_key_s_tokens_with_it() {
    let api = Api::start().await;
    let carrier = api.rig.simulator.carrier("aurora").unwrap();
    let old = api.token(json!({})).await;
    api.passes("/api", &old).await;
    let fetches = api.jwks_fetches();
    carrier.rotate_keys(false).await.unwrap();
    api.passes("/api", &old).await;
    let new = api.token(json!({"jti": "new"})).await;
    api.passes("/api", &new).await;
    assert_eq!(api.jwks_fetches(), fetches + 1);
    // The set without the old key is here: what was remembered under the old one is judged again.
    // Its key is looked for once, which uses up the budget of looking in vain.
    api.refuses("/api", &old).await;
    api.refuses("/api", &old).await;
    api.passes("/api", &new).await;
    assert_eq!(api.jwks_fetches(), fetches + 2);
    // Whoever looks after it sees that a token brought the keys, and no trouble.
    let shown = api.rig.app().metrics().render();
    for line in [
        r#"zengate_provider_exchanges_total{exchange="key_set",outcome="failed"} 0"#,
        r#"zengate_provider_events_total{event="unknown_kid_found"} 1"#,
        r#"zengate_provider_events_total{event="stale_key_set"} 0"#,
    ] {
        assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
    }
}

// E01, E03
#[tokio::test]
async fn no_good_token_fails_while_keys_rotate() {
    let api = Api::start().await;
    let carrier = api.rig.simulator.carrier("aurora").unwrap();
    let old: Vec<String> = join_all((0..8).map(|n| api.token(json!({"jti": format!("old-{n}")})))).await;
    join_all(old.iter().map(|token| api.passes("/api", token))).await;
    let fetches = api.jwks_fetches();
    carrier.rotate_keys(true).await.unwrap();
    let new: Vec<String> = join_all((0..8).map(|n| api.token(json!({"jti": format!("new-{n}")})))).await;
    for _ in 0..5 {
        join_all(old.iter().chain(&new).map(|token| api.passes("/api", token))).await;
    }
    assert_eq!(api.jwks_fetches(), fetches + 1);
}

// E03
#[tokio::test]
async fn a_known_key_never_waits_for_a_fetch_that_an_unknown_one_has_caused() {
    let api = Api::start().await;
    let carrier = api.rig.simulator.carrier("aurora").unwrap();
    let (first, second) = (api.token(json!({})).await, api.token(json!({"jti": "2"})).await);
    api.passes("/api", &first).await;
    let before = api.jwks_fetches();
    carrier.set(|rules| {
        rules.latency_ms.insert("jwks".into(), 3_600_000);
    });
    let unknown = api.sign("aurora", json!({"typ": "at+jwt", "kid": "unknown"}), api.claims(A)).await;
    let waiting = tokio::spawn({
        let (address, lines) = (api.rig.address, format!("Authorization: Bearer {unknown}\r\n"));
        async move { raw::exchange(address, raw::get("/api", &lines).as_bytes()).await }
    });
    let deadline = Instant::now() + Duration::from_secs(4);
    while api.jwks_fetches() == before {
        assert!(Instant::now() < deadline, "the fetch was begun");
        tokio::task::yield_now().await;
    }
    api.passes("/api", &first).await;
    api.passes("/api", &second).await;
    assert!(!waiting.is_finished(), "the fetch was still under way all the time");
    waiting.abort();
}

// E03
#[tokio::test]
async fn ten_thousand_unknown_keys_cost_one_fetch_and_no_good_token() {
    const SENDERS: usize = 4;
    let api = Api::with("  failures_per_minute: 60000\n").await;
    let good = api.token(json!({})).await;
    api.passes("/api", &good).await;
    let fetches = api.jwks_fetches();
    let sample = api.token(json!({})).await;
    let mut parts = sample.split('.').skip(1);
    let (claims, signature) = (parts.next().unwrap(), parts.next().unwrap());
    let address = api.rig.address;
    let sends = (0..SENDERS).map(|sender| async move {
        let mut connection = raw::Connection::open(address).await;
        for number in 0..10_000 / SENDERS {
            let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": format!("{sender}-{number}")}).to_string();
            let token = format!("{}.{claims}.{signature}", base64url(header.as_bytes()));
            let answer = connection.exchange(raw::get("/api", &format!("Authorization: Bearer {token}\r\n"))).await;
            assert_eq!(answer.status(), 401, "{}", answer.text);
        }
    });
    let mut good_ones = 0;
    let calls = async {
        while good_ones < 200 {
            api.passes("/api", &good).await;
            api.passes("/api", &api.token(json!({"jti": good_ones.to_string()})).await).await;
            good_ones += 1;
        }
    };
    tokio::join!(join_all(sends), calls);
    assert_eq!(api.jwks_fetches(), fetches + 1);
}

// E05
#[tokio::test]
async fn the_last_good_keys_serve_through_an_outage() {
    let api = Api::start().await;
    let carrier = api.rig.simulator.carrier("aurora").unwrap();
    api.passes("/api", &api.token(json!({})).await).await;
    carrier.set(|rules| {
        rules.status.insert("jwks".into(), 500);
        rules.status.insert("metadata".into(), 500);
    });
    let unknown = api.sign("aurora", json!({"typ": "at+jwt", "kid": "unknown"}), api.claims(A)).await;
    api.refuses("/api", &unknown).await;
    for number in 0..3 {
        api.passes("/api", &api.token(json!({"jti": number.to_string()})).await).await;
    }
}

// E05
#[tokio::test]
async fn the_last_good_keys_outlive_a_restart_where_sessions_do() {
    for (sessions, status) in [("  store: embedded\n  path: DIR/sessions.redb\n", 200), ("  store: memory\n", 503)] {
        let mut api = Api::on("", sessions).await;
        let token = api.token(json!({})).await;
        api.passes("/api", &token).await;
        let kept = format!("{}/sessions.keys", api.rig.dir());
        let deadline = Instant::now() + Duration::from_secs(20);
        while status == 200 && !std::fs::exists(&kept).unwrap() {
            assert!(Instant::now() < deadline, "the keys are kept");
            tokio::task::yield_now().await;
        }
        silence(&api);
        api.rig.restart().await;
        assert_eq!(api.call("/api", &token).await.status.as_u16(), status);
        if status == 200 {
            let (body, _) = token.rsplit_once('.').unwrap();
            api.refuses("/api", &format!("{body}.AAAA")).await;
        }
    }
}

// attacks B: restarted at once after it learnt of it, and with its issuer away, the gateway still refuses a key that the
// issuer withdrew; the one that is good is at hand.
#[tokio::test]
async fn a_key_that_was_withdrawn_does_not_come_back_with_a_restart() {
    let mut api = Api::on("", "  store: embedded\n  path: DIR/sessions.redb\n").await;
    let stolen = api.token(json!({})).await;
    api.passes("/api", &stolen).await;
    api.rig.simulator.carrier("aurora").unwrap().rotate_keys(false).await.unwrap();
    let good = api.token(json!({"jti": "2"})).await;
    api.passes("/api", &good).await;
    api.refuses("/api", &stolen).await;
    silence(&api);
    api.rig.restart().await;
    api.passes("/api", &good).await;
    api.refuses("/api", &stolen).await;
}

// attacks B: what was kept is doubted at once, not when it has grown old.
#[tokio::test]
async fn kept_keys_are_fetched_anew_at_the_start() {
    let mut api = Api::on("", "  store: embedded\n  path: DIR/sessions.redb\n").await;
    let stolen = api.token(json!({})).await;
    api.passes("/api", &stolen).await;
    api.rig.stop_gateway().await;
    api.rig.simulator.carrier("aurora").unwrap().rotate_keys(false).await.unwrap();
    api.rig.start_gateway().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while api.call("/api", &stolen).await.status.as_u16() != 401 {
        assert!(Instant::now() < deadline, "a key that was withdrawn while the gateway was down is still accepted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    api.passes("/api", &api.token(json!({"jti": "2"})).await).await;
}

/// Takes the issuers away: neither keys nor the place where they are can be had.
fn silence(api: &Api) {
    for carrier in api.rig.simulator.carriers() {
        carrier.set(|rules| {
            rules.status.insert("jwks".into(), 500);
            rules.status.insert("metadata".into(), 500);
        });
    }
}

// E05, TM7
#[tokio::test]
async fn the_last_good_keys_outlive_a_restart_in_redis_and_nobody_else_can_put_keys_there() {
    let Some(redis) = Redis::start("key sets kept in Redis through a restart") else { return };
    let mut api = Api::on("", &redis.sessions()).await;
    let token = api.token(json!({})).await;
    api.passes("/api", &token).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let name = loop {
        if let Some(name) = redis.keys("zengate:keys:").pop() {
            break name;
        }
        assert!(Instant::now() < deadline, "the keys are kept");
        tokio::task::yield_now().await;
    };
    let honest: Vec<u8> = redis.ask(&[b"GET", &name]);
    let tangent = api.client.open(api.rig.simulator.carrier("tangent").unwrap().jwks_uri()).await;
    assert!(tangent.body.contains("\"keys\""), "{}", tangent.body);
    silence(&api);
    api.rig.restart().await;
    api.passes("/api", &token).await;
    let (body, _) = token.rsplit_once('.').unwrap();
    api.refuses("/api", &format!("{body}.AAAA")).await;

    // Whoever can write to Redis says that another's keys are aurora's: as plain as our file, and in an envelope.
    let forged = api.sign("tangent", json!({"typ": "at+jwt"}), api.claims(A)).await;
    let issuer = api.issuer("aurora");
    let planted = json!([{
        "issuer": issuer, "jwks_uri": api.rig.simulator.carrier("aurora").unwrap().jwks_uri(), "fetched": super::now(), "document": tangent.body,
    }])
    .to_string();
    let enveloped = [&honest[..17], planted.as_bytes()].concat();
    for record in [planted.as_bytes(), &enveloped] {
        let _: String = redis.ask(&[b"SET", &name, record]);
        api.rig.restart().await;
        assert_eq!(api.call("/api", &forged).await.status, 503, "no keys are better than anybody's");
        assert_eq!(api.call("/api", &token).await.status, 503);
    }
    let _: String = redis.ask(&[b"SET", &name, &honest]);
    api.rig.restart().await;
    api.passes("/api", &token).await;
    api.refuses("/api", &forged).await;
}

// E06
#[tokio::test]
async fn without_any_keys_the_answer_is_an_honest_503_and_the_issuer_is_left_alone() {
    let mut api = Api::start().await;
    let aurora = api.rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| {
        rules.body.insert("jwks".into(), "garbage".into());
    });
    api.rig.restart().await;
    let before = api.jwks_fetches();
    let token = api.token(json!({})).await;
    for _ in 0..20 {
        let page = api.call("/api", &token).await;
        assert_eq!(page.status, 503, "{}", page.body);
        assert!(page.headers.contains_key("retry-after"));
    }
    assert!(api.jwks_fetches() - before <= 3, "{} fetches for 20 requests", api.jwks_fetches() - before);
    assert_eq!(api.call("/api", &api.token(json!({"aud": "x"})).await).await.status, 401);
    api.rig.simulator.carrier("aurora").unwrap().reset();
    let deadline = Instant::now() + Duration::from_secs(15);
    while api.call("/api", &token).await.status != 200 {
        assert!(Instant::now() < deadline, "it recovers by itself");
        tokio::task::yield_now().await;
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
