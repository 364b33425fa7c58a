//! All links at once: backup, and moving in.

use std::fmt::Write as _;

use super::{House, KEY, parsed};
use crate::support::raw::exchange;

fn memory() -> String {
    format!("  store: memory\n  keys: [{KEY}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_is_imported_again_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        format!("  store: embedded\n  path: {}/{name}.redb\n  keys: [{KEY}]\n", directory.path().display())
    };
    let house = House::with(&file("one"), "").await;
    let issuer = &house.rig.simulator.issuers()[0];
    let mut table = String::from("issuer,subject,account\n");
    for n in 0..600 {
        writeln!(table, "{issuer},s{n},\"customer, {}\"", n / 3).unwrap();
    }
    let (status, body) = house.ask("POST", "/links.csv", table.clone()).await;
    assert_eq!((status, parsed(&body)), (200, serde_json::json!({ "new": 600, "same": 0, "replaced": 0 })), "{body}");
    let (status, saved) = house.ask("GET", "/links.csv", "").await;
    assert_eq!(status, 200);
    assert!(
        saved.starts_with("issuer,subject,account\n")
            && saved.ends_with("# 600 links; 0 more that no key in sessions.keys opens\n"),
        "{}",
        &saved[..300]
    );
    let (status, body) = house.ask("POST", "/links.csv", saved.clone()).await;
    assert_eq!((status, parsed(&body)["same"].as_u64()), (200, Some(600)), "{body}");
    // Another gateway, another key, another store: the same links.
    let other = House::with(&file("two").replace(KEY, super::NEWER_KEY), "").await;
    let moved = saved.replace(issuer, &other.rig.simulator.issuers()[0]);
    let (status, body) = other.ask("POST", "/links.csv", moved.clone()).await;
    assert_eq!((status, parsed(&body)["new"].as_u64()), (200, Some(600)), "{body}");
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&other.ask("GET", "/links.csv", "").await.1), sorted(&moved));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_table_with_a_fault_nothing_is_taken_and_each_fault_has_its_line() {
    let house = House::with(&memory(), "  import_bytes: 2KiB\n").await;
    let issuer = &house.rig.simulator.issuers()[0];
    let table =
        format!("issuer,subject,account\n{issuer},one,a\nhttps://evil.example,two,b\n{issuer},one,c\n{issuer},four\n");
    let (status, body) = house.ask("POST", "/links.csv", table).await;
    let told = parsed(&body);
    let lines: Vec<_> = told["lines"].as_array().unwrap().iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(
        (status, told["error"].as_str(), told["faults"].as_u64(), lines),
        (400, Some("faulty_lines"), Some(3), vec![3, 4, 5]),
        "{body}"
    );
    let (status, body) = house.ask("POST", "/links.csv", "x".repeat(3000)).await;
    assert_eq!((status, parsed(&body)["error"].as_str()), (413, Some("body_too_large")), "{body}");
    assert_eq!(house.ask("POST", "/links.csv", "").await.0, 400);
    assert!(
        house.ask("GET", "/links.csv", "").await.1.ends_with("# 0 links; 0 more that no key in sessions.keys opens\n")
    );
    // The twin: the one line that is right.
    assert_eq!(house.ask("POST", "/links.csv", format!("issuer,subject,account\n{issuer},one,a\n")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_would_move_somebody_are_named_and_the_others_taken() {
    let house = House::with(&memory(), "").await;
    let issuer = &house.rig.simulator.issuers()[0];
    let table = |lines: &[(&str, &str)]| {
        let lines = lines.iter().map(|(subject, account)| format!("{issuer},{subject},{account}\n"));
        format!("issuer,subject,account\n{}", lines.collect::<String>())
    };
    house.ask("POST", "/links.csv", table(&[("one", "a")])).await;
    let second = table(&[("zero", "z"), ("one", "b"), ("two", "c")]);
    let (status, body) = house.ask("POST", "/links.csv", second.clone()).await;
    let told = parsed(&body);
    assert_eq!(
        (status, told["error"].as_str(), told["new"].as_u64()),
        (409, Some("lines_not_taken"), Some(2)),
        "{body}"
    );
    assert_eq!((told["lines"][0]["line"].as_u64(), told["lines"].as_array().unwrap().len()), (Some(3), 1), "{body}");
    assert!(house.ask("GET", "/links.csv", "").await.1.contains("\"one\",\"a\""));
    let (status, body) = house.ask("POST", "/links.csv?replace=true", second).await;
    assert_eq!((status, parsed(&body)["replaced"].as_u64()), (200, Some(1)), "the twin: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_never_ends_is_not_waited_for() {
    let house = House::with(&memory(), "").await;
    let request = format!(
        "POST /links.csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 99999999999\r\n\r\nissuer,",
        super::APP
    );
    let config = house.config.replace("admin:\n", "admin:\n  body_deadline: 1s\n");
    let mut house = house;
    house.restart_with(|_| config.clone());
    let private = house.private.parse().unwrap();
    let answer = exchange(private, request.as_bytes()).await;
    assert_eq!(answer.status(), 408, "{}", answer.text);
    assert_eq!(
        house.ask("POST", "/links.csv", "issuer,subject,account\n").await.0,
        200,
        "the twin, and nothing is held"
    );
    // Whoever speaks the old protocol could not tell a table that was cut short.
    let old = format!("GET /links.csv HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", super::APP);
    assert_eq!(exchange(private, old.as_bytes()).await.status(), 505);
}
