//! Access tokens: from an `Authorization` header to a caller, or to one of the ways to say no (RFC 6750, 3).
//!
//! A token that was found good is remembered under a digest of everything the verdict depends on, so that the next
//! request with it costs one SHA-256 and two look-ups. It is forgotten with its `exp`, and judged again when the key set
//! of its issuer has changed: a withdrawn key takes its tokens with it (E07).

mod long;

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tracing::{info, warn};

use super::authorization::Presented;
use super::left_out::{does_not_fit, say_left_out};
use super::refusal::{Denied, Refusal};
use crate::ground::limit::RateLimiter;
use crate::identity::Identity;
use crate::identity::headers::{Beside, HeaderPlan, HeaderSet, RenderedHeaders, left_out, render_all};
use crate::oidc::TokenError;
use crate::oidc::access_token::{
    AccessTokenRule, MAX_BYTES, PlausibleAccessToken, UnreadAccessToken, VerifiedAccessToken, explain,
};
use crate::oidc::claims::Reading;
use crate::oidc::jwks::KeySet;
use crate::provider::{Provider, ProviderError};
use crate::secret::{Entropy, SecretString, sha256_of};
use crate::session::cache::bounded::Bounded;
use crate::snapshot::{BearerIssuer, BearerSettings, CompiledRoute, Snapshot};
use crate::telemetry::Metrics;
use crate::web::RequestView;

/// Forged tokens remembered, so that one that is sent again and again costs one signature.
const MOST_FORGED: usize = 10_000;

/// A good token as it lies in memory, the header values of every plan already rendered.
#[derive(Debug)]
pub(super) struct LiveToken {
    identity: Identity,
    scopes: Vec<String>,
    headers: RenderedHeaders,
    expires: SystemTime,
    issuer: Arc<BearerIssuer>,
    /// The key set that it was verified with.
    keys: Weak<KeySet>,
}

impl LiveToken {
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The headers that `plan` writes. They are rendered here only for a token that was judged under an earlier
    /// configuration.
    fn headers(&self, plan: &HeaderPlan) -> HeaderSet {
        self.headers.of(plan).cloned().unwrap_or_else(|| plan.render(&self.identity))
    }

    /// Whether its end is still to come (K10).
    pub(super) fn is_live(&self, now: SystemTime) -> bool {
        now < self.expires
    }

    /// Whether it has all of `scopes`. Asked on every request: scopes are the route's, the token is not.
    pub(super) fn has(&self, scopes: &[String]) -> bool {
        scopes.iter().all(|scope| self.scopes.contains(scope))
    }
}

/// Access tokens: how they are judged, and everything that is kept between two requests with them. Outlives a change of
/// configuration: what a verdict depends on is part of what it is kept under.
pub(super) struct Tokens {
    provider: Arc<dyn Provider>,
    metrics: Arc<Metrics>,
    /// Random, drawn at start, part of every key: an attacker cannot construct tokens that meet in one bucket.
    salt: [u8; 32],
    verified: Bounded<[u8; 32], Arc<LiveToken>>,
    forged: Bounded<[u8; 32], Weak<KeySet>>,
    forged_limiter: RateLimiter,
}

impl Tokens {
    pub(super) fn new(
        settings: &BearerSettings,
        provider: Arc<dyn Provider>,
        metrics: Arc<Metrics>,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut salt = [0; 32];
        entropy.fill(&mut salt);
        Self {
            provider,
            metrics,
            salt,
            verified: Bounded::new(settings.cache_entries),
            forged: Bounded::new(MOST_FORGED),
            // Never without a limit: a signature costs us 25 to 250 µs and a forger nothing.
            forged_limiter: RateLimiter::new(settings.failures_per_minute.max(1), 1),
        }
    }

