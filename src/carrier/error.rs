//! The errors a carrier may answer with (dossier 9.1), and what each is good for.
//!
//! The carrier's own words never reach a page: an error becomes one of these, and a page is written for the reaction.

/// What to do about an error of a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The person or the carrier said no: back to where the sign-in began, with a way to try again.
    Declined,
    /// Nothing to be done but to say so.
    GiveUp,
    /// Our request or registration is at fault: the operator must know, the person can only wait.
    OperatorFault,
    /// This phone cannot: another way to sign in.
    OtherMethod,
    /// The carrier does not know the person: forget which carrier it was and ask anew, once.
    Rediscover,
    /// Trying again now may work.
    Retry,
    /// Trying again later may work.
    RetryLater,
}

/// One table, so that name, meaning and reaction of a code cannot drift apart.
macro_rules! carrier_errors {
    ($($(#[$doc:meta])+ $name:ident = $code:literal => $reaction:ident,)+) => {
        /// An `error` of an authorization endpoint, of the discovery UI or of a server-initiated request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum CarrierError {
            $($(#[$doc])+ $name,)+
            /// Any other code.
            Unknown,
        }

        impl CarrierError {
            /// Every known code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Reads a code, exactly as written and case-sensitively (dossier 9.1).
            pub fn parse(code: &str) -> Self {
                match code {
                    $($code => Self::$name,)+
                    _ => Self::Unknown,
                }
            }

            /// The code, for logs and metrics; `unknown` for what is not in the table.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Unknown => "unknown",
                }
            }

            /// What to do about it.
            pub fn reaction(self) -> Reaction {
                match self {
                    $(Self::$name => Reaction::$reaction,)+
                    Self::Unknown => Reaction::GiveUp,
                }
            }
        }
    };
}

carrier_errors! {
    /// The person or the carrier refused or cancelled.
    AccessDenied = "access_denied" => Declined,
    /// Documented as never returned.
    AccountSelectionRequired = "account_selection_required" => GiveUp,
    /// The question reached the phone and nobody answered.
    AuthenticationTimedOut = "authentication_timed_out" => Retry,
    /// Documented as never returned.
    ConsentRequired = "consent_required" => GiveUp,
    /// 2018/19's word for a refusal.
    DeviceAuthenticationFailure = "device_authentication_failure" => Declined,
    /// The question did not reach the phone.
    DeviceUnavailable = "device_unavailable" => RetryLater,
    /// Only an answer to `prompt=none`, which we never send.
    InteractionRequired = "interaction_required" => GiveUp,
    /// The hint is not the user of the phone, or does not fit the carrier.
    InvalidLoginHint = "invalid_login_hint" => Rediscover,
    /// The hint token is malformed: drop it and ask anew.
    InvalidLoginHintToken = "invalid_login_hint_token" => Rediscover,
    /// A bad parameter.
    InvalidRequest = "invalid_request" => OperatorFault,
    /// Request objects are not supported by every carrier.
    InvalidRequestObject = "invalid_request_object" => OperatorFault,
    /// `request_uri` is not supported.
    InvalidRequestUri = "invalid_request_uri" => OperatorFault,
    /// A scope is not enabled for our registration.
    InvalidScope = "invalid_scope" => OperatorFault,
    /// Only an answer to `prompt=none`, which we never send.
    LoginRequired = "login_required" => GiveUp,
    /// Authentication on the phone failed: SIM changed, phone reset or offline.
    NetworkFailure = "network_failure" => Retry,
    /// There is no dynamic registration.
    RegistrationNotSupported = "registration_not_supported" => OperatorFault,
    /// 2018/19's word for a refusal.
    RequestDenied = "request_denied" => Declined,
    /// Request objects are not supported by every carrier.
    RequestNotSupported = "request_not_supported" => OperatorFault,
    /// `request_uri` is not supported.
    RequestUriNotSupported = "request_uri_not_supported" => OperatorFault,
    /// Made by the iOS SDK itself.
    SdkInvalidParameter = "sdk_invalid_parameter" => GiveUp,
    /// Made by the iOS SDK itself.
    SdkMismatchState = "sdk_mismatch_state" => GiveUp,
    /// Made by the iOS SDK itself.
    SdkMissingParameter = "sdk_missing_parameter" => GiveUp,
    /// Made by the iOS SDK itself.
    SdkNetworkError = "sdk_network_error" => Retry,
    /// Made by the iOS SDK itself: discovery went round in circles.
    SdkTooManyRedirects = "sdk_too_many_redirects" => GiveUp,
    /// The carrier failed.
    ServerError = "server_error" => RetryLater,
    /// The carrier is overloaded or being worked on.
    TemporarilyUnavailable = "temporarily_unavailable" => RetryLater,
    /// Our client may not do this.
    UnauthorizedClient = "unauthorized_client" => OperatorFault,
    /// Only `code` exists for browsers.
    UnsupportedResponseType = "unsupported_response_type" => OperatorFault,
    /// This carrier does not know the person: number ported, or another phone.
    UserNotFound = "user_not_found" => Rediscover,
    /// The person has no ZenKey app on this phone.
    UserUnsupported = "user_unsupported" => OtherMethod,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_is_written() {
        // N03 (authorization side), dossier 9.1
        assert_eq!(CarrierError::ALL.len(), 30);
        for error in CarrierError::ALL {
            assert_eq!(CarrierError::parse(error.as_str()), *error);
            assert_eq!(CarrierError::parse(&error.as_str().to_ascii_uppercase()), CarrierError::Unknown);
            assert_eq!(CarrierError::parse(&format!(" {}", error.as_str())), CarrierError::Unknown);
        }
    }

    #[test]
    fn each_error_has_the_reaction_of_the_dossier() {
        let reaction = |code: &str| CarrierError::parse(code).reaction();
        assert_eq!(reaction("access_denied"), Reaction::Declined);
        assert_eq!(reaction("request_denied"), Reaction::Declined);
        assert_eq!(reaction("user_not_found"), Reaction::Rediscover);
        assert_eq!(reaction("invalid_login_hint_token"), Reaction::Rediscover);
        assert_eq!(reaction("authentication_timed_out"), Reaction::Retry);
        assert_eq!(reaction("device_unavailable"), Reaction::RetryLater);
        assert_eq!(reaction("server_error"), Reaction::RetryLater);
        assert_eq!(reaction("user_unsupported"), Reaction::OtherMethod);
        assert_eq!(reaction("unauthorized_client"), Reaction::OperatorFault);
        assert_eq!(reaction("<script>"), Reaction::GiveUp);
        assert_eq!(reaction(""), Reaction::GiveUp);
    }
}
