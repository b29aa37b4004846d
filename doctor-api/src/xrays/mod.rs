//! X-rays: stored instances as a doctor's client sees them. The full DICOM header is at `/dicomweb`.

pub mod create_xray;
pub mod delete_xray;
pub mod download_xray;
pub mod get_preview;
pub mod get_xray;
pub mod list_xrays;
mod store_upload;
pub mod update_xray;
mod upload;
pub mod view;

#[cfg(any(test, feature = "fuzzing"))]
pub use self::upload::check_picture;
pub use self::upload::hash_form;
