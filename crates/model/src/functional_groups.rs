//! PS3.3 C.7.6.16, Multi-frame Functional Groups: what a single frame of an enhanced instance says of its values.

use std::{fmt, sync::OnceLock};

use serde::{
    Deserialize, Deserializer as _,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::pixel::{PixelModule, Rescale, Window};

/// Most values of one attribute that are read.
const VALUES_MAX: usize = 64;

/// Where the items of Per-frame Functional Groups Sequence (5200,9230) begin in the DICOM JSON of one instance. They are
/// looked for once, so that all frames together cost one pass over the text and four bytes for each item.
#[derive(Debug, Clone, Default)]
pub struct FrameItems(OnceLock<Vec<u32>>);

/// What was found in a text says nothing that the text does not.
impl PartialEq for FrameItems {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl FrameItems {
    /// The pixel description of frame `index`, which counts from 0: that of the instance, `module`, and in its place
    /// what the item of the frame in `json` says. What the item does not say, or says in a way that makes no sense,
    /// stays as it is. `json` is the same text each time.
    pub fn module(&self, json: &str, module: &PixelModule, index: usize) -> PixelModule {
        let mut module = module.clone();
        let Some(groups) = self.groups(json, index) else { return module };
        // A table of the whole instance would be preferred to the values of the frame.
        if let Some(rescale) = groups.rescale() {
            (module.rescale, module.modality_lut) = (Some(rescale), None);
        }
        if let Some((windows, function)) = groups.windows() {
            (module.windows, module.voi_lut_function, module.voi_lut) = (windows, function, None);
        }
        module
    }

    fn groups<'a>(&self, json: &'a str, index: usize) -> Option<Groups<'a>> {
        let starts = self.0.get_or_init(|| starts(json));
        let start = *starts.get(index)? as usize;
        // What follows the item is not read.
        let mut deserializer = serde_json::Deserializer::from_str(json.get(start..)?);
        Groups::deserialize(&mut deserializer).ok()
    }
}

/// Where each item begins; none when there is no such sequence.
fn starts(json: &str) -> Vec<u32> {
    let mut starts = Vec::new();
    if let Ok(DataSet { per_frame }) = serde_json::from_str::<DataSet<'_>>(json) {
        each(per_frame, usize::MAX, |item| {
            // The item is a piece of the text.
            let start = item.get().as_ptr().addr() - json.as_ptr().addr();
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
        });
    }
    starts
}

/// The one attribute of the data set that is looked at.
#[derive(Deserialize)]
struct DataSet<'a> {
    #[serde(borrow, rename = "52009230")]
    per_frame: Option<&'a RawValue>,
}

/// An attribute, or a sequence.
#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, rename = "Value")]
    value: Option<&'a RawValue>,
}

/// One item: the sequences in it that a picture depends on.
#[derive(Deserialize)]
struct Groups<'a> {
    #[serde(borrow, rename = "00289132")]
    frame_voi_lut: Option<&'a RawValue>,
    #[serde(borrow, rename = "00289145")]
    pixel_value_transformation: Option<&'a RawValue>,
}

/// Item of Frame VOI LUT Sequence (PS3.3 C.7.6.16.2.10).
#[derive(Deserialize)]
struct FrameVoiLut<'a> {
    #[serde(borrow, rename = "00281050")]
    center: Option<&'a RawValue>,
    #[serde(borrow, rename = "00281051")]
    width: Option<&'a RawValue>,
    #[serde(borrow, rename = "00281056")]
    function: Option<&'a RawValue>,
}

/// Item of Pixel Value Transformation Sequence (PS3.3 C.7.6.16.2.9).
#[derive(Deserialize)]
struct PixelValueTransformation<'a> {
    #[serde(borrow, rename = "00281052")]
    intercept: Option<&'a RawValue>,
    #[serde(borrow, rename = "00281053")]
    slope: Option<&'a RawValue>,
}

impl Groups<'_> {
    fn rescale(&self) -> Option<Rescale> {
        let item: PixelValueTransformation<'_> = first_item(self.pixel_value_transformation)?;
        let slope = numbers(item.slope).first().copied();
        let intercept = numbers(item.intercept).first().copied();
        if slope.is_none() && intercept.is_none() {
            return None;
        }
        Some(Rescale { slope: slope.unwrap_or(1.0), intercept: intercept.unwrap_or(0.0) })
    }

    /// The windows, and the function that belongs to them.
    fn windows(&self) -> Option<(Vec<Window>, String)> {
        let item: FrameVoiLut<'_> = first_item(self.frame_voi_lut)?;
        let pairs = numbers(item.center).into_iter().zip(numbers(item.width));
        let windows: Vec<Window> = pairs.map(|(center, width)| Window { center, width }).collect();
        let function = text(item.function).unwrap_or("LINEAR").to_owned();
        (!windows.is_empty()).then_some((windows, function))
    }
}

/// The first item of a sequence, when it is one.
fn first_item<'a, T: Deserialize<'a>>(sequence: Option<&'a RawValue>) -> Option<T> {
    let mut first = None;
    each(sequence, 1, |item| first = serde_json::from_str(item.get()).ok());
    first
}

/// The first values that are numbers. Decimal strings may be strings in JSON, too (PS3.18 F.2.3).
fn numbers(attribute: Option<&RawValue>) -> Vec<f64> {
    let mut numbers = Vec::new();
    each(attribute, VALUES_MAX, |value| {
        let number = value.get().trim_matches('"').trim().parse::<f64>().ok();
        numbers.extend(number.filter(|number| number.is_finite()));
    });
    numbers
}

