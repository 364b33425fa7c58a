//! A real Chromium, driven over the DevTools protocol by a pipe: no port, no helper program.
//!
//! What a browser does with cookies, redirects, frames, forms and a policy of ours is its own opinion; a client that only
//! speaks HTTP cannot be asked for it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Time for the browser to do what it is told, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running browser with a profile of its own. Ends when dropped.
pub struct Chromium {
    profile: Arc<TempDir>,
    process: Child,
    line: Arc<Line>,
}

/// Commands out, answers and events in.
struct Line {
    out: Mutex<Option<ChildStdin>>,
    last: AtomicU64,
    heard: Mutex<Heard>,
    more: Condvar,
}

/// What the browser has said.
#[derive(Default)]
struct Heard {
    answers: HashMap<u64, Value>,
    events: Vec<Value>,
    over: bool,
}

impl Line {
    fn call(&self, method: &str, params: &Value, session: Option<&str>) -> Result<Value, String> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.out.lock().unwrap().as_mut().ok_or("it has ended")?.write_all(&bytes).map_err(|e| e.to_string())?;
        let waits = |heard: &mut Heard| !heard.over && !heard.answers.contains_key(&id);
        let (mut heard, _) = self.more.wait_timeout_while(self.heard.lock().unwrap(), PATIENCE, waits).unwrap();
        let answer = heard.answers.remove(&id).ok_or_else(|| format!("no answer to {method}"))?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].clone()),
        }
    }

    fn hear(&self, message: Value) {
        let mut heard = self.heard.lock().unwrap();
        match message["id"].as_u64() {
            Some(id) => drop(heard.answers.insert(id, message)),
            None => heard.events.push(message),
        }
        self.more.notify_all();
    }
}

impl Chromium {
    /// Starts one; `None`, loudly, where there is none to start.
    pub fn start(promise: &str) -> Option<Self> {
        let profile = Arc::new(tempfile::tempdir().unwrap());
        for program in ["chromium", "chromium-browser", "google-chrome"] {
            match Self::run(program, &profile) {
                Ok(browser) => return Some(browser),
                Err(why) if why.contains("not found") => {}
                Err(why) => panic!("{program} does not start: {why}"),
            }
        }
        super::skipped(promise, "no chromium on this machine");
        None
    }

    /// Ends the browser as a person does who closes its window, and starts it again with the same profile: what it keeps
    /// over a restart is there, and nothing else.
    pub fn restart(mut self) -> Self {
        let _answers_or_is_gone = self.line.call("Browser.close", &json!({}), None);
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the browser does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let profile = Arc::clone(&self.profile);
        Self::run("chromium", &profile).unwrap()
    }

