//! An approval outlives the gateway that began it, and of several gateways one ends it.

use std::time::Duration;

use serde_json::json;

use super::Desk;
use crate::support::redis::Redis;
use crate::support::rig::Choices;

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_goes_on_after_a_restart() {
    let sessions = "  store: embedded\n  path: DIR/sessions.redb\n".to_owned();
    let mut desk = Desk::with(Choices { sessions, ..Choices::default() }, "").await;
    let asked = desk.ask(json!({})).await;
    desk.rig.restart().await;
    assert_eq!(desk.state(&asked).await, "waiting");
    desk.agree(&asked).await;
    assert_eq!(desk.ending(&asked).await.0, "approved");
    desk.rig.restart().await;
    let seen = desk.look(&asked.id, 0).await;
    assert!(seen["state"] == "approved" && seen["receipt"].is_string());
    assert_eq!(desk.maya.open(asked.body["watch"].as_str().unwrap()).await.json()["state"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_gateways_one_ends_it_and_both_know() {
    let Some(redis) = Redis::start("approvals of two gateways") else { return };
    let desk = Desk::with(Choices { sessions: redis.sessions(), ..Choices::default() }, "").await;
    let other = desk.rig.another_node().await;
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    // CR-E03: what lies in the store reads as nothing.
    let dump = String::from_utf8_lossy(&redis.dump()).into_owned();
    let parts = ["Harbour Books", asked.bearer(), &asked.id, asked.claims["nonce"].as_str().unwrap(), "q-1\""];
    assert!(parts.iter().all(|part| !dump.contains(part)));
    let yes = desk.yes(&asked, "q-1", json!({})).await.to_string();
    let at = |url: String| {
        let request = desk.client.post(url).bearer_auth(asked.bearer()).body(yes.clone());
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let watched = desk.client.get(format!("http://{}/approvals?id={}&wait=25", other.admin_address(), asked.id));
    let watched =
        async { watched.bearer_auth(super::APP).send().await.unwrap().json::<serde_json::Value>().await.unwrap() };
    let (one, two, three, seen) = tokio::join!(
        at(desk.rig.url("/oauth2/approvals/notify")),
        at(desk.rig.url_at(&other, "/oauth2/approvals/notify")),
        at(desk.rig.url("/oauth2/approvals/notify")),
        watched
    );
    assert_eq!((one, two, three, seen["state"].as_str()), (204, 204, 204, Some("approved")));
    let line = "zengate_approvals_total{outcome=\"approved\"}";
    let there = desk.client.get(format!("http://{}/metrics", other.admin_address())).send().await.unwrap();
    let there = there.text().await.unwrap();
    let there: u64 = there.lines().find_map(|found| found.strip_prefix(line)).map_or(0, |n| n.trim().parse().unwrap());
    assert_eq!(desk.metric(line).await + there, 1, "one of them ended it");
    // Asked at one, refused at the other: a person has one set of turns.
    let _live = desk.ask(json!({})).await;
    let request = desk.client.post(format!("http://{}/approvals", other.admin_address())).bearer_auth(super::APP);
    assert_eq!(request.body(desk.wanted().to_string()).send().await.unwrap().status(), 429);
    other.stop(Duration::ZERO).await;
}
