//! A sign-in that is under way: what must be remembered between two visits of the browser, sealed so that only the
//! browser that began it can bring it back.
//!
//! What has only begun lies in the browser (`start_cookie.rs`), sealed for this browser, this host and this state; that
//! it has been used is noted in the store. Only a later leg, whose browser has shown that it keeps our cookies, is stored.
//!
//! Where the person wanted to go is kept longer than the attempt (`return_note.rs`).

use serde::{Deserialize, Serialize};
use url::Url;

use super::demand::Demand;
use super::return_note::{PageId, Wanted};
use crate::oidc::client_auth::AuthMethod;
use crate::provider::Carrier;
use crate::route::path::ReturnTo;
use crate::secret::SecretString;

/// A sign-in under way. Born in `start.rs`, taken (never read twice) in `callback.rs`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignInAttempt {
    /// Which answer the browser will bring.
    pub leg: Leg,
    /// Id of the provider it is with; empty for the one of `provider`.
    #[serde(default)]
    pub provider: String,
    /// Host the sign-in began on; its answer is accepted on no other.
    pub host: String,
    /// Where the person wanted to go. Stored beside the rest, as [`Wanted`].
    #[serde(skip, default = "ReturnTo::home")]
    pub return_to: ReturnTo,
    /// The name of that page, if it is stored by itself.
    #[serde(skip)]
    pub kept: Option<PageId>,
    /// Whether it was begun for the person, because an earlier answer could not be used. Its state says so: what goes wrong
    /// with it does not begin another one.
    #[serde(skip)]
    pub again: bool,
    /// What its first request asks for; later ones, if there are any, ask for nothing of it.
    #[serde(skip)]
    pub wishes: Wishes,
    /// The same on all calls of this sign-in (dossier 8), 8–16 letters, digits and hyphens.
    pub correlation_id: String,
    /// When it began, milliseconds since 1970.
    pub created_ms: u64,
    /// How often discovery was started anew; one is allowed.
    pub recoveries: u8,
    /// For a sign-in begun on another of our hosts: where to hand its result.
    pub hand_off: Option<HandOff>,
    /// The person said that the device is not theirs: the session cookie goes with the browser's window.
    #[serde(default)]
    pub ends_with_browser: bool,
    /// What its page demands of the way in which people sign in.
    #[serde(default)]
    pub demand: Option<Demand>,
    /// The approval that its answer decides. Such an answer signs nobody in.
    #[serde(default)]
    pub approval: Option<String>,
    /// The person must authenticate anew, as their issuer told us that something happened to them.
    #[serde(default)]
    pub anew: bool,
}

/// What a person, or a link of others, wants of a sign-in that begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// Who is to sign in, as far as a link of others knows (OpenID Connect Core 1.0, 3.1.2.1 and 4).
    pub login_hint: Option<String>,
    /// To be asked with which account.
    pub other_account: bool,
}

/// What the next callback must be the answer to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Leg {
    /// The carrier discovery UI.
    Discovery,
    /// The authorization endpoint of a carrier. Issuer and endpoints are frozen here: a callback that names another
    /// carrier changes nothing (RFC 9700, 4.4).
    Authorization(Box<AuthorizationLeg>),
    /// An address that leads on to some carrier with our request: which one it was, the callback says.
    Optimized(Box<OptimizedLeg>),
    /// Our own host that signs in for all of them.
    HandOff,
}

/// The leg that ends with a code of a carrier that is not known yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OptimizedLeg {
    /// Expected in the ID token.
    pub nonce: String,
    /// PKCE verifier, redeemed with the code.
    #[serde(with = "secret_text")]
    pub code_verifier: SecretString,
}

/// The leg that ends with a code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuthorizationLeg {
    /// Whom we asked.
    pub carrier: Carrier,
    /// Id of the member that the person picked, if its answer comes to an address of its own; else empty.
    #[serde(default)]
    pub member: String,
    /// Expected in the ID token.
    pub nonce: String,
    /// PKCE verifier, redeemed with the code.
    #[serde(with = "secret_text")]
    pub code_verifier: SecretString,
    /// Whether a code must come in a form. One that comes another way is not redeemed: whoever can bend the way of an answer
    /// must not have a code stand in addresses that are logged.
    #[serde(default)]
    pub form_post: bool,
}

