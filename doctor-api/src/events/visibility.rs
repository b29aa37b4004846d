//! Which events somebody may see: those about studies and consultations that are in reach.

use std::{collections::HashMap, time::Duration};

use database::{Attribute, Condition, Database, DatabaseError, Level, Matching, SearchQuery};
use model::{
    access::{Action, Extent, Principal, Scope},
    event::Event,
};
use tokio::time::Instant;

/// How long a study that is in reach counts as such without asking again.
const VISIBLE_FOR: Duration = Duration::from_secs(10);
/// The same for one that is out of reach: a booking elsewhere may bring it into reach.
const HIDDEN_FOR: Duration = Duration::from_secs(1);
/// Studies remembered at once.
const STUDIES_MAX: usize = 1_000;

/// The eyes of one listener.
pub struct Visibility {
    database: Database,
    studies: Option<Scope>,
    consultations: Option<Scope>,
    /// Reviews emergency accesses, so hears of them at once.
    reviews: bool,
    known: HashMap<String, (bool, Instant)>,
}

impl Visibility {
    /// What `principal` may read decides what it may hear of.
    pub fn new(database: Database, principal: &Principal) -> Self {
        Self {
            database,
            studies: principal.authorize(Action::ReadStudy).ok(),
            consultations: principal.authorize(Action::ReadConsultation).ok(),
            reviews: principal.authorize(Action::ReviewBreakGlass).is_ok(),
            known: HashMap::new(),
        }
    }

    /// Whether the event is for this listener.
    pub async fn allows(&mut self, event: &Event) -> Result<bool, DatabaseError> {
        match event {
            Event::InstanceStored { study_instance_uid, .. }
            | Event::InstanceConflicted { study_instance_uid, .. }
            | Event::PatientClashed { study_instance_uid, .. }
            | Event::PreviewMade { study_instance_uid, .. }
            | Event::PreviewFailed { study_instance_uid, .. }
            | Event::StudyCompleted { study_instance_uid, .. }
            | Event::ObjectAltered { study_instance_uid, .. } => self.reaches_study(study_instance_uid).await,
            // Of a study that is gone nothing tells any more whose it was: only who may read all hears of that.
            Event::InstancesDeleted { study_instance_uid, .. } => {
                self.known.clear();
                self.reaches_study(study_instance_uid).await
            }
            // Nothing tells any more whose patient it was.
            Event::PatientErased { .. } => {
                self.known.clear();
                Ok(self.studies.as_ref().is_some_and(Scope::is_everything))
            }
            // After a study is unlinked only the consultation tells whose it was.
            Event::StudyLinked { consultation_id, .. }
            | Event::StudyUnlinked { consultation_id, .. }
            | Event::ConsultationScheduled { consultation_id, .. }
            | Event::ConsultationChanged { consultation_id, .. }
            | Event::ConsultationEnded { consultation_id, .. }
            | Event::ReminderDue { consultation_id, .. }
            | Event::PrescriptionFinalized { consultation_id, .. }
            | Event::PrescriptionCancelled { consultation_id, .. }
            | Event::ReportFinalized { consultation_id, .. }
            | Event::ReportCancelled { consultation_id, .. } => {
                self.known.clear();
                let Some(scope) = &self.consultations else { return Ok(false) };
                Ok(self.database.consultation(scope, *consultation_id).await?.is_some())
            }
            // It is out of reach of the doctor who had it, and says what that one knew. Who has it now hears that it was changed.
            Event::ConsultationGivenAway { doctor_id, .. } => {
                self.known.clear();
                Ok(match self.consultations.as_ref().map(Scope::extent) {
                    Some(Extent::Doctor { doctor_id: own, .. }) => own == *doctor_id,
                    Some(Extent::Everything) => true,
                    _ => false,
                })
            }
            Event::BreakGlassStarted { .. } => {
                self.known.clear();
                Ok(self.reviews)
            }
            Event::SecurityAlerted { .. } => Ok(self.reviews),
            // Goes to its webhook alone.
            Event::WebhookTested { .. } => Ok(false),
        }
    }

    async fn reaches_study(&mut self, study_instance_uid: &str) -> Result<bool, DatabaseError> {
        let Some(scope) = &self.studies else { return Ok(false) };
        if scope.is_everything() {
            return Ok(true);
        }
        let now = Instant::now();
        if let Some((visible, until)) = self.known.get(study_instance_uid)
            && now < *until
        {
            return Ok(*visible);
        }
        let query = SearchQuery {
            level: Level::Study,
            conditions: vec![Condition {
                attribute: Attribute::StudyInstanceUID,
                matching: Matching::Equals(study_instance_uid.to_owned()),
            }],
            limit: 1,
            ..SearchQuery::default()
        };
        let visible = !self.database.search(scope, &query).await?.rows.is_empty();
        if self.known.len() >= STUDIES_MAX {
            self.known.clear();
        }
        let until = now + if visible { VISIBLE_FOR } else { HIDDEN_FOR };
        self.known.insert(study_instance_uid.to_owned(), (visible, until));
        Ok(visible)
    }
}
