//! The switches by which a test or a curious operator changes how a part behaves.
//!
//! Every rule has a default under which the part is a well-meaning, recorded counterparty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How one carrier behaves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierRules {
    /// Answer every good authorization request at once, as if the person had agreed.
    pub auto_consent: Option<AutoConsent>,
    /// Refuse the next good authorization request with this code, once.
    pub next_authorize_error: Option<String>,
    /// Refuse every good authorization request with this code.
    pub authorize_error: Option<String>,
    /// Parameters set in the authorization response, over what would be sent.
    pub callback: BTreeMap<String, String>,
    /// Parameters left out of the authorization response.
    pub callback_omit: Vec<String>,
    /// Attributes never shared, whatever the person ticks: `name`, `email`, ….
    pub withhold: Vec<String>,
    /// Milliseconds to wait before answering, by endpoint: `metadata`, `authorize`, `token`, `userinfo`, `jwks`,
    /// `server_initiated`, `usertrait`.
    pub latency_ms: BTreeMap<String, u64>,
    /// Answer with this status instead of doing anything, by endpoint.
    pub status: BTreeMap<String, u16>,
    /// Answer with this body instead of doing anything, by endpoint; the status is 200 unless `status` has one.
    pub body: BTreeMap<String, String>,
    /// Give codes of so many random bytes instead of short ones.
    pub code_bytes: Option<u16>,
    /// Be a carrier that does not look at `code_verifier`.
    pub pkce_ignored: bool,
    /// Accept token and userinfo requests whose `correlation_id` is not the one of the authorization request.
    pub correlation_unchecked: bool,
    /// Refuse userinfo requests without `x-authorization`. One that is there has to be good in any case.
    pub key_binding_required: bool,
    /// Refuse authorization requests that come without `login_hint_token`, except from phones.
    pub hint_required: bool,
    /// People who came from another carrier: the id of one of this carrier's people, and whom they used to be, for
    /// instance `wyn` and `tomas`. Their ID token carries the old carrier's port token in `aka`.
    pub ported: BTreeMap<String, String>,
    /// How the port tokens of these people are bent.
    pub port_token: PortTokenRules,
    /// Give a refresh token with every answer, each good for one use.
    pub refresh_tokens: bool,
    /// People, by id, who are customers no more: their refresh tokens are refused.
    pub departed: Vec<String>,
    /// Header members set in the ID token.
    pub id_token_header: Map<String, Value>,
    /// Header members left out of the ID token.
    pub id_token_header_omit: Vec<String>,
    /// Claims set in the ID token, over what would be there.
    pub id_token_claims: Map<String, Value>,
    /// Claims left out of the ID token.
    pub id_token_omit: Vec<String>,
    /// How the ID token is signed.
    pub id_token_signature: Signature,
    /// Members set in the token response.
    pub token_response: Map<String, Value>,
    /// Members left out of the token response.
    pub token_response_omit: Vec<String>,
    /// Members set in the userinfo response.
    pub userinfo: Map<String, Value>,
    /// Members left out of the userinfo response.
    pub userinfo_omit: Vec<String>,
    /// People, by id, whose number has been on its SIM for less than a day.
    pub new_sims: Vec<String>,
    /// Members set in the answer of the usertrait endpoint.
    pub usertrait: Map<String, Value>,
    /// Let a server-initiated request that the person approves fail with this code, by notification.
    pub push_error: Option<String>,
    /// How many times more than once each notification is sent.
    pub notify_again: u8,
    /// The bearer token to notify with, instead of the client's.
    pub notify_bearer: Option<String>,
    /// With `auto_consent`: notify before the request that the client began is answered.
    pub notify_first: bool,
    /// Deliver tokens for a request that the client cancels.
    pub notify_after_cancel: bool,
    /// Members set in notifications.
    pub notification: Map<String, Value>,
    /// Members left out of notifications.
    pub notification_omit: Vec<String>,
    /// Members set in the metadata, at the discovery issuer as well as at the carrier itself.
    pub metadata: Map<String, Value>,
    /// Members left out of the metadata.
    pub metadata_omit: Vec<String>,
}

/// How port tokens are bent, and in which shape they are brought.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortTokenRules {
    /// Header members set.
    pub header: Map<String, Value>,
    /// Header members left out.
    pub header_omit: Vec<String>,
    /// Claims set, over what would be there.
    pub claims: Map<String, Value>,
    /// Claims left out.
    pub claims_omit: Vec<String>,
    /// How it is signed.
    pub signature: Signature,
    /// Sign it with the key of the carrier that brings it, in the old one's name.
    pub own_key: bool,
    /// Name the person as the new carrier does, as one recorded sample has it.
    pub new_subject: bool,
    /// Bring exactly these instead.
    pub instead: Option<Value>,
    /// Bring one text, or an object, instead of a list.
    pub shape: PortTokenShape,
    /// Further people, by id, whom the new carrier also says this one was.
    pub also: Vec<String>,
}

