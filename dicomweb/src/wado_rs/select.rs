//! PS3.18 8.7.8: in which form and which transfer syntax each of the instances found goes out.

use std::collections::{HashMap, VecDeque};

use conversion::{Offer, Way};
use database::StoredInstance;
use service::http::problem::Problem;

use super::ways::representation;
use crate::{
    acceptable::Acceptable,
    media_type::{Form, Representation},
    problems,
    state::App,
};

/// Headers that are looked at together.
pub const HEADERS_AT_ONCE: usize = 64;

/// An instance and how it goes out.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The instance.
    pub instance: StoredInstance,
    /// What was chosen.
    pub offer: Offer,
    /// It may also go out as it is kept, when it turns out that it cannot be converted.
    pub stored_is_acceptable: bool,
}

impl Selected {
    /// The length of the file, where it is known before it is made.
    pub fn length(&self) -> Option<u64> {
        (self.offer.way == Way::AsStored).then_some(self.instance.object_length_bytes)
    }
}

/// One form for all instances; single-part only for `one` that the path names. Headers are opened only of instances
/// that seem to need another transfer syntax.
pub async fn select(
    app: &App,
    acceptable: &Acceptable,
    instances: Vec<StoredInstance>,
    one: bool,
) -> Result<(Form, Vec<Selected>), Problem> {
    let mut by_syntax: HashMap<String, (Form, Offer)> = HashMap::new();
    let mut form = Form::Multipart;
    let mut selected = Vec::with_capacity(instances.len());
    for instance in instances {
        let stored = instance.transfer_syntax_uid.as_str();
        let found = if let Some(found) = by_syntax.get(stored) {
            found.clone()
        } else {
            let found = choose(acceptable, &conversion::conceivable(&instance), one)?;
            by_syntax.entry(stored.to_owned()).or_insert(found).clone()
        };
        form = found.0;
        selected.push(Selected { instance, offer: found.1, stored_is_acceptable: false });
    }
    for chunk in selected.chunks_mut(HEADERS_AT_ONCE) {
        let mut converted: Vec<&mut Selected> =
            chunk.iter_mut().filter(|selected| selected.offer.way != Way::AsStored).collect();
        let ids: Vec<_> = converted.iter().map(|selected| selected.instance.id).collect();
        let mut headers = VecDeque::new();
        for (selected, asked) in converted.iter_mut().zip(0..) {
            if headers.is_empty() {
                let found = app.database().first_headers(&ids[asked..]).await;
                headers.extend(found.map_err(|error| problems::database(&error))?.0);
            }
            let header = headers.pop_front().filter(|header| header.instance_id() == selected.instance.id);
            let header = header.ok_or_else(Problem::not_found)?;
            let header = header.unpack().map_err(|error| problems::database(&error))?;
            let offers = conversion::of(&selected.instance, &header);
            (form, selected.offer) = choose(acceptable, &offers, one)?;
            let stored = offers.iter().find(|offer| offer.way == Way::AsStored);
            let stored = stored.map(|offer| representation(offer, form));
            selected.stored_is_acceptable = stored.is_some_and(|offer| acceptable.choose(&[offer]).is_ok());
        }
    }
    Ok((form, selected))
}

fn choose(acceptable: &Acceptable, offers: &[Offer], one: bool) -> Result<(Form, Offer), Problem> {
    let forms: &[Form] = if one { &[Form::Multipart, Form::SinglePart] } else { &[Form::Multipart] };
    let pairs: Vec<(Form, &Offer)> =
        forms.iter().flat_map(|form| offers.iter().map(|offer| (*form, offer))).collect();
    let representations: Vec<Representation> =
        pairs.iter().map(|(form, offer)| representation(offer, *form)).collect();
    let chosen = acceptable.choose_index(&representations)?;
    let (form, offer) = pairs.get(chosen).ok_or_else(|| problems::not_acceptable(&representations))?;
    Ok((*form, (*offer).clone()))
}
