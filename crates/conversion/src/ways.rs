//! PS3.18 8.7.3.5.2: the transfer syntaxes that an instance can be sent in, and how each comes about.

use database::{HeaderRecord, StoredInstance};
use model::transfer_syntax as ts;
use rendering::{Target, is_decodable};

use crate::possible as possible_targets;

/// How the bytes of an instance come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As they are kept.
    AsStored,
    /// The data set in another encoding, its pixels the same.
    Rewritten {
        /// Implicit VR Little Endian, else Explicit.
        implicit_vr: bool,
    },
    /// Every frame made anew.
    Transcoded {
        /// In this form.
        target: Target,
        /// Implicit VR Little Endian, else Explicit; only with native samples.
        implicit_vr: bool,
    },
}

/// A transfer syntax and its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its UID.
    pub transfer_syntax: String,
    /// How it comes about.
    pub way: Way,
    /// Not sent unless it is asked for by name.
    pub only_when_stated: bool,
}

impl Offer {
    fn new(transfer_syntax: &str, way: Way) -> Self {
        Self { transfer_syntax: transfer_syntax.to_owned(), way, only_when_stated: false }
    }

    fn stated(transfer_syntax: &str, way: Way) -> Self {
        Self { only_when_stated: true, ..Self::new(transfer_syntax, way) }
    }
}

/// Every way there may be, as far as can be said without opening the header: a choice that falls on
/// [`Way::AsStored`] stands. Explicit VR Little Endian comes first, the default of PS3.18 8.7.3.5.
pub fn conceivable(instance: &StoredInstance) -> Vec<Offer> {
    let possible =
        if is_decodable(&instance.transfer_syntax_uid) { Target::ALL.to_vec() } else { Vec::new() };
    offers(instance, instance.transfer_syntax_uid.is_encapsulated(), &possible)
}

/// The ways of an instance by its header.
pub fn of(instance: &StoredInstance, header: &HeaderRecord) -> Vec<Offer> {
    let encapsulated = instance.transfer_syntax_uid.is_encapsulated() && header.pixel_module.is_some();
    offers(instance, encapsulated, &possible_targets(instance, header))
}

fn offers(instance: &StoredInstance, encapsulated: bool, possible: &[Target]) -> Vec<Offer> {
    let stored = instance.transfer_syntax_uid.as_str();
    let kept = Offer::new(stored, Way::AsStored);
    if is_pixels_elsewhere(stored) {
        return vec![kept];
    }
    let mut offers = Vec::new();
    let encodings = [(ts::EXPLICIT_VR_LITTLE_ENDIAN, false), (ts::IMPLICIT_VR_LITTLE_ENDIAN, true)];
    let native = possible.contains(&Target::Native);
    for (uid, implicit_vr) in encodings.into_iter().filter(|(uid, _)| *uid != stored) {
        let way = match (encapsulated, native) {
            (false, _) => Way::Rewritten { implicit_vr },
            (true, true) => Way::Transcoded { target: Target::Native, implicit_vr },
            (true, false) => continue,
        };
        let offer = if implicit_vr { Offer::stated(uid, way) } else { Offer::new(uid, way) };
        offers.push(offer);
    }
    let first = usize::from(stored != ts::EXPLICIT_VR_LITTLE_ENDIAN && !offers.is_empty());
    offers.insert(first, kept);
    for target in possible.iter().copied().filter(|target| *target != Target::Native) {
        let uid = target.transfer_syntax();
        if uid != stored {
            offers.push(Offer::stated(uid, Way::Transcoded { target, implicit_vr: false }));
        }
    }
    offers
}

/// The data set has no pixels but says where they are: in another syntax that would say nothing.
fn is_pixels_elsewhere(uid: &str) -> bool {
    matches!(
        uid,
        ts::JPIP_REFERENCED
            | ts::JPIP_REFERENCED_DEFLATE
            | ts::JPIP_HTJ2K_REFERENCED
            | ts::JPIP_HTJ2K_REFERENCED_DEFLATE
    )
}
