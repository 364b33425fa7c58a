//! Forms: what the text of one key may look like, judged without looking at any other key.
//!
//! A form has a name, and the name is the `format` in the schema. The walker looks the form up by that name and
//! reports what is wrong with its place; after that, reading the same text into its type cannot fail.

pub(crate) mod address;
mod registry;
pub(crate) mod text;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

#[cfg(test)]
pub(crate) use registry::FORMS;
pub(crate) use registry::find;

/// A type that is written as one text.
pub(crate) trait Form: Sized {
    /// Name of the form; `format` in the schema.
    const NAME: &'static str;
    /// What is expected, in words that follow "expected".
    const WHAT: &'static str;
    /// The only words there are, for editors; empty when there are too many.
    const CHOICES: &'static [&'static str] = &[];
    /// Whether a bare number means something: a size in bytes.
    const OR_NUMBER: bool = false;

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
        let kind = if T::OR_NUMBER { serde_json::json!(["string", "integer"]) } else { "string".into() };
        let mut schema = json_schema!({ "type": kind, "format": T::NAME });
        if !T::CHOICES.is_empty() {
            schema.insert("enum".to_owned(), T::CHOICES.into());
        }
        schema
    }
}
