//! PS3.4 C.4.1, C-FIND of patients, studies, series and instances.

mod pages;
mod query;
mod row;

use database::{PatientRow, SearchRow};
use model::{AeTitle, access::Scope, ae::AeOperation};

use self::pages::Pages;
pub(crate) use self::query::{Query, check_hierarchy};
use crate::{
    association::Association,
    backend::Backend,
    dimse::command_set::CommandSet,
    query_retrieve::{
        answers::{self, Answers},
        data_set::DataSet,
        identifier::{self, Identifier},
        lookup::{Looked, Lookup},
        response::{Asked, Refused},
    },
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Something that was found.
enum Found {
    Patient(PatientRow),
    Row(Box<SearchRow>),
}

/// Answers a C-FIND-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_c_find_total").increment(1);
    let Some(model) = asked.model(association, AeOperation::Find).await? else { return Ok(()) };
    let received = identifier::receive(association, context, command).await?;
    let read = received.and_then(|identifier| {
        Query::read(model, context.options, &identifier).map(|query| (identifier, query))
    });
    match read {
        Ok((identifier, query)) => answer(association, asked, &identifier, query).await,
        Err(refused) => asked.refuse(association, refused).await,
    }
}

async fn answer<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    identifier: &Identifier,
    query: Query,
) -> Result<(), End> {
    let backend = std::sync::Arc::clone(&association.backend);
    let scope = match backend.scope(&association.peer, &association.rights).await {
        Ok(scope) => scope,
        Err(refused) => return asked.refuse(association, refused).await,
    };
    let our_title = association.door.config.ae_title.clone();
    let pages = Pages::new(backend.as_ref(), &scope, &query);
    let mut rows = Rows { pages, scope: &scope, query: &query, identifier, our_title };
    answers::send(association, asked, &mut rows).await
}

/// Patients, studies, series or instances.
struct Rows<'a, L> {
    pages: Pages<'a, L>,
    scope: &'a Scope,
    query: &'a Query,
    identifier: &'a Identifier,
    our_title: AeTitle,
}

impl<L: Lookup> Answers for Rows<'_, L> {
    type Found = Found;

    async fn next(&mut self) -> Result<Vec<Found>, Refused> {
        self.pages.next().await
    }

    fn scope(&self) -> Option<&Scope> {
        Some(self.scope)
    }

    fn has_more(&self) -> bool {
        self.pages.has_more()
    }

    fn looked(&self, found: usize) -> Looked {
        let (filter, study) = (self.query.filter_hash(), self.query.study());
        Looked::Searched { filter, found, more: self.has_more(), study }
    }

    fn data_set(&self, found: &Found) -> (DataSet, bool) {
        let mut data_set = match found {
            Found::Patient(patient) => row::of_patient(patient),
            Found::Row(found) => row::of(found),
        };
        let known = row::select(&mut data_set, self.query.level, &self.our_title, self.identifier);
        (data_set, known && self.query.is_fully_matched)
    }

    fn character_set(&self) -> &str {
        &self.identifier.character_set
    }
}
