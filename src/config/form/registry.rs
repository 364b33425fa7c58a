//! Every form by its name.

use super::{Form, address, text};
use crate::config::human::{BodyLimit, HumanDuration, HumanSize};

/// What a form says about a text: its quantity, if it has one, or why the text is refused.
pub(crate) type Verdict = Result<Option<u64>, String>;

/// One row of the table of forms.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) judge: fn(&str) -> Verdict,
}

const fn row<T: Form>() -> Row {
    Row { name: T::NAME, what: T::WHAT, judge: |text| T::parse(text).map(|value| value.quantity()) }
}

/// Every form there is. A test holds it equal to the formats that the schema names.
pub(crate) const FORMS: [Row; 47] = [
    row::<BodyLimit>(),
    row::<HumanDuration>(),
    row::<HumanSize>(),
    row::<address::AdminAddress>(),
    row::<address::AllowedHost>(),
    row::<address::BackchannelUrl>(),
    row::<address::EndpointUrl>(),
    row::<address::IssuerName>(),
    row::<address::Listen>(),
    row::<address::OidcIssuer>(),
    row::<address::Origin>(),
    row::<address::ProviderUrl>(),
    row::<address::ProxyUrl>(),
    row::<address::RouteHost>(),
    row::<address::RoutePattern>(),
    row::<address::TlsName>(),
    row::<address::TrustedNetwork>(),
    row::<address::UpstreamHost>(),
    row::<address::UpstreamUrl>(),
    row::<text::Acr>(),
    row::<text::Algorithm>(),
    row::<text::Audience>(),
    row::<text::AuthMethodName>(),
    row::<text::ClaimName>(),
    row::<text::ClaimsRequest>(),
    row::<text::ClientId>(),
    row::<text::CookieName>(),
    row::<text::EmailDomain>(),
    row::<text::FieldText>(),
    row::<text::FilePath>(),
    row::<text::HeaderWord>(),
    row::<text::Label>(),
    row::<text::MethodName>(),
    row::<text::NetworkWord>(),
    row::<text::OwnPrefix>(),
    row::<text::Prompt>(),
    row::<text::ProviderId>(),
    row::<text::ProviderName>(),
    row::<text::ProxyExemption>(),
    row::<text::Purpose>(),
    row::<text::Resource>(),
    row::<text::RoutePath>(),
    row::<text::Scope>(),
    row::<text::StepUpContext>(),
    row::<text::StorePrefix>(),
    row::<text::TenantId>(),
    row::<text::UiLocale>(),
];

/// Finds a form by the `format` of the schema.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    FORMS.iter().find(|row| row.name == name)
}
