//! What goes well.

use serde_json::{Value, json};

use super::super::{
    AutoConsent, Client, Factor, Simulator, SimulatorSettings, keys::SigningKey, personas, rules::Signature,
};
use super::*;

#[tokio::test]
async fn a_person_of_each_carrier_signs_in() {
    let world = World::new().await;
    for (name, who, acr) in [("aurora", "tomas", "aal3"), ("tangent", "ines", "a3"), ("vireo", "noor", "a3")] {
        let carrier = world.carrier(name);
        let first = world.choose(who).await;
        assert_eq!(first["state"], "first-leg");
        assert_eq!(first["mccmnc"], carrier.mccmnc());
        world
            .http
            .post(format!("{}/forget", world.simulator.discovery_ui().replace("/discovery-ui", "")))
            .send()
            .await
            .unwrap();

        let found: Value =
            world.discovery(&[("client_id", CLIENT), ("mccmnc", &first["mccmnc"])]).await.json().await.unwrap();
        assert_eq!(found["issuer"], carrier.issuer());

        let mut query = request();
        query.push(("login_hint_token", &first["login_hint_token"]));
        let ticket = world.ask(carrier, &query).await;
        let second = world
            .decide(
                carrier,
                &[
                    ("ticket", &ticket),
                    ("decision", "agree"),
                    ("factor", "fingerprint"),
                    ("share", "name"),
                    ("share", "phone"),
                ],
            )
            .await;
        assert_eq!(second["state"], "second-leg");
        assert_eq!(second["correlation_id"], "abcd-1234");

        let answer = world.redeem(carrier, &redemption(&second["code"])).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["token_type"], "Bearer");
        let claims = world.claims(carrier, &body).await.unwrap();
        let person = personas().iter().find(|person| person.id == who).unwrap();
        assert_eq!(claims["iss"], carrier.issuer());
        assert_eq!(claims["aud"], CLIENT);
        assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
        assert_eq!(claims["acr"], acr);
        assert_eq!(claims["amr"], json!(["hwk", "fpt"]));
        assert_eq!(claims["sub"], carrier.subject(CLIENT, person));
        assert!(claims["sub"].as_str().unwrap().starts_with(&format!("{}-", carrier.mccmnc())));

        let read = world.http.get(carrier.userinfo_endpoint()).bearer_auth(body["access_token"].as_str().unwrap());
        let shared: Value = read.send().await.unwrap().json().await.unwrap();
        assert_eq!(shared["sub"], claims["sub"]);
        assert!(shared.get("email").is_none(), "a withheld attribute is absent");
        let (family_name, phone) = if name == "tangent" {
            (&shared["family_name"], &shared["phone_number"])
        } else {
            (&shared["name"]["family_name"], &shared["phone"]["value"])
        };
        assert_eq!(family_name, person.family_name);
        assert_eq!(phone, person.phone);
    }
}

#[tokio::test]
async fn vireo_publishes_its_keys_only_in_its_own_metadata() {
    let world = World::new().await;
    let carrier = world.carrier("vireo");
    let central: Value = world.discovery(&[("client_id", CLIENT), ("mccmnc", "311480")]).await.json().await.unwrap();
    assert_eq!(central["jwks_uri"], " ");
    let own = format!("{}/.well-known/openid-configuration", carrier.issuer());
    let own: Value = world.get(&own, &[]).await.json().await.unwrap();
    assert_eq!(own["jwks_uri"], carrier.jwks_uri());
}

#[tokio::test]
async fn aurora_gives_its_code_as_a_number_and_tangent_as_text() {
    let world = World::new().await;
    for (code, expected) in [("310410", json!(310_410)), ("310260", json!("310260"))] {
        let found: Value = world.discovery(&[("client_id", CLIENT), ("mccmnc", code)]).await.json().await.unwrap();
        assert_eq!(found["mccmnc"], expected);
    }
}

#[tokio::test]
async fn a_trusted_browser_is_sent_on_silently_unless_asked_to_choose_again() {
    let world = World::new().await;
    world.choose("noor").await;
    let silent = world.get(&world.simulator.discovery_ui(), &ui_query()).await;
    assert_eq!(callback(&silent)["mccmnc"], "311480");
    let mut again = ui_query();
    again.push(("prompt", "true"));
    let page = world.get(&world.simulator.discovery_ui(), &again).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("id=\"visual-code\"") && page.contains("id=\"numeric-code\""));
}

