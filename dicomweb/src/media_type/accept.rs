//! RFC 9110 12.5.1, the Accept field, also as PS3.18 8.3.3.1's query parameter `accept`.

use super::parse::{MediaType, MediaTypeError, split_unquoted};

/// Most media ranges of one request.
pub const RANGES_MAX: usize = 64;

/// One media range with its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange {
    /// The range and its parameters.
    pub media_type: MediaType,
    /// `q` in thousandths.
    pub quality: u16,
}

/// What a client takes. Without any range everything is welcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accept {
    /// The ranges, in the client's order.
    pub ranges: Vec<MediaRange>,
}

impl Accept {
    /// Parses the values of all Accept fields of one request.
    ///
    /// A range that cannot be read is left out, as long as another one can be.
    pub fn parse<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<Self, MediaTypeError> {
        let mut accept = Self::default();
        let mut refused = None;
        for field in fields {
            for piece in split_unquoted(field, ',').map(str::trim).filter(|piece| !piece.is_empty()) {
                if accept.ranges.len() == RANGES_MAX {
                    return Err(MediaTypeError::TooLong);
                }
                match MediaType::parse(piece) {
                    Ok(media_type) => {
                        let quality = media_type.parameter("q").map_or(1000, quality);
                        accept.ranges.push(MediaRange { media_type, quality });
                    }
                    Err(error) => refused = Some(error),
                }
            }
        }
        match refused {
            Some(error) if accept.ranges.is_empty() => Err(error),
            _ => Ok(accept),
        }
    }

    /// Nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

/// Thousandths; what is no number counts as 1, as if it were not there.
fn quality(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => (value.clamp(0.0, 1.0) * 1000.0).round() as u16,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_browsers_send() {
        let accept = Accept::parse(["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
            .expect("valid");
        let qualities: Vec<u16> = accept.ranges.iter().map(|range| range.quality).collect();
        assert_eq!(qualities, [1000, 1000, 900, 800]);
    }

    #[test]
    fn commas_in_quotes_do_not_split() {
        let accept = Accept::parse(["multipart/related; type=\"a,b\", image/png"]).expect("valid");
        assert_eq!(accept.ranges.len(), 2);
    }

    #[test]
    fn one_bad_range_spoils_nothing_but_only_bad_ranges_are_an_error() {
        assert_eq!(Accept::parse(["nonsense, image/png"]).expect("valid").ranges.len(), 1);
        assert!(Accept::parse(["nonsense"]).is_err());
        assert!(Accept::parse([]).expect("empty").is_empty());
        let flood = vec!["a/b"; RANGES_MAX + 1].join(",");
        assert_eq!(Accept::parse([flood.as_str()]), Err(MediaTypeError::TooLong));
    }
}