/// A request of one of our hosts to have a person signed in there as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandOff {
    /// The host.
    pub host: String,
    /// The state that host is waiting for.
    pub state: String,
    /// What only the browser that waits there can show again; see `hand_off.rs`.
    pub browser: String,
}

mod secret_text {
    //! A secret inside a record that is sealed before it leaves us.
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::SecretString;

    pub(in crate::auth) fn serialize<S: Serializer>(secret: &SecretString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(in crate::auth) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::new)
    }
}

impl SignInAttempt {
    /// Where the person wanted to go, as it is stored.
    pub(super) fn wanted(&self) -> Wanted {
        match &self.kept {
            Some(id) => Wanted::Kept(id.clone()),
            None => Wanted::Page(self.return_to.clone()),
        }
    }

    /// Id of the member whose own address the answer must come to; empty for the address of all.
    pub(super) fn member(&self) -> &str {
        match &self.leg {
            Leg::Authorization(leg) => &leg.member,
            Leg::Discovery | Leg::Optimized(_) | Leg::HandOff => "",
        }
    }

    /// Whether what is waited for is a ticket of our own public host.
    pub(super) fn is_hand_off(&self) -> bool {
        matches!(self.leg, Leg::HandOff)
    }
}

/// A start as its cookie holds it: no names, no host, and addresses shortened by the issuer's, because every byte goes
/// with every request.
#[derive(Serialize, Deserialize)]
pub(super) struct StartRecord(
    StartLeg,
    Wanted,
    String,
    u64,
    Option<(String, String, String)>,
    String,
    #[serde(default, skip_serializing_if = "Rest::is_usual")] Rest,
);

/// What few starts have: whether the device is not the person's; and of a demand host, path and who must come back; or which
/// approval is decided.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Rest {
    Device(bool),
    Demand(bool, String, String, Option<String>),
    Consent(bool, String, String, Option<String>, bool),
    Approval(String),
}

impl Rest {
    fn is_usual(&self) -> bool {
        matches!(self, Self::Device(false))
    }
}

impl Default for Rest {
    fn default() -> Self {
        Self::Device(false)
    }
}

/// The leg of a start.
#[derive(Serialize, Deserialize)]
enum StartLeg {
    #[serde(rename = "d")]
    Discovery,
    #[serde(rename = "h")]
    HandOff,
    #[serde(rename = "o")]
    Optimized(Box<OptimizedLeg>),
    #[serde(rename = "a")]
    Authorization(Box<StartCarrier>),
}

/// Issuer; authorization, token, userinfo and key endpoints; whether `iss` is promised; nonce; verifier; how we show who
/// we are; whether a code comes in a form.
#[derive(Serialize, Deserialize)]
struct StartCarrier(
    String,
    String,
    String,
    Option<String>,
    String,
    bool,
    String,
    #[serde(with = "secret_text")] SecretString,
    #[serde(default)] AuthMethod,
    #[serde(default)] bool,
    #[serde(default, skip_serializing_if = "StartMember::is_plain")] StartMember,
);

/// Of a member of a federation whose page did not come first: its id, if it answers at an address of its own; the network that
/// led to it, and whether discovery confirmed that.
#[derive(Default, Serialize, Deserialize)]
struct StartMember(String, Option<(String, bool)>);

impl StartMember {
    fn is_plain(&self) -> bool {
        self.0.is_empty() && self.1.is_none()
    }
}

