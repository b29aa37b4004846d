//! PS3.18 8.7.8, acceptable media types: which of the representations we have is sent.

use std::fmt;

use super::accept::{Accept, MediaRange};

/// Whether a payload is wrapped in `multipart/related`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `multipart/related; type=...`.
    Multipart,
    /// The payload itself.
    SinglePart,
}

/// Something that could be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representation {
    /// Wrapped or not.
    pub form: Form,
    /// `type/subtype` of the payload.
    pub media_type: String,
    /// Its transfer syntax; empty where there is none (JSON, rendered images).
    pub transfer_syntax: String,
    /// Only for those who name the transfer syntax or say `*`: without a word the media type means another one.
    pub only_when_stated: bool,
    /// As it is kept: what `*` asks for. Everything is that has only one form.
    pub is_stored: bool,
}

impl Representation {
    /// Something without a transfer syntax.
    pub fn plain(media_type: &str) -> Self {
        Self::new(Form::SinglePart, media_type, "")
    }

    /// Something that is not kept so but made when it is asked for.
    pub fn made(form: Form, media_type: &str, transfer_syntax: &str) -> Self {
        Self { is_stored: false, ..Self::new(form, media_type, transfer_syntax) }
    }

    /// Something in a transfer syntax, as it is kept.
    pub fn new(form: Form, media_type: &str, transfer_syntax: &str) -> Self {
        Self {
            form,
            media_type: media_type.to_owned(),
            transfer_syntax: transfer_syntax.to_owned(),
            only_when_stated: false,
            is_stored: true,
        }
    }
}

impl fmt::Display for Representation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Multipart => write!(f, "multipart/related; type=\"{}\"", self.media_type)?,
            Form::SinglePart => f.write_str(&self.media_type)?,
        }
        if self.transfer_syntax.is_empty() {
            return Ok(());
        }
        write!(f, "; transfer-syntax={}", self.transfer_syntax)
    }
}

/// The transfer syntax that a range asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WantedSyntax<'a> {
    /// Said nothing: the first form that is offered, which is the Standard's default where it can be had.
    Unstated,
    /// `*`: as stored.
    Any,
    /// One transfer syntax.
    Exactly(&'a str),
}

/// A media range seen as PS3.18 means it: `multipart/related` is only the wrapping of its `type`.
struct Wanted<'a> {
    form: Option<Form>,
    media_type: &'a str,
    syntax: WantedSyntax<'a>,
}

impl<'a> Wanted<'a> {
    fn of(range: &'a MediaRange) -> Self {
        let media_type = &range.media_type;
        let syntax = match media_type.parameter("transfer-syntax") {
            None => WantedSyntax::Unstated,
            Some("*") => WantedSyntax::Any,
            Some(uid) => WantedSyntax::Exactly(uid),
        };
        match media_type.essence.as_str() {
            "*/*" => Self { form: None, media_type: "*/*", syntax },
            "multipart/related" | "multipart/*" => {
                let payload = media_type.parameter("type").unwrap_or("*/*");
                Self { form: Some(Form::Multipart), media_type: payload, syntax }
            }
            essence => Self { form: Some(Form::SinglePart), media_type: essence, syntax },
        }
    }

    /// How closely the range names the representation; `None` when it does not cover it.
    fn specificity(&self, offer: &Representation) -> Option<u8> {
        let form = match self.form {
            None => 0,
            Some(form) if form == offer.form => 1,
            Some(_) => return None,
        };
        let media_type = match_media_type(self.media_type, &offer.media_type)?;
        let syntax = match self.syntax {
            WantedSyntax::Unstated if offer.only_when_stated => return None,
            WantedSyntax::Unstated => 0,
            WantedSyntax::Any if !offer.is_stored => return None,
            WantedSyntax::Any => 1,
            WantedSyntax::Exactly(uid) if uid == offer.transfer_syntax => 2,
            WantedSyntax::Exactly(_) => return None,
        };
        Some(form * 9 + media_type * 3 + syntax)
    }
}

fn match_media_type(pattern: &str, media_type: &str) -> Option<u8> {
    if pattern == "*/*" {
        return Some(0);
    }
    if let Some(kind) = pattern.strip_suffix("/*") {
        let same = media_type.split('/').next().is_some_and(|known| known.eq_ignore_ascii_case(kind));
        return same.then_some(1);
    }
    if pattern.eq_ignore_ascii_case(media_type) {
        return Some(2);
    }
    // Older editions of PS3.18 wrote x- names.
    let canonical = match pattern.to_ascii_lowercase().as_str() {
        "application/json" => super::DICOM_JSON.to_owned(),
        "image/x-dicom-rle" => "image/dicom-rle".to_owned(),
        "image/x-jls" => "image/jls".to_owned(),
        "image/jpx" => "image/jp2".to_owned(),
        "image/jpg" => "image/jpeg".to_owned(),
        other => other.to_owned(),
    };
    (canonical == media_type).then_some(2)
}

/// Index of the best representation: highest quality first, then our own order.
pub fn choose(accept: &Accept, offers: &[Representation]) -> Option<usize> {
    if accept.is_empty() {
        return (!offers.is_empty()).then_some(0);
    }
    let mut best: Option<(usize, u16)> = None;
    for (index, offer) in offers.iter().enumerate() {
        let quality = quality_of(accept, offer);
        if quality > 0 && best.is_none_or(|(_, known)| quality > known) {
            best = Some((index, quality));
        }
    }
    best.map(|(index, _)| index)
}

