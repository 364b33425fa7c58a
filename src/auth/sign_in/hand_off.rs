//! One registered callback for many hosts: signing in happens on the host of the public URL, and its result is handed
//! to the host the person came from.
//!
//! The asking host binds the wish to the browser with a state of its own, exactly like a sign-in. The answer is a
//! ticket: 256 random bits that open one short-lived record, once, only for that host, that state and that browser. A ticket
//! somebody else obtained is refused, because their state does not belong to this browser's cookie. States stand in
//! addresses, and may leak; so the wish also carries a mark that only the holder of that cookie can make, and a ticket opens
//! nothing in a browser that has not made its mark. Without the two, a link could sign a victim in as the attacker.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::attempt::{HandOff, Leg, SignInAttempt};
use super::attempts::with_query;
use super::binding::{Binding, State};
use super::choice::AMONG;
use super::demand::{Demand, FOR};
use super::start::{LOGIN_HINT, OTHER_ACCOUNT, OutgoingRedirect, SHARED_DEVICE, is_on_shared_device, wishes_of};
use crate::auth::SignIn;
use crate::auth::own_address::{CONSENT, OwnQuery};
use crate::auth::refusal::Refusal;
use crate::auth::session_cookie::id_of;
use crate::policy::Unmet;
use crate::route::path::ReturnTo;
use crate::secret::{constant_time_eq, hmac_sha256};
use crate::session::sessions::Lookup;
use crate::session::store::{Kind, StoreError};
use crate::session::{Session, SessionId, StoreKey};
use crate::snapshot::{ClientRegistration, CompiledRoute};
use crate::web::{Reply, RequestView};

/// How long a ticket lives: the time of one redirect.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);

/// Length of what [`mark_of`] makes: 256 bits.
const MARK_LENGTH: usize = 43;

/// Longest page, in bytes, that goes along to the host that signs in.
const LONGEST_PAGE: usize = 512;

/// Most tickets of one refused callback that are taken out of the store.
const MAX_REVOKED: usize = 2;

/// What a ticket opens.
#[derive(Serialize, Deserialize)]
struct Ticket {
    host: String,
    state: String,
    /// [`HandOff::browser`].
    browser: String,
    /// The session, sealed under the ticket itself as if the ticket were its id.
    session: Vec<u8>,
    /// The session it was made from, which ends with it.
    parent: [u8; 32],
}

/// What a ticket for `state` must show to be of use in `binding`'s browser.
///
/// RFC 9700, 4.7. If the state alone counted, whoever learned it (it stands in addresses, which are logged and kept in
/// histories) could have a ticket of their own session made for it, and sign its browser in as themselves.
fn mark_of(binding: &Binding, state: &str) -> String {
    let of = [b"zengate hand-off v1 ", state.as_bytes()].concat();
    URL_SAFE_NO_PAD.encode(hmac_sha256(binding.secret().expose(), &of))
}

