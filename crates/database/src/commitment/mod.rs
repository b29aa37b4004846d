//! PS3.4 Annex J, requests for storage commitment: kept until the requestor has heard what came of them.

mod report;
mod request;

use chrono::{DateTime, Utc};
use model::{AeTitle, SopClassUid, SopInstanceUid, SopReference};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    DatabaseError,
    owed::{Claimed, OwedTable},
};

pub use report::CommitmentEnd;
pub use request::{CommitmentRequested, NewCommitment};

const OWED: OwedTable = OwedTable { name: "commitment", open: "state = 'pending'" };

/// A request that waits to be reported on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// Identity.
    pub id: Uuid,
    /// Who asked.
    pub ae_title: AeTitle,
    /// The title that it called us by.
    pub called_ae_title: AeTitle,
    /// Transaction UID (0008,1195).
    pub transaction_uid: String,
    /// The instances, in the order in which they were named.
    pub references: Vec<SopReference>,
    /// The Transaction UID was in use for other instances.
    pub duplicate: bool,
    /// Attempts to report, the one that runs included.
    pub attempts: u32,
    /// When it was asked for, the last time.
    pub requested_at: DateTime<Utc>,
}

/// Class and instance UID, as they are kept.
type Pairs = Vec<(String, String)>;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    ae_title: String,
    called_ae_title: String,
    transaction_uid: String,
    referenced: Json<Pairs>,
    duplicate: bool,
}

fn pairs(references: &[SopReference]) -> Pairs {
    let pair = |one: &SopReference| (one.sop_class_uid.to_string(), one.sop_instance_uid.to_string());
    references.iter().map(pair).collect()
}

impl Commitment {
    fn new(row: &Row, claimed: Claimed) -> Result<Self, DatabaseError> {
        let corrupt = || DatabaseError::Corrupt(format!("commitment {}", row.id));
        let title = |text: &str| AeTitle::parse(text).map_err(|_| corrupt());
        let reference = |(class, instance): &(String, String)| {
            Ok(SopReference {
                sop_class_uid: SopClassUid::parse(class).map_err(|_| corrupt())?,
                sop_instance_uid: SopInstanceUid::parse(instance).map_err(|_| corrupt())?,
            })
        };
        Ok(Self {
            id: row.id,
            ae_title: title(&row.ae_title)?,
            called_ae_title: title(&row.called_ae_title)?,
            references: row.referenced.0.iter().map(reference).collect::<Result<_, DatabaseError>>()?,
            transaction_uid: row.transaction_uid.clone(),
            duplicate: row.duplicate,
            attempts: u32::try_from(claimed.attempts).unwrap_or(0),
            requested_at: claimed.requested_at,
        })
    }

    fn claimed(&self) -> Claimed {
        let attempts = i32::try_from(self.attempts).unwrap_or(i32::MAX);
        Claimed { id: self.id, attempts, requested_at: self.requested_at }
    }
}
