//! What we are at a provider: how we show it who we are, and what we ask of it each time.

use super::{Resolver, time, values};
use crate::carrier::profile::Profile;
use crate::config::fault::shown;
use crate::config::file::{
    AssertionAudienceWord, AuthMethodWord, List, MemberClientFile, OidcFile, PushedWord, ZenkeyFile,
};
use crate::config::form::Written;
use crate::config::form::text::FilePath;
use crate::config::secret_ref::{SecretFile, SecretRef};
use crate::oidc::authorization::{self, RequestSettings, UiLocales};
use crate::oidc::client_auth::{AssertionAudience, AuthMethod, ClientAuthentication, ClientKey};
use crate::secret::SecretString;

/// What a block says of how we show who we are.
#[derive(Clone, Copy)]
pub(super) struct ClientWords<'f> {
    secret: Option<&'f SecretRef>,
    keys: Option<&'f List<Written<FilePath>>>,
    method: Option<AuthMethodWord>,
    audience: Option<AssertionAudienceWord>,
    untyped: Option<bool>,
}

/// The words of a block that has these keys.
macro_rules! words_of {
    ($($file:ty),+) => {
        $(impl<'f> From<&'f $file> for ClientWords<'f> {
            fn from(file: &'f $file) -> Self {
                Self {
                    secret: file.client_secret.as_ref(),
                    keys: file.client_keys.as_ref(),
                    method: file.token_endpoint_auth_method,
                    audience: file.assertion_audience,
                    untyped: file.assertion_untyped,
                }
            }
        })+
    };
}

words_of!(OidcFile, ZenkeyFile, MemberClientFile);

