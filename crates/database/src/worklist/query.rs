//! PS3.4 K.6.1.2: scheduled procedure steps by the keys of a modality, in the order in which they are to be done.

use model::{
    access::Scope,
    worklist::{ScheduledProcedureStep, WorklistItem},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::row::{ITEM_COLUMNS, ItemRow, STEP_COLUMNS, StepRow};
use crate::{
    Database, DatabaseError, Matching,
    scope::{Reach, ReachBind},
    search::{Bind, Sql, bind_all, push_code, push_combined, push_person_name, push_text},
};

/// How a key is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Text,
    PersonName,
}

/// Makes the keys and what is known of each: attribute, in the Scheduled Procedure Step Sequence or not, VR, column,
/// way of matching.
macro_rules! keys {
    ($($name:ident: $tag:literal, $in_step:literal, $vr:literal, $column:literal, $kind:ident;)*) => {
        /// An attribute that modalities match on (PS3.4 table K.6-1), by its keyword.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum WorklistKey {
            $(
                #[doc = concat!("Column `", $column, "`.")]
                $name,
            )*
        }

        impl WorklistKey {
            const ALL: &'static [Self] = &[$(Self::$name),*];

            fn known(self) -> (u32, bool, &'static str, &'static str, Kind) {
                match self {
                    $(Self::$name => ($tag, $in_step, $vr, $column, Kind::$kind),)*
                }
            }

            /// The keyword.
            pub fn keyword(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

keys! {
    ScheduledStationAETitle: 0x0040_0001, true, "AE", "s.station_ae_title", Code;
    ScheduledProcedureStepStartDate: 0x0040_0002, true, "DA", "s.start_date", Code;
    ScheduledProcedureStepStartTime: 0x0040_0003, true, "TM", "s.start_time", Code;
    Modality: 0x0008_0060, true, "CS", "s.modality", Code;
    ScheduledPerformingPhysicianName: 0x0040_0006, true, "PN", "s.performing_physician_name_folded", PersonName;
    ScheduledProcedureStepID: 0x0040_0009, true, "SH", "s.step_id_folded", Text;
    ScheduledStationName: 0x0040_0010, true, "SH", "s.station_name", Code;
    ScheduledProcedureStepLocation: 0x0040_0011, true, "SH", "s.location", Code;
    ScheduledProcedureStepStatus: 0x0040_0020, true, "CS", "s.status", Code;
    RequestedProcedureID: 0x0040_1001, false, "SH", "i.requested_procedure_id_folded", Text;
    StudyInstanceUID: 0x0020_000D, false, "UI", "i.study_instance_uid", Code;
    AccessionNumber: 0x0008_0050, false, "SH", "i.accession_number_folded", Text;
    PatientName: 0x0010_0010, false, "PN", "i.patient_name_folded", PersonName;
    PatientID: 0x0010_0020, false, "LO", "i.patient_id_folded", Text;
    IssuerOfPatientID: 0x0010_0021, false, "LO", "i.issuer_of_patient_id", Code;
    PatientBirthDate: 0x0010_0030, false, "DA", "i.patient_birth_date", Code;
    PatientSex: 0x0010_0040, false, "CS", "i.patient_sex", Code;
}

impl WorklistKey {
    /// The key of an attribute, inside the Scheduled Procedure Step Sequence or outside of it.
    pub fn of(tag: u32, in_step: bool) -> Option<Self> {
        let same = |key: &Self| key.known().0 == tag && key.known().1 == in_step;
        Self::ALL.iter().copied().find(same)
    }

    /// Its value representation.
    pub fn vr(self) -> &'static str {
        self.known().2
    }

    fn column(self) -> &'static str {
        self.known().3
    }
}

/// What a step has to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistCondition {
    /// The attribute.
    pub key: WorklistKey,
    /// Its value.
    pub matching: Matching,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistCursor {
    start_date: String,
    start_time: String,
    item: Uuid,
    number: i32,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorklistQuery {
    /// All of them have to match.
    pub conditions: Vec<WorklistCondition>,
    /// Steps behind this one.
    pub after: Option<WorklistCursor>,
    /// Steps returned at most.
    pub limit: u32,
}

/// A scheduled procedure step with what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorklistStep {
    /// The step.
    pub step: ScheduledProcedureStep,
    /// Its item, without steps.
    pub item: WorklistItem,
    /// Where it stands among the steps.
    pub cursor: WorklistCursor,
}

fn push_condition(sql: &mut Sql, condition: &WorklistCondition) {
    let (_, _, _, column, kind) = condition.key.known();
    match kind {
        Kind::Code => push_code(sql, column, &condition.matching),
        Kind::Text => push_text(sql, column, &condition.matching),
        Kind::PersonName => push_person_name(sql, column, &condition.matching, false),
    }
}

fn range(query: &WorklistQuery, key: WorklistKey) -> Option<&Matching> {
    let found = query.conditions.iter().find(|condition| condition.key == key);
    found.map(|condition| &condition.matching).filter(|one| matches!(one, Matching::Range { .. }))
}

fn build(sql: &mut Sql, reach: &Reach, query: &WorklistQuery) {
    use WorklistKey::{
        ScheduledProcedureStepStartDate as StartDate, ScheduledProcedureStepStartTime as StartTime,
        ScheduledProcedureStepStatus as Status,
    };
    sql.push(&format!(
        "SELECT {STEP_COLUMNS}, {ITEM_COLUMNS} FROM worklist_step s JOIN worklist_item i ON i.id = s.item WHERE "
    ));
    let names_status = query.conditions.iter().any(|condition| condition.key == Status);
    sql.push(if names_status { "1 = 1" } else { "s.open" });
    // The reach has the first parameters.
    sql.push(&reach.sql);
    sql.binds.extend(reach.binds.iter().copied().map(Bind::Reach));
    // A range of days and one of times are one range of moments: remark below PS3.4 table K.6-1.
    let combined = range(query, StartDate).zip(range(query, StartTime));
    if let Some((date, time)) = combined {
        sql.push(" AND ");
        push_combined(sql, (StartDate.column(), date), (StartTime.column(), time));
    }
    for condition in &query.conditions {
        if combined.is_none() || ![StartDate, StartTime].contains(&condition.key) {
            sql.push(" AND ");
            push_condition(sql, condition);
        }
    }
    if let Some(after) = &query.after {
        sql.push(" AND (s.start_date, s.start_time, s.item, s.number) > (");
        sql.bind(Bind::Text(after.start_date.clone()));
        sql.push(", ");
        sql.bind(Bind::Text(after.start_time.clone()));
        sql.push(", ");
        sql.bind(Bind::Reach(ReachBind::Id(after.item)));
        sql.push(&format!(", {})", after.number));
    }
    sql.push(&format!(" ORDER BY s.start_date, s.start_time, s.item, s.number LIMIT {}", query.limit));
}

/// A step with its item.
#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    step: StepRow,
    #[sqlx(flatten)]
    item: ItemRow,
}

impl Database {
    /// Steps in reach of `scope` that match, in the order of their start. Those that are over are found when a status is asked for.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn worklist_steps(
        &self,
        scope: &Scope,
        query: &WorklistQuery,
    ) -> Result<Vec<WorklistStep>, DatabaseError> {
        let reach = self.worklist_reach(scope, 1);
        let mut sql = Sql::new(self.dialect());
        build(&mut sql, &reach, query);
        let found: Vec<Found> = on!(self, engine =>
            bind_all!(sqlx::query_as(AssertSqlSafe(sql.text)), sql.binds).fetch_all(&engine.read).await?);
        let step = |Found { step, item }: Found| {
            let cursor = WorklistCursor {
                start_date: step.start_date.clone(),
                start_time: step.start_time.clone(),
                item: step.item,
                number: step.number,
            };
            Ok(WorklistStep { step: step.step()?, item: item.with_steps(Vec::new())?, cursor })
        };
        found.into_iter().map(step).collect()
    }
}