    fn run(program: &str, profile: &Arc<TempDir>) -> Result<Self, String> {
        let known = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
        if !known.is_ok_and(|status| status.success()) {
            return Err("not found".to_owned());
        }
        // The browser reads commands from its descriptor 3 and answers on 4.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
        let mut process = Command::new("sh")
            .args(["-c", script, program, "--headless=new", "--remote-debugging-pipe"])
            // Tests run as root in containers, where its sandbox has nothing to stand on.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--no-default-browser-check", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            // Pages of the history are loaded anew, as they are after a day or on a small phone.
            .args(["--no-proxy-server", "--lang=en", "--disable-features=BackForwardCache"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let line = Arc::new(Line {
            out: Mutex::new(process.stdin.take()),
            last: AtomicU64::new(0),
            heard: Mutex::default(),
            more: Condvar::new(),
        });
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn({
            let line = Arc::clone(&line);
            move || {
                for message in output.split(0).map_while(Result::ok) {
                    line.hear(serde_json::from_slice(&message).unwrap_or_default());
                }
                line.heard.lock().unwrap().over = true;
                line.more.notify_all();
            }
        });
        let browser = Self { profile: Arc::clone(profile), process, line };
        browser.line.call("Browser.getVersion", &json!({}), None)?;
        Ok(browser)
    }

    /// Opens an empty tab.
    pub fn tab(&self) -> Tab {
        let made = self.line.call("Target.createTarget", &json!({ "url": "about:blank" }), None).unwrap();
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = self.line.call("Target.attachToTarget", &attach, None).unwrap();
        let tab = Tab { line: Arc::clone(&self.line), session: attached["sessionId"].as_str().unwrap().to_owned() };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _answers_or_is_gone = self.line.call("Browser.close", &json!({}), None);
        drop(self.line.out.lock().unwrap().take());
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

/// One tab.
pub struct Tab {
    line: Arc<Line>,
    session: String,
}

#[allow(dead_code, reason = "what a person can do in a tab, whether or not a test does it yet")]
impl Tab {
    /// Any command of the protocol.
    #[track_caller]
    pub fn call(&self, method: &str, params: &Value) -> Value {
        self.line.call(method, params, Some(&self.session)).unwrap()
    }

    /// A person types `url` into the address bar. Returns when a page stands there, after whatever redirects.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.settles_after(|| drop(self.call("Page.navigate", &json!({ "url": url }))));
    }

    /// The reload button.
    #[track_caller]
    pub fn reload(&self) {
        self.settles_after(|| drop(self.call("Page.reload", &json!({}))));
    }

    /// The Back button.
    #[track_caller]
    pub fn back(&self) {
        let history = self.call("Page.getNavigationHistory", &json!({}));
        let at = history["currentIndex"].as_u64().unwrap();
        let before = &history["entries"][usize::try_from(at).unwrap() - 1]["id"];
        self.settles_after(|| drop(self.call("Page.navigateToHistoryEntry", &json!({ "entryId": before }))));
    }

    /// Clicks what `selector` finds, and waits for the page that follows.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.settles_after(|| self.press(selector, 1));
    }

    /// Clicks `times` times in a row, as an impatient person does, and waits for the page that follows.
    #[track_caller]
    pub fn click_often(&self, selector: &str, times: u32) {
        self.settles_after(|| self.press(selector, times));
    }

    /// The mouse over the middle of what `selector` finds, pressed and let go.
    #[track_caller]
    fn press(&self, selector: &str, times: u32) {
        let script = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView(); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let middle = self.evaluate(&script);
        for click in 1..=times {
            for kind in ["mousePressed", "mouseReleased"] {
                let event = json!({
                    "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": click,
                });
                self.call("Input.dispatchMouseEvent", &event);
            }
        }
    }

    /// Does `action` and waits for the next page to be loaded whole.
    #[track_caller]
    pub fn settles_after(&self, action: impl FnOnce()) {
        let loaded = |heard: &Heard| self.events(heard, "Page.loadEventFired").count();
        let before = loaded(&self.line.heard.lock().unwrap());
        action();
        let waits = |heard: &mut Heard| !heard.over && loaded(heard) == before;
        let (heard, _) = self.line.more.wait_timeout_while(self.line.heard.lock().unwrap(), PATIENCE, waits).unwrap();
        assert!(loaded(&heard) > before, "no page came: {:?}", heard.events.iter().rev().take(20).collect::<Vec<_>>());
    }

    /// Waits until a page of that path stands in the tab.
    #[track_caller]
    pub fn until_at(&self, path: &str) {
        self.until(&format!("location.pathname + location.search === {path:?} && document.readyState === 'complete'"));
    }

    /// Waits until the script says `true`.
    #[track_caller]
    pub fn until(&self, script: &str) {
        let deadline = Instant::now() + PATIENCE;
        let ask = json!({ "expression": script, "returnByValue": true });
        // Between two pages there is nothing to ask.
        while self.line.call("Runtime.evaluate", &ask, Some(&self.session)).is_ok_and(|a| a["result"]["value"] != true)
        {
            assert!(Instant::now() < deadline, "never {script} at {}: {}", self.url(), self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the script comes to.
    #[track_caller]
    pub fn evaluate(&self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer.get("exceptionDetails").is_none(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// The address bar.
    pub fn url(&self) -> String {
        self.evaluate("location.href").as_str().unwrap_or_default().to_owned()
    }

    /// Path and query of the address bar.
    pub fn at(&self) -> String {
        self.evaluate("location.pathname + location.search").as_str().unwrap_or_default().to_owned()
    }

    /// What a person can read.
    pub fn text(&self) -> String {
        self.evaluate("document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    /// Status of the page that stands in the tab.
    #[track_caller]
    pub fn status(&self) -> u64 {
        let heard = self.line.heard.lock().unwrap();
        let pages = self.events(&heard, "Network.responseReceived").filter(|event| event["type"] == "Document");
        pages.last().and_then(|page| page["response"]["status"].as_u64()).expect("a page")
    }

    /// Addresses that the tab asked for so far, in order, redirects included.
    pub fn requested(&self) -> Vec<String> {
        let heard = self.line.heard.lock().unwrap();
        let asked = self.events(&heard, "Network.requestWillBeSent");
        asked.filter_map(|event| event["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// Headers that go with every request of the tab from now on.
    pub fn send_always(&self, headers: &Value) {
        self.call("Network.setExtraHTTPHeaders", &json!({ "headers": headers }));
    }

    /// A phone's screen and name.
    pub fn as_phone(&self) {
        let screen = json!({ "width": 360, "height": 740, "deviceScaleFactor": 3, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let agent = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Mobile";
        self.call("Emulation.setUserAgentOverride", &json!({ "userAgent": agent }));
    }

    /// Everything that the browser complained about, in the console or beside it: blocked by a policy, not loaded, thrown.
    pub fn complaints(&self) -> Vec<String> {
        let heard = self.line.heard.lock().unwrap();
        let entries = self.events(&heard, "Log.entryAdded").map(|event| &event["entry"]);
        let entries = entries.filter(|entry| entry["level"] == "error" || entry["source"] == "security");
        let thrown = self.events(&heard, "Runtime.exceptionThrown").map(|event| &event["exceptionDetails"]);
        let said = entries.chain(thrown).map(Value::to_string);
        said.filter(|complaint| !complaint.contains("favicon.ico")).collect()
    }

    /// Those of them that name a policy.
    pub fn policy_complaints(&self) -> Vec<String> {
        let all = self.complaints().into_iter();
        all.filter(|text| text.contains("Content Security Policy") || text.contains("violates")).collect()
    }

    fn events<'a>(&'a self, heard: &'a Heard, method: &'a str) -> impl Iterator<Item = &'a Value> {
        let own = heard.events.iter().filter(move |event| event["sessionId"] == self.session.as_str());
        own.filter(move |event| event["method"] == method).map(|event| &event["params"])
    }
}
