//! Routes: distinct, outside our own prefix, with upstreams that are not ourselves.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::claims::rank;
use super::matching::{conditions_of, name_of};
use super::own_answer::maintenance;
use super::provider::Provider;
use super::{Resolver, bytes, origins, time, values};
use crate::config::fault::shown;
use crate::config::file::{
    AccessWord, AssuranceWord, EncodingWord, File, HeaderEntry, IdentityHeadersFile, List, PathsWord, PresetWord,
    RequireFile, RouteFile, TooLongWord, WebSocketEntry, WebSocketOrigins,
};
use crate::config::form::Written;
use crate::config::validate::join;
use crate::gateway::ListenerSettings;
use crate::identity::headers::{
    Encoding, HeaderFault, HeaderPlan, HeaderRule, IdentityHeaderSettings, LINKED_ACCOUNT, OF_MIGRATION, Preset,
    TooLong,
};
use crate::oidc::acr::Assurance;
use crate::policy::Requirement;
use crate::route::{Access, Conditions, Edited, OwnAnswer, Paths, RouteFault, RouteSettings, RouteTable, WebSockets};
use crate::snapshot::BearerSettings;

/// What all routes of a file have in common.
struct Common<'a> {
    prefix: Option<&'a str>,
    body: Option<u64>,
    providers: &'a [Provider],
    /// Whether people may bring their account along from one carrier to another.
    migrates: bool,
    bearer: &'a BearerSettings,
    cors_origins: Vec<String>,
    listeners: Vec<(&'static str, SocketAddr)>,
}

