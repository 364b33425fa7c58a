//! What each kind of provider does in its own way, as data.
//!
//! No code asks which kind it has before it: it asks a field. So a further kind is a further value here, and nothing that
//! judges an answer can be softer for one kind than for another without a field that says so.

use super::find::Way;
use super::network::NetworkForm;
use crate::oidc::acr::{Assurance, Vocabulary, Words};

/// What one kind of provider does in its own way.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is also the key of its block in the configuration.
    pub name: &'static str,
    /// Whether it issues ID tokens. Else its API says who somebody is.
    pub issues_id_tokens: bool,
    /// What its words for authentication contexts mean.
    pub acr_words: Vocabulary,
    /// Whether `correlation_id` ties the calls of one sign-in together (dossier 8).
    pub correlates: bool,
    /// How it is told whom to expect.
    pub hint: Hint,
    /// Whether the list of its metadata says in which ways a client may show who it is. Those of carriers are wrong or
    /// missing (dossier 2.1).
    pub lists_auth_methods: bool,
    /// Whether assertions of ours name the client once more, as the claim `client_id` (dossier 10.1).
    pub assertions_name_client: bool,
    /// The algorithms that assertions of ours may be signed with; empty: any.
    pub assertion_algorithms: &'static [&'static str],
    /// Whether its scopes bring the claims that OpenID Connect Core 5.4 says.
    pub has_standard_scopes: bool,
    /// Whether a person can be asked by our server, on their phone (dossier 13); where, the provider's metadata says.
    pub asks_on_phone: bool,
    /// Whether a sign-in tells which network a person is a subscriber of.
    pub names_network: bool,
    /// The claim of its ID tokens in which earlier carriers vouch for who a person was there (dossier 14), if it has one.
    pub port_tokens: Option<&'static str>,
    /// Whether a request may carry a `context`, which the person reads beside the question (dossier 8).
    pub shows_context: bool,
    /// Whether its errors tell of phones, SIMs and apps of carriers (dossier 9.1); else those codes mean nothing.
    pub errors_tell_of_phones: bool,
    /// What its people read of refusals in place of what everybody else does: codes, and texts.
    pub words: &'static [(&'static str, &'static str)],
    /// How it is found out which member a person has, unless the configuration says otherwise.
    pub find: &'static [Way],
    /// How browsers bring networks back; none if they bring none.
    pub network_form: Option<NetworkForm>,
}

/// How a provider is told whom to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// By `login_hint` (Core 3.1.2.1), which may come from whoever begins a sign-in.
    Text,
    /// By `login_hint_token`, which the page that found the carrier gave out (dossier 6). A text would have the carrier ask
    /// for another phone than the one that was found.
    Token,
}

/// The words of ZenKey's carriers: `aalN` is an old spelling of `aN`, `loaN` is withdrawn (dossier 20, row 10), and of `a1`
/// to `a3` the higher one is more.
static ZENKEY_WORDS: Words = Words {
    name: "zenkey",
    old_spellings: &[("aal", Some("a")), ("loa", None)],
    order: &["a1", "a2", "a3"],
    // Carriers mean different things by `a2` (dossier 8).
    in_use: &["a1", "a3"],
    assurance: &[("a1", Assurance::Device), ("a2", Assurance::Device), ("a3", Assurance::Person)],
};

/// Carriers of ZenKey.
pub static ZENKEY: Profile = Profile {
    name: "zenkey",
    issues_id_tokens: true,
    acr_words: Vocabulary::new(&ZENKEY_WORDS),
    correlates: true,
    hint: Hint::Token,
    lists_auth_methods: false,
    assertions_name_client: true,
    assertion_algorithms: &["RS256"],
    has_standard_scopes: false,
    asks_on_phone: true,
    names_network: true,
    port_tokens: Some("aka"),
    shows_context: true,
    errors_tell_of_phones: true,
    words: &[(
        "acr_unmet",
        "This site asks for more than you confirmed with, such as a PIN or a fingerprint. Try again and use it.",
    )],
    find: &[Way::UiWithState],
    network_form: Some(NetworkForm::SixDigits),
};

/// Any OpenID Connect issuer.
pub static OIDC: Profile = PLAIN;

/// An OAuth 2.0 provider without ID tokens.
pub static OAUTH2: Profile = Profile { name: "oauth2", issues_id_tokens: false, has_standard_scopes: false, ..PLAIN };

/// What the standard says, and nothing else.
const PLAIN: Profile = Profile {
    name: "oidc",
    issues_id_tokens: true,
    acr_words: Vocabulary::PLAIN,
    correlates: false,
    hint: Hint::Text,
    lists_auth_methods: true,
    assertions_name_client: false,
    assertion_algorithms: &[],
    has_standard_scopes: true,
    asks_on_phone: false,
    names_network: false,
    port_tokens: None,
    shows_context: false,
    errors_tell_of_phones: false,
    words: &[],
    find: &[Way::Fixed],
    network_form: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_words_have_old_spellings_and_an_order() {
        let words = ZENKEY.acr_words;
        assert_eq!(words.normal("aal2").as_deref(), Some("a2"));
        assert_eq!(words.normal("loa2"), None);
        assert!(words.is_met("a3", "a1") && !words.is_met("a1", "a3"));
        assert!(!OIDC.acr_words.is_met("a3", "a1"), "a plain issuer's words mean themselves");
    }
}
