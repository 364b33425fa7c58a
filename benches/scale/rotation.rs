//! Part: an issuer changes its keys while programs come with its access tokens.
//!
//! Twice. *Announced*: a key is published for some time before it signs, as large issuers do; the gateway fetches it in
//! the background. *At once*: a key signs from the moment it is published, so whoever comes first with it has to wait:
//! nobody could know it. Key sets come slowly ([`SLOW`]), so whoever waited for one is told apart by its time.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::client;
use crate::gate::{self, Plan, Target};
use crate::options::Options;
use crate::pace::{Sample, pace};
use crate::scene::Scene;

pub const NAME: &str = "rotation";

/// Keys that come into use, one after the other.
pub const ROTATIONS: usize = 5;
/// Programs, each with a token of its own, which it changes for a newer one some time after the keys have changed.
pub const CALLERS: usize = 200;
/// How long the issuer takes to answer with its keys.
pub const SLOW: Duration = Duration::from_millis(100);
/// An answer that took this long has waited for them, as far as one can tell from outside.
pub const WAITED: Duration = Duration::from_millis(90);
/// How long before its use an announced key is published: the gateway looks for new ones once a minute.
const ANNOUNCED: Duration = Duration::from_secs(60);
/// Before the first rotation.
const LEAD: Duration = Duration::from_secs(2);
const AUDIENCE: &str = "https://api.bench.example";

/// What became of one run.
pub struct Run {
    pub announced: bool,
    pub requests: usize,
    pub seconds: f64,
    /// Answers other than 200, and none at all; and what the first of them was.
    pub failed: usize,
    pub first_failure: Option<String>,
    /// Requests that took as long as a fetch of keys, under a key that had been met and under one that had not.
    pub waited_known: usize,
    pub waited_new: usize,
    /// Microseconds from when a request was due.
    pub p50: f64,
    pub p99: f64,
    pub most: f64,
    /// How late the load itself was: its 99th percentile.
    pub late: f64,
    /// How often the issuer was asked for its keys.
    pub fetches: u64,
    /// CPU µs a request.
    pub cpu: f64,
}

/// A caller's token, as a whole request.
pub struct Token {
    pub request: Vec<u8>,
    pub key: usize,
}

/// What callers show at the moment.
pub type Tokens = Vec<RwLock<Arc<Token>>>;

/// Runs both.
pub fn measure(scene: &Scene, options: &Options) -> Result<Vec<Run>, String> {
    [false, true].into_iter().map(|announced| once(scene, options, announced)).collect()
}

fn once(scene: &Scene, options: &Options, announced: bool) -> Result<Run, String> {
    let issuer = Issuer { name: scene.issuers.get(1).ok_or("no issuer")?.clone() };
    issuer.ask("POST", "/_control", &json!({ "latency_ms": { "jwks": SLOW.as_millis() } }))?;
    let plan = Plan {
        sessions: "  store: memory\n".to_owned(),
        routes: vec![("localhost".to_owned(), "/".to_owned(), "bearer")],
        more: format!(
            "threads: 1\nbearer:\n  issuers:\n    - issuer: {}\n      audiences: ['{AUDIENCE}']\n",
            issuer.name
        ),
        // The shortest that may be configured: with the defaults such a run would take hours.
        provider: "  jwks_refresh: 1m\n  jwks_cooldown: 1s\n",
        ..Plan::on_redis(scene)?
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
    let fetches = issuer.fetches()?;
    let interval = options.rotation / u32::try_from(ROTATIONS).unwrap_or(1);
    let hold = if announced { ANNOUNCED } else { Duration::ZERO };
    let span = LEAD + hold + options.rotation;
    eprintln!("   {} s, {}", span.as_secs(), if announced { "announced" } else { "at once" });
    let begin = Instant::now();
    let spent = gate.process.cpu_nanos();
    let (samples, rotated) = std::thread::scope(|scope| {
        let (issuer, gate, tokens) = (&issuer, &gate, &tokens);
        let rotating = scope.spawn(move || rotate(issuer, gate, tokens, begin + LEAD, interval, hold));
        let samples = pace(&gate.authority, tokens, options.rate, begin, span);
        (samples, rotating.join().map_err(|_| "the rotation panicked".to_owned()))
    });
    let spent = gate.process.cpu_nanos() - spent;
    rotated??;
    let samples = samples?;
    issuer.ask("POST", "/_control", &json!({ "latency_ms": { "jwks": 0 } }))?;
    let fetches = issuer.fetches()? - fetches;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let cpu = spent as f64 / 1000.0 / samples.len().max(1) as f64;
    Ok(Run { announced, fetches, cpu, ..judge(samples, span) })
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

    /// How often it was asked for its keys.
    fn fetches(&self) -> Result<u64, String> {
        Ok(self.ask("GET", "/_control", &Value::Null)?["counters"]["jwks"].as_u64().unwrap_or(0))
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
fn judge(samples: Vec<Sample>, span: Duration) -> Run {
    let mut met = [Duration::MAX; ROTATIONS + 1];
    for sample in samples.iter().filter(|sample| sample.status == 200) {
        met[sample.key] = met[sample.key].min(sample.sent + sample.took);
    }
    let slow = samples.iter().filter(|sample| sample.took >= WAITED);
    let (new, known): (Vec<&Sample>, Vec<&Sample>) = slow.partition(|sample| sample.sent < met[sample.key]);
    let failed: Vec<&Sample> = samples.iter().filter(|sample| sample.status != 200).collect();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut times: Vec<f64> = samples.iter().map(|sample| micros(sample.late + sample.took)).collect();
    let mut late: Vec<f64> = samples.iter().filter(|sample| !sample.behind).map(|sample| micros(sample.late)).collect();
    times.sort_by(f64::total_cmp);
    late.sort_by(f64::total_cmp);
    let part = |sorted: &[f64], place: usize| sorted.get(sorted.len() * place / 100).copied().unwrap_or(f64::NAN);
    Run {
        announced: false,
        requests: samples.len(),
        seconds: span.as_secs_f64(),
        failed: failed.len(),
        first_failure: failed
            .first()
            .map(|sample| format!("{} after {:.1} s, key {}", sample.status, sample.sent.as_secs_f64(), sample.key)),
        waited_known: known.len(),
        waited_new: new.len(),
        p50: part(&times, 50),
        p99: part(&times, 99),
        most: times.last().copied().unwrap_or(f64::NAN),
        late: part(&late, 99),
        fetches: 0,
        cpu: 0.0,
    }
}