impl Resolver<'_> {
    pub(super) fn routes(
        &mut self,
        file: &File,
        providers: &[Provider],
        bearer: &BearerSettings,
        listeners: &[ListenerSettings],
    ) -> Vec<RouteSettings> {
        let common = Common {
            prefix: file.prefix.as_ref().map(|prefix| prefix.0.0.as_str()),
            body: file.limits.as_ref().and_then(|limits| limits.body.as_ref()).map(|body| body.0.0.bytes),
            providers,
            migrates: providers.iter().any(Provider::lets_people_migrate),
            bearer,
            cors_origins: origins(file.cors_origins.as_ref()),
            listeners: listeners
                .iter()
                .filter_map(|listener| Some(("listen", listener.address.tcp()?)))
                .chain(file.admin_listen.as_ref().map(|listen| ("admin_listen", listen.0.0)))
                .collect(),
        };
        let mut places: HashMap<(String, &str), Vec<(usize, Conditions)>> = HashMap::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut routes = Vec::new();
        for (index, route) in file.routes.iter().flat_map(List::items) {
            let key = format!("routes[{index}]");
            if let (Some(host), Some(path)) = (&route.host, &route.path) {
                let here = (host.0.0.clone(), path.0.0.as_str());
                let conditions = self.conditions(&key, route);
                let others = places.entry(here).or_default();
                if let Some((earlier, _)) = others.iter().find(|(_, other)| other.clash(&conditions)) {
                    // Q01. Two answers to one question: which of them protects would depend on their order.
                    let (host, path) = (&host.0.0, &path.0.0);
                    let text = format!(
                        "{host}{path} is already routes[{earlier}]; each host and path has one route, or several whose \
                         `exact`, `headers` and `methods` say which of them is meant"
                    );
                    let at = if self.is_given(&format!("{key}.path")) { "path" } else { "host" };
                    self.fault(&format!("{key}.{at}"), text);
                } else {
                    let name = name_of(route, &host.0.0, &path.0.0, &conditions);
                    others.push((index, conditions));
                    if let Some(earlier) = names.insert(name.clone(), index) {
                        let text = format!("{} is already the name of routes[{earlier}]", shown(&name));
                        self.fault(&format!("{key}.name"), text);
                    }
                }
            }
            routes.extend(self.route(&key, route, &common));
        }
        self.one_rule_each(file, &common, &routes);
        routes
    }

    /// What of two routes together the table finds wrong. Its numbers are ours only if no route is at fault by itself.
    fn one_rule_each(&mut self, file: &File, common: &Common<'_>, routes: &[RouteSettings]) {
        let (Some(prefix), true) = (common.prefix, routes.len() == file.routes.iter().flat_map(List::items).count())
        else {
            return;
        };
        let faults = RouteTable::compile_beside(prefix, routes.to_vec()).err().unwrap_or_default();
        for fault in faults {
            if let RouteFault::OtherRulesBelow { first, second } = fault {
                let text = format!(
                    "`as-is` needs one set of rules below it, and routes[{second}] (`{}`) lies there with others; give both the \
                     same access, require, identity_headers and upstream, or a host of its own to one of them",
                    routes.get(second).map_or("", |route| route.name.as_str())
                );
                self.fault(&format!("routes[{first}].paths"), text);
            }
        }
    }

    fn route(&mut self, key: &str, file: &RouteFile, common: &Common<'_>) -> Option<RouteSettings> {
        if let (Some(path), Some(prefix)) = (&file.path, common.prefix)
            && path.0.0.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            let text =
                format!("{} lies under the gateway's own prefix (\"{prefix}\"); choose another", shown(&path.0.0));
            self.fault(&format!("{key}.path"), text);
        }
        let access = file.access.map(|access| match access {
            AccessWord::Anonymous => Access::Anonymous,
            AccessWord::Bearer => Access::Bearer,
            AccessWord::Session => Access::Session,
            AccessWord::SessionOrBearer => Access::SessionOrBearer,
        });
        if access == Some(Access::Anonymous) && file.require.is_some() {
            let text =
                "demands something of people whom `access: anonymous` does not ask who they are; write `session`";
            self.fault(&format!("{key}.require"), text);
        }
        let require = self.require(key, file.require.as_ref(), access, common);
        let linked_account = self.linked_account(key, file, access, common.migrates);
        self.told_sims(key, file, common.providers);
        let token = self.token_demand(key, file, access, common.bearer);
        let identity_headers = self.identity_headers(key, file.identity_headers.as_ref(), access, common);
        let request_headers = self.edits(
            &format!("{key}.request_headers"),
            file.request_headers.as_ref(),
            Edited::Requests,
            &identity_headers,
        );
        let response_headers = self.edits(
            &format!("{key}.response_headers"),
            file.response_headers.as_ref(),
            Edited::Answers,
            &identity_headers,
        );
        let upstream = self.upstream(key, file, &common.listeners);
        let own_answer = self.own_answer(key, file, file.path.as_ref().map_or("/", |path| path.0.0.as_str()));
        let (host, path) = (&file.host.as_ref()?.0.0, &file.path.as_ref()?.0.0);
        let conditions = conditions_of(file);
        Some(RouteSettings {
            name: name_of(file, host, path, &conditions),
            host: host.clone(),
            path: path.clone(),
            conditions,
            paths: match file.paths? {
                PathsWord::Strict => Paths::Strict,
                PathsWord::AsIs => Paths::AsIs,
            },
            access: access?,
            require,
            linked_account,
            token,
            cors_origins: file
                .cors_origins
                .as_ref()
                .map_or_else(|| common.cors_origins.clone(), |list| origins(Some(list))),
            inner_path: match &own_answer {
                None => self.inner_path(key, file, path),
                Some(OwnAnswer::Redirect { appends: true, .. }) if path != "/" => Some("/".to_owned()),
                Some(_) => None,
            },
            maintenance: maintenance(file.maintenance.as_ref()),
            own_answer,
            request_headers,
            response_headers,
            upstream: upstream?,
            identity_headers,
            max_body: file.max_body.as_ref().map(|size| size.0.0.bytes).or(common.body)?,
            pass_authorization: file.pass_authorization.unwrap_or(access == Some(Access::Anonymous)),
            preserve_header_case: file.preserve_header_case?,
            providers: self.route_providers(key, file, common),
            websocket: websockets(file.websocket.as_ref()?),
            attributes_for: self.attributes_for(key, file.require.as_ref(), access),
            step_up_context: file.step_up.as_ref().and_then(|step_up| Some(step_up.context.as_ref()?.0.0.clone())),
        })
    }

    /// What stands in the place of the route's path towards the app.
    fn inner_path(&mut self, key: &str, file: &RouteFile, path: &str) -> Option<String> {
        let strips = file.strip_prefix.unwrap_or(false);
        let inner = file.replace_prefix.as_ref().map(|Written(inner)| inner.0.clone());
        if strips && inner.is_some() {
            let text = "and `strip_prefix` both say what stands in the place of `path`; remove one of them";
            self.fault(&format!("{key}.replace_prefix"), text);
        }
        if strips && path == "/" {
            self.fault(&format!("{key}.strip_prefix"), "has nothing to take away from `path: /`; remove it");
        }
        inner.or_else(|| strips.then(|| "/".to_owned())).filter(|inner| inner != path)
    }

    /// Whether the route wants a linked account, where links are those of the people who come.
    fn linked_account(&mut self, key: &str, file: &RouteFile, access: Option<Access>, migrates: bool) -> bool {
        let has_accounts = self.is_given("accounts");
        let headers = file.identity_headers.as_ref().and_then(|headers| headers.map.as_ref());
        for (name, entry) in headers.into_iter().flatten() {
            let claim = match entry {
                HeaderEntry::Claim(claim) => Some(claim),
                HeaderEntry::Full(full) => full.claim.as_ref(),
            };
            if claim.is_some_and(|claim| OF_MIGRATION.contains(&claim.0.0.as_str())) && !migrates {
                let text =
                    "carries what is known of people who move between carriers, and none may; see `migrates_from`";
                self.fault(&join(&format!("{key}.identity_headers.map"), name), text);
            }
            if claim.is_some_and(|claim| claim.0.0 == LINKED_ACCOUNT) && !has_accounts {
                let text = "carries an account that nobody is linked to; write `accounts: {}` to have links";
                self.fault(&join(&format!("{key}.identity_headers.map"), name), text);
            }
        }
        let key = format!("{key}.require");
        let Some(require) = &file.require else { return false };
        if require.claims.as_ref().is_some_and(|claims| claims.contains_key(LINKED_ACCOUNT)) {
            self.fault(
                &format!("{key}.claims"),
                "no issuer says `linked_account`; write `require: { linked_account: true }`",
            );
        }
        let wanted = require.linked_account.unwrap_or(false);
        let key = format!("{key}.linked_account");
        if wanted && !has_accounts {
            self.fault(&key, "demands an account that nobody is linked to; write `accounts: {}` to have links");
        }
        if wanted && access.is_some_and(Access::takes_tokens) {
            self.fault(&key, "is for `access: session`: links are those of people who sign in, and no token has one");
        }
        wanted
    }

    /// The providers that a route names, each of which must be there.
    fn route_providers(&mut self, key: &str, file: &RouteFile, common: &Common<'_>) -> Vec<String> {
        let ids = values(file.providers.as_ref(), |id| id.0.0.clone());
        for (index, id) in ids.iter().enumerate() {
            // Where the providers themselves are at fault, their faults are enough.
            if !common.providers.is_empty() && !common.providers.iter().any(|provider| provider.id == *id) {
                let text = format!("{} is the id of none of `providers`", shown(id));
                self.fault(&format!("{key}.providers[{index}]"), text);
            }
        }
        ids
    }

    fn require(
        &mut self,
        key: &str,
        file: Option<&RequireFile>,
        access: Option<Access>,
        common: &Common<'_>,
    ) -> Requirement {
        let Some(file) = file else { return Requirement::default() };
        // Where people come from providers with different words, no word is more than another: each may mean anything by it.
        let mut vocabularies = common.providers.iter().map(Provider::acr_vocabulary);
        let acr_vocabulary = vocabularies.next().filter(|first| vocabularies.all(|other| other == *first));
        let acr_vocabulary = acr_vocabulary.unwrap_or_default();
        let acr = self.acr_words(&format!("{key}.require.acr"), file.acr.as_ref(), acr_vocabulary);
        // What a sign-in asks for says nothing about tokens.
        let providers = if access.is_some_and(Access::takes_sessions) { common.providers } else { &[] };
        let none = |asks: &dyn Fn(&Provider) -> bool| !providers.is_empty() && !providers.iter().any(asks);
        if !acr.is_empty() && none(&|provider| acr.iter().any(|one| provider.acr_values.contains(one))) {
            self.warn(
                &format!("{key}.require.acr"),
                "demands what no sign-in asks for; add it to the provider's acr_values",
            );
        }
        let domains = values(file.email_domains.as_ref(), |domain| domain.0.0.clone());
        if !domains.is_empty() && none(&|provider| provider.scopes.iter().any(|scope| scope == "email")) {
            let text = "demands an e-mail address that no sign-in asks for; add `email` to the provider's scopes";
            self.warn(&format!("{key}.require.email_domains"), text);
        }
        for issuer in providers.iter().flat_map(Provider::issuers).filter(|_| !domains.is_empty()) {
            self.email_can_be_verified(&format!("{key}.require.email_domains"), &issuer.issuer, &issuer.claims);
        }
        for name in file.claims.iter().flatten().map(|(name, _)| name) {
            self.claim_name(&join(&format!("{key}.require.claims"), name), name, access);
        }
        let claims = file.claims.iter().flatten();
        let claims = claims
            .map(|(name, wanted)| (name.clone(), wanted.items().into_iter().map(|(_, value)| value.clone()).collect()));
        let attributes = values(file.attributes.as_ref(), |name| name.0.0.clone());
        for (index, name) in attributes.iter().enumerate() {
            self.claim_name(&format!("{key}.require.attributes[{index}]"), name, access);
        }
        let groups = file.amr.iter().flat_map(List::items).map(|(_, group)| group.items());
        let amr = groups.map(|group| group.into_iter().map(|(_, method)| method.0.0.clone()).collect());
        Requirement {
            acr,
            acr_vocabulary,
            assurance: file.assurance.map(|word| self.assurance(key, word, access, common)),
            max_auth_age: file.max_auth_age.as_ref().map(|age| time(Some(age))),
            amr: amr.collect(),
            claims: claims.collect(),
            attributes,
            email_domains: domains,
            sim_tenure: self.sim_rule(key, file, access, common.providers),
        }
    }

    /// What people are told who keep an attribute back; only people can share more.
    fn attributes_for(&mut self, key: &str, file: Option<&RequireFile>, access: Option<Access>) -> Option<String> {
        let file = file?;
        if file.attributes_for.is_some() && file.attributes.is_none() {
            let text = "is for `attributes`, and there are none; write them, or remove it";
            self.fault(&format!("{key}.require.attributes_for"), text);
        }
        if file.attributes.is_some() && access.is_some_and(Access::takes_tokens) {
            let text = "is for `access: session`: nobody asks the person behind a token; write a rule in `claims`";
            self.fault(&format!("{key}.require.attributes"), text);
        }
        file.attributes_for.as_ref().map(|text| text.0.0.clone())
    }

    /// The rank that a route demands; a fault if nobody can ever have it.
    fn assurance(&mut self, key: &str, word: AssuranceWord, access: Option<Access>, common: &Common<'_>) -> Assurance {
        let wanted = rank(word);
        let by_session = access.is_some_and(Access::takes_sessions)
            && common.providers.iter().any(|provider| {
                let words = provider.acr_vocabulary();
                provider.assurance.iter().any(|(_, found)| *found >= wanted) || words.assuring(wanted).next().is_some()
            });
        let by_token = access.is_some_and(Access::takes_tokens)
            && common.bearer.issuers.iter().any(|issuer| !issuer.words_assuring(wanted).is_empty());
        if access.is_some() && !common.providers.is_empty() && !by_session && !by_token {
            let text = format!(
                "demands `{}`, and of no word of an issuer it is known that it assures as much; say so in `assurance` of \
                 the provider, or of an issuer in `bearer.issuers`",
                wanted.as_str()
            );
            self.fault(&format!("{key}.require.assurance"), text);
        }
        wanted
    }

    fn identity_headers(
        &mut self,
        key: &str,
        file: Option<&IdentityHeadersFile>,
        access: Option<Access>,
        common: &Common<'_>,
    ) -> IdentityHeaderSettings {
        let key = format!("{key}.identity_headers");
        let carriers = |provider: &Provider| provider.settings.federation.profile.names_network;
        let default = match access {
            None | Some(Access::Anonymous) => Vec::new(),
            Some(_) if common.providers.is_empty() => Vec::new(),
            Some(_) if common.providers.iter().all(carriers) => vec![Preset::Zenkey],
            Some(_) => vec![Preset::XAuthRequest],
        };
        let Some(file) = file else {
            return IdentityHeaderSettings { presets: default, ..IdentityHeaderSettings::default() };
        };
        let presets = match &file.preset {
            None if file.map.is_some() => Vec::new(),
            None => default,
            Some(words) => {
                let mut presets = Vec::new();
                for (index, word) in words.items() {
                    let preset = match word {
                        PresetWord::RemoteUser => Preset::RemoteUser,
                        PresetWord::XAuthRequest => Preset::XAuthRequest,
                        PresetWord::XForwarded => Preset::XForwarded,
                        PresetWord::Zenkey => Preset::Zenkey,
                    };
                    if presets.contains(&preset) {
                        self.fault(&format!("{key}.preset[{}]", index.unwrap_or(0)), "stands twice");
                    }
                    presets.push(preset);
                }
                presets
            }
        };
        let mut map: Vec<HeaderRule> = Vec::new();
        for (name, entry) in file.map.iter().flatten() {
            let (claim, encoding, too_long) = match entry {
                HeaderEntry::Claim(claim) => (claim, Encoding::default(), TooLong::default()),
                HeaderEntry::Full(full) => {
                    let Some(claim) = &full.claim else { continue };
                    let encoding = match full.encoding {
                        Some(EncodingWord::Ascii) => Encoding::Ascii,
                        Some(EncodingWord::Base64Url) => Encoding::Base64Url,
                        Some(EncodingWord::Percent) | None => Encoding::Percent,
                    };
                    let too_long = match full.too_long {
                        Some(TooLongWord::Refuse) => TooLong::Refuse,
                        Some(TooLongWord::Truncate) => TooLong::Truncate,
                        Some(TooLongWord::LeaveOut) | None => TooLong::LeaveOut,
                    };
                    (claim, encoding, too_long)
                }
            };
            self.claim_name(&join(&format!("{key}.map"), name), &claim.0.0, access);
            map.push(HeaderRule { name: name.clone(), claim: claim.0.0.clone(), encoding, too_long });
        }
        let (max_value, max_total) = (bytes(file.max_value.as_ref()), bytes(file.max_total.as_ref()));
        if max_value > max_total && self.is_given(&format!("{key}.max_value")) {
            self.fault(&format!("{key}.max_value"), "is more than max_total, of which it is a part");
        }
        let settings = IdentityHeaderSettings { presets, map, max_value, max_total };
        for fault in HeaderPlan::compile(&settings).err().unwrap_or_default() {
            let name = match &fault {
                HeaderFault::Duplicate { second: name, .. }
                | HeaderFault::ClaimMissing { name }
                | HeaderFault::Forbidden { name }
                | HeaderFault::Invalid { name } => join(&format!("{key}.map"), name),
            };
            self.fault(&name, fault.to_string());
        }
        settings
    }
}

fn websockets(entry: &WebSocketEntry) -> WebSockets {
    match entry {
        WebSocketEntry::Switch(true) => WebSockets::SameOrigin,
        WebSocketEntry::Switch(false) => WebSockets::Off,
        WebSocketEntry::Of(file) => match &file.origins {
            Some(WebSocketOrigins::Any(_)) => WebSockets::Any,
            Some(WebSocketOrigins::Listed(list)) => WebSockets::Origins(origins(Some(list))),
            None => WebSockets::SameOrigin,
        },
    }
}
