//! People and the app's own accounts: links, who changes them, and what the app is told. The gateway is the built program.

mod administration;
mod link_page;
mod migration;
mod registration;
mod sessions;
mod table;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zengate_simulator::AutoConsent;

use crate::support::browser::{Browser, Page};
use crate::support::process::{Home, Process};
use crate::support::rig::{Choices, Rig};

/// Keys that seal links and sessions.
const KEY: &str = "cHJvbWlzZXMtb2YtbGlua3Mtb3V0bGl2ZS1hbGwgNDI=";
const NEWER_KEY: &str = "4Gv2JaPYVg2fkZ3gqX5ev2Ao6oiXL/TV2S4WCRAMpEI=";

/// Tokens of the private listener, by scope.
const READER: &str = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr-read";
const APP: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-accounts";
const OPERATOR: &str = "oooooooooooooooooooooooooooooooo-operate";

/// A gateway with accounts, in a process of its own, in front of an app with a page `/members` for those who have one.
struct House {
    rig: Rig,
    process: Option<Process>,
    private: String,
    config: String,
    home: Home,
    client: reqwest::Client,
}

impl House {
    /// With `sessions` and `accounts` as the configuration has them, two spaces in front of each line.
    async fn with(sessions: &str, accounts: &str) -> Self {
        Self::of(sessions, accounts, Choices::default()).await
    }

    /// As [`House::with`], with further routes, and issuers and keys of the federation, as `more` has them.
    async fn of(sessions: &str, accounts: &str, more: Choices) -> Self {
        let routes = "  - { host: localhost, path: /members, access: session, upstream: 'UPSTREAM', require: { linked_account: true } }\n  \
                      - { host: 127.0.0.1, path: /members, access: session, upstream: 'UPSTREAM', require: { linked_account: true } }\n";
        let accounts = if accounts.is_empty() { "accounts: {}\n".to_owned() } else { format!("accounts:\n{accounts}") };
        let tokens = format!(
            "admin:\n  tokens:\n    - {{ name: ops, token: {READER}, scope: read }}\n    \
             - {{ name: crm, token: {APP}, scope: accounts }}\n    - {{ name: root, token: {OPERATOR}, scope: operate }}\n"
        );
        // The port goes from the rig's own gateway to the program; in between, another test may be given it.
        for _ in 0..10 {
            let choices = Choices {
                sessions: sessions.to_owned(),
                routes: format!("{routes}{}", more.routes),
                top: format!("{accounts}{tokens}"),
                ..more.clone()
            };
            let mut rig = Rig::with(choices).await;
            rig.stop_gateway().await;
            rig.simulator.ui().set(|rules| rules.auto_choose = Some("maya".to_owned()));
            for carrier in rig.simulator.carriers() {
                carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
            }
            let home = Home::new();
            let config = rig.config_text().replace("admin_listen: 127.0.0.1:1\n", "admin_listen: 127.0.0.1:0\n");
            if let Some((process, _, private)) = Process::try_serve(&home.write("zengate.yaml", &config)) {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                return Self { rig, process: Some(process), private, config, home, client };
            }
        }
        panic!("no port stays free");
    }

    async fn embedded() -> Self {
        Self::with(&format!("  store: embedded\n  path: DIR/sessions.redb\n  keys: [{KEY}]\n"), "").await
    }

    /// Ends the gateway and starts it again, with `change` made to its configuration.
    fn restart_with(&mut self, change: impl Fn(&str) -> String) {
        let process = self.process.take().unwrap();
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
        let (process, _, private) = Process::serve(&self.home.write("zengate.yaml", &change(&self.config)));
        (self.process, self.private) = (Some(process), private);
    }

    fn restart(&mut self) {
        self.restart_with(str::to_owned);
    }

    /// Asks the private listener with the app's token.
    async fn ask(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        self.ask_as(APP, method, path, body).await
    }

    async fn ask_as(&self, token: &str, method: &str, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, format!("http://{}{path}", self.private));
        let answer = request.bearer_auth(token).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Links `who` to `account`, and says with what status.
    async fn link(&self, who: &Who, account: &str, more: &str) -> u16 {
        let path = format!("{}{more}", who.path());
        self.ask("PUT", &path, json!({ "account": account }).to_string()).await.0
    }

    /// Signs in as `person` and says who the app hears that they are.
    async fn sign_in(&self, browser: &Browser, person: &str) -> Who {
        self.rig.simulator.ui().set(|rules| rules.auto_choose = Some(person.to_owned()));
        let page = browser.go(self.rig.url("/app")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let seen = self.rig.upstream.last();
        Who { issuer: seen.one("x-zenkey-issuer").unwrap(), subject: seen.one("x-zenkey-sub").unwrap() }
    }

    /// Opens the page for members: the account that the app is told, or how it was refused.
    async fn members(&self, browser: &Browser) -> Result<String, StatusCode> {
        let page = self.open(browser, "/members").await;
        if page.status != 200 {
            return Err(page.status);
        }
        Ok(self.rig.upstream.last().one("x-zenkey-account").expect("the app is told"))
    }

    async fn open(&self, browser: &Browser, path: &str) -> Page {
        browser.open(self.rig.url(path)).await
    }

    fn log(&self) -> String {
        self.process.as_ref().unwrap().stderr()
    }
}

/// A person, as their issuer knows them.
#[derive(Debug, Clone, PartialEq)]
struct Who {
    issuer: String,
    subject: String,
}

impl Who {
    fn path(&self) -> String {
        let query = [("issuer", &self.issuer), ("subject", &self.subject)];
        format!("/links?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish())
    }
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}