impl Resolver<'_> {
    /// How we show an issuer who we are. A method that needs what is not there is a fault now, not at the first sign-in.
    pub(super) fn authentication<'f>(
        &mut self,
        section: &str,
        words: impl Into<ClientWords<'f>>,
        profile: &Profile,
    ) -> ClientAuthentication {
        let words = words.into();
        let secret = words.secret.and_then(|secret| self.client_secret(section, secret));
        let keys = self.client_keys(section, words.keys);
        let algorithms = profile.assertion_algorithms;
        for key in keys.iter().filter(|key| !algorithms.is_empty() && !algorithms.contains(&key.algorithm())) {
            let text = format!("hold a key for {}; here only {} is taken", key.algorithm(), algorithms.join(", "));
            self.fault(&format!("{section}.client_keys"), text);
        }
        let method = words.method.map(|word| match word {
            AuthMethodWord::ClientSecretBasic => AuthMethod::ClientSecretBasic,
            AuthMethodWord::ClientSecretPost => AuthMethod::ClientSecretPost,
            AuthMethodWord::ClientSecretJwt => AuthMethod::ClientSecretJwt,
            AuthMethodWord::PrivateKeyJwt => AuthMethod::PrivateKeyJwt,
            AuthMethodWord::None => AuthMethod::None,
        });
        let key = format!("{section}.token_endpoint_auth_method");
        let (has_secret, has_keys) = (self.is_given(&format!("{section}.client_secret")), words.keys.is_some());
        match method {
            Some(AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::ClientSecretJwt)
                if !has_secret =>
            {
                self.fault(&key, "needs `client_secret`; write it, or choose another method");
            }
            Some(AuthMethod::PrivateKeyJwt) if !has_keys => {
                self.fault(&key, "needs `client_keys`; `zengate keys` makes one");
            }
            None if has_secret && has_keys => {
                let text = "is missing: there is a `client_secret` and there are `client_keys`; say which is meant";
                self.fault(&key, text);
            }
            _ => {}
        }
        ClientAuthentication {
            method,
            secret,
            keys,
            assertion_audience: match words.audience {
                Some(AssertionAudienceWord::TokenEndpoint) => AssertionAudience::TokenEndpoint,
                _ => AssertionAudience::Issuer,
            },
            assertion_names_client: profile.assertions_name_client,
            assertion_typ: (words.untyped != Some(true)).then(|| "client-authentication+jwt".to_owned()),
        }
    }

    /// Sessions are sealed by a key that is made of the client secret, unless there are keys for that.
    pub(super) fn something_to_seal_with(&mut self, section: &str) {
        if !self.is_given(&format!("{section}.client_secret")) && !self.is_given("sessions.keys") {
            let text = "is missing: without a client secret there is nothing else to seal sessions with; \
                        `openssl rand -base64 32` makes one";
            self.fault("sessions.keys", text);
        }
    }

    pub(super) fn client_secret(&mut self, section: &str, secret: &SecretRef) -> Option<SecretString> {
        let key = format!("{section}.client_secret");
        let found = self.secret(&key, secret)?;
        self.warn_of_literal(&key, &found);
        Some(found.secret)
    }

    fn client_keys(&mut self, section: &str, files: Option<&List<Written<FilePath>>>) -> Vec<ClientKey> {
        let mut keys: Vec<ClientKey> = Vec::new();
        for (index, path) in files.into_iter().flat_map(List::items) {
            let key = format!("{section}.client_keys[{index}]");
            let Some((name, found)) = self.key_file(&key, path) else { continue };
            match ClientKey::from_pem(&found.bytes) {
                Some(read) if keys.contains(&read) => self.fault(&key, format!("{name} holds a key that stands twice")),
                Some(read) => keys.push(read),
                None => {
                    let text =
                        "holds no private key in PEM (PKCS #8) for Ed25519, P-256 or RSA; `zengate keys` makes one";
                    self.fault(&key, format!("{name} {text}"));
                }
            }
        }
        keys
    }

    /// A file with a private key of ours, and its name as it is told.
    pub(super) fn key_file(&mut self, key: &str, path: &Written<FilePath>) -> Option<(String, SecretFile)> {
        let path = self.base.join(&path.0.0);
        let name = shown(&path.to_string_lossy());
        let found = match self.surroundings.read(&path) {
            Ok(found) => found,
            Err(error) => {
                self.fault(key, format!("{name} cannot be read: {}", error.kind()));
                return None;
            }
        };
        if found.world_readable {
            let text = format!("{name} can be read by every user of this machine; chmod o-r it");
            if self.strict_secrets {
                self.fault(key, format!("{text} (strict_secrets)"));
            } else {
                self.warn(key, text);
            }
        }
        Some((name, found))
    }

    /// What stands in every authorization request.
    pub(super) fn request(&mut self, section: &str, file: &OidcFile) -> RequestSettings {
        let tags = values(file.ui_locales.as_ref(), |tag| tag.0.0.clone());
        let from_browser = tags.iter().any(|tag| tag == "from_browser");
        if from_browser && tags.len() > 1 {
            let text = "has `from_browser` beside languages; write one or the other";
            self.fault(&format!("{section}.ui_locales"), text);
        }
        let mut extra = Vec::new();
        for (name, value) in file.authorization_parameters.iter().flatten() {
            let key = format!("{section}.authorization_parameters.{name}");
            let plain = |text: &str| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
            if authorization::is_ours(name) {
                // A copy of what ties an answer to its request would leave it to the provider which of two counts.
                self.fault(&key, "is written by the gateway itself; it has a key of its own, or none");
            } else if !plain(name) || !plain(value) {
                self.fault(&key, "is not a text of 1 to 1024 bytes without control characters");
            } else {
                extra.push((name.clone(), value.clone()));
            }
        }
        RequestSettings {
            prompt: file.prompt.as_ref().map(|prompt| prompt.0.0.clone()),
            max_age: file.max_age.as_ref().map(|age| time(Some(age))),
            ui_locales: match (from_browser, tags.is_empty()) {
                (true, _) => UiLocales::FromBrowser,
                (false, true) => UiLocales::Unsaid,
                (false, false) => UiLocales::These(tags),
            },
            claims: file.claims.as_ref().map(|claims| claims.0.0.clone()),
            resource: values(file.resource.as_ref(), |resource| resource.0.0.clone()),
            extra,
            always_pushed: file.pushed_authorization_requests == Some(PushedWord::Always),
        }
    }
}
