//! RFC 9110 12.5.3, the Accept-Encoding field; and 8.8.3.3, the entity tags of an answer in a coding.

use std::cmp::Reverse;

use axum::http::{HeaderMap, HeaderValue, header};

/// Shorter answers stay as they are, when their length is known: less than a packet is not saved.
const WORTHWHILE_BYTES: u64 = 1024;

/// A coding that answers can be sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// The first one is sent to those who want each as much.
    const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// As in Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The strong tag of an answer in this coding, from that of the answer itself.
    pub fn tagged(self, plain: &str) -> Option<String> {
        let opaque = plain.strip_prefix('"')?.strip_suffix('"')?;
        Some(format!("\"{opaque}-{}\"", self.name()))
    }

    /// The way back.
    fn plain(self, tagged: &str) -> Option<String> {
        let opaque = tagged.strip_suffix('"')?.strip_suffix(self.name())?.strip_suffix('-')?;
        Some(format!("{opaque}\""))
    }
}

/// What a request takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The best first.
    codings: Vec<Coding>,
    /// An answer without any is liked better than the best of them.
    prefers_plain: bool,
    /// An answer without any is not acceptable.
    refuses_plain: bool,
}

impl Accepted {
    /// Without the field nothing is compressed: who does not say that it can read it may not be able to.
    pub fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let listed: Vec<(&str, u16)> = fields.flat_map(|field| field.split(',')).map(weighted).collect();
        let weight = |name: &str| {
            let found = listed.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, weight)| *weight)
        };
        let (plain, others) = (weight("identity"), weight("*"));
        let weights = Coding::ALL.map(|coding| (coding, weight(coding.name()).or(others).unwrap_or(0)));
        let mut codings: Vec<(Coding, u16)> = weights.into_iter().filter(|(_, weight)| *weight > 0).collect();
        codings.sort_by_key(|(_, weight)| Reverse(*weight));
        let best = codings.first().map_or(0, |(_, weight)| *weight);
        Self {
            codings: codings.into_iter().map(|(coding, _)| coding).collect(),
            prefers_plain: plain.is_some_and(|plain| plain > best),
            refuses_plain: plain.or(others) == Some(0),
        }
    }

    /// What an answer of this length, if it is known, is sent in.
    pub fn choose(&self, length: Option<u64>) -> Option<Coding> {
        let is_long = length.is_none_or(|length| length >= WORTHWHILE_BYTES);
        let is_wanted = self.refuses_plain || is_long && !self.prefers_plain;
        self.codings.first().copied().filter(|_| is_wanted)
    }

    /// Lets a tag of an answer in one of the codings stand for the answer itself, too: handlers know no other. Gives the
    /// tags of If-None-Match as they came.
    pub fn plain_tags(&self, headers: &mut HeaderMap) -> Vec<String> {
        let fields = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = fields.flat_map(|field| field.split(',')).map(|tag| tag.trim().to_owned());
        let came: Vec<String> = tags.collect();
        let plain = came.iter().filter_map(|tag| self.codings.iter().find_map(|coding| coding.plain(tag)));
        let plain: Vec<String> = plain.collect();
        if !plain.is_empty() {
            let all: Vec<&str> = came.iter().chain(&plain).map(String::as_str).collect();
            if let Ok(value) = HeaderValue::from_str(&all.join(", ")) {
                headers.insert(header::IF_NONE_MATCH, value);
            }
        }
        came
    }

    /// Under which tag the client has the answer in a coding, when it is among those that came.
    pub fn known_as(&self, plain: &str, came: &[String]) -> Option<String> {
        let came: Vec<&str> = came.iter().map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).collect();
        let mut tags = self.codings.iter().filter_map(|coding| coding.tagged(plain));
        tags.find(|tag| came.contains(&tag.as_str()))
    }
}

/// A coding with its weight in thousandths; a weight that is no number counts as 1, as if it were not there.
fn weighted(piece: &str) -> (&str, u16) {
    let (name, parameter) = piece.split_once(';').unwrap_or((piece, ""));
    let weight = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let weight = weight.and_then(|(_, value)| value.trim().parse::<f32>().ok());
    let weight = weight.filter(|weight| weight.is_finite()).map_or(1.0, |weight| weight.clamp(0.0, 1.0));
    let name = name.trim();
    // RFC 9110 8.4.1.3: an older name.
    let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
    (name, (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(field: &'static str) -> Accepted {
        let value = HeaderValue::from_static(field);
        Accepted::of(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
    }

    #[test]
    fn the_best_of_what_is_taken() {
        let (zstd, gzip) = (Some(Coding::Zstd), Some(Coding::Gzip));
        for (field, expected) in [
            ("gzip, deflate, br, zstd", zstd),
            ("gzip, deflate", gzip),
            ("GZIP ; Q=0.1", gzip),
            ("x-gzip", gzip),
            ("zstd;q=0.5, gzip;q=0.8", gzip),
            ("zstd;q=0.001", zstd),
            ("*", zstd),
            ("*, zstd;q=0", gzip),
            ("gzip;q=x", gzip),
            ("identity;q=0.5, gzip", gzip),
            ("identity, gzip;q=0.5", None),
            ("gzip;q=0", None),
            ("gzip;q=0.000, identity", None),
            ("br, deflate", None),
            ("identity", None),
            ("", None),
        ] {
            assert_eq!(accepted(field).choose(None), expected, "{field}");
            assert_eq!(accepted(field).choose(Some(1024)), expected, "{field}");
            assert_eq!(accepted(field).choose(Some(1023)), None, "{field}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()).choose(None), None);
        for field in ["gzip, identity;q=0", "gzip, *;q=0"] {
            assert_eq!(accepted(field).choose(Some(1)), gzip, "{field}");
        }
    }

    #[test]
    fn tags_of_codings_that_are_taken_stand_for_the_answer() {
        let known = |takes: &'static str, tags: &'static str| {
            let mut headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(tags))]);
            let accepted = accepted(takes);
            let came = accepted.plain_tags(&mut headers);
            let is_known = crate::conditional::is_known(&headers, "\"a\"");
            (is_known, accepted.known_as("\"a\"", &came).unwrap_or_default())
        };
        for (takes, tags, expected) in [
            ("zstd, gzip", "\"a-zstd\"", (true, "\"a-zstd\"")),
            ("zstd, gzip", "\"b\", W/\"a-gzip\"", (true, "\"a-gzip\"")),
            ("zstd", "\"a\", \"a-zstd\"", (true, "\"a-zstd\"")),
            ("zstd", "\"a\"", (true, "")),
            ("zstd", "*", (true, "")),
            ("gzip", "\"a-zstd\"", (false, "")),
            ("identity", "\"a-zstd\"", (false, "")),
            ("zstd", "\"b-zstd\"", (false, "")),
        ] {
            let (is_known, tag) = known(takes, tags);
            assert_eq!((is_known, tag.as_str()), expected, "{takes} {tags}");
        }
    }
}
