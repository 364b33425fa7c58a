//! Part: an issuer changes its keys while programs come with its access tokens.
//!
//! Three times. *Not at all*: what this machine does to requests by itself. *Announced*: a key is published for some time
//! before it signs, as large issuers do; the gateway fetches it in the background. *At once*: a key signs from the moment
//! it is published, so whoever comes first with it has to wait: nobody could know it. Key sets come slowly, by way of
//! [`Relay`], so whoever waited for one can be told.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use crate::client;
use crate::figures::percentile;
use crate::figures::{number, table, thousands};
use crate::gate::{Gate, Store, Tokens};
use crate::issuer::Issuer;
use crate::load::{Sample, pace, times};
use crate::requests::{Credential, request};
use serde_json::json;

use super::keys::{Relay, SLOW};
use super::{FAILED, Run, WAITED};

/// Keys that come into use, one after the other.
const ROTATIONS: usize = 5;
/// Programs, each with a token of its own, which it changes for a newer one some time after the keys have changed.
const CALLERS: usize = 200;
/// Connections, each with at most one request under way.
const CONNECTIONS: usize = 128;
/// A request that takes longer than this has waited for something.
const LONG: Duration = Duration::from_millis(50);
/// How long before its use an announced key is published: the gateway looks for new ones once a minute.
const ANNOUNCED: Duration = Duration::from_secs(60);
/// Before the first rotation.
const LEAD: Duration = Duration::from_secs(2);

/// How keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    NotAtAll,
    AtOnce,
    Announced,
}

/// What became of one run.
struct Outcome {
    manner: Manner,
    samples: Vec<Sample>,
    span: Duration,
    /// Answers other than 200, and none at all.
    failed: usize,
    /// Requests that were under way when a fetch of keys ended, and had been for [`LONG`]: under a key that had been met.
    waited_known: usize,
    /// Requests that were under way when a fetch of keys ended, under a key that had not been met.
    waited_new: usize,
    /// Requests that took longer than [`LONG`] while no fetch ended: the machine was busy with something else.
    long_otherwise: usize,
    /// How often the issuer was asked for its keys.
    fetches: usize,
    /// CPU µs a request.
    cpu: f64,
}

/// A caller's token as a whole request, and which key signed it.
type Shown = Arc<(Vec<u8>, usize)>;

/// What callers show at the moment.
type Callers = Vec<RwLock<Shown>>;

/// Runs all three.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), String> {
    let issuer = run.scene.issuer.clone();
    let relay = Relay::start(issuer.authority().to_owned(), issuer.keys_path()?);
    let all = [Manner::NotAtAll, Manner::AtOnce, Manner::Announced];
    let outcomes: Vec<Outcome> =
        all.into_iter().map(|manner| once(run, &issuer, &relay, manner)).collect::<Result<_, _>>()?;
    run.report.sections += &text(&outcomes, run.options.rate);
    let total = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    run.found(FAILED, total(|one| one.failed) as f64, format!("of {}", thousands(total(|one| one.samples.len()))));
    let waited = total(|one| one.waited_known + if one.manner == Manner::Announced { one.waited_new } else { 0 });
    let first = total(|one| if one.manner == Manner::AtOnce { one.waited_new } else { 0 });
    let note = format!("(beside {first} that came first with a key nobody had announced)");
    run.found(WAITED, waited as f64, note);
    Ok(())
}

fn once(run: &Run<'_>, issuer: &Issuer, relay: &Relay, manner: Manner) -> Result<Outcome, String> {
    let keys = format!("http://{}/keys", relay.address);
    let gate = Gate { store: Store::Memory, tokens: Some(Tokens::KeysFrom(keys)), headers: None, ..Gate::default() };
    let gate = gate.start(run.scene, "/app/tiny")?;
    let shown = |caller: usize, key: usize| -> Result<Shown, String> {
        let token = Credential::Bearer(issuer.token(&format!("program-{caller:04}"), None)?);
        Ok(Arc::new((request("/app/tiny", &gate.authority, &token), key)))
    };
    let callers: Callers = (0..CALLERS).map(|caller| shown(caller, 0).map(RwLock::new)).collect::<Result<_, _>>()?;
    // The first fetch is not part of it.
    let proof = Credential::Bearer(issuer.token("program-first", None)?);
    let proof = client::ask("GET", &gate.authority, "/app/tiny", &proof.field(), "")?;
    if proof.status != 200 {
        return Err(format!("the gateway does not take the issuer's tokens: {}", proof.head));
    }
    relay.fetches();
    let rotation = Duration::from_secs(run.options.rotation);
    let hold = if manner == Manner::Announced { ANNOUNCED } else { Duration::ZERO };
    let span = LEAD + hold + rotation;
    eprintln!("   {} s, {}", span.as_secs(), name(manner));
    let begin = Instant::now();
    let spent = gate.process.cpu_nanos();
    let (samples, rotated) = std::thread::scope(|scope| {
        let rotating = scope.spawn(|| match manner {
            Manner::NotAtAll => Ok(()),
            _ => rotate(issuer, &shown, &callers, (begin + LEAD, rotation / ROTATIONS as u32, hold)),
        });
        let samples = pace(&gate.authority, (run.options.rate, CONNECTIONS), (begin, span), |place, into| {
            let shown = callers[place % CALLERS].read().map(|shown| Arc::clone(&shown)).expect("nobody panics");
            into.clone_from(&shown.0);
            shown.1
        });
        (samples, rotating.join().map_err(|_| "the rotation panicked".to_owned()))
    });
    let spent = gate.process.cpu_nanos() - spent;
    rotated??;
    let since = |moment: Instant| moment.saturating_duration_since(begin);
    let fetches: Vec<Duration> = relay.fetches().into_iter().map(since).collect();
    let outcome = judge(samples?, &fetches);
    let cpu = spent as f64 / 1000.0 / outcome.samples.len().max(1) as f64;
    Ok(Outcome { manner, span, cpu, ..outcome })
}

