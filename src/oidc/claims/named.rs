//! The claims that a configuration names: what rules demand, what headers carry, what pages show.

use std::collections::BTreeMap;

use super::{CLIENT, PROTOCOL, WORDS};

/// Names that are never looked up among the claims: a verified part of every identity, or the protocol's own.
fn is_part(name: &str) -> bool {
    name == "mccmnc" || PROTOCOL.contains(&name)
}

/// The claims that a configuration names, each once, the most needed first: those of rules, then those of headers, then
/// those that are merely shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedClaims {
    demanded: Vec<String>,
    shown: Vec<String>,
    most_bytes: usize,
}

/// What an ID token lacks of what the configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing: userinfo need not be asked.
    Nothing,
    /// Something that is only shown to the person.
    Shown,
    /// Something that a rule demands or a header carries.
    Demanded,
}

impl Default for NamedClaims {
    fn default() -> Self {
        Self::new([], [], Self::MOST_BYTES)
    }
}

impl NamedClaims {
    /// Default of the largest size of all claims that are read from one token or answer.
    pub const MOST_BYTES: usize = 128 * 1024;

    /// `demanded`: by rules and headers, in that order; `shown`: merely shown. `most_bytes`: largest size of all claims
    /// that are read from one token or answer.
    ///
    /// Whoever names a contact means the word about it as well: without `email_verified` an address that the issuer calls
    /// unverified could not be told from one that nothing is known about.
    pub fn new<'a>(
        demanded: impl IntoIterator<Item = &'a str>,
        shown: impl IntoIterator<Item = &'a str>,
        most_bytes: usize,
    ) -> Self {
        let mut named = Self { demanded: Vec::new(), shown: Vec::new(), most_bytes };
        for name in demanded {
            named.add(name, true);
            match name {
                "email" => named.add("email_verified", true),
                "phone" | "phone_number" => named.add("phone_number_verified", true),
                _ => {}
            }
        }
        shown.into_iter().for_each(|name| named.add(name, false));
        named
    }

    fn add(&mut self, name: &str, demanded: bool) {
        if !is_part(name) && !self.iter().any(|known| known == name) {
            let list = if demanded { &mut self.demanded } else { &mut self.shown };
            list.push(name.to_owned());
        }
    }

    /// All of them, the most needed first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.demanded.iter().chain(&self.shown).map(String::as_str)
    }

    /// See [`NamedClaims::new`].
    pub fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// What `claims` of an ID token lack. A word about a contact that is not there is not missed.
    pub fn lack<V>(&self, claims: &BTreeMap<String, V>) -> Lack {
        let contact = |word: &str| match word {
            "email_verified" => claims.contains_key("email"),
            _ => claims.contains_key("phone_number") || claims.contains_key("phone"),
        };
        let lacks = |name: &String| !claims.contains_key(name) && (!WORDS.contains(&name.as_str()) || contact(name));
        if self.demanded.iter().any(lacks) {
            Lack::Demanded
        } else if self.shown.iter().any(lacks) {
            Lack::Shown
        } else {
            Lack::Nothing
        }
    }
}

/// Why a configuration cannot name a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamedFault {
    /// `aud`.
    #[error("is never told to rules and apps; to narrow the audiences of a route, write `audiences`")]
    Audience,
    /// `azp`, `client_id` where no access token is taken.
    #[error("names the client of an access token, which `access: session` does not take; a session has none")]
    Client,
    /// Any other claim of the protocol.
    #[error("belongs to the protocol: it is judged at sign-in and never told to rules and apps")]
    Protocol,
    /// `scope`.
    #[error("is never told to rules and apps; to demand scopes of an access token, write `require.scopes`")]
    Scope,
}

impl NamedFault {
    /// What is wrong with `name` where access tokens are taken, or are not; `None` if it can be there.
    pub fn of(name: &str, takes_tokens: bool) -> Option<Self> {
        // What every identity has as a part of its own.
        const PARTS: [&str; 5] = ["acr", "amr", "auth_time", "iss", "sub"];
        let first = if PROTOCOL.contains(&name) { name } else { name.split('.').next().unwrap_or_default() };
        match first {
            part if PARTS.contains(&part) && part == name => None,
            client if CLIENT.contains(&client) && client == name => (!takes_tokens).then_some(Self::Client),
            "aud" => Some(Self::Audience),
            "scope" => Some(Self::Scope),
            other if PROTOCOL.contains(&other) => Some(Self::Protocol),
            _ => None,
        }
    }
}
