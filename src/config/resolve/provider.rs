//! Providers: one federation, distinct issuers, scopes that can work.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::members::known;
use super::{Resolver, bytes, count, time, values};
use crate::carrier::find::Way;
use crate::carrier::port_token::PortTokenSettings;
use crate::carrier::profile;
use crate::config::fault::shown;
use crate::config::file::{
    File, IssuerEntry, IssuerFile, List, MemberClientFile, OAuth2File, OidcFile, PortTokensFile, ProviderFile,
    ResponseModeWord, ZenkeyFile,
};
use crate::config::form::Written;
use crate::config::form::address::ProxyUrl;
use crate::config::form::text::Scope;
use crate::oidc::acr::{Assurance, Vocabulary};
use crate::oidc::authorization::RequestSettings;
use crate::oidc::client_auth::ClientAuthentication;
use crate::provider::{DiscoveryAddresses, FederationSettings, IssuerSettings, OutboundProxy, ProviderSettings};

/// What a provider's section says, for its two consumers.
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) settings: ProviderSettings,
    pub(super) scopes: Vec<String>,
    pub(super) acr_values: Vec<String>,
    pub(super) require_acr: bool,
    pub(super) assurance: Vec<(String, Assurance)>,
    pub(super) request: RequestSettings,
    pub(super) form_post: bool,
    pub(super) port_tokens: PortTokenSettings,
    pub(super) member_redirect_uris: bool,
    pub(super) remember_carrier: Option<Duration>,
}

impl Provider {
    /// Issuers that people sign in with.
    pub(super) fn issuers(&self) -> &[IssuerSettings] {
        &self.settings.federation.members
    }

    /// Whether people may bring their account along from one of these to another.
    pub(super) fn lets_people_migrate(&self) -> bool {
        self.issuers().iter().any(|member| !member.migrates_from.is_empty())
    }

    /// What the words for authentication contexts mean at these.
    pub(super) fn acr_vocabulary(&self) -> Vocabulary {
        self.settings.federation.profile.acr_words
    }
}

/// What both kinds of federation have.
struct Common {
    federation: FederationSettings,
    client_id: String,
    authentication: ClientAuthentication,
    request: RequestSettings,
    userinfo: bool,
    scopes: Vec<String>,
    acr_values: Vec<String>,
    require_acr: bool,
    assurance: Vec<(String, Assurance)>,
    form_post: bool,
    port_tokens: PortTokenSettings,
}

