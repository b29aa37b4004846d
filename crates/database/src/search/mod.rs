//! PS3.18 10.6, Search Transaction, and PS3.4 C.4.1, C-FIND: the index behind QIDO-RS and Query/Retrieve.

mod attribute;
mod condition;
mod count;
mod date_time;
mod key;
mod matching;
mod name_words;
mod order;
mod page;
mod patients;
mod row;
mod said;
mod sql;
mod trigrams;

use model::{
    StudyInstanceUid,
    access::Scope,
    instance::{InstanceAttributes, PatientAttributes, SeriesAttributes, StudyAttributes},
};
use uuid::Uuid;

use crate::{Database, DatabaseError};

pub use attribute::Attribute;
pub(crate) use date_time::push_combined;
pub use key::{MATCHING_UIDS_MAX, MatchingRules};
pub(crate) use matching::{push_code, push_person_name, push_text};
pub(crate) use name_words::{NAME_WORDS, fill_name_words, name_word_rows};
pub(crate) use page::{PREPARED_BINDS_MAX, bind_all, studies_by_id};
pub use patients::PatientRow;
pub use said::XrayConditions;
pub(crate) use sql::{Bind, Sql};
pub(crate) use trigrams::{TrigramLetters, find_name_trigrams};

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Studies.
    #[default]
    Study,
    /// Series.
    Series,
    /// Instances.
    Instance,
}

/// In which order; each is total, so that pages do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Order {
    /// Studies by date, newest first, then UID; series by number, then UID; instances by series, number, UID.
    #[default]
    Standard,
    /// As `Standard`, from a study on: the work of a page does not grow with what came before it, as it does with
    /// [`SearchQuery::offset`]. There is no total.
    StandardFrom(StudyPlace),
    /// As `Standard`, with the oldest study first.
    OldestFirst,
    /// By these attributes, then as `Standard`. Those that [`Attribute::sorts`] not at the level asked for count for
    /// nothing. It sorts all that matches: bounded by the statement's time.
    By(Vec<SortKey>),
}

/// Where a study is in [`Order::Standard`], also when it is there no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyPlace {
    /// Study Date (0008,0020), empty for none.
    pub study_date: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: StudyInstanceUid,
}

/// One attribute to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// Names and texts sort without case and accents, numbers as numbers, nothing at all last.
    pub attribute: Attribute,
    /// Largest first.
    pub descending: bool,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchQuery {
    /// What to return.
    pub level: Level,
    /// All of them must hold. A condition on a deeper level holds when one series or instance meets all of that
    /// level's conditions.
    pub conditions: Vec<Condition>,
    /// In which order.
    pub order: Order,
    /// Rows at most.
    pub limit: u32,
    /// Rows skipped.
    pub offset: u64,
    /// Fuzzy semantic matching of person names (PS3.4 C.2.2.2.1.1): each word asked for starts a word of the name, in
    /// any order; of patients' names, one that sounds like it will do.
    pub fuzzy: bool,
    /// A range of dates and one of times make one range of moments (PS3.4 C.2.2.2.5.1).
    pub combined_date_time: bool,
    /// When there are more rows than one page, and an index leads to them: count them up to this number. 0 counts
    /// nothing.
    pub count_max: u64,
}

/// One attribute that must match (PS3.4 C.2.2.2). Universal matching is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What is compared.
    pub attribute: Attribute,
    /// With what.
    pub matching: Matching,
}

/// How an attribute is matched (PS3.4 C.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matching {
    /// Single value matching. Names and texts match without case and accents.
    Equals(String),
    /// Wild card matching: `*` and `?`.
    Wildcard(String),
    /// Range matching, both ends included.
    Range {
        /// Earliest.
        from: Option<String>,
        /// Latest.
        to: Option<String>,
    },
    /// List of UID matching; on other attributes, any of the values.
    UidList(Vec<String>),
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchResult {
    /// The page.
    pub rows: Vec<SearchRow>,
    /// There is at least one row after this page.
    pub more: bool,
    /// How many rows there are in all; `None` when that is neither known without counting nor within
    /// [`SearchQuery::count_max`].
    pub total: Option<u64>,
}

/// One study, series or instance, with the levels above it.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRow {
    /// Patient.
    pub patient: PatientAttributes,
    /// Study.
    pub study: StudyAttributes,
    /// Instances of the study disagree on the patient, or its Patient ID is used with clashing demographics.
    pub review: bool,
    /// Number of Study Related Series (0020,1206).
    pub number_of_study_related_series: u64,
    /// Number of Study Related Instances (0020,1208).
    pub number_of_study_related_instances: u64,
    /// Modalities in Study (0008,0061), sorted.
    pub modalities_in_study: Vec<String>,
    /// Series; on the levels series and instance.
    pub series: Option<SeriesRow>,
    /// Instance; on its level.
    pub instance: Option<InstanceRow>,
}

/// A series that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRow {
    /// Attributes.
    pub attributes: SeriesAttributes,
    /// Number of Series Related Instances (0020,1209).
    pub number_of_series_related_instances: u64,
}

/// An instance that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// Identity, also of the X-ray in REST paths.
    pub id: Uuid,
    /// Attributes.
    pub attributes: InstanceAttributes,
}

impl Database {
    /// Finds studies, series or instances in reach of `scope`. Hidden conflict versions are never found.
    pub async fn search(&self, scope: &Scope, query: &SearchQuery) -> Result<SearchResult, DatabaseError> {
        page::search(self, scope, query, &XrayConditions::NONE).await
    }

    /// As [`Self::search`], for [`Level::Instance`], with conditions on what people say. There is no total when they ask for something.
    pub async fn search_xrays(
        &self,
        scope: &Scope,
        query: &SearchQuery,
        conditions: &XrayConditions,
    ) -> Result<SearchResult, DatabaseError> {
        page::search(self, scope, query, conditions).await
    }

    /// The plan of a search, one line a step, as the engine tells it: for tests of plans.
    pub async fn explain_search(
        &self,
        scope: &Scope,
        query: &SearchQuery,
    ) -> Result<Vec<String>, DatabaseError> {
        page::explain(self, scope, query).await
    }
}
