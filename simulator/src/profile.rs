//! How the recorded carriers differed from one another.

use serde::Serialize;

/// Which recorded carrier a simulated one takes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Numbers for `mccmnc`, odd metadata, `aal` class names, JWT access tokens, `request_denied` for a wrong verifier.
    Att,
    /// Endpoints on unrelated paths, flat user attributes, the secret accepted in the body as well.
    Tmobile,
    /// Blank members in discovery, an issuer with a path, `client_id` beside Basic refused, `expires_in` as text.
    Verizon,
}

/// A carrier's public face: brand, codes and where its endpoints are.
#[derive(Debug)]
pub(super) struct Brand {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) profile: Profile,
    /// The code it gives out itself.
    pub(super) mccmnc: &'static str,
    /// Every code that leads to it.
    pub(super) codes: &'static [&'static str],
    /// Appended to the origin.
    pub(super) issuer_path: &'static str,
    pub(super) authorize_path: &'static str,
    pub(super) token_path: &'static str,
    pub(super) userinfo_path: &'static str,
    pub(super) jwks_path: &'static str,
    /// Where servers begin a sign-in and take it back, if this carrier offers that.
    pub(super) server_initiated: Option<ServerInitiated>,
    /// Scopes that go by another name here: the usual one, and this carrier's.
    pub(super) scopes: &'static [(&'static str, &'static str)],
    /// Errors of its authorization endpoint that go by another name here: the usual one, and this carrier's.
    pub(super) errors: &'static [(&'static str, &'static str)],
}

impl Brand {
    /// The usual name of a scope that it knows; `None` for one that it does not.
    pub(super) fn scope<'a>(&self, asked: &'a str) -> Option<&'a str> {
        match self.scopes.iter().find(|(usual, own)| *own == asked || *usual == asked) {
            Some((usual, own)) if *own == asked => Some(usual),
            Some(_) => None,
            None => Some(asked),
        }
    }

    /// What it calls an error.
    pub(super) fn error<'a>(&self, usual: &'a str) -> &'a str {
        self.errors.iter().find(|(known, _)| *known == usual).map_or(usual, |(_, own)| own)
    }
}

/// How many carriers there are.
pub const CARRIERS: usize = 4;

/// The two endpoints of the server-initiated flow, and the name the first goes by in the metadata.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerInitiated {
    pub(super) member: &'static str,
    pub(super) begin_path: &'static str,
    pub(super) cancel_path: &'static str,
}

pub(super) static BRANDS: [Brand; CARRIERS] = [
    Brand {
        name: "aurora",
        title: "Aurora Wireless",
        profile: Profile::Att,
        mccmnc: "310410",
        codes: &["310410", "310007", "310150", "310170", "310380", "310560", "310680"],
        issuer_path: "",
        authorize_path: "/mga/sps/oauth/oauth20/authorize",
        token_path: "/mga/sps/oauth/oauth20/token",
        userinfo_path: "/mga/sps/oauth/oauth20/userinfo",
        jwks_path: "/mga/sps/jwks",
        server_initiated: Some(ServerInitiated {
            member: "server_initiated_authorization_endpoint",
            begin_path: "/hcas/v1/bc-authorize",
            cancel_path: "/manageService/v1/cancel",
        }),
        scopes: &[],
        errors: &[],
    },
    Brand {
        name: "tangent",
        title: "Tangent Mobile",
        profile: Profile::Tmobile,
        mccmnc: "310260",
        codes: &[
            "310260", "310160", "310200", "310210", "310220", "310230", "310240", "310250", "310270", "310310",
            "310490", "310660", "310800",
        ],
        issuer_path: "",
        authorize_path: "/verify/authorize",
        token_path: "/tms/v3/usertoken",
        userinfo_path: "/oidc/v1/userinfo",
        jwks_path: "/oauth2/v1/certs",
        // The other recorded spelling.
        server_initiated: Some(ServerInitiated {
            member: "server_initiated_endpoint",
            begin_path: "/bc/v1/authorize",
            cancel_path: "/bc/v1/cancel",
        }),
        scopes: &[],
        errors: &[],
    },
    Brand {
        name: "vireo",
        title: "Vireo",
        profile: Profile::Verizon,
        mccmnc: "311480",
        codes: &[
            "311480", "310010", "310012", "310013", "310590", "310890", "310910", "311110", "311270", "311390",
            "311481",
        ],
        issuer_path: "/vzauth/oauth2/ccid",
        authorize_path: "/vzauth/oauth2/ccid/authorize",
        token_path: "/vzauth/oauth2/ccid/access_token",
        userinfo_path: "/vzauth/oauth2/ccid/userinfo",
        jwks_path: "/vzauth/oauth2/ccid/jwks",
        server_initiated: None,
        scopes: &[],
        errors: &[],
    },
    // Two words of its own.
    Brand {
        name: "meridian",
        title: "Meridian",
        profile: Profile::Tmobile,
        mccmnc: "310120",
        codes: &["310120", "311870"],
        issuer_path: "/meridian",
        authorize_path: "/meridian/oauth2/auth",
        token_path: "/meridian/oauth2/token",
        userinfo_path: "/meridian/oauth2/userinfo",
        jwks_path: "/meridian/oauth2/certs",
        server_initiated: None,
        scopes: &[("postal_code", "zip")],
        errors: &[("user_not_found", "no_such_line")],
    },
];