/// Publishes key after key; callers take up tokens of each, one after the other, `hold` later. Tokens of older keys stay
/// good: their keys stay published.
fn rotate(
    issuer: &Issuer,
    shown: &impl Fn(usize, usize) -> Result<Shown, String>,
    callers: &Callers,
    (begin, interval, hold): (Instant, Duration, Duration),
) -> Result<(), String> {
    let at = |number: usize| begin + interval * u32::try_from(number).unwrap_or(u32::MAX);
    // Each caller gets its token, spread over most of the time until the next key.
    let step = interval * 8 / 10 / u32::try_from(CALLERS).unwrap_or(1);
    let hand_out = |number: usize, tokens: &mut dyn Iterator<Item = Result<Shown, String>>| {
        for (caller, token) in tokens.enumerate() {
            let token = token?;
            sleep_until(at(number) + hold + step * u32::try_from(caller).unwrap_or(u32::MAX));
            *callers[caller].write().map_err(|_| "a poisoned token")? = token;
        }
        Ok::<_, String>(())
    };
    let mut ready: Vec<Vec<Shown>> = Vec::new();
    for number in 0..ROTATIONS {
        sleep_until(at(number));
        issuer.ask("POST", "/_control/rotate-keys", &json!({ "keep_previous": true }))?;
        let mut tokens = (0..CALLERS).map(|caller| shown(caller, number + 1));
        if hold.is_zero() {
            hand_out(number, &mut tokens)?;
        } else {
            ready.push(tokens.collect::<Result<_, _>>()?);
        }
    }
    ready.into_iter().enumerate().try_for_each(|(number, some)| hand_out(number, &mut some.into_iter().map(Ok)))
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

/// What the samples say together, with the moments at which fetches of keys ended.
fn judge(samples: Vec<Sample>, fetches: &[Duration]) -> Outcome {
    let mut met = [Duration::MAX; ROTATIONS + 1];
    for sample in samples.iter().filter(|sample| sample.status == 200) {
        met[sample.tag] = met[sample.tag].min(sample.sent + sample.took);
    }
    let (mut waited_known, mut waited_new, mut long_otherwise) = (0, 0, 0);
    for sample in &samples {
        let end = sample.sent + sample.took;
        let waited = |least: Duration| fetches.iter().any(|at| sample.sent + least < *at && *at <= end);
        if sample.sent < met[sample.tag] && waited(Duration::ZERO) {
            waited_new += 1;
        } else if waited(LONG) {
            waited_known += 1;
        } else if sample.took > LONG {
            long_otherwise += 1;
        }
    }
    Outcome {
        manner: Manner::NotAtAll,
        failed: samples.iter().filter(|sample| sample.status != 200).count(),
        samples,
        span: Duration::ZERO,
        waited_known,
        waited_new,
        long_otherwise,
        fetches: fetches.len(),
        cpu: 0.0,
    }
}

/// As it stands in the report.
fn name(manner: Manner) -> &'static str {
    match manner {
        Manner::NotAtAll => "not at all",
        Manner::AtOnce => "at once",
        Manner::Announced => "announced",
    }
}

fn text(outcomes: &[Outcome], rate: u32) -> String {
    let long = LONG.as_millis();
    let longer = format!("longer than {long} ms otherwise");
    let heads = [
        "keys change",
        "requests",
        "failed",
        "waited for keys, known key",
        "waited for keys, new key",
        &longer,
        "fetches of keys",
        "p50 µs",
        "p99 µs",
        "longest ms",
        "CPU µs a request",
    ];
    let mut notes = String::new();
    let rows = outcomes.iter().map(|one| {
        let (answers, late) = times(&one.samples);
        let name = name(one.manner);
        notes += &format!("\n{name}: the load itself was late by up to {:.0} µs (p99).\n", percentile(&late, 0.99));
        if let Some(first) = one.samples.iter().find(|sample| sample.status != 200) {
            let (status, at, key) = (first.status, first.sent.as_secs_f64(), first.tag);
            notes += &format!("The first failure: {status} after {at:.1} s, key {key}.\n");
        }
        let counts = [one.samples.len(), one.failed, one.waited_known, one.waited_new, one.long_otherwise, one.fetches];
        let figures = [
            (percentile(&answers, 0.5), 0),
            (percentile(&answers, 0.99), 0),
            (answers.last().copied().unwrap_or(f64::NAN) / 1000.0, 1),
            (one.cpu, 1),
        ];
        let figures = figures.map(|(value, digits)| number(value, digits));
        let first = format!("{name}, {} s", one.span.as_secs());
        [first].into_iter().chain(counts.map(|count| count.to_string())).chain(figures).collect()
    });
    let body = table(&heads, rows);
    format!(
        "\n## rotation\n\n{rate} requests a second over {CONNECTIONS} connections, {CALLERS} access tokens, {ROTATIONS} new \
         keys; older ones stay published. The issuer takes {} ms to answer with its keys, and each of its answers is timed: \
         who was under way when one ended has waited for it (under a key that the gateway had met: if it had been so for \
         {long} ms).\n\n{body}{notes}",
        SLOW.as_millis()
    )
}
