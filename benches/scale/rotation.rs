//! Part: an issuer changes its keys while programs come with its access tokens.
//!
//! Three times. *Not at all*: what this machine does to requests by itself. *Announced*: a key is published for some time before it signs, as large issuers do; the gateway fetches it in
//! the background. *At once*: a key signs from the moment it is published, so whoever comes first with it has to wait:
//! nobody could know it. Key sets come slowly, by way of [`Relay`], so whoever waited for one can be told.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::client;
use crate::gate::{self, Target};
use crate::keys::{Fetch, Relay};
use crate::options::Options;
use crate::pace::{Sample, pace};
use crate::stage::gate::{Plan, Route, in_memory};
use crate::stage::scene::Scene;

pub const NAME: &str = "rotation";

/// Keys that come into use, one after the other.
pub const ROTATIONS: usize = 5;
/// Programs, each with a token of its own, which it changes for a newer one some time after the keys have changed.
pub const CALLERS: usize = 200;
/// A request that takes longer than this has waited for something.
pub const LONG: Duration = Duration::from_millis(50);
/// How long before its use an announced key is published: the gateway looks for new ones once a minute.
const ANNOUNCED: Duration = Duration::from_secs(60);
/// Before the first rotation.
const LEAD: Duration = Duration::from_secs(2);
const AUDIENCE: &str = "https://api.bench.example";

/// How keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    NotAtAll,
    AtOnce,
    Announced,
}

/// What became of one run.
pub struct Run {
    pub manner: Manner,
    pub requests: usize,
    pub seconds: f64,
    /// Answers other than 200, and none at all; and what the first of them was.
    pub failed: usize,
    pub first_failure: Option<String>,
    /// Requests that were under way when a fetch of keys ended, and had been for [`LONG`]: under a key that had been met.
    pub waited_known: usize,
    /// Requests that were under way when a fetch of keys ended, under a key that had not been met.
    pub waited_new: usize,
    /// Requests that took longer than [`LONG`] while no fetch ended: the machine was busy with something else.
    pub long_otherwise: usize,
    /// Microseconds from when a request was due.
    pub p50: f64,
    pub p99: f64,
    pub most: f64,
    /// How late the load itself was: its 99th percentile.
    pub late: f64,
    /// How often the issuer was asked for its keys.
    pub fetches: usize,
    /// CPU µs a request.
    pub cpu: f64,
}

impl Manner {
    /// As it stands in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAtAll => "not at all",
            Self::AtOnce => "at once",
            Self::Announced => "announced",
        }
    }
}

/// A caller's token, as a whole request.
pub struct Token {
    pub request: Vec<u8>,
    pub key: usize,
}

/// What callers show at the moment.
pub type Tokens = Vec<RwLock<Arc<Token>>>;

