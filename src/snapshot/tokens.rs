//! Which access tokens a route takes.

use std::sync::Arc;

use crate::oidc::acr::{Assurance, Vocabulary};
use crate::oidc::claims::{ClaimRules, NamedClaims};
use crate::secret::sha256;

/// What the operator says about access tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerSettings {
    /// Issuers, each once.
    pub issuers: Vec<Arc<BearerIssuer>>,
    /// Good tokens kept in memory. Default 100 000.
    pub cache_entries: usize,
    /// Longest token that is looked at, in bytes. Default 16 KiB.
    pub max_token: usize,
    /// Forged tokens that one client may send in a minute. Default 60.
    pub failures_per_minute: u32,
}

/// An issuer of access tokens, and which of its tokens are for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerIssuer {
    /// Exact issuer string.
    pub issuer: String,
    /// Names of our APIs, one of which a token must name; never empty (K05).
    pub audiences: Vec<String>,
    /// Audiences that may stand beside ours.
    pub trusted_audiences: Vec<String>,
    /// Signature algorithms. Default `RS256` alone.
    pub algorithms: Vec<String>,
    /// Accept tokens whose `typ` is missing or `JWT`. Default no.
    pub accept_untyped: bool,
    /// How its claims are read.
    pub claims: ClaimRules,
    /// What its words for authentication contexts mean.
    pub acr_vocabulary: Vocabulary,
    /// What the operator says that they assure, before what is known of them; the lowest first.
    pub assurance: Vec<(String, Assurance)>,
}

impl BearerIssuer {
    /// What the authentication context `acr` of a token assures; `None` if nobody says so.
    pub fn assurance_of(&self, acr: &str) -> Option<Assurance> {
        self.acr_vocabulary.assurance_as_said(&self.assurance, acr)
    }

    /// The words that assure at least `wanted`, the lowest first; empty if there are none here.
    pub fn words_assuring(&self, wanted: Assurance) -> Vec<String> {
        self.acr_vocabulary.assuring_as_said(&self.assurance, wanted)
    }
}

/// Which access tokens one route takes, from which issuers.
#[derive(Debug)]
pub struct TokenRule {
    /// Issuers with the audiences that count here.
    issuers: Box<[TokenIssuer]>,
    /// SHA-256 of everything the configuration says about a token on this route. Routes that say the same share what was
    /// found good; a token for one API is never taken for one for another (CVE-2026-33496).
    digest: [u8; 32],
}

/// An issuer as one route sees it.
#[derive(Debug)]
pub struct TokenIssuer {
    /// What is said of it for all routes.
    pub settings: Arc<BearerIssuer>,
    /// The audiences that count on the route.
    pub audiences: Vec<String>,
}

impl TokenRule {
    /// The rule of a route that narrows the audiences of `issuers` to `narrowed`; an empty list narrows nothing. `named`: what
    /// is read of a token, for all routes.
    pub fn of(issuers: &[Arc<BearerIssuer>], narrowed: &[String], named: &NamedClaims) -> Self {
        let counts = |audience: &&String| narrowed.is_empty() || narrowed.contains(audience);
        let issuers: Box<[TokenIssuer]> = issuers
            .iter()
            .map(|issuer| TokenIssuer {
                settings: Arc::clone(issuer),
                audiences: issuer.audiences.iter().filter(counts).cloned().collect(),
            })
            .collect();
        let mut said = Vec::new();
        for issuer in &issuers {
            issuer.write_to(&mut said);
        }
        said.extend(named.most_bytes().to_le_bytes());
        for name in named.iter() {
            said.extend(name.len().to_le_bytes());
            said.extend_from_slice(name.as_bytes());
        }
        Self { issuers, digest: sha256(&said) }
    }

    /// The issuer that a token claims to come from, if its tokens are taken here.
    pub fn issuer(&self, claimed: &str) -> Option<&TokenIssuer> {
        self.issuers.iter().find(|issuer| issuer.settings.issuer == claimed)
    }

    /// All issuers whose tokens are taken here.
    pub fn issuers(&self) -> impl Iterator<Item = &TokenIssuer> {
        self.issuers.iter()
    }

    /// See the field.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl TokenIssuer {
    /// Everything that a verdict depends on, each text with its length before it: what differs is written differently.
    fn write_to(&self, out: &mut Vec<u8>) {
        let BearerIssuer {
            issuer,
            audiences: _,
            trusted_audiences,
            algorithms,
            accept_untyped,
            claims,
            acr_vocabulary,
            assurance,
        } = &*self.settings;
        let mut text = |text: &str| {
            out.extend(text.len().to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        text(issuer);
        for list in [&self.audiences, trusted_audiences, algorithms] {
            text(&list.len().to_string());
            list.iter().for_each(|item| text(item));
        }
        text(if *accept_untyped { "untyped" } else { "typed" });
        let ClaimRules { split, accept_unverified, absent_is_verified } = claims;
        text(if *accept_unverified { "unverified" } else { "verified" });
        text(if *absent_is_verified { "absent is verified" } else { "absent is absent" });
        text(&split.len().to_string());
        split.iter().flat_map(|(name, separator)| [name, separator]).for_each(|part| text(part));
        text(acr_vocabulary.name());
        text(&assurance.len().to_string());
        assurance.iter().flat_map(|(word, assurance)| [word, assurance.as_str()]).for_each(text);
    }
}
