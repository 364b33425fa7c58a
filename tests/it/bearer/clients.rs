//! Which client may call: rules and headers about the client that an access token was given to.

use serde_json::json;

use super::{A, Api};
use crate::support::rig::Choices;

// KC08b
#[tokio::test]
async fn a_rule_may_name_the_client_that_calls_by_either_of_its_names() {
    let routes = "  - { host: localhost, path: /robots, access: bearer, upstream: UPSTREAM,
      require: { claims: { azp: [robot] } }, identity_headers: { map: { My-Client: client_id } } }
  - { host: localhost, path: /by-id, access: bearer, upstream: UPSTREAM,
      require: { claims: { client_id: [robot] } }, identity_headers: { map: { My-Client: azp } } }
";
    let api = Api::beside("", &Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    for client in [
        json!({"azp": "robot", "client_id": null}),
        json!({"azp": null, "client_id": "robot"}),
        json!({"azp": "robot", "client_id": "robot"}),
    ] {
        let token = api.token(client).await;
        for path in ["/robots", "/by-id"] {
            api.passes(path, &token).await;
            assert_eq!(api.rig.upstream.last().one("my-client").as_deref(), Some("robot"), "{path}");
        }
    }
    let before = api.rig.upstream.count();
    for client in [
        json!({"azp": null, "client_id": null}),
        json!({"azp": "other", "client_id": null}),
        json!({"azp": "robo", "client_id": "other"}),
        json!({"azp": ["robot"], "client_id": null}),
        json!({"azp": "robot,other", "client_id": null}),
    ] {
        let token = api.token(client.clone()).await;
        for path in ["/robots", "/by-id"] {
            assert_eq!(api.call(path, &token).await.status, 403, "{client} at {path}");
        }
    }
    // Two names that differ: each rule goes by its own.
    let two = api.token(json!({"azp": "robot", "client_id": "other"})).await;
    api.passes("/robots", &two).await;
    assert_eq!(api.call("/by-id", &two).await.status, 403);
    assert_eq!(api.rig.upstream.count(), before + 1);
}

// PM04, PF01: an access token is read as an ID token is.
#[tokio::test]
async fn roles_inside_an_access_token_are_reached_as_those_of_an_id_token() {
    let routes = "  - { host: localhost, path: /staff, access: bearer, upstream: UPSTREAM,
      require: { claims: { realm_access.roles: [staff] } }, identity_headers: { map: { X-Roles: realm_access.roles } } }
";
    let api = Api::beside("", &Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    api.passes("/staff", &api.token(json!({"realm_access": {"roles": ["x", null, "staff", 7]}})).await).await;
    assert_eq!(api.rig.upstream.last().one("x-roles").as_deref(), Some("x,staff,7"));
    for none in [json!({"realm_access": {"roles": ["staffx"]}}), json!({"roles": ["staff"]}), json!({})] {
        assert_eq!(api.call("/staff", &api.token(none.clone()).await).await.status, 403, "{none}");
    }
    let mut claims = api.claims(A);
    claims["realm_access.roles"] = json!(["other"]);
    claims["realm_access"] = json!({"roles": ["staff"]});
    let token = api.sign("aurora", json!({"typ": "at+jwt"}), claims).await;
    assert_eq!(api.call("/staff", &token).await.status, 403, "a claim of that very name comes first");
}
