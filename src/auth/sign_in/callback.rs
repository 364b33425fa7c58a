//! The browser comes back: from the discovery UI with a carrier, or from the carrier with a code.
//!
//! The order of the checks is the protection. First the state, against this browser's cookie and without asking
//! anybody; then the attempt, taken out of the store; only then what the answer says. A refusal consumes the attempt.

use std::sync::Arc;
use std::time::SystemTime;

use http::Method;
use tracing::{info, warn};

use super::attempt::{AuthorizationLeg, Leg, SignInAttempt};
use super::attempts::TakeError;
use super::binding::{Binding, Bindings, State};
use super::demand::Asked;
use super::start::{LegRequest, OutgoingRedirect, Towards};
use super::start_cookie::StartCookies;
use crate::approval::Outcome;
use crate::auth::SignIn;
use crate::auth::answers::query_value;
use crate::auth::left_out::say_left_out;
use crate::auth::refusal::Refusal;
use crate::carrier::error::{CarrierError, Reaction};
use crate::identity::{Identity, headers};
use crate::oidc::TokenError;
use crate::oidc::authorization::{AuthorizationResponse, CallbackParams, ErrorCode, ResponseFault};
use crate::oidc::claims::{ClaimRules, Reading};
use crate::oidc::id_token::{Expectation, UnverifiedIdToken, VerifiedIdToken, explain};
use crate::provider::{Carrier, CodeGrant, Discovery, ProviderError, Tokens};
use crate::secret::SecretString;
use crate::session::Session;
use crate::session::provider_session::{MAX_HINT, ProviderSession};
use crate::snapshot::ProviderSignOut;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::foreign_text::shown;
use crate::telemetry::log::pseudonym;
use crate::web::{Reply, RequestView};

/// How one leg ended.
pub(in crate::auth) enum LegOutcome {
    /// On to the next leg.
    Continue(OutgoingRedirect),
    /// Signed in, with what is kept of the session at the provider.
    SignedIn(Box<Session>, Option<ProviderSession>),
    /// Somebody agreed to what they were asked, and is not signed in by it.
    Agreed(Outcome),
    /// The authentication is from before something that the issuer told us of the person: it counts no more.
    FromBefore,
}

/// What a provider said instead of a code. Its words are for the log: no page shows them.
pub(super) struct Said<'a> {
    pub(super) code: &'a ErrorCode,
    pub(super) description: Option<&'a str>,
}

/// How often carrier discovery may be started anew within one sign-in (dossier 19: the budget of the SDKs).
const MAX_RECOVERIES: u8 = 1;

/// The one `state` of an answer, read as leniently as any form is.
fn one_state(answer: Option<&str>) -> Option<String> {
    let mut states =
        url::form_urlencoded::parse(answer.unwrap_or_default().as_bytes()).filter(|(name, _)| name == "state");
    let state = states.next()?.1.into_owned();
    states.next().is_none().then_some(state)
}