impl SignIn<'_> {
    /// A sign-in begun on a host that is not the public URL's: remember it here, go there.
    pub(in crate::auth) async fn start_elsewhere(
        &self,
        view: &RequestView<'_>,
        return_to: ReturnTo,
        providers: &[&ClientRegistration],
        (demanding, demand): (Option<&CompiledRoute>, Option<Demand>),
        again: bool,
        now: SystemTime,
    ) -> Reply {
        let mut attempt = SignInAttempt { again, demand, ..self.new_attempt(view.host, return_to, None, now) };
        attempt.leg = Leg::HandOff;
        let page = attempt.return_to.clone();
        let (cookies, state, binding) = match self.remember_start(view, attempt, now).await {
            Ok(remembered) => remembered,
            Err(refusal) => return self.not_begun(refusal, view, &page, now),
        };
        let snapshot = self.snapshot;
        let start = format!("{}{}/start", snapshot.origin_of(snapshot.public_host()), self.settings.prefix);
        let mark = mark_of(&binding, &state);
        let among = providers.iter().map(|registration| registration.id.as_str()).collect::<Vec<_>>().join(",");
        let mut wish = vec![("hand_off", state.as_str()), ("host", view.host), ("browser", &mark)];
        if self.settings.registrations.are_many() {
            wish.push((AMONG, &among));
        }
        wish.extend(demanding.map(|route| (FOR, route.path.as_str())));
        wish.extend(is_on_shared_device(&OwnQuery::of(view)).then_some(SHARED_DEVICE));
        if again {
            wish.push(("again", "1"));
        }
        if OwnQuery::of(view).is_set(CONSENT) {
            wish.push((CONSENT, "1"));
        }
        let wishes = wishes_of(&OwnQuery::of(view));
        wish.extend(wishes.login_hint.as_deref().map(|hint| (LOGIN_HINT, hint)));
        wish.extend(wishes.other_account.then_some(OTHER_ACCOUNT));
        // Only for what goes wrong over there: this host has the page.
        let page = format!("{}{}", snapshot.origin_of(view.host), page.target());
        if page.len() <= LONGEST_PAGE {
            wish.push(("rd", &page));
        }
        match with_query(&start, &wish) {
            Some(to) => self.redirect_out(OutgoingRedirect { to, cookies }),
            None => self.answers.refusal(Refusal::NotFound, view),
        }
    }

    /// Where somebody goes whose sign-in for another of our hosts cannot go on here: to their page there.
    pub(in crate::auth) fn on_its_host(&self, page: ReturnTo, hand_off: &HandOff) -> ReturnTo {
        let origin = self.snapshot.origin_of(&hand_off.host);
        if page.origin() == Some(origin.as_str()) {
            return page;
        }
        ReturnTo::parse(&origin, self.snapshot.return_policy()).unwrap_or_else(|_| ReturnTo::home())
    }

    /// The wish another of our hosts sent along, if it is well-formed and the host is ours.
    pub(in crate::auth) fn asked_hand_off(&self, query: &OwnQuery<'_>) -> Option<HandOff> {
        let (state, host, browser) = (query.value("hand_off")?, query.value("host")?, query.value("browser")?);
        let snapshot = self.snapshot;
        let known = host != snapshot.public_host() && snapshot.serves(&host) && State::parse(&state).is_some();
        (known && browser.len() <= MARK_LENGTH).then_some(HandOff { host, state, browser })
    }

    /// Who is signed in here already is handed over at once.
    pub(in crate::auth) async fn hand_off_now(
        &self,
        view: &RequestView<'_>,
        hand_off: &HandOff,
        found: &Lookup,
        providers: &[&ClientRegistration],
        demanding: Option<&CompiledRoute>,
        now: SystemTime,
    ) -> Option<Reply> {
        let Lookup::SignedIn(live, _) = found else { return None };
        // With whom they signed in here may not be with whom the other host wants them to.
        let identity = live.value().session().identity();
        if !providers.iter().any(|registration| registration.trusts(identity.issuer())) {
            return None;
        }
        // Nor in the way that the page over there demands.
        let sim = live.value().session().sim();
        if demanding.is_some_and(|route| {
            route.require.check_sign_in(identity, now).is_err()
                || route.require.check_sim(sim, identity) == Err(Unmet::SimConfirmation)
        }) {
            return None;
        }
        let id = id_of(view, &self.settings.cookies)?;
        let handed = self.hand_off(view, hand_off, live.value().session(), &id, now).await;
        Some(handed.unwrap_or_else(|refusal| self.not_begun(refusal, view, &ReturnTo::home(), now)))
    }

    /// Makes the ticket and sends the browser with it to the asking host.
    pub(in crate::auth) async fn hand_off(
        &self,
        view: &RequestView<'_>,
        hand_off: &HandOff,
        session: &Session,
        id: &SessionId,
        now: SystemTime,
    ) -> Result<Reply, Refusal> {
        let ticket_id = self.sealer.new_id(self.entropy);
        let key = ticket_id.store_key();
        let ticket = Ticket {
            host: hand_off.host.clone(),
            state: hand_off.state.clone(),
            browser: hand_off.browser.clone(),
            session: self.sealer.seal_session(&ticket_id, session, self.entropy),
            parent: id.store_key().0,
        };
        let body = serde_json::to_vec(&ticket).map_err(|_| Refusal::StoreUnavailable)?;
        let record = self.sealer.seal(Kind::Attempt, key, ticket_id.secret().expose(), &body, self.entropy);
        let put = self.store.insert(Kind::Attempt, key, &record, TICKET_LIFETIME, now).await;
        put.map_err(|error| self.store_refusal(view, &error))?;
        let callback = format!("{}{}/callback", self.snapshot.origin_of(&hand_off.host), self.settings.prefix);
        let pairs = [("state", hand_off.state.as_str()), ("ticket", ticket_id.to_text().expose())]
            .map(|(name, value)| (name, value.to_owned()));
        let pairs = [(pairs[0].0, pairs[0].1.as_str()), (pairs[1].0, pairs[1].1.as_str())];
        let location = with_query(&callback, &pairs).and_then(|url| HeaderValue::try_from(url.as_str()).ok());
        let location = location.ok_or(Refusal::CallbackMalformed)?;
        info!(request_id = view.request_id, outcome = "handed_off", "A sign-in is handed to another of our hosts");
        Ok(Reply::redirect(StatusCode::FOUND, location))
    }

    /// Takes the session a ticket stands for; once, on the host, for the state and in the browser it was made for.
    pub(in crate::auth) async fn take_ticket(
        &self,
        view: &RequestView<'_>,
        ticket: &str,
        state: &str,
        binding: &Binding,
        now: SystemTime,
    ) -> Result<Session, Refusal> {
        let ticket_id = self.ticket_of(ticket).ok_or(Refusal::AttemptUnknown)?;
        let key = ticket_id.store_key();
        let record = self.store.take(Kind::Attempt, key, now).await;
        let record = record.map_err(|error| self.store_refusal(view, &error))?.ok_or(Refusal::AttemptUnknown)?;
        let secret = ticket_id.secret().expose();
        let body = self.sealer.open(Kind::Attempt, key, secret, &record).map_err(|_| Refusal::AttemptUnknown)?;
        let ticket: Ticket = serde_json::from_slice(&body).map_err(|_| Refusal::AttemptUnknown)?;
        let ours = ticket.host == view.host
            && constant_time_eq(ticket.state.as_bytes(), state.as_bytes())
            && constant_time_eq(ticket.browser.as_bytes(), mark_of(binding, state).as_bytes());
        if !ours {
            warn!(request_id = view.request_id, reason = "ticket_mismatch", "A ticket was brought to the wrong place");
            return Err(Refusal::AttemptUnknown);
        }
        let mut session = self.sealer.open_session(&ticket_id, &ticket.session).map_err(|_| Refusal::AttemptUnknown)?;
        session.handed_over_from(StoreKey(ticket.parent));
        session.seen(now);
        Ok(session)
    }

    /// Takes the ticket that a callback brought out of the store, if it brought one and it is still there: whatever was
    /// wrong with the callback, nobody is to come back with its ticket and a better state. The sign-in that waits for
    /// the ticket is not touched (B04).
    pub(in crate::auth) async fn revoke_ticket(&self, view: &RequestView<'_>) {
        let query = view.target.query().unwrap_or_default().as_bytes();
        let tickets = url::form_urlencoded::parse(query).filter(|(name, _)| name == "ticket");
        // More than one was never written by us; no request makes us ask the store for as many as fit into an address.
        let tickets: Vec<_> = tickets.filter_map(|(_, ticket)| self.ticket_of(&ticket)).take(MAX_REVOKED).collect();
        for ticket in tickets {
            if let Err(error) = self.store.remove(Kind::Attempt, ticket.store_key()).await {
                self.store_refusal(view, &error);
            }
        }
    }

    /// A ticket that a gateway of ours drew; what was made up is told without a question to the store.
    fn ticket_of(&self, text: &str) -> Option<SessionId> {
        SessionId::parse(text).filter(|id| self.sealer.has_made(id))
    }

    pub(super) fn store_refusal(&self, view: &RequestView<'_>, error: &StoreError) -> Refusal {
        self.metrics.store_errors.inc();
        warn!(request_id = view.request_id, reason = %error, "The session store did not answer");
        Refusal::StoreUnavailable
    }
}