    /// An access token decides alone: cookies are not looked at, nothing redirects, nothing sets a cookie.
    pub(super) async fn judge(
        &self,
        presented: Presented<'_>,
        route: &CompiledRoute,
        snapshot: &Snapshot,
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<(Arc<LiveToken>, HeaderSet), Denied> {
        let live = match presented {
            Presented::Token(token) => self.caller(token, route, snapshot, view, now).await,
            Presented::Malformed => Err(Denied::because(Refusal::TokenInvalid, "malformed credentials")),
            Presented::Nothing => Err(Refusal::TokenMissing.into()),
            Presented::Several => Err(Refusal::SeveralCredentials.into()),
        };
        let live = live?;
        if !live.has(&route.token.scopes) {
            return Err(Refusal::ScopeMissing.into());
        }
        // Of whoever brings a token no carrier is asked.
        let met = route.require.check(live.identity(), now);
        match met.and_then(|()| route.require.check_sim(None, live.identity())) {
            Ok(()) => {
                let headers = live.headers(route.headers());
                match headers.refused() {
                    None => Ok((live, headers)),
                    Some(header) => Err(does_not_fit(header)),
                }
            }
            Err(unmet) if unmet.is_about_the_sign_in() => Err(Denied::because(Refusal::StepUpNeeded, unmet)),
            Err(unmet) => Err(Denied::because(Refusal::PolicyUnmet, unmet)),
        }
    }

    /// Who `token` names on `route`. Cheap refusals come first; a signature is the last thing that is looked at, except of a
    /// token that is so long that reading it is not cheap.
    async fn caller(
        &self,
        token: &str,
        route: &CompiledRoute,
        snapshot: &Snapshot,
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<Arc<LiveToken>, Denied> {
        let refused = |error: TokenError| {
            self.metrics.bearer_tokens.with_label_values(&["refused"]).inc();
            Denied::because(Refusal::TokenInvalid, error)
        };
        let rule = route.tokens();
        let longest = snapshot.settings().bearer.max_token.min(MAX_BYTES);
        if token.len() > longest {
            let found = token.len();
            info!(
                request_id = view.request_id,
                bytes = found,
                longest,
                key = "bearer.max_token",
                "An access token is longer than `bearer.max_token` allows"
            );
            return Err(refused(TokenError::TooLarge));
        }
        let key = sha256_of(&[&self.salt, rule.digest(), token.as_bytes()]);
        if let Some(live) = self.verified.get(&key) {
            if !live.is_live(now) {
                self.verified.remove(&key);
                return Err(refused(TokenError::Expired));
            }
            if self.provider.token_keys_at_hand(&live.issuer.issuer, now).is_some_and(|keys| is_same(&live.keys, &keys))
            {
                return Ok(live);
            }
        }
        let raw = SecretString::new(token);
        let unread = UnreadAccessToken::parse(&raw).map_err(refused)?;
        if unread.is_long() {
            Box::pin(self.signed_by_an_issuer(&unread, rule, &key, view, now)).await?;
        }
        let unverified = unread.read().map_err(refused)?;
        let known = rule.issuer(unverified.claimed_issuer());
        let known = known.ok_or_else(|| refused(TokenError::IssuerMismatch))?;
        let issuer = &known.settings;
        let expect = AccessTokenRule {
            issuer: &issuer.issuer,
            audiences: &known.audiences,
            trusted_audiences: &issuer.trusted_audiences,
            algorithms: &issuer.algorithms,
            accept_untyped: issuer.accept_untyped,
            acr_vocabulary: issuer.acr_vocabulary,
            skew: snapshot.settings().skew,
        };
        let explained = |error| Denied { reason: Some(explain(error, &raw, &expect)), ..refused(error) };
        let plausible = unverified.check(expect, now).map_err(explained)?;
        let (verified, keys) = Box::pin(self.verified(&plausible, &issuer.issuer, &key, view, now)).await?;
        let reading = Reading { named: snapshot.named_claims(), rules: &issuer.claims };
        let assurance = verified.acr().and_then(|acr| issuer.assurance_of(acr));
        let (caller, mut lost) = Identity::from_access_token(&verified, assurance, reading);
        if caller.lacks_unverified() {
            let (request_id, issuer) = (view.request_id, issuer.issuer.as_str());
            info!(request_id, issuer, "The issuer calls an e-mail address or phone number unverified: it was left out");
        }
        lost.extend(left_out(snapshot.plans(), &caller));
        say_left_out(&self.metrics, &lost, &issuer.issuer, view.request_id);
        let (identity, headers) = render_all(snapshot.plans(), &caller, Beside::default());
        let live = Arc::new(LiveToken {
            headers,
            identity,
            scopes: verified.scopes().to_vec(),
            expires: verified.expires(),
            issuer: Arc::clone(issuer),
            keys: Arc::downgrade(&keys),
        });
        self.metrics.bearer_tokens.with_label_values(&["verified"]).inc();
        self.verified.insert(key, Arc::clone(&live));
        Ok(live)
    }

    /// The dear part: keys, then a signature, within what the client may still fail.
    async fn verified(
        &self,
        token: &PlausibleAccessToken<'_>,
        issuer: &str,
        key: &[u8; 32],
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<(VerifiedAccessToken, Arc<KeySet>), Denied> {
        self.may_fail(view, now)?;
        let forged = |error: TokenError| {
            self.metrics.bearer_tokens.with_label_values(&["forged"]).inc();
            self.forged_limiter.charge(view.client, now);
            Denied::because(Refusal::TokenInvalid, error)
        };
        let mut keys = self.token_keys(issuer, token.kid(), view, now).await?;
        if self.forged.get(key).is_some_and(|before| is_same(&before, &keys)) {
            return Err(forged(TokenError::SignatureInvalid));
        }
        // Others of this client may have failed while this request waited for keys.
        self.may_fail(view, now)?;
        let mut verified = token.verify(&keys);
        if verified.is_err() && token.kid().is_none() {
            // Without a `kid` only the signature shows that keys were rotated. A token that names a key we have never
            // causes a refresh (E03).
            let newer = self.provider.token_keys_after_rotation(issuer, view.client, now).await;
            let newer = newer.map_err(|error| self.no_keys(&error, issuer, view))?;
            if !Arc::ptr_eq(&keys, &newer) {
                verified = token.verify(&newer);
                keys = newer;
            }
        }
        match verified {
            Ok(verified) => Ok((verified, keys)),
            Err(error) => {
                if error == TokenError::SignatureInvalid {
                    self.forged.insert(*key, Arc::downgrade(&keys));
                }
                Err(forged(error))
            }
        }
    }

    /// Counts a token that no key has signed, also against whoever sent it.
    fn forged(&self, error: TokenError, view: &RequestView<'_>, now: SystemTime) -> Denied {
        self.metrics.bearer_tokens.with_label_values(&["forged"]).inc();
        self.forged_limiter.charge(view.client, now);
        Denied::because(Refusal::TokenInvalid, error)
    }

    fn may_fail(&self, view: &RequestView<'_>, now: SystemTime) -> Result<(), Refusal> {
        self.forged_limiter.check(view.client, now).map_err(|wait| {
            self.metrics.bearer_tokens.with_label_values(&["limited"]).inc();
            self.metrics.limit_hits.with_label_values(&["bearer_failures"]).inc();
            Refusal::TooManyFailures(wait)
        })
    }

    async fn token_keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, Refusal> {
        let keys = self.provider.token_keys(issuer, kid, view.client, now).await;
        keys.map_err(|error| self.no_keys(&error, issuer, view))
    }

    fn no_keys(&self, error: &ProviderError, issuer: &str, view: &RequestView<'_>) -> Refusal {
        warn!(request_id = view.request_id, issuer, reason = %error, "There are no keys to judge access tokens by");
        self.metrics.bearer_tokens.with_label_values(&["no_keys"]).inc();
        let after = error.retry_after();
        Refusal::ProviderUnavailable(after)
    }
}

fn is_same(before: &Weak<KeySet>, now: &Arc<KeySet>) -> bool {
    std::ptr::eq(before.as_ptr(), Arc::as_ptr(now))
}