/// Runs all three.
pub fn measure(scene: &Scene, options: &Options) -> Result<Vec<Run>, String> {
    let issuer = Issuer { name: scene.issuers.get(1).ok_or("no issuer")?.clone() };
    let keys = issuer.ask("GET", "/.well-known/openid-configuration", &Value::Null)?;
    let keys = keys["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix("http://")?.split_once('/'));
    let (authority, path) = keys.ok_or("the issuer names no keys")?;
    let relay = Relay::start(authority.to_owned(), format!("/{path}"));
    let all = [Manner::NotAtAll, Manner::AtOnce, Manner::Announced];
    all.into_iter().map(|manner| once(scene, options, &issuer, &relay, manner)).collect()
}

fn once(scene: &Scene, options: &Options, issuer: &Issuer, relay: &Relay, manner: Manner) -> Result<Run, String> {
    let plan = Plan {
        threads: Some(1),
        // The shortest that may be configured: with the defaults such a run would take hours.
        provider: "  jwks_refresh: 1m\n  jwks_cooldown: 1s\n",
        more: format!(
            "bearer:\n  issuers:\n    - issuer: {}\n      audiences: ['{AUDIENCE}']\n      \
             jwks_uri: http://{}/keys\n",
            issuer.name, relay.address
        ),
        sessions: in_memory(),
        routes: vec![Route { access: "bearer".to_owned(), headers: None, ..gate::route("localhost", "/") }],
    };
    let gate = gate::start(scene, &plan)?;
    let tokens: Result<Tokens, String> =
        (0..CALLERS).map(|caller| Ok(RwLock::new(Arc::new(issuer.token(&gate, caller, 0)?)))).collect();
    let tokens = tokens?;
    // The first fetch is not part of it.
    let proof = client::ask("GET", &gate.authority, "/app/tiny", &bearer(&tokens[0])?, "");
    let proof = proof.map_err(|error| error.to_string())?;
    if proof.status != 200 {
        return Err(format!("the gateway does not take the issuer's tokens: {}", proof.head));
    }
    relay.fetches();
    let interval = options.rotation / u32::try_from(ROTATIONS).unwrap_or(1);
    let hold = if manner == Manner::Announced { ANNOUNCED } else { Duration::ZERO };
    let span = LEAD + hold + options.rotation;
    eprintln!("   {} s, {}", span.as_secs(), manner.name());
    let begin = Instant::now();
    let spent = gate.process.cpu_nanos();
    let (samples, rotated) = std::thread::scope(|scope| {
        let (gate, tokens) = (&gate, &tokens);
        let rotating = scope.spawn(move || match manner {
            Manner::NotAtAll => Ok(()),
            Manner::AtOnce | Manner::Announced => rotate(issuer, gate, tokens, begin + LEAD, interval, hold),
        });
        let samples = pace(&gate.authority, tokens, options.rate, begin, span);
        (samples, rotating.join().map_err(|_| "the rotation panicked".to_owned()))
    });
    let spent = gate.process.cpu_nanos() - spent;
    rotated??;
    let samples = samples?;
    let fetches: Vec<(Duration, Duration)> = relay.fetches().into_iter().map(|fetch| since(begin, fetch)).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let cpu = spent as f64 / 1000.0 / samples.len().max(1) as f64;
    Ok(Run { manner, fetches: fetches.len(), cpu, ..judge(&samples, &fetches, span) })
}

fn since(begin: Instant, (from, to): Fetch) -> (Duration, Duration) {
    (from.saturating_duration_since(begin), to.saturating_duration_since(begin))
}

fn bearer(token: &RwLock<Arc<Token>>) -> Result<String, String> {
    let token = token.read().map_err(|_| "a poisoned token")?;
    let text = String::from_utf8_lossy(&token.request);
    let field = text.split("\r\n").find(|line| line.starts_with("Authorization: "));
    Ok(format!("{}\r\n", field.unwrap_or_default()))
}

/// Publishes key after key; callers take up tokens of each, one after the other, `hold` later. Tokens of older keys stay
/// good: their keys stay published.
fn rotate(
    issuer: &Issuer,
    gate: &Target,
    tokens: &Tokens,
    begin: Instant,
    interval: Duration,
    hold: Duration,
) -> Result<(), String> {
    let mut ready: Vec<Vec<Token>> = Vec::new();
    let at = |number: usize| begin + interval * u32::try_from(number).unwrap_or(u32::MAX);
    for number in 0..ROTATIONS {
        sleep_until(at(number));
        issuer.ask("POST", "/_control/rotate-keys", &json!({ "keep_previous": true }))?;
        if hold.is_zero() {
            hand_out((0..CALLERS).map(|caller| issuer.token(gate, caller, number + 1)), tokens, at(number), interval)?;
        } else {
            ready.push((0..CALLERS).map(|caller| issuer.token(gate, caller, number + 1)).collect::<Result<_, _>>()?);
        }
    }
    for (number, some) in ready.into_iter().enumerate() {
        hand_out(some.into_iter().map(Ok), tokens, at(number) + hold, interval)?;
    }
    Ok(())
}

/// Gives each caller its token, spread over most of the time until the next key.
fn hand_out(
    some: impl Iterator<Item = Result<Token, String>>,
    tokens: &Tokens,
    begin: Instant,
    interval: Duration,
) -> Result<(), String> {
    let step = interval * 8 / 10 / u32::try_from(CALLERS).unwrap_or(1);
    for (caller, token) in some.enumerate() {
        let token = token?;
        sleep_until(begin + step * u32::try_from(caller).unwrap_or(u32::MAX));
        *tokens[caller].write().map_err(|_| "a poisoned token")? = Arc::new(token);
    }
    Ok(())
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

/// The simulated issuer and its switches.
struct Issuer {
    name: String,
}

impl Issuer {
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let origin = self.name.strip_prefix("http://").ok_or("no plain issuer")?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let fields = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let answer = client::ask(method, origin, path, fields, &body).map_err(|error| error.to_string())?;
        serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {} {error}", answer.head))
    }

    /// A token signed with the newest key, the `key`th.
    fn token(&self, gate: &Target, caller: usize, key: usize) -> Result<Token, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "header": { "typ": "at+jwt" },
            "claims": {
                "iss": self.name, "sub": format!("program-{caller:04}"), "aud": AUDIENCE, "iat": now, "exp": now + 3600,
                "client_id": "bench", "jti": format!("{key}-{caller}"), "scope": "read write",
            },
        });
        let signed = self.ask("POST", "/_control/sign", &claims)?;
        let jwt = signed["jwt"].as_str().ok_or("the issuer signed nothing")?;
        let request = format!(
            "GET /app/tiny HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer {jwt}\r\n\r\n",
            gate.authority
        );
        Ok(Token { request: request.into_bytes(), key })
    }
}

