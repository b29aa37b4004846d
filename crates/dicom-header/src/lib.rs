//! Bounded, iterative, streaming reader of data sets that strangers sent (PS3.5 7, PS3.10 7.1, PS3.18 Annex F).
//!
//! Nothing here does input or output: bytes are pushed in, in pieces of any size, and one
//! [`model::instance::InstanceHeader`] comes out. Memory grows only with bytes that have arrived, never with a length
//! that was merely declared, and nothing is recursive.
#![deny(missing_docs)]

pub mod charset;
mod dictionary;
mod document;
mod element;
mod encapsulated;
mod error;
mod facts;
mod file_meta;
mod file_meta_encode;
mod frame_table;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod inflate;
mod json;
mod json_encode;
mod json_encode_value;
mod json_model;
mod limits;
mod lut;
mod offset_table;
mod pixel_module;
mod reader;
mod rewrite;
mod scope;
mod sniff;
mod stream;
mod tag;
mod value;
mod value_json;
mod warnings;

#[cfg(test)]
mod fixture;

pub use dicom_core::VR;
pub use dictionary::{keyword_of, tag_of_keyword, vr_of_tag};
pub use error::HeaderError;
pub use file_meta::{FileMeta, FileMetaRead, FileMetaReader};
pub use file_meta_encode::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, encode_file_meta};
pub use json_encode::{
    BulkDataPlace, GivenElement, JsonEncodeError, JsonEncodeErrorKind, Piece, encode_json, item_header,
};
pub use json_model::{JsonAttribute, JsonDataSet, JsonModelError, each_element, json_text, merge_json};
pub use limits::Limits;
pub use reader::{HeaderReader, Identity, PlainDataSet};
pub use rewrite::{Edit, Rewrite, Rewriter, element_header};