impl SignIn<'_> {
    /// `callback`: both legs land here. A ticket is good for one of them, whatever came of it.
    pub(in crate::auth) async fn callback(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        if !self.is_a_callback(view) {
            return self.answers.refusal(Refusal::NotFound, view);
        }
        let answer = if view.method == Method::POST {
            match self.posted_answer(view) {
                Ok(answer) => Some(answer),
                Err(reply) => return *reply,
            }
        } else {
            view.target.query()
        };
        let mut reply = self.answer_callback(view, answer, now).await;
        self.revoke_ticket(view).await;
        // A start is over with the first answer to it, unless the store could not say so.
        if let Some(state) = one_state(answer).as_deref().and_then(State::parse)
            && self.limits.spent.get(&state.store_key()).is_some()
        {
            let starts = StartCookies::of(view.headers, &self.settings.cookies);
            starts.clear(&state).for_each(|cookie| reply.add_cookie(cookie));
        }
        reply
    }

    /// Answers with what the browser brought: the query of the address, or the form.
    async fn answer_callback(&self, view: &RequestView<'_>, answer: Option<&str>, now: SystemTime) -> Reply {
        if view.method != Method::GET && view.method != Method::POST {
            return self.answers.refusal(Refusal::MethodNotAllowed, view);
        }
        let params = match CallbackParams::parse(answer) {
            Ok(params) => params,
            Err(fault) => {
                info!(request_id = view.request_id, reason = %fault, "A callback was malformed");
                return self.malformed(view, answer, now).await;
            }
        };
        let Some(text) = &params.state else { return self.forged(Refusal::AttemptUnknown, view, now) };
        let Some(state) = State::parse(text) else { return self.not_this_browsers(view, None, now).await };
        let bindings = Bindings::of(view.headers, &self.settings.cookies);
        let Some(binding) = bindings.for_state(&state, self.sealer) else {
            return self.not_this_browsers(view, Some(&state), now).await;
        };
        let attempt = match self.take_attempt(view, &state, binding, now).await {
            Ok(attempt) => attempt,
            Err(error) => {
                if matches!(error, TakeError::Gone) && self.limits.is_repeated(&state.store_key()) {
                    self.limits.forged.charge(view.client, now);
                }
                return self.not_taken(view, &state, binding, &error, now).await;
            }
        };
        if let Some(id) = attempt.approval.clone() {
            let ended = self.finish_leg(&LegRequest { view, binding: Some(binding) }, attempt, params, now).await;
            return self.decided(view, &id, ended, now).await;
        }
        let hand_off = attempt.hand_off.clone();
        let return_to = attempt.return_to.clone();
        // Whoever said no to a step-up is not sent to the page, which would ask them again at once.
        let steps_up = attempt.demand.as_ref().is_some_and(|demand| demand.same.is_some());
        let (by_provider, ends_with_browser) = (params.error.is_some() && !steps_up, attempt.ends_with_browser);
        let registration = self.settings.registrations.get(&attempt.provider);
        let of = registration.and_then(|registration| self.at(registration)).unwrap_or(*self);
        match self.finish_leg(&LegRequest { view, binding: Some(binding) }, attempt, params, now).await {
            Ok(LegOutcome::Continue(redirect)) => self.redirect_out(redirect),
            Ok(LegOutcome::SignedIn(mut session, provider)) => {
                if ends_with_browser {
                    session.end_with_browser();
                }
                let carrier = self.remember_carrier(view, session.identity(), ends_with_browser, now);
                let opened = (*session, provider);
                let arrived = self.arrive(view, opened, &bindings, binding, &return_to, hand_off.as_ref(), now).await;
                match arrived {
                    Ok(mut reply) => {
                        carrier.into_iter().for_each(|cookie| reply.add_cookie(cookie));
                        reply
                    }
                    Err(refusal) => self.refused(view, refusal, Some(&return_to)),
                }
            }
            // Endings that were decided above.
            Ok(LegOutcome::Agreed(_) | LegOutcome::FromBefore) => self.refused(view, Refusal::AttemptUnknown, None),
            Err(refusal) => of.not_finished(view, &state, refusal, by_provider, &return_to, now).await,
        }
    }

    /// Takes the attempt of a state that is this browser's. What is known to be used up is not asked about again.
    async fn take_attempt(
        &self,
        view: &RequestView<'_>,
        state: &State,
        binding: &Binding,
        now: SystemTime,
    ) -> Result<SignInAttempt, TakeError> {
        let key = state.store_key();
        if self.limits.comes_again(key) {
            return Err(TakeError::Gone);
        }
        let starts = StartCookies::of(view.headers, &self.settings.cookies);
        let taken = self.attempts().take(state, binding, &starts, view.host, now).await;
        if !matches!(taken, Err(TakeError::Store(_))) {
            self.limits.spent.insert(key, 0);
        }
        taken
    }

    /// A callback that cannot be read. If its one state is this browser's, the sign-in is over all the same: whoever
    /// can bend an answer must not get a second try with the same state.
    async fn malformed(&self, view: &RequestView<'_>, answer: Option<&str>, now: SystemTime) -> Reply {
        let Some(state) = one_state(answer) else {
            return self.forged(Refusal::CallbackMalformed, view, now);
        };
        let bindings = Bindings::of(view.headers, &self.settings.cookies);
        let state = State::parse(&state);
        let Some((state, binding)) =
            state.as_ref().and_then(|state| Some((state, bindings.for_state(state, self.sealer)?)))
        else {
            return self.forged(Refusal::CallbackMalformed, view, now);
        };
        match self.take_attempt(view, state, binding, now).await {
            Err(error @ TakeError::Store(_)) => self.not_taken(view, state, binding, &error, now).await,
            taken => {
                let page = taken.ok().map(|attempt| attempt.return_to);
                self.refused(view, Refusal::CallbackMalformed, page.as_ref())
            }
        }
    }

    async fn finish_leg(
        &self,
        request: &LegRequest<'_>,
        mut attempt: SignInAttempt,
        params: CallbackParams,
        now: SystemTime,
    ) -> Result<LegOutcome, Refusal> {
        let view = request.view;
        if attempt.host != view.host {
            return Err(Refusal::AttemptUnknown);
        }
        let chosen = self.chosen_for(view, &attempt)?;
        match std::mem::replace(&mut attempt.leg, Leg::Discovery) {
            Leg::Discovery => chosen.finish_discovery(request, attempt, params, now).await.map(LegOutcome::Continue),
            Leg::Authorization(leg) => chosen.finish_authorization(request, attempt, *leg, params, now).await,
            Leg::Optimized(leg) => chosen.finish_optimized(request, attempt, *leg, params, now).await,
            Leg::HandOff => {
                let binding = request.binding.ok_or(Refusal::AttemptUnknown)?;
                let ticket = query_value(view, "ticket").ok_or(Refusal::CallbackMalformed)?;
                let state = params.state.unwrap_or_default();
                let session = self.take_ticket(view, &ticket, &state, binding, now).await?;
                // The host that signs in may know nobody, and hand over whoever came.
                self.meets(view, attempt.demand.as_ref(), session.identity(), now)?;
                Ok(LegOutcome::SignedIn(Box::new(session), None))
            }
        }
    }

    /// The first leg's answer names a carrier by its code, and perhaps a hint only that carrier can read.
    async fn finish_discovery(
        &self,
        request: &LegRequest<'_>,
        mut attempt: SignInAttempt,
        params: CallbackParams,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        let view = request.view;
        if params.code.is_some() {
            return Err(Refusal::CallbackMalformed);
        }
        if let Some(error) = &params.error {
            let said = Said { code: &ErrorCode::read(error), description: params.error_description.as_deref() };
            return self.after_carrier_error(request, attempt, said, None, now).await;
        }
        let mccmnc = params.mccmnc.as_deref().ok_or(Refusal::CallbackMalformed)?;
        let discovery = self.provider.discover(mccmnc, &attempt.correlation_id, now).await;
        match discovery.map_err(|error| self.provider_refusal(view, &error))? {
            Discovery::Carrier(carrier) => {
                let hint = params.login_hint_token.as_ref().map(SecretString::expose);
                let to = Towards::Carrier { carrier, picked: None };
                self.redirect_to_carrier(request, attempt, to, hint, now).await
            }
            Discovery::AskUser(ui) if attempt.recoveries < MAX_RECOVERIES => {
                attempt.recoveries += 1;
                self.redirect_to_discovery(request, attempt, Some(ui), now).await
            }
            Discovery::AskUser(_) => Err(Refusal::CarrierUnknownPerson),
        }
    }

    /// The carrier's answer: a refusal, or a code that is redeemed, verified and turned into a session.
    pub(super) async fn finish_authorization(
        &self,
        request: &LegRequest<'_>,
        attempt: SignInAttempt,
        leg: AuthorizationLeg,
        params: CallbackParams,
        now: SystemTime,
    ) -> Result<LegOutcome, Refusal> {
        let view = request.view;
        let AuthorizationLeg { carrier, member: at_member, nonce, code_verifier, form_post } = leg;
        if params.code.is_some() && form_post != (view.method == Method::POST) {
            info!(request_id = view.request_id, "A code came in another way than was asked for");
            return Err(Refusal::CallbackMalformed);
        }
        if let Some(mccmnc) = &params.mccmnc {
            self.same_carrier(view, &carrier, mccmnc, &attempt.correlation_id, now).await?;
        }
        let description = params.error_description.clone();
        // Of many tenants an answer may name any that is listed; whose the person is, the ID token says.
        let members = self.registration.issuers.iter();
        let member = members.clone().find(|member| member.issuer == carrier.issuer && !member.tenants.is_none());
        let named = member.and_then(|member| member.named().find(|named| params.iss.as_deref() == Some(*named)));
        let expected = named.unwrap_or(&carrier.issuer);
        let response = params.into_response(expected, carrier.iss_parameter_supported).map_err(|fault| {
            info!(request_id = view.request_id, reason = %fault, "An authorization response was refused");
            match fault {
                ResponseFault::IssuerMismatch | ResponseFault::IssuerMissing => Refusal::CarrierMismatch,
                ResponseFault::CodeAndError | ResponseFault::Nothing => Refusal::CallbackMalformed,
            }
        })?;
        let code = match response {
            AuthorizationResponse::Code(code) => code,
            // What a login page says that was open for too long (Keycloak).
            AuthorizationResponse::Refused(error)
                if error.as_str() == "temporarily_unavailable"
                    && description.as_deref() == Some("authentication_expired") =>
            {
                let description = description.as_deref().map(shown).unwrap_or_default();
                info!(request_id = view.request_id, description, "The provider's page was open for too long");
                return Err(Refusal::AttemptExpired);
            }
            AuthorizationResponse::Refused(error) => {
                // By the name that the rest of its federation has for it.
                let known = self.registration.differences(&carrier.issuer).map(|own| own.error(error.as_str()));
                let error = known.map_or_else(|| error.clone(), ErrorCode::read);
                let said = Said { code: &error, description: description.as_deref() };
                let redirect = self.after_carrier_error(request, attempt, said, carrier.mccmnc.as_deref(), now).await?;
                return Ok(LegOutcome::Continue(redirect));
            }
        };
        let grant = CodeGrant {
            code: &code,
            redirect_uri: &self.snapshot.redirect_uri_below(&self.registration.below_callback(&at_member)),
            code_verifier: &code_verifier,
            correlation_id: &attempt.correlation_id,
            now,
        };
        if let Some(account) = self.provider.account(&carrier, &grant).await {
            return self.signed_in_by_api(view, account, now);
        }
        match self.redeemed(view, &carrier, &grant, &nonce, Some(&attempt)).await? {
            LegOutcome::FromBefore if !attempt.anew => {
                let picked = self.registration.member(&at_member);
                let to = Towards::Carrier { carrier: Box::new(carrier), picked };
                let attempt = SignInAttempt { anew: true, ..attempt };
                self.redirect_to_carrier(request, attempt, to, None, now).await.map(LegOutcome::Continue)
            }
            LegOutcome::FromBefore => Err(Refusal::WeakSignIn),
            outcome => Ok(outcome),
        }
    }

    /// Redeems a code and makes a session of whom the ID token names. `attempt` is the sign-in of a browser that the code is the
    /// answer to, if it is one.
    pub(super) async fn redeemed(
        &self,
        view: &RequestView<'_>,
        carrier: &Carrier,
        grant: &CodeGrant<'_>,
        nonce: &str,
        attempt: Option<&SignInAttempt>,
    ) -> Result<LegOutcome, Refusal> {
        let (now, correlation_id) = (grant.now, grant.correlation_id);
        let tokens = self.provider.redeem(carrier, grant).await;
        let tokens = tokens.map_err(|error| self.provider_refusal(view, &error))?;
        let wanted = match attempt {
            Some(attempt) => self.asked_by(view, attempt, now).await?,
            None => Asked::default(),
        };
        let token = self.verify(view, carrier, &tokens, nonce, &wanted, now).await?;
        if let Some((attempt, id)) = attempt.and_then(|attempt| Some((attempt, attempt.approval.as_ref()?))) {
            return self.agreed(view, id, attempt, &token, now).await.map(LegOutcome::Agreed);
        }
        let from_before = self.is_from_before(token.issuer(), token.subject(), token.auth_time(), now).await;
        if from_before.map_err(|error| self.store_refusal(view, &error))? {
            let (request_id, issuer) = (view.request_id, token.issuer());
            info!(request_id, issuer, "A sign-in counts no more: the issuer told us of something that came after it");
            return Ok(LegOutcome::FromBefore);
        }
        let unknown = ClaimRules::default();
        let trusted = self.registration.issuers.iter().find(|trusted| trusted.issuer == carrier.issuer);
        let rules = trusted.map_or(&unknown, |trusted| &trusted.claims);
        let reading = Reading { named: self.snapshot.named_claims(), rules };
        let attributes = self.attributes(view, carrier, (&tokens, &token), reading, correlation_id, now).await?;
        let mccmnc = carrier.confirmed_mccmnc().map(str::to_owned);
        let (identity, mut left_out) = {
            let assurance = self.registration.assurance_of(token.acr());
            Identity::from_verified(&token, mccmnc, assurance, attributes, reading)
        };
        self.meets(view, attempt.and_then(|attempt| attempt.demand.as_ref()), &identity, now)?;
        if identity.lacks_unverified() {
            let (request_id, issuer) = (view.request_id, carrier.issuer.as_str());
            info!(request_id, issuer, "The issuer calls an e-mail address or phone number unverified: it was left out");
        }
        left_out.extend(headers::left_out(self.snapshot.plans(), &identity));
        say_left_out(self.metrics, &left_out, &carrier.issuer, view.request_id);
        let subject = pseudonym(token.issuer(), token.subject());
        let (request_id, acr) = (view.request_id, token.acr().unwrap_or("none"));
        SecurityEvent::SignIn { request_id, issuer: &carrier.issuer, subject: &subject, acr }.emit();
        let mut session = Session::open(identity, now);
        let mut standing = Box::pin(self.standing(view, &token, now)).await?;
        if let Some(sim) = self.sim_of(view, &token, correlation_id, now).await {
            standing.get_or_insert_default().sim = Some(sim);
        }
        if let Some(standing) = standing {
            session.stands(standing);
        }
        let provider = self.kept_of_provider(&token, tokens, request_id, now).await;
        Ok(LegOutcome::SignedIn(Box::new(session), Some(provider)))
    }

    /// What is kept of the session at the provider: nothing that a sign-out or a question to the provider does not need.
    async fn kept_of_provider(
        &self,
        token: &VerifiedIdToken,
        tokens: Tokens,
        request_id: &str,
        now: SystemTime,
    ) -> ProviderSession {
        let ends_there = self.settings.sign_out != ProviderSignOut::Never
            && self.provider.end_session_endpoint(token.issuer(), now).await.is_some();
        let refresh_token = tokens.refresh_token.filter(|_| self.settings.recheck);
        let bytes = tokens.id_token.expose().len();
        if ends_there && bytes > MAX_HINT {
            self.metrics.hints_left_out.inc();
            let issuer = token.issuer();
            info!(
                request_id,
                issuer,
                bytes,
                most = MAX_HINT,
                "The ID token is too long to go along at sign-out: `client_id` does, and the provider may ask the person. Have \
                 it send fewer claims in ID tokens"
            );
        }
        let hint = Some(tokens.id_token).filter(|_| ends_there && bytes <= MAX_HINT);
        ProviderSession { sid: token.session_id().map(str::to_owned), id_token: hint, refresh_token }
    }

    async fn verify(
        &self,
        view: &RequestView<'_>,
        carrier: &Carrier,
        tokens: &Tokens,
        nonce: &str,
        wanted: &Asked,
        now: SystemTime,
    ) -> Result<VerifiedIdToken, Refusal> {
        let trusted = self.registration.issuers.iter().find(|trusted| trusted.issuer == carrier.issuer);
        let trusted = trusted.ok_or(Refusal::ProviderInvalid)?;
        let unavailable = |error: ProviderError| self.provider_refusal(view, &error);
        let expect = Expectation {
            issuer: &carrier.issuer,
            tenants: &trusted.tenants,
            client_id: self.registration.client_id_at(&carrier.issuer),
            nonce,
            algorithms: &trusted.algorithms,
            acr_values: if wanted.acr_values.is_empty() { &self.registration.acr_values } else { &wanted.acr_values },
            acr_vocabulary: self.registration.acr_vocabulary(),
            // What a page demands is demanded.
            require_acr: self.registration.require_acr || !wanted.acr_values.is_empty(),
            skew: self.settings.skew,
            // What a page demands of it is judged with its other demands: an issuer that knows no `max_age` lies to nobody.
            max_age: self.registration.request.max_age,
            accept_at_jwt_typ: trusted.accept_at_jwt_typ,
            access_token: tokens.access_token.as_ref(),
            trusted_audiences: &trusted.trusted_audiences,
        };
        let invalid = |error: TokenError| {
            let reason = explain(error, &tokens.id_token, &expect, &trusted.key, now);
            warn!(request_id = view.request_id, reason, issuer = %carrier.issuer, "An ID token was refused");
            if error == TokenError::AcrNotMet { Refusal::WeakSignIn } else { Refusal::ProviderInvalid }
        };
        let longest = self.registration.max_id_token;
        let token = UnverifiedIdToken::parse(&tokens.id_token, longest).map_err(invalid)?;
        let keys = self.provider.keys(carrier, token.kid(), now).await.map_err(unavailable)?;
        match token.verify(&keys, &expect, now) {
            // Without a `kid`, or under one that was given to a new key, only the signature shows that keys were
            // rotated (E02).
            Err(error @ (TokenError::SignatureInvalid | TokenError::UnknownKey)) => {
                let newer = self.provider.keys_after_rotation(carrier, now).await.map_err(unavailable)?;
                if Arc::ptr_eq(&keys, &newer) {
                    return Err(invalid(error));
                }
                let token = UnverifiedIdToken::parse(&tokens.id_token, longest).map_err(invalid)?;
                token.verify(&newer, &expect, now).map_err(invalid)
            }
            verified => verified.map_err(invalid),
        }
    }

    /// A carrier code in the second callback changes nothing; it must merely lead to the same issuer (D06).
    async fn same_carrier(
        &self,
        view: &RequestView<'_>,
        carrier: &Carrier,
        mccmnc: &str,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let Some(expected) = carrier.mccmnc.as_deref() else {
            // Nobody found it by a network. The one it names may still be listed as another's.
            let named = self.registration.member_of(mccmnc);
            return match named.is_none_or(|named| named.issuer == carrier.issuer) {
                true => Ok(()),
                false => Err(self.other_network(view)),
            };
        };
        if expected == mccmnc {
            return Ok(());
        }
        match self.provider.discover(mccmnc, correlation_id, now).await {
            Ok(Discovery::Carrier(other)) if other.issuer == carrier.issuer => Ok(()),
            _ => Err(self.other_network(view)),
        }
    }

    fn other_network(&self, view: &RequestView<'_>) -> Refusal {
        let (request_id, reason) = (view.request_id, "mccmnc_mismatch");
        warn!(request_id, reason, "A callback names another network than the sign-in went to");
        Refusal::CarrierMismatch
    }

    /// What a carrier's error leads to: one more discovery, or a page in plain words.
    pub(super) async fn after_carrier_error(
        &self,
        request: &LegRequest<'_>,
        mut attempt: SignInAttempt,
        said: Said<'_>,
        mccmnc: Option<&str>,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        let view = request.view;
        let error = CarrierError::parse(said.code.as_str());
        let (code, description) = (shown(said.code.as_str()), said.description.map(shown).unwrap_or_default());
        info!(request_id = view.request_id, error = code, description, "The provider refused a sign-in");
        match error.reaction() {
            Reaction::Rediscover if self.registration.discovery_ui.is_some() && attempt.recoveries < MAX_RECOVERIES => {
                if let Some(mccmnc) = mccmnc {
                    self.provider.doubt(mccmnc, now);
                }
                attempt.recoveries += 1;
                let mut redirect = self.redirect_to_discovery(request, attempt, None, now).await?;
                redirect.cookies.extend(self.forget_carrier(view));
                return Ok(redirect);
            }
            Reaction::OperatorFault => {
                warn!(request_id = view.request_id, error = code, "The provider finds fault with our registration");
            }
            _ => {}
        }
        Err(match (error.reaction(), error) {
            (Reaction::Declined, _) => Refusal::Declined,
            (Reaction::OperatorFault, _) => Refusal::ProviderRefused,
            (_, CarrierError::ServerError | CarrierError::TemporarilyUnavailable) => Refusal::ProviderUnavailable(None),
            (Reaction::Rediscover, _) => Refusal::CarrierUnknownPerson,
            _ if !self.registration.profile.errors_tell_of_phones => Refusal::NotSignedIn,
            (Reaction::OtherMethod, _) => Refusal::Unsupported,
            (_, CarrierError::AuthenticationTimedOut) => Refusal::TimedOut,
            (_, CarrierError::DeviceUnavailable) => Refusal::DeviceUnavailable,
            (_, CarrierError::NetworkFailure) => Refusal::NetworkFailure,
            (Reaction::RetryLater, _) => Refusal::ProviderUnavailable(None),
            (Reaction::GiveUp | Reaction::Retry, _) => Refusal::NotSignedIn,
        })
    }
}
