//! Who may change links, and what a careless or a hostile hand gets.

use serde_json::json;

use super::{APP, House, KEY, OPERATOR, READER, Who, parsed};
use crate::support::raw::exchange;

fn who(house: &House, subject: &str) -> Who {
    Who { issuer: house.rig.simulator.issuers()[0].clone(), subject: subject.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_for_tokens_that_allow_it_and_never_on_the_public_listener() {
    // T01 in kind: without a credential, or with one of another scope, nothing happens.
    let house = House::embedded().await;
    let maya = who(&house, "maya");
    let body = json!({ "account": "one" }).to_string();
    for (token, status) in [("x", 401), (READER, 403), ("", 401)] {
        for (method, path) in [
            ("PUT", maya.path()),
            ("GET", maya.path()),
            ("DELETE", maya.path()),
            ("POST", "/links.csv".into()),
            ("GET", "/links.csv".into()),
        ] {
            let answer = house.ask_as(token, method, &path, body.clone()).await;
            assert_eq!(answer.0, status, "{token} {method} {path}: {}", answer.1);
        }
    }
    assert_eq!(house.ask("GET", &maya.path(), "").await.0, 404, "nothing happened");
    for token in [APP, OPERATOR] {
        let answer = house.ask_as(token, "PUT", &maya.path(), body.clone()).await;
        assert!([200, 201].contains(&answer.0), "{}", answer.1);
    }
    assert_eq!(house.ask("GET", "/status", "").await.0, 403, "the app's token opens nothing else");
    let public = house.rig.address;
    for path in ["/links", "/links.csv", "/oauth2/links", "/oauth2/links.csv"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {APP}\r\n\r\n");
        let answer = exchange(public, request.as_bytes()).await;
        assert!([403, 404].contains(&answer.status()), "{path}: {}", answer.text);
    }
    house.process.as_ref().unwrap().line("\"event\":\"link\"");
    let log = house.log();
    assert!(log.contains("\"crm\""), "{log}");
    assert!(!log.contains(APP) && !log.contains("\"maya\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_read_listed_moved_and_removed() {
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "  subjects_per_account: 2\n").await;
    let [one, two, three] = ["one", "two", "three"].map(|subject| who(&house, subject));
    assert_eq!(house.link(&one, "a", "").await, 201);
    assert_eq!(house.link(&one, "a", "").await, 200, "said again");
    let (status, body) = house.ask("GET", &one.path(), "").await;
    let told = parsed(&body);
    assert_eq!(
        (status, &told["account"], &told["subject"], &told["issuer"]),
        (200, &"a".into(), &"one".into(), &one.issuer.clone().into())
    );
    assert!(told["since"].as_u64().unwrap() > 1_700_000_000, "{told}");
    // Somebody who belongs to another account is not moved unless that is said.
    let (status, body) = house.ask("PUT", &one.path(), json!({ "account": "b" }).to_string()).await;
    assert_eq!((status, parsed(&body)["error"].as_str()), (409, Some("other_account")), "{body}");
    assert_eq!(house.link(&one, "b", "&replace=true").await, 200);
    assert_eq!(house.link(&two, "b", "").await, 201);
    let (status, body) = house.ask("PUT", &three.path(), json!({ "account": "b" }).to_string()).await;
    assert_eq!((status, parsed(&body)["error"].as_str()), (409, Some("too_many_subjects")), "{body}");
    let listed = parsed(&house.ask("GET", "/links?account=b", "").await.1);
    let subjects: Vec<_> =
        listed["links"].as_array().unwrap().iter().map(|link| link["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["one", "two"]);
    assert_eq!(parsed(&house.ask("GET", "/links?account=a", "").await.1)["links"], json!([]));
    assert_eq!(house.ask("DELETE", &one.path(), "").await.0, 204);
    assert_eq!(house.ask("DELETE", &one.path(), "").await.0, 404);
    assert_eq!(house.link(&three, "b", "").await, 201, "the twin: there is a place again");
    let (status, body) = house.ask("HEAD", &two.path(), "").await;
    assert_eq!((status, body.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_is_asked_is_refused_in_words() {
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "").await;
    let maya = who(&house, "maya");
    let path = maya.path();
    let good = json!({ "account": "one" }).to_string();
    let slash = Who { issuer: format!("{}/", maya.issuer), ..maya.clone() };
    let cases = [
        ("PUT", path.clone(), String::new(), 400, "body"),
        ("PUT", path.clone(), "{}".into(), 400, "body"),
        ("PUT", path.clone(), json!({ "account": "" }).to_string(), 400, "body"),
        ("PUT", path.clone(), json!({ "account": " x" }).to_string(), 400, "body"),
        ("PUT", path.clone(), json!({ "account": "a\nb" }).to_string(), 400, "body"),
        ("PUT", path.clone(), json!({ "account": "x".repeat(256) }).to_string(), 400, "body"),
        ("PUT", path.clone(), json!({ "account": "one", "admin": true }).to_string(), 400, "body"),
        // T13: a member that stands twice has two readings.
        ("PUT", path.clone(), "{\"account\":\"one\",\"account\":\"two\"}".into(), 400, "body"),
        ("PUT", path.clone(), format!("{{\"account\":\"one\"{}}}", " ".repeat(5000)), 413, "body"),
        ("PUT", format!("{path}&subject=noor"), good.clone(), 400, "query"),
        ("PUT", format!("{path}&email=maya@example.com"), good.clone(), 400, "query"),
        ("PUT", format!("{path}&account=one"), good.clone(), 400, "query"),
        ("PUT", format!("{path}&replace=yes"), good.clone(), 400, "query"),
        ("PUT", "/links?account=one".into(), good.clone(), 400, "query"),
        ("PUT", "/links?email=maya@example.com".into(), good.clone(), 400, "query"),
        ("DELETE", "/links".into(), String::new(), 400, "query"),
        ("DELETE", "/links?account=one".into(), String::new(), 400, "query"),
        ("GET", "/links".into(), String::new(), 400, "query"),
        ("GET", "/links?subject=maya".into(), String::new(), 400, "query"),
        ("GET", "/links?account=%00".into(), String::new(), 400, "query"),
        ("PUT", slash.path(), good.clone(), 400, "unknown_issuer"),
        ("POST", "/links.csv?replace=1".into(), String::new(), 400, "query"),
    ];
    for (method, path, body, status, error) in cases {
        let answer = house.ask(method, &path, body.clone()).await;
        assert_eq!(
            (answer.0, parsed(&answer.1)["error"].as_str()),
            (status, Some(error)),
            "{method} {path} {body}: {}",
            answer.1
        );
    }
    assert_eq!(house.ask("POST", &path, good.clone()).await.0, 405);
    assert_eq!(house.ask("PATCH", "/links.csv", good.clone()).await.0, 405);
    assert_eq!(house.ask("GET", &path, "").await.0, 404, "none of them did anything");
    assert_eq!(house.ask("PUT", &path, good).await.0, 201, "the twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_have_a_rate_and_reading_has_none() {
    // T11 in kind
    let house = House::with(&format!("  store: memory\n  keys: [{KEY}]\n"), "  changes_per_minute: 2\n").await;
    let people: Vec<_> = (0..6).map(|n| who(&house, &n.to_string())).collect();
    let mut statuses = Vec::new();
    for person in &people {
        statuses.push(house.link(person, &person.subject, "").await);
    }
    assert_eq!(statuses, [201, 201, 201, 201, 429, 429]);
    assert_eq!(house.ask("DELETE", &people[0].path(), "").await.0, 429);
    let (status, body) = house.ask("POST", "/links.csv", "issuer,subject,account\n").await;
    assert_eq!((status, parsed(&body)["error"].as_str()), (429, Some("too_many_changes")));
    for person in &people[..4] {
        assert_eq!(house.ask("GET", &person.path(), "").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_links_are_taken_than_there_is_room_for_and_none_is_lost() {
    let house =
        House::with(&format!("  store: embedded\n  path: DIR/sessions.redb\n  keys: [{KEY}]\n"), "  max_links: 2\n")
            .await;
    let [one, two, three] = ["one", "two", "three"].map(|subject| who(&house, subject));
    assert_eq!((house.link(&one, "1", "").await, house.link(&two, "2", "").await), (201, 201));
    let (status, body) = house.ask("PUT", &three.path(), json!({ "account": "3" }).to_string()).await;
    assert_eq!((status, parsed(&body)["error"].as_str()), (507, Some("store_full")));
    assert_eq!((house.link(&one, "1", "").await, house.link(&two, "2", "").await), (200, 200));
    assert_eq!(house.ask("DELETE", &one.path(), "").await.0, 204);
    assert_eq!(house.link(&three, "3", "").await, 201, "the twin");
}
