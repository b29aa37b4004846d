//! PS3.18 8.7.3.5.2: the transfer syntaxes that an instance can be sent in, as something to choose from.

use conversion::{Offer, Way};

use crate::media_type::{DICOM, Form, Representation};

/// An offer as something to choose.
pub fn representation(offer: &Offer, form: Form) -> Representation {
    Representation {
        only_when_stated: offer.only_when_stated,
        is_stored: offer.way == Way::AsStored,
        ..Representation::new(form, DICOM, &offer.transfer_syntax)
    }
}
