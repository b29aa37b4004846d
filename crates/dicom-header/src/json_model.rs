//! PS3.18 F.2, DICOM JSON Model, read: one level of a data set at a time, borrowed from the text, so that nothing is
//! copied and no depth of nesting grows a stack by itself. Texts may come from strangers.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Why a text is no DICOM JSON. Says where, and nothing that stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonModelError {
    /// No JSON.
    #[error("no JSON at line {line}, column {column}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, and no data set: a key that is no tag or comes twice, or something else of the wrong kind.
    #[error("not of the DICOM JSON Model (PS3.18 F.2) at line {line}, column {column}")]
    Model {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

impl From<serde_json::Error> for JsonModelError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() { Self::Model { line, column } } else { Self::Json { line, column } }
    }
}

/// One attribute, its values unread.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct JsonAttribute<'a> {
    #[serde(borrow, default)]
    vr: Option<&'a RawValue>,
    /// The array of values, or of items.
    #[serde(borrow, rename = "Value", default)]
    pub value: Option<&'a RawValue>,
    #[serde(borrow, rename = "InlineBinary", default)]
    inline_binary: Option<&'a RawValue>,
    #[serde(borrow, rename = "BulkDataURI", default)]
    bulk_data_uri: Option<&'a RawValue>,
}

impl<'a> JsonAttribute<'a> {
    /// The VR, when it says one.
    ///
    /// # Errors
    /// When it is no string.
    pub fn vr(&self) -> Result<Option<Cow<'a, str>>, JsonModelError> {
        self.vr.map(json_text).transpose()
    }

    /// The value as base64.
    ///
    /// # Errors
    /// When it is no string.
    pub fn inline_binary(&self) -> Result<Option<Cow<'a, str>>, JsonModelError> {
        self.inline_binary.map(json_text).transpose()
    }

    /// Where the value is.
    ///
    /// # Errors
    /// When it is no string.
    pub fn bulk_data_uri(&self) -> Result<Option<Cow<'a, str>>, JsonModelError> {
        self.bulk_data_uri.map(json_text).transpose()
    }

    /// Calls `each` with every value in turn.
    ///
    /// # Errors
    /// When the values are no array; whatever `each` reports.
    pub fn each_value<E: From<JsonModelError>>(
        &self,
        each: impl FnMut(&'a RawValue) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.value {
            Some(array) => each_element(array.get(), each),
            None => Ok(()),
        }
    }
}

/// The component groups of a person name (PS3.18 F.2.2).
#[derive(Default, Deserialize)]
#[serde(default)]
struct PersonName {
    #[serde(rename = "Alphabetic")]
    alphabetic: String,
    #[serde(rename = "Ideographic")]
    ideographic: String,
    #[serde(rename = "Phonetic")]
    phonetic: String,
}

impl JsonAttribute<'_> {
    /// Its values as a data set has them: with backslashes between, component groups with `=` between. Items and
    /// binary values give an empty text.
    ///
    /// # Errors
    /// When the values are no array, or one of them is no value.
    pub fn plain_text(&self) -> Result<String, JsonModelError> {
        let mut values = Vec::new();
        self.each_value(|value| {
            values.push(match value.get().bytes().next() {
                Some(b'"') => json_text(value)?.into_owned(),
                Some(b'{') if self.vr()?.as_deref() == Some("PN") => {
                    let PersonName { alphabetic, ideographic, phonetic } = serde_json::from_str(value.get())?;
                    let name = format!("{alphabetic}={ideographic}={phonetic}");
                    name.trim_end_matches('=').to_owned()
                }
                Some(b'{' | b'n') => String::new(),
                _ => value.get().to_owned(),
            });
            Ok::<_, JsonModelError>(())
        })?;
        Ok(values.join("\\"))
    }
}

/// The text of a JSON string, borrowed when nothing in it is escaped.
///
/// # Errors
/// When it is something else.
pub fn json_text(raw: &RawValue) -> Result<Cow<'_, str>, JsonModelError> {
    let inner = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        _ => Ok(Cow::Owned(serde_json::from_str(raw.get())?)),
    }
}

/// One data set or item: its attributes by tag.
#[derive(Debug, Clone, Default)]
pub struct JsonDataSet<'a>(pub BTreeMap<u32, JsonAttribute<'a>>);

impl<'a> JsonDataSet<'a> {
    /// Reads one JSON object; what lies in sequences is left for later.
    ///
    /// # Errors
    /// When it is no object of attributes.
    pub fn parse(text: &'a str) -> Result<Self, JsonModelError> {
        Ok(serde_json::from_str(text)?)
    }
}

impl<'de> Deserialize<'de> for JsonDataSet<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attributes<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for Attributes<'de> {
            type Value = JsonDataSet<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes by tag")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut attributes = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let tag = tag_of_key(&key).ok_or_else(|| M::Error::custom("a key is no tag"))?;
                    if attributes.insert(tag, map.next_value()?).is_some() {
                        return Err(M::Error::custom("a tag comes twice"));
                    }
                }
                Ok(JsonDataSet(attributes))
            }
        }
        deserializer.deserialize_map(Attributes(PhantomData))
    }
}

/// One data set with the attributes of another put in, or in their place, as far as `takes` lets them.
///
/// # Errors
/// When one of the texts is no object of attributes.
pub fn merge_json(
    data_set: &str,
    other: &str,
    takes: impl Fn(u32) -> bool,
) -> Result<String, JsonModelError> {
    let mut merged: BTreeMap<String, &RawValue> = serde_json::from_str(data_set)?;
    let others: BTreeMap<String, &RawValue> = serde_json::from_str(other)?;
    merged.extend(others.into_iter().filter(|(key, _)| tag_of_key(key).is_some_and(&takes)));
    Ok(serde_json::to_string(&merged)?)
}

/// Eight hexadecimal digits.
pub(crate) fn tag_of_key(key: &str) -> Option<u32> {
    let digits = key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u32::from_str_radix(key, 16).ok() } else { None }
}

/// Calls `each` with every element of an array in turn: no list of them is made.
///
/// # Errors
/// When the text is no array; whatever `each` reports.
pub fn each_element<'a, E: From<JsonModelError>>(
    text: &'a str,
    each: impl FnMut(&'a RawValue) -> Result<(), E>,
) -> Result<(), E> {
    struct Each<F, E>(F, Option<E>);
    impl<'de, F, E> Visitor<'de> for &mut Each<F, E>
    where
        F: FnMut(&'de RawValue) -> Result<(), E>,
    {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<(), S::Error> {
            while let Some(element) = elements.next_element::<&'de RawValue>()? {
                if let Err(error) = (self.0)(element) {
                    self.1 = Some(error);
                    while elements.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(());
                }
            }
            Ok(())
        }
    }
    impl<'de, F, E> DeserializeSeed<'de> for &mut Each<F, E>
    where
        F: FnMut(&'de RawValue) -> Result<(), E>,
    {
        type Value = ();
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }
    let mut visitor = Each(each, None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = (&mut visitor).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match visitor.1 {
        Some(error) => Err(error),
        None => read.map_err(|error| E::from(error.into())),
    }
}

#[cfg(test)]
mod tests;