impl StartRecord {
    pub(super) fn of(attempt: &SignInAttempt) -> Self {
        let leg = match &attempt.leg {
            Leg::Discovery => StartLeg::Discovery,
            Leg::HandOff => StartLeg::HandOff,
            Leg::Optimized(leg) => StartLeg::Optimized(leg.clone()),
            Leg::Authorization(leg) => {
                let carrier = &leg.carrier;
                let short = |url: &Url| shortened(url.as_str(), &carrier.issuer);
                StartLeg::Authorization(Box::new(StartCarrier(
                    carrier.issuer.clone(),
                    short(&carrier.authorization_endpoint),
                    short(&carrier.token_endpoint),
                    carrier.userinfo_endpoint.as_ref().map(short),
                    short(&carrier.jwks_uri),
                    carrier.iss_parameter_supported,
                    leg.nonce.clone(),
                    leg.code_verifier.clone(),
                    carrier.auth_method,
                    leg.form_post,
                    StartMember(
                        leg.member.clone(),
                        carrier.mccmnc.clone().map(|network| (network, carrier.mccmnc_confirmed)),
                    ),
                )))
            }
        };
        let hand_off = attempt.hand_off.clone();
        let hand_off = hand_off.map(|hand_off| (hand_off.host, hand_off.state, hand_off.browser));
        let (correlation_id, provider) = (attempt.correlation_id.clone(), attempt.provider.clone());
        let (wanted, ends_with_browser) = (attempt.wanted(), attempt.ends_with_browser);
        let rest = match (attempt.approval.clone(), attempt.demand.clone()) {
            (Some(approval), _) => Rest::Approval(approval),
            (None, None) => Rest::Device(ends_with_browser),
            (None, Some(Demand { host, path, same, consent: false })) => {
                Rest::Demand(ends_with_browser, host, path, same)
            }
            (None, Some(Demand { host, path, same, consent })) => {
                Rest::Consent(ends_with_browser, host, path, same, consent)
            }
        };
        Self(leg, wanted, correlation_id, attempt.created_ms, hand_off, provider, rest)
    }

    pub(super) fn into_attempt(self, host: &str) -> Option<(SignInAttempt, Wanted)> {
        let Self(leg, wanted, correlation_id, created_ms, hand_off, provider, rest) = self;
        let (ends_with_browser, demand, approval) = match rest {
            Rest::Device(ends_with_browser) => (ends_with_browser, None, None),
            Rest::Demand(ends, host, path, same) => (ends, Some(Demand { host, path, same, consent: false }), None),
            Rest::Consent(ends, host, path, same, consent) => (ends, Some(Demand { host, path, same, consent }), None),
            Rest::Approval(approval) => (false, None, Some(approval)),
        };
        let leg = match leg {
            StartLeg::Discovery => Leg::Discovery,
            StartLeg::HandOff => Leg::HandOff,
            StartLeg::Optimized(leg) => Leg::Optimized(leg),
            StartLeg::Authorization(carrier) => {
                let StartCarrier(
                    issuer,
                    authorization,
                    token,
                    userinfo,
                    keys,
                    promised,
                    nonce,
                    code_verifier,
                    method,
                    form_post,
                    StartMember(member, network),
                ) = *carrier;
                let (mccmnc, mccmnc_confirmed) = network.map_or((None, false), |(code, sure)| (Some(code), sure));
                let long = |text: &str| Url::parse(&lengthened(text, &issuer)).ok();
                let carrier = Carrier {
                    authorization_endpoint: long(&authorization)?,
                    token_endpoint: long(&token)?,
                    userinfo_endpoint: match userinfo {
                        Some(userinfo) => Some(long(&userinfo)?),
                        None => None,
                    },
                    end_session_endpoint: None,
                    jwks_uri: long(&keys)?,
                    mccmnc,
                    mccmnc_confirmed,
                    iss_parameter_supported: promised,
                    auth_method: method,
                    pushed_endpoint: None,
                    server_initiated_endpoint: None,
                    server_initiated_cancel_endpoint: None,
                    sim_tenure_endpoint: None,
                    requires_pushed_requests: false,
                    issuer,
                };
                Leg::Authorization(Box::new(AuthorizationLeg { carrier, member, nonce, code_verifier, form_post }))
            }
        };
        let hand_off = hand_off.map(|(host, state, browser)| HandOff { host, state, browser });
        let attempt = SignInAttempt {
            leg,
            provider,
            host: host.to_owned(),
            return_to: ReturnTo::home(),
            kept: None,
            again: false,
            wishes: Wishes::default(),
            correlation_id,
            created_ms,
            recoveries: 0,
            hand_off,
            ends_with_browser,
            demand,
            approval,
            anew: false,
        };
        Some((attempt, wanted))
    }
}

/// `url` without the issuer it begins with; no address begins with `~`.
fn shortened(url: &str, issuer: &str) -> String {
    url.strip_prefix(issuer).map_or_else(|| url.to_owned(), |rest| format!("~{rest}"))
}

fn lengthened(text: &str, issuer: &str) -> String {
    text.strip_prefix('~').map_or_else(|| text.to_owned(), |rest| format!("{issuer}{rest}"))
}
