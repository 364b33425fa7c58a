//! The families of headers that apps already know.

use super::{LINKED_ACCOUNT, Preset};

impl Preset {
    /// Every preset there is.
    pub(super) const ALL: [Self; 4] = [Self::Zenkey, Self::XAuthRequest, Self::XForwarded, Self::RemoteUser];

    /// Header names and the claims they carry. User is always the subject: an e-mail address can change hands.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Zenkey => &[
                ("x-zenkey-sub", "sub"),
                ("x-zenkey-issuer", "iss"),
                ("x-zenkey-mccmnc", "mccmnc"),
                ("x-zenkey-acr", "acr"),
                ("x-zenkey-amr", "amr"),
                ("x-zenkey-auth-time", "auth_time"),
                ("x-zenkey-name", "name"),
                ("x-zenkey-given-name", "given_name"),
                ("x-zenkey-family-name", "family_name"),
                ("x-zenkey-email", "email"),
                ("x-zenkey-phone", "phone_number"),
                ("x-zenkey-postal-code", "postal_code"),
                ("x-zenkey-birthdate", "birthdate"),
                ("x-zenkey-address", "address"),
                ("x-zenkey-account", LINKED_ACCOUNT),
            ],
            Self::XAuthRequest => &[
                ("x-auth-request-user", "sub"),
                ("x-auth-request-email", "email"),
                ("x-auth-request-groups", "groups"),
                ("x-auth-request-preferred-username", "preferred_username"),
                ("x-auth-request-account", LINKED_ACCOUNT),
            ],
            Self::XForwarded => &[
                ("x-forwarded-user", "sub"),
                ("x-forwarded-email", "email"),
                ("x-forwarded-groups", "groups"),
                ("x-forwarded-preferred-username", "preferred_username"),
            ],
            Self::RemoteUser => &[
                ("remote-user", "sub"),
                ("remote-email", "email"),
                ("remote-name", "name"),
                ("remote-groups", "groups"),
            ],
        }
    }
}