/// RFC 9110 12.5.1: the most specific range that covers the representation gives its quality.
fn quality_of(accept: &Accept, offer: &Representation) -> u16 {
    let mut best: Option<(u8, u16)> = None;
    for range in &accept.ranges {
        if let Some(specificity) = Wanted::of(range).specificity(offer)
            && best.is_none_or(|(known, quality)| (specificity, range.quality) > (known, quality))
        {
            best = Some((specificity, range.quality));
        }
    }
    best.map_or(0, |(_, quality)| quality)
}

/// Whether XML is asked for before JSON; for answers that are never refused.
pub fn prefers_xml(accept: &Accept) -> bool {
    let offers = [super::DICOM_JSON, super::DICOM_XML].map(Representation::plain);
    choose(accept, &offers) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::{DICOM, DICOM_JSON, OCTET_STREAM};

    fn offer(form: Form, media_type: &str, transfer_syntax: &str) -> Representation {
        Representation::new(form, media_type, transfer_syntax)
    }

    fn check(fields: &[&str], offers: &[Representation], expected: Option<usize>) {
        let accept = Accept::parse(fields.iter().copied()).expect("valid Accept");
        assert_eq!(choose(&accept, offers), expected, "{fields:?}");
    }

    const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
    const EXPLICIT: &str = "1.2.840.10008.1.2.1";

    #[test]
    fn instances() {
        let offers = [offer(Form::Multipart, DICOM, JPEG_2000), offer(Form::SinglePart, DICOM, JPEG_2000)];
        let multipart = [
            "multipart/related;type=\"application/dicom\";transfer-syntax=*",
            "multipart/related; type=\"application/dicom\"; transfer-syntax=\"*\"",
            "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90",
            "multipart/related; type = application/dicom",
            "multipart/related",
            "*/*",
            "text/html, */*;q=0.8",
            "application/dicom;q=0.5, multipart/related; type=\"application/dicom\"",
        ];
        for field in multipart {
            check(&[field], &offers, Some(0));
        }
        check(&["application/dicom; transfer-syntax=*"], &offers, Some(1));
        check(&["application/dicom, */*;q=0.1"], &offers, Some(1));
        check(&[], &offers, Some(0));
        let refused = [
            "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1",
            "multipart/related; type=\"  application/dicom\"",
            "image/png",
            "*/*;q=0",
        ];
        for field in refused {
            check(&[field], &offers, None);
        }
    }

    #[test]
    fn a_range_with_quality_0_takes_something_out_of_a_wider_one() {
        let offers = [offer(Form::Multipart, DICOM, EXPLICIT), offer(Form::SinglePart, DICOM, EXPLICIT)];
        check(&["*/*, multipart/related;q=0"], &offers, Some(1));
    }

    #[test]
    fn stored_frames_go_out_under_the_octet_stream_that_viewers_ask_for() {
        let offers = [
            offer(Form::Multipart, "image/jp2", JPEG_2000),
            Representation { only_when_stated: true, ..offer(Form::Multipart, OCTET_STREAM, JPEG_2000) },
            offer(Form::SinglePart, "image/jp2", JPEG_2000),
        ];
        check(&["multipart/related; type=application/octet-stream"], &offers, None);
        check(&["*/*"], &offers, Some(0));
        check(
            &["multipart/related; type=\"application/octet-stream\"; transfer-syntax=\"*\""],
            &offers,
            Some(1),
        );
        check(&["multipart/related; type=application/octet-stream; transfer-syntax=*"], &offers, Some(1));
        check(&["multipart/related; type=\"image/jpx\""], &offers, Some(0));
        check(&["image/jp2"], &offers, Some(2));
        check(&["multipart/related; type=application/octet-stream; transfer-syntax=1.2.3"], &offers, None);
    }

    #[test]
    fn the_star_means_as_stored() {
        let offers = [
            Representation::made(Form::Multipart, DICOM, EXPLICIT),
            offer(Form::Multipart, DICOM, JPEG_2000),
        ];
        check(&["multipart/related; type=\"application/dicom\"; transfer-syntax=*"], &offers, Some(1));
        check(&["multipart/related; type=\"application/dicom\""], &offers, Some(0));
        check(&["*/*"], &offers, Some(0));
        let both = "multipart/related; type=application/dicom; transfer-syntax=*;q=0.5, */*;q=0.2";
        check(&[both], &offers, Some(1));
    }

    #[test]
    fn metadata_is_json_for_what_ohif_sends() {
        let offers = [offer(Form::SinglePart, DICOM_JSON, "")];
        let tail = "multipart/related; type=application/octet-stream; transfer-syntax=*";
        check(&["application/dicom+json", tail, tail], &offers, Some(0));
        check(&[&format!("application/dicom+json, {tail}, {tail}")], &offers, Some(0));
        check(&["application/json"], &offers, Some(0));
        check(&["application/dicom+xml"], &offers, None);
    }

    #[test]
    fn weasis_asks_for_xml() {
        for (field, expected) in [
            ("application/dicom+xml", true),
            ("application/dicom+json", false),
            ("*/*", false),
            ("image/png", false),
            ("application/dicom+xml;q=0.5, application/json", false),
        ] {
            assert_eq!(prefers_xml(&Accept::parse([field]).expect("valid")), expected, "{field}");
        }
    }
}