/// What the samples say together.
fn judge(samples: &[Sample], fetches: &[(Duration, Duration)], span: Duration) -> Run {
    let mut met = [Duration::MAX; ROTATIONS + 1];
    for sample in samples.iter().filter(|sample| sample.status == 200) {
        met[sample.key] = met[sample.key].min(sample.sent + sample.took);
    }
    let (mut waited_known, mut waited_new, mut long_otherwise) = (0, 0, 0);
    for sample in samples {
        let under_way = |at: Duration, least: Duration| sample.sent + least < at && at <= sample.sent + sample.took;
        let waited = |least: Duration| fetches.iter().any(|(_, end)| under_way(*end, least));
        if sample.sent < met[sample.key] && waited(Duration::ZERO) {
            waited_new += 1;
        } else if waited(LONG) {
            waited_known += 1;
        } else if sample.took > LONG {
            long_otherwise += 1;
        }
    }
    let failed: Vec<&Sample> = samples.iter().filter(|sample| sample.status != 200).collect();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut times: Vec<f64> = samples.iter().map(|sample| micros(sample.late + sample.took)).collect();
    let mut late: Vec<f64> = samples.iter().filter(|sample| !sample.behind).map(|sample| micros(sample.late)).collect();
    times.sort_by(f64::total_cmp);
    late.sort_by(f64::total_cmp);
    let part = |sorted: &[f64], place: usize| sorted.get(sorted.len() * place / 100).copied().unwrap_or(f64::NAN);
    Run {
        manner: Manner::NotAtAll,
        requests: samples.len(),
        seconds: span.as_secs_f64(),
        failed: failed.len(),
        first_failure: failed
            .first()
            .map(|sample| format!("{} after {:.1} s, key {}", sample.status, sample.sent.as_secs_f64(), sample.key)),
        waited_known,
        waited_new,
        long_otherwise,
        p50: part(&times, 50),
        p99: part(&times, 99),
        most: times.last().copied().unwrap_or(f64::NAN),
        late: part(&late, 99),
        fetches: 0,
        cpu: 0.0,
    }
}