/// What the port tokens of an ID token stand in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PortTokenShape {
    /// A list of texts.
    #[default]
    List,
    /// The first one alone, as a text.
    Text,
    /// The first one alone, as `{"port_token": …}`.
    Object,
}

/// What a carrier does on its own when `auto_consent` is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoConsent {
    /// How the person proved to be there.
    pub factor: Factor,
    /// The attributes to share; absent means everything asked for.
    pub share: Option<Vec<String>>,
    /// Who agrees; absent means the person the login hint token names, or else the carrier's first.
    pub person: Option<String>,
}

/// How the person unlocks the phone for an approval.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// A tap: possession of the phone only, class `a1`.
    Approve,
    /// A PIN, class `a3`.
    #[default]
    Pin,
    /// A fingerprint, class `a3`.
    Fingerprint,
    /// A face, class `a3`.
    Face,
}

impl Factor {
    pub(super) fn from_field(value: &str) -> Option<Self> {
        match value {
            "approve" => Some(Self::Approve),
            "pin" => Some(Self::Pin),
            "fingerprint" => Some(Self::Fingerprint),
            "face" => Some(Self::Face),
            _ => None,
        }
    }

    /// 1 or 3, spelled by the carrier as it likes.
    pub(super) fn class(self) -> u8 {
        match self {
            Self::Approve => 1,
            Self::Pin | Self::Fingerprint | Self::Face => 3,
        }
    }

    pub(super) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Approve => &["hwk"],
            Self::Pin => &["hwk", "pin"],
            Self::Fingerprint => &["hwk", "fpt"],
            Self::Face => &["hwk", "fid"],
        }
    }
}

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// With the current key.
    #[default]
    Valid,
    /// With the current key, then one bit flipped.
    Broken,
    /// With a key that is published nowhere, under the current key's `kid`.
    ForeignKey,
    /// HMAC with the public modulus as its secret, as an algorithm-confusion attack would.
    Hs256,
    /// `alg: none` and nothing after the last dot.
    None,
}

/// How the discovery issuer behaves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryRules {
    /// What to answer whatever is asked.
    pub answer: DiscoveryAnswer,
    /// The status of `provider_not_found`: 404, or 200 if set.
    pub not_found_as_200: bool,
    /// The `redirect_uri` of `provider_not_found`, if not the discovery UI.
    pub not_found_redirect_uri: Option<String>,
    /// The carrier that every `ip` leads to.
    pub ip_carrier: Option<String>,
    /// Milliseconds to wait before answering.
    pub latency_ms: u64,
}

/// What the discovery issuer answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscoveryAnswer {
    /// The truth.
    #[default]
    Normal,
    /// `provider_not_found` with a `redirect_uri`.
    NotFound,
    /// Status 400, an `error`, and no `redirect_uri`.
    Error,
    /// Something that is almost JSON.
    Malformed,
    /// `{"config": {…}, "carrier": "…"}`.
    Nested,
    /// The truth behind two mebibytes of padding.
    Huge,
    /// A redirect to the carrier's own metadata, which no client should follow.
    Redirect,
    /// Status 503 with no body.
    Unavailable,
}

/// How the discovery UI behaves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryUiRules {
    /// Call back at once for this person (an id, or a carrier's name), as if the browser were trusted. Also obeyed
    /// when `prompt=true`.
    pub auto_choose: Option<String>,
    /// Call back with this error the next time, once.
    pub next_error: Option<String>,
    /// Parameters set in the callback, over what would be sent.
    pub callback: BTreeMap<String, String>,
    /// Parameters left out of the callback.
    pub callback_omit: Vec<String>,
}

/// Sets and removes members of a JSON object.
pub(super) fn adjust(object: &mut Map<String, Value>, set: &Map<String, Value>, omit: &[String]) {
    for (name, value) in set {
        object.insert(name.clone(), value.clone());
    }
    for name in omit {
        object.remove(name);
    }
}

/// Sets and removes parameters of a callback; a parameter that is set appears once.
pub(super) fn adjust_parameters(
    parameters: &mut Vec<(String, String)>,
    set: &BTreeMap<String, String>,
    omit: &[String],
) {
    parameters.retain(|(name, _)| !set.contains_key(name) && !omit.contains(name));
    parameters.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
}
