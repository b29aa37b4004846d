//! Pictures on their way to become DICOM instances: what a phone or a film scanner makes of an X-ray.
//!
//! A baseline JPEG is kept as it came, without its metadata (which tell where it was taken); others are decoded, turned
//! the right way up and kept as native pixels.

mod around;
mod data_set;
mod exif;
mod form;
mod jpeg;
mod orientation;
mod picture;
mod png;
mod tiff;

#[cfg(any(test, feature = "fuzzing"))]
pub use self::picture::check_picture;
pub use self::{
    data_set::{Capture, data_set},
    form::{Received, Upload, XrayForm, XrayMetadata, hash_form},
    picture::read_picture,
};