#[tokio::test]
async fn a_phone_needs_no_hint() {
    let world = World::new().await;
    world.simulator.ui().set(|rules| rules.auto_choose = Some("jun".to_owned()));
    let url = with_query(&world.simulator.discovery_ui(), &ui_query());
    let on_phone = world.http.get(url.clone()).header("user-agent", PHONE).send().await.unwrap();
    assert!(!callback(&on_phone).contains_key("login_hint_token"));
    let on_desk = world.http.get(url).send().await.unwrap();
    assert_eq!(callback(&on_desk)["login_hint_token"].split('.').count(), 5);
}

#[tokio::test]
async fn a_tap_gives_the_low_class_and_a_face_the_high_one() {
    let world = World::new().await;
    let carrier = world.carrier("tangent");
    for (factor, acr, amr) in [(Factor::Approve, "a1", json!(["hwk"])), (Factor::Face, "a3", json!(["hwk", "fid"]))] {
        let code = world.code(carrier).await;
        drop(code);
        carrier.set(|rules| rules.auto_consent.as_mut().unwrap().factor = factor);
        let answer = world.get(&carrier.authorization_endpoint(), &request()).await;
        let body = world.redeem(carrier, &redemption(&callback(&answer)["code"])).await;
        let claims = world.claims(carrier, &body.json().await.unwrap()).await.unwrap();
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!(acr), &amr));
    }
}

#[tokio::test]
async fn a_client_with_keys_signs_its_way_in_once() {
    let world = World::new().await;
    let key = SigningKey::generate().await.unwrap();
    let keys = json!({ "keys": [key.to_jwk()] });
    world.simulator.register(Client::with_keys(CLIENT, keys).redirect_uri(BACK));
    let carrier = world.carrier("aurora");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": CLIENT, "sub": CLIENT, "client_id": CLIENT, "aud": carrier.token_endpoint(),
        "iat": now, "exp": now + 60, "jti": "once",
    });
    let header = json!({ "alg": "RS256", "kid": key.kid });
    let object = |value: Value| value.as_object().unwrap().clone();
    let assertion = jwt::sign(&key, Signature::Valid, object(header), &object(claims)).await.unwrap();
    for status in [200, 401] {
        let code = world.code(carrier).await;
        let mut form = redemption(&code);
        form.push(("client_id", CLIENT));
        form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        form.push(("client_assertion", &assertion));
        let answer = world.post(&carrier.token_endpoint(), &form).await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn simulators_stand_side_by_side_and_leave_nothing_behind() {
    let one = World::new().await;
    let two = World::new().await;
    one.carrier("aurora").set(|rules| rules.authorize_error = Some("server_error".to_owned()));
    let answer = two.get(&two.carrier("aurora").authorization_endpoint(), &request()).await;
    assert_eq!(answer.status(), 200);
    let port = Url::parse(one.simulator.app_url()).unwrap().port().unwrap();
    one.simulator.shutdown().await;
    let mut settings = SimulatorSettings::default();
    settings.ports.app = port;
    assert!(Simulator::start(settings).await.is_ok());
}

#[tokio::test]
async fn the_wiki_shows_who_came_and_what_they_asked_for() {
    let world = World::new().await;
    let app = world.simulator.app_url();
    let url = format!("{app}/berths/12?note=%3Cb%3E&x='y'");
    let sent = world.http.get(url).header("x-auth-request-user", "<Maya>").header("x-zenkey-acr", "a3");
    let page = sent.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("id=\"x-auth-request-user\">&lt;Maya&gt;<"));
    assert!(page.contains("/berths/12?note=%3Cb%3E&amp;x="));
    assert!(page.contains("action=\"/oauth2/sign_out\""));

    let sent = world.http.put(format!("{app}/deep/echo.json?a=1&a=2")).header("x-two", "1").header("x-two", "2");
    let echo: Value = sent.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query"]),
        (&json!("PUT"), &json!("/deep/echo.json"), &json!("a=1&a=2"))
    );
    assert_eq!(echo["headers"]["x-two"], json!(["1", "2"]));
    let public = world.get(&format!("{app}/public"), &[]).await;
    assert!(public.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(public.text().await.unwrap().contains("moorings"));
}

