//! Forms: what the text of one key may look like, judged without looking at any other key.
//!
//! A form has a name, and the name is the `format` in the schema. The walker looks the form up by that name and
//! reports what is wrong with its place; after that, reading the same text into its type cannot fail.

pub(crate) mod address;
pub(crate) mod words;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::human::{HumanDuration, HumanSize};

/// A type that is written as one text.
pub(crate) trait Form: Sized {
    /// Name of the form; `format` in the schema.
    const NAME: &'static str;
    /// What is expected, in words that follow "expected".
    const WHAT: &'static str;
    /// The only words there are, for editors; empty when there are too many.
    const CHOICES: &'static [&'static str] = &[];

    /// Reads the text. An error follows the quoted text: `"30" has no unit; …`.
    fn parse(text: &str) -> Result<Self, String>;

    /// The number that `x-min` and `x-max` in the schema are compared with.
    fn quantity(&self) -> Option<u64> {
        None
    }
}

/// A value that a file holds as text of a [`Form`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written<T>(pub(crate) T);

impl<'de, T: Form> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<T: Form> Visitor<'_> for Reader<T> {
            type Value = Written<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::WHAT)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::parse(text).map(Written).map_err(|_| E::custom("a text is not in its form"))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Reader(PhantomData)).map_err(D::Error::custom)
    }
}

impl<T: Form> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A size may also be a bare number of bytes.
        let kind = if T::NAME == HumanSize::NAME { serde_json::json!(["string", "integer"]) } else { "string".into() };
        let mut schema = json_schema!({ "type": kind, "format": T::NAME });
        if !T::CHOICES.is_empty() {
            schema.insert("enum".to_owned(), T::CHOICES.into());
        }
        schema
    }
}

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
pub(crate) const FORMS: [Row; 24] = [
    row::<HumanDuration>(),
    row::<HumanSize>(),
    row::<address::AdminAddress>(),
    row::<address::AllowedHost>(),
    row::<address::IssuerName>(),
    row::<address::Listen>(),
    row::<address::Origin>(),
    row::<address::ProviderUrl>(),
    row::<address::RouteHost>(),
    row::<address::TrustedNetwork>(),
    row::<address::UpstreamUrl>(),
    row::<words::Acr>(),
    row::<words::Algorithm>(),
    row::<words::Audience>(),
    row::<words::ClaimName>(),
    row::<words::ClientId>(),
    row::<words::EmailDomain>(),
    row::<words::FilePath>(),
    row::<words::HeaderWord>(),
    row::<words::Label>(),
    row::<words::OwnPrefix>(),
    row::<words::RoutePath>(),
    row::<words::Scope>(),
    row::<words::StorePrefix>(),
];

/// Finds a form by the `format` of the schema.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    FORMS.iter().find(|row| row.name == name)
}
