//! Starting a sign-in: a fresh attempt, bound to this browser, and the redirect that leads out of the house.

use std::borrow::Cow;
use std::time::SystemTime;

use http::{HeaderValue, Method, StatusCode, header};
use tracing::{info, warn};
use url::Url;

use super::attempt::{AuthorizationLeg, HandOff, Leg, OptimizedLeg, SignInAttempt, Wishes};
use super::attempts::remembered_for;
use super::binding::{Binding, Bindings};
use super::choice::{MEMBER, Picked};
use super::demand::{Demand, FOR};
use super::return_note::is_long;
use super::start_cookie::StartCookies;
use crate::auth::SignIn;
use crate::auth::own_address::{CONSENT, OwnQuery, PROVIDER, with_page};
use crate::auth::refusal::Refusal;
use crate::carrier;
use crate::carrier::profile::Hint;
use crate::ground::time::Timestamp;
use crate::oidc::authorization::{AuthorizationRequest, CodeVerifier, CorrelationId};
use crate::provider::{Carrier, ErrorKind, IssuerSettings, ProviderError};
use crate::route::path::ReturnTo;
use crate::secret::random_text;
use crate::session::sessions::{Lookup, Purpose};
use crate::session::store::StoreError;
use crate::snapshot::ResponseMode;
use crate::web::cookie::find_cookie;
use crate::web::{AsksFor, Reply, RequestView, single_value};

/// So many completed sign-ins within [`LOOP_SECONDS`], and still no session cookie: the browser drops it.
const LOOP_LIMIT: u64 = 3;
/// The time in which sign-ins count towards a loop.
pub(in crate::auth) const LOOP_SECONDS: u64 = 60;

/// Who is to sign in, as far as a link of others knows.
pub(super) const LOGIN_HINT: &str = "login_hint";
/// The part of a start's query that asks for another account.
pub(super) const OTHER_ACCOUNT: (&str, &str) = ("account", "other");
/// Longest such hint, and longest name of an issuer, in bytes.
const MAX_HINT: usize = 256;

/// What the address that begins a sign-in asks for beside a page.
pub(super) fn wishes_of(query: &OwnQuery<'_>) -> Wishes {
    let fits = |hint: &String| (1..=MAX_HINT).contains(&hint.len()) && !hint.contains(char::is_control);
    Wishes {
        login_hint: query.value(LOGIN_HINT).filter(fits),
        other_account: query.value(OTHER_ACCOUNT.0).as_deref() == Some(OTHER_ACCOUNT.1),
    }
}

/// A redirect to a provider, with the cookies to set.
pub(in crate::auth) struct OutgoingRedirect {
    pub(in crate::auth) to: Url,
    pub(in crate::auth) cookies: Vec<HeaderValue>,
}

/// The request that a leg begins with, and the binding that the browser brought if its sign-in is already under way.
pub(in crate::auth) struct LegRequest<'a> {
    pub(in crate::auth) view: &'a RequestView<'a>,
    pub(in crate::auth) binding: Option<&'a Binding>,
}

/// To whom a person is sent to sign in.
pub(in crate::auth) enum Towards<'a> {
    /// To this issuer, which they picked themselves if it is a `picked` member.
    Carrier {
        /// The issuer.
        carrier: Box<Carrier>,
        /// The member that the person picked; `None` if it was found otherwise.
        picked: Option<&'a IssuerSettings>,
    },
    /// To an address that leads on to some carrier.
    Optimized(&'a Url),
}

/// The part of a start's query that says that the device is not the person's.
pub(in crate::auth) const SHARED_DEVICE: (&str, &str) = ("device", "shared");

/// Whether the person said that the device is not theirs.
pub(in crate::auth) fn is_on_shared_device(query: &OwnQuery<'_>) -> bool {
    query.value(SHARED_DEVICE.0).as_deref() == Some(SHARED_DEVICE.1)
}