impl Resolver<'_> {
    /// Everybody who vouches for people: the one of `provider`, or all of `providers`. Empty if there is a fault.
    pub(super) fn providers(&mut self, file: &File) -> Vec<Provider> {
        match (self.is_given("provider"), self.is_given("providers")) {
            (false, false) => {
                self.fault("provider", "is missing; expected a block with `zenkey`, `oidc` or `oauth2`");
                Vec::new()
            }
            (true, true) => {
                self.fault("providers", "stands beside provider; make that one of its entries, with an `id`");
                Vec::new()
            }
            (true, false) => {
                for key in ["provider.id", "provider.name"] {
                    if self.is_given(key) {
                        self.fault(
                            key,
                            "tells one of `providers` from the others; there are no others here, remove it",
                        );
                    }
                }
                file.provider.as_ref().and_then(|provider| self.provider("provider", provider)).into_iter().collect()
            }
            (false, true) => file.providers.as_ref().map(|list| self.several(list)).unwrap_or_default(),
        }
    }

    fn several(&mut self, list: &List<ProviderFile>) -> Vec<Provider> {
        let mut providers: Vec<Provider> = Vec::new();
        for (index, file) in list.items() {
            let section = format!("providers[{}]", index);
            let provider = self.provider(&section, file);
            let Some(id) = &file.id else {
                if !self.is_given(&format!("{section}.id")) {
                    self.fault(&section, "lacks an `id`; write a short one, such as `staff`");
                }
                continue;
            };
            let Some(provider) = provider else { continue };
            if providers.iter().any(|earlier| earlier.id == id.0.0) {
                self.fault(&format!("{section}.id"), format!("{} stands twice", shown(&id.0.0)));
            }
            // People are known by issuer and subject: of two entries that both speak for an issuer, neither could say
            // whose rules somebody signed in by.
            for issuer in provider.issuers().iter().flat_map(IssuerSettings::named) {
                let same = |known: &&str| plain_spelling(known) == plain_spelling(issuer);
                let mut earlier = providers
                    .iter()
                    .map(|earlier| (earlier, earlier.issuers().iter().flat_map(IssuerSettings::named).find(same)));
                if let Some((earlier, Some(known))) = earlier.find(|(_, known)| known.is_some()) {
                    let (id, shown) = (&earlier.id, shown(issuer));
                    let text = if known == issuer {
                        format!("{shown} is an issuer of `{id}` already; name each once")
                    } else {
                        format!("{shown} is an issuer of `{id}` in another spelling; name each once, in its exact one")
                    };
                    self.fault(&section, text);
                }
            }
            providers.push(provider);
        }
        providers
    }

    fn provider(&mut self, section: &str, file: &ProviderFile) -> Option<Provider> {
        let [connect, total, refresh, stale] = ["connect_timeout", "total_timeout", "jwks_refresh", "jwks_max_stale"]
            .map(|key| format!("{section}.{key}"));
        if self.is_given(&connect) {
            let total = (total.as_str(), file.total_timeout.as_ref());
            self.at_most((&connect, file.connect_timeout.as_ref()), total);
        }
        let stale = (stale.as_str(), file.jwks_max_stale.as_ref());
        self.at_most((&refresh, file.jwks_refresh.as_ref()), stale);
        let ca_file = file.ca_file.as_ref().map(|path| self.ca_file(section, &path.0.0));
        let [zenkey_key, oidc_key, oauth2_key] = ["zenkey", "oidc", "oauth2"].map(|kind| format!("{section}.{kind}"));
        match [&zenkey_key, &oidc_key, &oauth2_key].into_iter().filter(|key| self.is_given(key)).count() {
            0 => self.fault(section, "has none of zenkey, oidc and oauth2; write one of them"),
            1 => {}
            _ => {
                let text =
                    "has more than one of zenkey, oidc and oauth2; write one, or make each an entry of `providers`";
                self.fault(section, text);
            }
        }
        self.issuer_addresses(section, file);
        let zenkey = file.zenkey.as_ref().and_then(|zenkey| self.zenkey(&zenkey_key, zenkey));
        let oidc = file.oidc.as_ref().and_then(|oidc| self.oidc(&oidc_key, oidc));
        let id = file.id.as_ref().map(|id| id.0.0.clone()).unwrap_or_default();
        let oauth2 = file.oauth2.as_ref().and_then(|oauth2| self.oauth2(&oauth2_key, oauth2));
        let common = zenkey.or(oidc).or(oauth2)?;
        Some(Provider {
            name: file.name.as_ref().map_or_else(|| id.clone(), |name| name.0.0.clone()),
            id,
            settings: ProviderSettings {
                section: section.to_owned(),
                federation: common.federation,
                token_issuers: Vec::new(),
                key_memory: None,
                client_id: common.client_id,
                authentication: common.authentication,
                userinfo: common.userinfo,
                backchannel_base_url: self.backchannel(&oidc_key, file.oidc.as_ref()),
                endpoints: self.endpoints(&oidc_key, file.oidc.as_ref()),
                allow_plain_http: file.oidc.as_ref().is_some_and(|oidc| oidc.allow_plain_http == Some(true)),
                proxy: self.proxy(section, file),
                connect_timeout: time(file.connect_timeout.as_ref()).min(time(file.total_timeout.as_ref())),
                total_timeout: time(file.total_timeout.as_ref()),
                sim_tenure_timeout: time(file.sim_tenure_timeout.as_ref()),
                max_answer: bytes(file.max_answer.as_ref()),
                max_id_token: bytes(file.max_id_token.as_ref()),
                ca_file,
                allow_private_addresses: file.allow_private_addresses?,
                jwks_refresh: time(file.jwks_refresh.as_ref()),
                jwks_max_stale: time(file.jwks_max_stale.as_ref()),
                jwks_cooldown: time(file.jwks_cooldown.as_ref()),
                metadata_max_age: time(file.metadata_max_age.as_ref()),
            },
            scopes: common.scopes,
            acr_values: common.acr_values,
            require_acr: common.require_acr,
            assurance: common.assurance,
            request: common.request,
            form_post: common.form_post,
            port_tokens: common.port_tokens,
            member_redirect_uris: file
                .zenkey
                .as_ref()
                .is_some_and(|zenkey| zenkey.redirect_uri_per_carrier == Some(true)),
            remember_carrier: file
                .zenkey
                .as_ref()
                .and_then(|zenkey| zenkey.remember_carrier.as_ref())
                .map(|age| time(Some(age))),
        })
    }

    /// Another address for what we ask ourselves. What plain http risks is said at every check.
    fn backchannel(&mut self, section: &str, file: Option<&OidcFile>) -> Option<Url> {
        let url = file?.backchannel_base_url.as_ref()?.0.0.clone();
        if url.scheme() == "http" {
            let text = "is plain http: whoever is on the way reads the client secret and can sign in as anybody";
            self.warn(&format!("{section}.backchannel_base_url"), text);
        }
        Some(url)
    }

    /// The forward proxy: the configured one, or that of the environment.
    fn proxy(&mut self, section: &str, file: &ProviderFile) -> Option<OutboundProxy> {
        if let Some(proxy) = &file.proxy {
            let exempt = values(file.no_proxy.as_ref(), |host| host.0.0.clone()).join(",");
            return proxy.0.url().map(|url| OutboundProxy { url, exempt });
        }
        let env = |names: [&str; 2]| {
            names.into_iter().find_map(|name| self.surroundings.env(name)).filter(|text| !text.is_empty())
        };
        let text = env(["HTTPS_PROXY", "https_proxy"])?;
        let exempt = env(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        match ProxyUrl::from_environment(&text) {
            Ok(proxy) => proxy.url().map(|url| OutboundProxy { url, exempt }),
            Err(_) => {
                // The value is not shown: it may hold a password.
                let text = "is missing, and HTTPS_PROXY of the environment is not used: it is no `http://host:port`, or `http://user:password@host:port`";
                self.warn(&format!("{section}.proxy"), text);
                None
            }
        }
    }

    /// Whether it is readable is asked now: a bundle that is missing must not turn into "trust what there is".
    fn ca_file(&mut self, section: &str, path: &str) -> PathBuf {
        let path = self.base.join(path);
        match self.surroundings.read(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::FileTooLarge => {
                self.fault(
                    &format!("{section}.ca_file"),
                    format!("{} cannot be read: {}", shown(&path.to_string_lossy()), error.kind()),
                );
            }
            _ => {}
        }
        path
    }

    fn zenkey(&mut self, section: &str, file: &ZenkeyFile) -> Option<Common> {
        let authentication = self.authentication(section, file, &profile::ZENKEY);
        if !self.is_given(&format!("{section}.client_secret")) && file.client_keys.is_none() {
            let text = "is missing; write it, or `client_keys`: carriers take no public clients";
            self.fault(&format!("{section}.client_secret"), text);
        } else {
            self.something_to_seal_with(section);
        }
        let scopes = self.scopes(&format!("{section}.scopes"), file.scopes.as_ref());
        let mut trusted: Vec<IssuerSettings> = Vec::new();
        let mut keys = Vec::new();
        for (index, entry) in file.trusted_issuers.iter().flat_map(List::items) {
            let mut key = format!("{section}.trusted_issuers[{index}]");
            let settings = match entry {
                IssuerEntry::Name(name) => IssuerSettings {
                    allowed_hosts: known(&name.0.0),
                    ..IssuerSettings::of(key.as_str(), name.0.0.as_str())
                },
                IssuerEntry::Full(full) => {
                    let Some(issuer) = &full.issuer else { continue };
                    let (absent, split) = (full.email_verified_absent, full.split_claims.as_ref());
                    let claims = self.claim_rules(&key, full.accept_unverified_contacts, absent, split);
                    let block = key.clone();
                    key.push_str(".issuer");
                    let id = full.id.as_ref().map(|id| id.0.0.clone()).unwrap_or_default();
                    let own = full.client.as_ref().map(|client| self.own_authentication(&block, full, client));
                    IssuerSettings {
                        name: full.name.as_ref().map_or_else(|| id.clone(), |name| name.0.0.clone()),
                        id,
                        networks: full
                            .networks
                            .iter()
                            .flat_map(List::items)
                            .filter_map(|(_, word)| word.0.network())
                            .collect(),
                        client_id: full.client.as_ref().and_then(|client| Some(client.client_id.as_ref()?.0.0.clone())),
                        authentication: own,
                        allowed_hosts: match &full.allowed_hosts {
                            Some(hosts) => values(Some(hosts), |host| host.0.0.clone()),
                            None => known(&issuer.0.0),
                        },
                        differs: full.differs.as_ref().map(|differs| self.differs(&block, differs)).unwrap_or_default(),
                        algorithms: values(full.algorithms.as_ref(), |algorithm| algorithm.0.0.clone()),
                        accept_at_jwt_typ: full.accept_at_jwt_typ.unwrap_or(false),
                        claims,
                        migrates_from: values(full.migrates_from.as_ref(), |issuer| issuer.0.0.clone()),
                        ..IssuerSettings::of(block, issuer.0.0.as_str())
                    }
                }
            };
            trusted.push(settings);
            keys.push(key);
        }
        self.distinct_issuers(&trusted, &keys);
        self.migrations(section, file, &trusted);
        self.distinct_networks(&trusted);
        for (index, member) in trusted.iter().enumerate().filter(|(_, member)| !member.id.is_empty()) {
            if trusted[..index].iter().any(|earlier| earlier.id == member.id) {
                self.fault(&format!("{}.id", member.key), format!("{} stands twice", shown(&member.id)));
            }
        }
        self.proofs_can_be_signed(&trusted, &authentication);
        let find = self.ways(section, file, &trusted, &authentication);
        let acr_values =
            self.acr_words(&format!("{section}.acr_values"), file.acr_values.as_ref(), profile::ZENKEY.acr_words);
        Some(Common {
            federation: FederationSettings {
                profile: &profile::ZENKEY,
                discovery: find.iter().any(|way| *way != Way::Picker).then_some(DiscoveryAddresses {
                    issuer: file.discovery_issuer.as_ref()?.0.0.clone(),
                    ui: file.discovery_ui.as_ref()?.0.0.clone(),
                    optimized: file.optimized_discovery.as_ref()?.0.0.clone(),
                }),
                find,
                members: trusted,
                api: None,
            },
            client_id: file.client_id.as_ref()?.0.0.clone(),
            authentication,
            request: RequestSettings::default(),
            userinfo: file.userinfo.unwrap_or(scopes.len() > 1),
            scopes,
            acr_values,
            require_acr: file.require_acr?,
            assurance: Vec::new(),
            form_post: false,
            port_tokens: port_tokens(file.port_tokens.as_ref()),
        })
    }

    /// Whose people each carrier may bring along: each of the list, and its own only where the operator says that too.
    fn migrations(&mut self, section: &str, file: &ZenkeyFile, trusted: &[IssuerSettings]) {
        let mut any = false;
        let same = file.port_tokens.as_ref().is_some_and(|said| said.allow_same_issuer == Some(true));
        for member in trusted {
            for (index, old) in member.migrates_from.iter().enumerate() {
                any = true;
                let key = format!("{}.migrates_from[{index}]", member.key);
                if *old == member.issuer && same {
                    let text = "is the carrier itself: whoever can have it say so takes over accounts of its people; take this \
                                away when its move is over";
                    self.warn(&key, text);
                } else if *old == member.issuer {
                    let text = format!(
                        "{} is the carrier itself; nobody moves from it to it, unless `port_tokens.allow_same_issuer` says so",
                        shown(old)
                    );
                    self.fault(&key, text);
                } else if !trusted.iter().any(|known| known.issuer == *old) {
                    let text = format!(
                        "{} is none of {section}.trusted_issuers; list it there, by that very name, so that its word can be checked",
                        shown(old)
                    );
                    self.fault(&key, text);
                }
            }
        }
        if any && !self.is_given("accounts") {
            let text = "is for accounts that people bring along, and nothing is kept of anybody; write `accounts: {}`";
            self.fault(&format!("{section}.trusted_issuers"), format!("`migrates_from` {text}"));
        }
        if file.port_tokens.is_some() && self.is_given(&format!("{section}.port_tokens")) && !any {
            self.warn(&format!("{section}.port_tokens"), "is not used: no carrier has `migrates_from`");
        }
        if same && any && !trusted.iter().any(|member| member.migrates_from.contains(&member.issuer)) {
            let text = "changes nothing: no carrier stands in its own `migrates_from`";
            self.warn(&format!("{section}.port_tokens.allow_same_issuer"), text);
        }
    }

    /// What we have to show one carrier, and no other.
    fn own_authentication(&mut self, key: &str, file: &IssuerFile, client: &MemberClientFile) -> ClientAuthentication {
        if file.id.is_none() && !self.is_given(&format!("{key}.id")) {
            self.fault(key, "has a `client` and lacks an `id`, by which the carrier finds our keys; write a short one");
        }
        let section = format!("{key}.client");
        if client.client_secret.is_none()
            && client.client_keys.is_none()
            && !self.is_given(&format!("{section}.client_secret"))
        {
            self.fault(&section, "has neither `client_secret` nor `client_keys`; write one, or remove the block");
        }
        self.authentication(&section, client, &profile::ZENKEY)
    }

    fn oidc(&mut self, section: &str, file: &OidcFile) -> Option<Common> {
        let authentication = self.authentication(section, file, &profile::OIDC);
        self.something_to_seal_with(section);
        let request = self.request(section, file);
        let scopes = self.scopes(&format!("{section}.scopes"), file.scopes.as_ref());
        let (absent, split) = (file.email_verified_absent, file.split_claims.as_ref());
        let claims = self.claim_rules(section, file.accept_unverified_contacts, absent, split);
        let acr_values =
            self.acr_words(&format!("{section}.acr_values"), file.acr_values.as_ref(), profile::OIDC.acr_words);
        Some(Common {
            federation: FederationSettings {
                profile: &profile::OIDC,
                find: profile::OIDC.find.to_vec(),
                discovery: None,
                members: vec![IssuerSettings {
                    tenants: self.tenants(section, file),
                    allowed_hosts: values(file.allowed_hosts.as_ref(), |host| host.0.0.clone()),
                    algorithms: values(file.algorithms.as_ref(), |algorithm| algorithm.0.0.clone()),
                    accept_at_jwt_typ: file.accept_at_jwt_typ?,
                    claims,
                    trusted_audiences: values(file.trusted_audiences.as_ref(), |audience| audience.0.0.clone()),
                    ..IssuerSettings::of(section, file.issuer.as_ref()?.0.0.as_str())
                }],
                api: None,
            },
            client_id: file.client_id.as_ref()?.0.0.clone(),
            authentication,
            request,
            userinfo: file.userinfo.unwrap_or(scopes.len() > 1),
            scopes,
            acr_values,
            require_acr: file.require_acr?,
            assurance: self.ladder(&format!("{section}.assurance"), file.assurance.as_ref()),
            form_post: matches!(file.response_mode?, ResponseModeWord::FormPost),
            port_tokens: PortTokenSettings::default(),
        })
    }

    fn oauth2(&mut self, section: &str, file: &OAuth2File) -> Option<Common> {
        let secret = file.client_secret.as_ref().and_then(|secret| self.client_secret(section, secret));
        let api = self.account_api(section, file)?;
        Some(Common {
            federation: FederationSettings {
                profile: &profile::OAUTH2,
                find: profile::OAUTH2.find.to_vec(),
                discovery: None,
                members: vec![IssuerSettings {
                    algorithms: Vec::new(),
                    ..IssuerSettings::of(section, api.issuer.as_str())
                }],
                api: Some(Box::new(api)),
            },
            client_id: file.client_id.as_ref()?.0.0.clone(),
            authentication: ClientAuthentication::with_secret(secret?),
            request: RequestSettings::default(),
            userinfo: false,
            scopes: values(file.scopes.as_ref(), |scope| scope.0.0.clone()),
            acr_values: Vec::new(),
            require_acr: false,
            assurance: Vec::new(),
            form_post: false,
            port_tokens: PortTokenSettings::default(),
        })
    }

    fn scopes(&mut self, key: &str, list: Option<&List<Written<Scope>>>) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for (index, scope) in list.into_iter().flat_map(List::items) {
            if scopes.contains(&scope.0.0) {
                self.fault(&format!("{key}[{index}]"), format!("{} stands twice", shown(&scope.0.0)));
            }
            scopes.push(scope.0.0.clone());
        }
        let whole = list.is_some_and(|list| list.0.iter().all(Option::is_some));
        if whole && !scopes.iter().any(|scope| scope == "openid") {
            self.fault(key, "lacks `openid`, without which there is no ID token; add it");
        }
        scopes
    }

    /// D13, RFC 9700 4.4. If two entries could both be "the issuer", the looser one would speak for the other. The
    /// same place written in two ways (case, default port, trailing slash) counts as the same.
    fn distinct_issuers(&mut self, trusted: &[IssuerSettings], keys: &[String]) {
        for (index, (one, key)) in trusted.iter().zip(keys).enumerate() {
            let earlier = trusted
                .iter()
                .zip(keys)
                .take(index)
                .find(|(other, _)| plain_spelling(&other.issuer) == plain_spelling(&one.issuer));
            if let Some((other, earlier)) = earlier {
                let text = if other.issuer == one.issuer {
                    format!("{} already stands at {earlier}; name each issuer once", shown(&one.issuer))
                } else {
                    format!("{} is the issuer of {earlier} in another spelling; keep the exact one", shown(&one.issuer))
                };
                self.fault(key, text);
            }
        }
    }
}

/// An issuer in a spelling that all spellings of it share: lower-case host, no default port, no slash at the end.
fn plain_spelling(issuer: &str) -> Option<String> {
    Some(Url::parse(issuer).ok()?.as_str().trim_end_matches('/').to_owned())
}

/// What the operator says of port tokens; all of it has a default.
fn port_tokens(file: Option<&PortTokensFile>) -> PortTokenSettings {
    let default = PortTokenSettings::default();
    let Some(file) = file else { return default };
    PortTokenSettings {
        max_age: file.max_age.as_ref().map_or(default.max_age, |age| time(Some(age))),
        sibling_clients: values(file.sibling_clients.as_ref(), |client| client.0.0.clone()),
        any_key_name: file.any_key_name.unwrap_or(default.any_key_name),
        allow_same_issuer: file.allow_same_issuer.unwrap_or(default.allow_same_issuer),
        max_tokens: file.max_tokens.map_or(default.max_tokens, |most| count(Some(most))),
        max_bytes: file.max_bytes.as_ref().map_or(default.max_bytes, |most| bytes(Some(most))),
    }
}
