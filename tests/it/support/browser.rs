//! A browser, as far as HTTP can see it: cookies per host, redirects followed only when told, a person's headers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode};
use url::Url;

/// One answer, read whole.
#[derive(Debug, Clone)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub url: Url,
}

impl Page {
    /// The `Location`, made absolute.
    pub fn location(&self) -> Option<Url> {
        self.url.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()
    }

    /// The `Location` as it was written.
    pub fn raw_location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// Every `Set-Cookie`.
    pub fn set_cookies(&self) -> Vec<String> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Whether the page gives out a session cookie.
    pub fn gives_session(&self) -> bool {
        self.set_cookies().iter().any(|cookie| cookie.starts_with("__Host-gw=") && !cookie.contains("Max-Age=0"))
    }

    /// The value of the hidden field `name`.
    pub fn field(&self, name: &str) -> Option<String> {
        let at = self.body.find(&format!("name=\"{name}\""))?;
        let rest = &self.body[at..];
        let value = rest.split_once("value=\"")?.1;
        Some(value.split('"').next()?.replace("&amp;", "&"))
    }

    /// A JSON body.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A browser with its own cookie jar.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    jar: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    user_agent: String,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A desktop browser nobody has used yet.
    pub fn new() -> Self {
        super::init();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        // As browsers have it: every name below `localhost` is this machine (RFC 6761 6.3).
        let here = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let client = client.resolve("second.localhost", here).resolve("third.localhost", here);
        Self {
            client: client.build().unwrap(),
            jar: Mutex::default(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/150.0".to_owned(),
        }
    }

    /// A browser on a phone.
    pub fn phone() -> Self {
        let user_agent = "Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0".to_owned();
        Self { user_agent, ..Self::new() }
    }

    /// Cookies of `host`, by name.
    pub fn cookies(&self, host: &str) -> BTreeMap<String, String> {
        self.jar.lock().unwrap().get(host).cloned().unwrap_or_default()
    }

    /// Puts a cookie into the jar.
    pub fn plant(&self, host: &str, name: &str, value: &str) {
        self.jar.lock().unwrap().entry(host.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }

    /// Throws a cookie away.
    pub fn forget(&self, host: &str, name: &str) {
        if let Some(cookies) = self.jar.lock().unwrap().get_mut(host) {
            cookies.remove(name);
        }
    }

    /// The `Cookie` header this browser would send to `host`.
    pub fn cookie_header(&self, host: &str) -> String {
        self.cookies(host).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// A copy of this browser, jar and all: a second window that does not see later cookies.
    pub fn fork(&self) -> Self {
        let copy = Self::new();
        *copy.jar.lock().unwrap() = self.jar.lock().unwrap().clone();
        copy
    }

    /// A person opens `url`; no redirect is followed, but for the one to the page that says why a sign-in was refused.
    pub async fn open(&self, url: impl AsRef<str>) -> Page {
        let accept = [("accept", "text/html,application/xhtml+xml")];
        let page = self.send(Method::GET, url, None, &accept).await;
        match page.location().filter(|to| page.status == 303 && to.path() == "/oauth2/refused") {
            Some(to) => self.send(Method::GET, to, None, &accept).await,
            None => page,
        }
    }

    /// A person opens `url` and the browser follows redirects until there is a page.
    pub async fn go(&self, url: impl AsRef<str>) -> Page {
        let mut page = self.open(url).await;
        let mut hops = 0;
        while let Some(next) = page.location() {
            hops += 1;
            assert!(hops < 15, "a redirect loop at {next}");
            page = self.open(next).await;
        }
        page
    }

    /// Follows redirects from a page at hand.
    pub async fn follow(&self, page: Page) -> Page {
        match page.location() {
            Some(next) => self.go(next).await,
            None => page,
        }
    }

    /// A form is sent from a page of the same site; no redirect is followed.
    pub async fn post(&self, url: impl AsRef<str>, form: &[(&str, &str)]) -> Page {
        let url = Url::parse(url.as_ref()).unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [
            ("accept", "text/html"),
            // What Chromium sends from a page with `Referrer-Policy: no-referrer`, as ours are.
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, url.as_str(), Some(body), &headers).await
    }

    /// Any request, with this browser's cookies.
    pub async fn send(
        &self,
        method: Method,
        url: impl AsRef<str>,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Page {
        let url = Url::parse(url.as_ref()).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let mut request = self.client.request(method, url.clone()).header("user-agent", &self.user_agent);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies = self.cookie_header(&host);
        if !cookies.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
            request = request.header(COOKIE, cookies);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        self.keep(&host, &headers);
        Page { status, headers, body: answer.text().await.unwrap(), url }
    }

    fn keep(&self, host: &str, headers: &HeaderMap) {
        let mut jar = self.jar.lock().unwrap();
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let cookies = jar.entry(host.to_owned()).or_default();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