impl SignIn<'_> {
    /// `start?rd=`: begins a sign-in and returns to `rd`. Also the entry for links of others (OpenID Connect Core 4):
    /// `target_link_uri` is judged like `rd`, `iss` must be one of ours, everything else they may carry is ignored.
    pub(in crate::auth) async fn start(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        if view.is_form_navigation() {
            return self.start_by_form(view);
        }
        if view.method != Method::GET {
            return self.answers.refusal(Refusal::MethodNotAllowed, view);
        }
        // What no person can have meant spends nobody's budget and makes no cookie: a page of anybody's could have its
        // visitors send hundreds of them.
        match view.asks_for() {
            AsksFor::Page if !view.is_speculative() => {}
            AsksFor::Frame => return self.answers.leave_the_frame(view),
            _ => return self.answers.refusal(Refusal::Unauthenticated, view),
        }
        let query = OwnQuery::of(view);
        if self.limits.source.is_news(view.client, view.headers) {
            warn!(
                client = %view.client,
                key = "trusted_proxies",
                "People sign in from one private address: is it a proxy? List it in `trusted_proxies`, or all of them share \
                 one budget of `sign_in.starts_per_minute`"
            );
        }
        // First of all, before anything is asked, stored or sent: beginning a sign-in needs no account (L13).
        if let Err(wait) = self.limits.starts.take(view.client, now) {
            self.metrics.limit_hits.with_label_values(&["starts_per_minute"]).inc();
            let page = self.answers.return_to(query.wanted().as_deref(), view);
            return self.answers.refusal_to(Refusal::TooManySignIns(wait), view, Some(&page));
        }
        // Once, for all that depends on it: a made-up cookie costs one question to the store (F04).
        let found = self.answers.session_of(view, Purpose::Ask, now).await;
        let reply = self.begin(view, &query, &found, now).await;
        self.answers.without_dead_cookie(reply, &found)
    }

    /// A link of others may also be a form of theirs (OpenID Connect Core 1.0, 4). Cookies do not come with what another site
    /// posts, so the browser is sent to the same address with what counts of the form.
    fn start_by_form(&self, view: &RequestView<'_>) -> Reply {
        let form = OwnQuery::of_form(view);
        let mut address = url::form_urlencoded::Serializer::new(format!("{}?", self.snapshot.start()));
        for name in ["iss", LOGIN_HINT, PROVIDER, MEMBER] {
            if let Some(value) = form.value(name).filter(|value| value.len() <= MAX_HINT) {
                address.append_pair(name, &value);
            }
        }
        let address = address.finish();
        let page = form.wanted().unwrap_or_else(|| "/".to_owned());
        match HeaderValue::try_from(with_page(&address, &page, self.settings)) {
            Ok(location) => Reply::redirect(StatusCode::SEE_OTHER, location),
            Err(_) => self.answers.refusal(Refusal::RequestMalformed, view),
        }
    }

    async fn begin(&self, view: &RequestView<'_>, query: &OwnQuery<'_>, found: &Lookup, now: SystemTime) -> Reply {
        let mut return_to = self.answers.return_to(query.wanted().as_deref(), view);
        if self.is_looping(view, now) {
            warn!(
                request_id = view.request_id,
                code = "cookie_lost",
                "A browser signs in again and again without our cookie"
            );
            return self.answers.refusal_to(Refusal::CookieLost, view, Some(&return_to));
        }
        // Before anybody goes to their phone for a sign-in that could not be kept.
        if let Some(fault) = self.store.write_fault() {
            warn!(
                request_id = view.request_id,
                fault = fault.as_str(),
                "A sign-in was not begun: it could not be kept"
            );
            return self.not_begun(Refusal::StoreNotWritable, view, &return_to, now);
        }
        let hand_off = if view.host == self.snapshot.public_host() { self.asked_hand_off(query) } else { None };
        let mut providers = match self.allowed(view, query, &return_to, hand_off.is_some()) {
            Ok(providers) => providers,
            Err(refusal) => return self.answers.refusal_to(refusal, view, Some(&return_to)),
        };
        let consent = query.is_set(CONSENT);
        let demanding = match &hand_off {
            Some(hand_off) => query.value(FOR).and_then(|path| self.demanding_route(&hand_off.host, &path, consent)),
            None => self.demanding_page(view.host, &return_to, consent),
        };
        let wishes = wishes_of(query);
        let mut demand = demanding.map(|route| self.demand_of(route, found, consent, now));
        match (&mut demand, found) {
            // Whoever wants to be somebody else confirms nothing.
            (Some(demand), _) if wishes.other_account => demand.same = None,
            // Only the provider they are known by can say that they are the same.
            (Some(Demand { same: Some(_), .. }), Lookup::SignedIn(live, _)) => {
                let issuer = live.value().session().identity().issuer();
                providers.retain(|registration| registration.trusts(issuer));
            }
            _ => {}
        }
        if is_long(&return_to) && Bindings::of(view.headers, &self.settings.cookies).count() == 0 {
            if !query.is_set("seen") {
                return self.ask_for_cookie(view, query, &return_to, now);
            }
            // It keeps no cookies: nothing is stored for it.
            return_to = ReturnTo::home();
        }
        let again = query.is_set("again");
        if view.host != self.snapshot.public_host() {
            return self.start_elsewhere(view, return_to, &providers, (demanding, demand), again, now).await;
        }
        if let Some(hand_off) = &hand_off {
            // Whoever wants another account is not served with the one at hand.
            if !wishes.other_account
                && !consent
                && let Some(reply) = self.hand_off_now(view, hand_off, found, &providers, demanding, now).await
            {
                return reply;
            }
            return_to = self.on_its_host(return_to, hand_off);
        }
        let [registration] = providers[..] else { return self.ask_which(query, &providers, view.request_id) };
        // Where no sign-in with this provider could meet what is demanded, it is one like any other, and the page says so.
        let can = demanding.is_some_and(|route| registration.step_up(&route.require).is_some());
        let demand = demand.filter(|_| can);
        let known_by = match (&demand, found) {
            (Some(Demand { same: Some(_), .. }), Lookup::SignedIn(live, _)) => {
                Some(live.value().session().identity().issuer().to_owned())
            }
            _ => None,
        };
        match self.at(registration) {
            Some(chosen) => {
                let picked = match chosen.picked(query, known_by.as_deref()) {
                    Ok(Picked::Nothing) => return chosen.ask_which_carrier(query, view, now),
                    Ok(Picked::Member(member)) => Some(member),
                    Ok(Picked::LeftOpen) => None,
                    Err(refusal) => return self.answers.refusal(refusal, view),
                };
                let attempt = chosen.new_attempt(view.host, return_to, hand_off, now);
                let ends_with_browser = is_on_shared_device(query);
                let attempt = SignInAttempt { again, ends_with_browser, wishes, demand, ..attempt };
                let mut reply = chosen.begin_with(view, attempt, picked, now).await;
                if ends_with_browser {
                    self.forget_carrier(view).into_iter().for_each(|cookie| reply.add_cookie(cookie));
                }
                reply
            }
            None => self.answers.refusal_to(Refusal::UnknownIssuer, view, Some(&return_to)),
        }
    }

    /// Begins a sign-in with the provider that was chosen.
    async fn begin_with(
        &self,
        view: &RequestView<'_>,
        attempt: SignInAttempt,
        picked: Option<&IssuerSettings>,
        now: SystemTime,
    ) -> Reply {
        let page = attempt.return_to.clone();
        match self.lead_out(view, attempt, picked, now).await {
            Ok(redirect) => {
                self.metrics.sign_ins.with_label_values(&["started"]).inc();
                info!(request_id = view.request_id, outcome = "login_started", "A sign-in begins");
                self.redirect_out(redirect)
            }
            Err(refusal) => self.not_begun(refusal, view, &page, now),
        }
    }

    /// The way to the provider that was chosen.
    pub(super) async fn lead_out(
        &self,
        view: &RequestView<'_>,
        attempt: SignInAttempt,
        picked: Option<&IssuerSettings>,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        let request = LegRequest { view, binding: None };
        let carrier = match (picked, &self.registration.discovery_ui) {
            (Some(member), _) => self.provider.member(&member.issuer, now).await.map(Some),
            (None, Some(_)) => Ok(self.remembered_carrier(view, &attempt, now).await),
            (None, None) if self.registration.optimized_discovery.is_some() => Ok(None),
            (None, None) => self.provider.issuer(now).await.map(Some),
        };
        match carrier {
            Ok(Some(carrier)) => {
                let to = Towards::Carrier { carrier: Box::new(carrier), picked };
                self.redirect_to_carrier(&request, attempt, to, None, now).await
            }
            Ok(None) => match &self.registration.optimized_discovery {
                Some(address) => {
                    let to = Towards::Optimized(address);
                    self.redirect_to_carrier(&request, attempt, to, None, now).await
                }
                None => self.redirect_to_discovery(&request, attempt, None, now).await,
            },
            Err(error) => Err(self.provider_refusal(view, &error)),
        }
    }

    /// A page that is too long for a cookie is stored, but not for a browser that has never shown a cookie of ours:
    /// otherwise whoever begins sign-ins without end would push out the pages of everybody else. So it is given one first,
    /// and asked to come again; once, as it may keep none.
    fn ask_for_cookie(
        &self,
        view: &RequestView<'_>,
        query: &OwnQuery<'_>,
        return_to: &ReturnTo,
        now: SystemTime,
    ) -> Reply {
        let names = &self.settings.cookies;
        let (binding, _) = Bindings::of(view.headers, names).begin(names, now, self.entropy);
        let again = if query.is_set("again") { "&again=1" } else { "" };
        let address = format!("{}?seen=1{again}", self.snapshot.start());
        let address = with_page(&address, &return_to.location(), self.settings);
        let Ok(location) = HeaderValue::try_from(address) else { return Reply::empty(StatusCode::BAD_REQUEST) };
        let mut reply = Reply::redirect(StatusCode::FOUND, location);
        reply.add_cookie(binding.set_cookie(remembered_for(self.settings.lifetimes.attempt)));
        reply
    }

    pub(in crate::auth) fn new_attempt(
        &self,
        host: &str,
        return_to: ReturnTo,
        hand_off: Option<HandOff>,
        now: SystemTime,
    ) -> SignInAttempt {
        SignInAttempt {
            leg: Leg::Discovery,
            provider: self.registration.id.clone(),
            host: host.to_owned(),
            return_to,
            kept: None,
            again: false,
            wishes: Wishes::default(),
            correlation_id: CorrelationId::generate(self.entropy).as_str().to_owned(),
            created_ms: Timestamp::of(now).as_millis(),
            recoveries: 0,
            hand_off,
            ends_with_browser: false,
            demand: None,
            approval: None,
            anew: false,
        }
    }

    /// The first leg: the carrier discovery UI finds out which carrier the person has. `ui` is where discovery itself
    /// asked to be continued; it was compared with the configured UI before.
    pub(in crate::auth) async fn redirect_to_discovery(
        &self,
        request: &LegRequest<'_>,
        mut attempt: SignInAttempt,
        ui: Option<Url>,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        attempt.leg = Leg::Discovery;
        let ui = ui.as_ref().or(self.registration.discovery_ui.as_ref()).ok_or(Refusal::CallbackMalformed)?;
        let (cookies, state) = self.remember(request, &attempt, now).await?;
        let anew = attempt.recoveries > 0 || attempt.wishes.other_account;
        let redirect_uri = self.snapshot.redirect_uri(self.registration);
        let to = carrier::discovery::ui_url(ui, &self.registration.client_id, &redirect_uri, &state, anew);
        Ok(OutgoingRedirect { to, cookies })
    }

    /// The second leg, or the only one of a plain issuer: the authorization request. Issuer and endpoints are frozen
    /// into the attempt here.
    pub(in crate::auth) async fn redirect_to_carrier(
        &self,
        request: &LegRequest<'_>,
        mut attempt: SignInAttempt,
        to: Towards<'_>,
        login_hint_token: Option<&str>,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        let verifier = CodeVerifier::generate(self.entropy);
        let nonce = random_text::<32>(self.entropy);
        let registration = self.registration;
        let form_post = registration.response_mode == ResponseMode::FormPost;
        let hint = attempt.wishes.login_hint.take();
        let other_account = attempt.wishes.other_account;
        let wanted = self.asked_by(request.view, &attempt, now).await?;
        let (asked, member) = match &to {
            Towards::Carrier { carrier, picked } => {
                let member = picked.filter(|_| registration.member_redirect_uris).map(|member| member.id.clone());
                (Some((**carrier).clone()), member.unwrap_or_default())
            }
            Towards::Optimized(_) => (None, String::new()),
        };
        let redirect_uri = self.snapshot.redirect_uri_below(&registration.below_callback(&member));
        let code_verifier = verifier.secret().clone();
        let (leg, endpoint) = match to {
            Towards::Carrier { carrier, .. } => {
                let endpoint = carrier.authorization_endpoint.clone();
                let leg =
                    AuthorizationLeg { carrier: *carrier, member, nonce: nonce.clone(), code_verifier, form_post };
                (Leg::Authorization(Box::new(leg)), endpoint)
            }
            Towards::Optimized(address) => {
                (Leg::Optimized(Box::new(OptimizedLeg { nonce: nonce.clone(), code_verifier })), address.clone())
            }
        };
        attempt.leg = leg;
        let (cookies, state) = self.remember(request, &attempt, now).await?;
        let profile = self.registration.profile;
        let settings = &self.registration.request;
        let differs = asked.as_ref().and_then(|asked| registration.differences(&asked.issuer));
        let scopes = differs.map_or(Cow::Borrowed(&registration.scopes[..]), |own| own.scopes(&registration.scopes));
        let correlates = differs.and_then(|own| own.correlates).unwrap_or(profile.correlates);
        let languages = single_value(request.view.headers, header::ACCEPT_LANGUAGE).ok().flatten();
        let authorization = AuthorizationRequest {
            endpoint: &endpoint,
            client_id: asked
                .as_ref()
                .map_or(registration.client_id.as_str(), |asked| registration.client_id_at(&asked.issuer)),
            redirect_uri: &redirect_uri,
            scopes: &scopes,
            wants_id_token: profile.issues_id_tokens,
            state: &state,
            nonce: &nonce,
            code_challenge: &verifier.challenge(),
            acr_values: if wanted.acr_values.is_empty() { &self.registration.acr_values } else { &wanted.acr_values },
            max_age: wanted.max_age,
            context: wanted.context.as_deref(),
            correlation_id: correlates.then_some(attempt.correlation_id.as_str()),
            login_hint_token,
            login_hint: hint.as_deref().filter(|_| profile.hint == Hint::Text),
            prompt: match other_account {
                true => Some(self.settings.other_account_prompt),
                false => wanted.prompt,
            },
            response_mode: form_post.then_some("form_post"),
            settings,
            ui_locales: &settings.ui_locales.value(languages),
        };
        let pushes = |asked: &&Carrier| settings.always_pushed || asked.requires_pushed_requests;
        let to = if let Some(asked) = asked.as_ref().filter(pushes) {
            let pushed = self.provider.push(asked, &authorization.to_form(), now).await;
            authorization.to_pushed_url(&pushed.map_err(|error| self.provider_refusal(request.view, &error))?)
        } else {
            authorization.to_url()
        };
        Ok(OutgoingRedirect { to, cookies })
    }

    /// Remembers the attempt for this browser; the state, and the cookies that a new sign-in owes.
    ///
    /// Only the beginning sets the cookie. If each leg did, a slow answer in one tab could undo what another tab's
    /// beginning has just written: that there is more than one.
    pub(in crate::auth) async fn remember(
        &self,
        request: &LegRequest<'_>,
        attempt: &SignInAttempt,
        now: SystemTime,
    ) -> Result<(Vec<HeaderValue>, String), Refusal> {
        let view = request.view;
        let Some(binding) = request.binding else {
            let (cookies, state, _) = self.remember_start(view, attempt.clone(), now).await?;
            return Ok((cookies, state));
        };
        match self.attempts().put(attempt, binding, now).await {
            Ok(state) => Ok((Vec::new(), state.text())),
            Err(error) => Err(self.cannot_remember(view, &error)),
        }
    }

    /// Gives a sign-in that begins to its browser, sealed: cookies, state, and what ties the two. Nothing is stored but a
    /// page that is too long; but a store that is away is found out now, before a person is sent to their phone for
    /// nothing.
    pub(in crate::auth) async fn remember_start(
        &self,
        view: &RequestView<'_>,
        mut attempt: SignInAttempt,
        now: SystemTime,
    ) -> Result<(Vec<HeaderValue>, String, Binding), Refusal> {
        self.store.ping().await.map_err(|error| self.cannot_remember(view, &error))?;
        let names = &self.settings.cookies;
        let keep = remembered_for(self.settings.lifetimes.attempt);
        let bindings = Bindings::of(view.headers, names);
        let (binding, surplus) = bindings.begin(names, now, self.entropy);
        let starts = StartCookies::of(view.headers, names);
        let kept = self.attempts().keep_page(&mut attempt, &binding, now).await;
        kept.map_err(|error| self.cannot_remember(view, &error))?;
        let (state, sealed) = self.attempts().seal_start(&attempt, &binding);
        let mut cookies = vec![binding.set_cookie(keep)];
        cookies.extend(surplus);
        // Each tab of those that began together has a binding of its own, and so a start.
        let added = starts.add(&state, &sealed, names, keep, bindings.count(), now, self.entropy);
        // Pages and endpoints are bounded, so that this never is too long.
        cookies.extend(added.ok_or(Refusal::TargetTooLong)?);
        Ok((cookies, state.text(), binding))
    }

    fn cannot_remember(&self, view: &RequestView<'_>, error: &StoreError) -> Refusal {
        if matches!(error, StoreError::NotWritable(_)) {
            return Refusal::StoreNotWritable;
        }
        self.metrics.store_errors.inc();
        warn!(request_id = view.request_id, reason = %error, "A sign-in could not be remembered");
        Refusal::StoreUnavailable
    }

    pub(in crate::auth) fn redirect_out(&self, redirect: OutgoingRedirect) -> Reply {
        let Ok(location) = HeaderValue::try_from(redirect.to.as_str()) else {
            return Reply::empty(StatusCode::BAD_GATEWAY);
        };
        let mut reply = Reply::redirect(StatusCode::FOUND, location);
        redirect.cookies.into_iter().for_each(|cookie| reply.add_cookie(cookie));
        reply
    }

    /// Sorts a provider's failure, and logs it for the operator.
    pub(in crate::auth) fn provider_refusal(&self, view: &RequestView<'_>, error: &ProviderError) -> Refusal {
        warn!(request_id = view.request_id, reason = %error, "The provider gave no usable answer");
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Untrusted => Refusal::ProviderInvalid,
            ErrorKind::Refused | ErrorKind::NotAllowed => Refusal::ProviderRefused,
            ErrorKind::Timeout => Refusal::ProviderTimeout,
            ErrorKind::Unavailable => Refusal::ProviderUnavailable(error.retry_after()),
        }
    }

    fn is_looping(&self, view: &RequestView<'_>, now: SystemTime) -> bool {
        let names = &self.settings.cookies;
        if find_cookie(view.headers, &names.session).is_some() {
            return false;
        }
        self.completed_lately(view, now) >= LOOP_LIMIT
    }

    /// How many sign-ins this browser completed within the last minute, by its own word.
    pub(in crate::auth) fn completed_lately(&self, view: &RequestView<'_>, now: SystemTime) -> u64 {
        let name = self.settings.cookies.loop_guard();
        let Some((count, since)) = find_cookie(view.headers, &name).and_then(|value| value.split_once('-')) else {
            return 0;
        };
        match (count.parse::<u64>(), since.parse::<u64>()) {
            (Ok(count), Ok(since)) if Timestamp::of(now).as_secs() < since.saturating_add(LOOP_SECONDS) => count,
            _ => 0,
        }
    }
}