#[tokio::test]
async fn somebody_who_moved_brings_the_old_carriers_word() {
    let world = World::new().await;
    let (aurora, vireo) = (world.carrier("aurora"), world.carrier("vireo"));
    vireo.set(|rules| {
        rules.ported.insert("noor".to_owned(), "tomas".to_owned());
    });
    let code = world.code(vireo).await;
    let body: Value = world.redeem(vireo, &redemption(&code)).await.json().await.unwrap();
    let claims = world.claims(vireo, &body).await.unwrap();
    let keys: Value = world.get(&aurora.jwks_uri(), &[]).await.json().await.unwrap();
    let old = jwt::verify(claims["aka"][0].as_str().unwrap(), &keys).unwrap();
    let tomas = personas().iter().find(|person| person.id == "tomas").unwrap();
    assert_eq!(old["iss"], aurora.issuer());
    assert_eq!(old["sub"], aurora.subject(CLIENT, tomas));
    assert_eq!(old["aud"], CLIENT);
}

#[tokio::test]
async fn optimized_discovery_goes_on_to_the_carrier_with_the_same_request() {
    let world = World::new().await;
    let vireo = world.carrier("vireo");
    vireo.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
    world.simulator.ui().set(|rules| rules.auto_choose = Some("wyn".to_owned()));
    let url = world.simulator.discovery_ui().replace("/ui/discovery-ui", "/v1/auth");
    let sent_on = world.get(&url, &request()).await;
    let location = sent_on.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&vireo.authorization_endpoint()));
    let answer = callback(&world.get(&location, &[]).await);
    assert_eq!(answer["mccmnc"], "311480");
    assert_eq!(answer["state"], "second-leg");
    assert!(vireo.last("authorize").unwrap().parameter("login_hint_token").is_some());
}

#[tokio::test]
async fn somebody_not_found_can_choose_another_phone() {
    let world = World::new().await;
    let hint = world.choose("maya").await["login_hint_token"].clone();
    let aurora = world.carrier("aurora");
    let ticket = world.ask(aurora, &request_with("login_hint_token", Some(&hint))).await;
    let form = [("ticket", ticket.as_str()), ("decision", "error"), ("error", "user_not_found")];
    assert_eq!(world.decide(aurora, &form).await["error"], "user_not_found");

    let mut again = ui_query();
    again.push(("prompt", "true"));
    let page = world.get(&world.simulator.discovery_ui(), &again).await;
    let ticket = super::ticket(&page.text().await.unwrap());
    let url = format!("{}/choose", world.simulator.discovery_ui());
    let form = [("ticket", ticket.as_str()), ("carrier", "vireo"), ("trust", "yes")];
    assert_eq!(callback(&world.post(&url, &form).await)["mccmnc"], "311480");
    let silent = world.get(&world.simulator.discovery_ui(), &ui_query()).await;
    assert_eq!(callback(&silent)["mccmnc"], "311480", "the browser remembers the new phone");
}

#[tokio::test]
async fn a_userinfo_request_can_be_bound_to_the_clients_key() {
    let world = World::new().await;
    let key = SigningKey::generate().await.unwrap();
    let client = Client::with_secret(CLIENT, SECRET).redirect_uri(BACK);
    let jwks = Some(json!({ "keys": [key.to_jwk()] }));
    world.simulator.register(Client { jwks, ..client });
    let carrier = world.carrier("vireo");
    carrier.set(|rules| rules.key_binding_required = true);
    let code = world.code(carrier).await;
    let body: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap();
    let read = || world.http.get(carrier.userinfo_endpoint()).bearer_auth(token);
    assert_eq!(read().send().await.unwrap().status(), 400);

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let digest_of = |text: String| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    for (covered, status) in [(format!("Bearer {token}"), 200), ("Bearer another".to_owned(), 400)] {
        let claims = json!({
            "iat": now, "exp": now + 60, "alg": "sha256", "ehts": "authorization", "edts": digest_of(covered),
        });
        let header = json!({ "alg": "RS256", "kid": key.kid });
        let object = |value: Value| value.as_object().unwrap().clone();
        let proof = jwt::sign(&key, Signature::Valid, object(header), &object(claims)).await.unwrap();
        assert_eq!(read().header("x-authorization", proof).send().await.unwrap().status(), status);
    }
}