/// The first value, when it is a text that is not empty.
fn text(attribute: Option<&RawValue>) -> Option<&str> {
    let mut first = None;
    each(attribute, 1, |value| {
        let text = value.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        first = text.map(str::trim).filter(|text| !text.is_empty());
    });
    first
}

/// Calls `take` with the first `most` values or items of an attribute. One that has none is none.
fn each<'a>(attribute: Option<&'a RawValue>, most: usize, take: impl FnMut(&'a RawValue)) {
    let array = attribute.and_then(|attribute| {
        let attribute: Attribute<'a> = serde_json::from_str(attribute.get()).ok()?;
        attribute.value
    });
    if let Some(array) = array {
        let mut deserializer = serde_json::Deserializer::from_str(array.get());
        // What is no array ends before the first value.
        let _ = deserializer.deserialize_seq(Each { most, take });
    }
}

/// Reads an array; no list of its elements is made.
struct Each<F> {
    most: usize,
    take: F,
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut elements: S) -> Result<(), S::Error> {
        while self.most > 0
            && let Some(element) = elements.next_element::<&'de RawValue>()?
        {
            (self.take)(element);
            self.most -= 1;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixel::Lut;

    /// An instance that says other things than its frames.
    fn instance() -> PixelModule {
        let table = Lut { first_mapped: 0, bits: 8, entries: vec![1] };
        PixelModule {
            rescale: Some(Rescale { slope: 9.0, intercept: 9.0 }),
            modality_lut: Some(table.clone()),
            windows: vec![Window { center: 9.0, width: 9.0 }],
            voi_lut_function: "SIGMOID".to_owned(),
            voi_lut: Some(table),
            ..PixelModule::default()
        }
    }

    fn data_set(items: &str) -> String {
        let slope = numbers("00281053", "7");
        format!(r#"{{{slope},"52009229":{{"vr":"SQ"}},"52009230":{{"vr":"SQ","Value":[{items}]}}}}"#)
    }

    fn sequence(tag: &str, item: &str) -> String {
        format!(r#""{tag}":{{"vr":"SQ","Value":[{{{item}}},{{"00281050":null,"00281053":null}}]}}"#)
    }

    fn numbers(tag: &str, values: &str) -> String {
        format!(r#""{tag}":{{"vr":"DS","Value":[{values}]}}"#)
    }

    #[test]
    fn a_frame_is_described_by_its_own_item() {
        let rescale = [numbers("00281052", "-1000"), numbers("00281053", "\" 1.5 \",3")].join(",");
        let voi = [
            numbers("00281050", "40,null,\"2e1\""),
            numbers("00281051", "400,10"),
            r#""00281056":{"vr":"CS","Value":["LINEAR_EXACT"]}"#.to_owned(),
        ];
        let first = sequence("00289145", &rescale);
        let second = sequence("00289132", &voi.join(","));
        let third = sequence("00289132", &voi[..2].join(","));
        let json = data_set(&format!("{{{first}}},{{{second}}},{{{third}}}"));
        let (items, instance) = (FrameItems::default(), instance());
        let module = |index| items.module(&json, &instance, index);
        let rescaled = Some(Rescale { slope: 1.5, intercept: -1000.0 });
        assert_eq!(module(0), PixelModule { rescale: rescaled, modality_lut: None, ..instance.clone() });
        let of_second = PixelModule {
            windows: vec![Window { center: 40.0, width: 400.0 }, Window { center: 20.0, width: 10.0 }],
            voi_lut_function: "LINEAR_EXACT".to_owned(),
            voi_lut: None,
            ..instance.clone()
        };
        assert_eq!(module(1), of_second);
        // The function of another window is not that of this one.
        assert_eq!(module(2), PixelModule { voi_lut_function: "LINEAR".to_owned(), ..of_second });
        assert_eq!(module(3), instance);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let instance = instance();
        let odd_items = [
            "",
            "{}",
            "null",
            "[]",
            "7",
            "\"x\"",
            r#"{"00289132":{"vr":"LO","Value":["x"]},"00289145":{"vr":"UN","InlineBinary":"AAAA"}}"#,
            r#"{"00289132":{"vr":"SQ"},"00289145":{"vr":"SQ","Value":[{}]}}"#,
            r#"{"00289132":null,"00289145":[1]}"#,
            &format!("{{{}}}", sequence("00289145", &numbers("00281053", "\"x\",\"inf\",null"))),
            &format!("{{{}}}", sequence("00289132", &numbers("00281050", "1"))),
        ];
        let odd_texts = ["", "7", "{}", "[", r#"{"52009230":7}"#, r#"{"52009230":{"vr":"LO","Value":"x"}}"#];
        let texts = odd_items.map(data_set).into_iter().chain(odd_texts.map(str::to_owned));
        for json in texts {
            let items = FrameItems::default();
            for index in [0, 1, usize::MAX] {
                assert_eq!(items.module(&json, &instance, index), instance, "{json} {index}");
            }
        }
    }

    #[test]
    fn all_of_a_hundred_thousand_frames_cost_one_pass() {
        const ITEMS: usize = 100_000;
        let last = sequence("00289145", &numbers("00281053", "2"));
        let json = data_set(&format!("{}{{{last}}}", "{},".repeat(ITEMS)));
        let (items, instance) = (FrameItems::default(), PixelModule::default());
        let rescaled = (0..=ITEMS).filter(|index| items.module(&json, &instance, *index).rescale.is_some());
        assert_eq!(rescaled.collect::<Vec<_>>(), [ITEMS]);
    }
}
