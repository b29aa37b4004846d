//! The only SQL: one text for SQLite and PostgreSQL.
//!
//! [`Database`] has one method for each thing that is read or changed; each lies in the file of its entity. A
//! write takes an [`AuditActor`] and puts its audit record, and its events, in its own transaction. What only one
//! engine can say is in `statement.rs`, `migrate.rs` and `engine.rs`.
#![deny(missing_docs)]

#[macro_use]
mod engine;
#[macro_use]
mod gathered;
#[macro_use]
mod scope;

mod access;
mod account;
mod advisory_lock;
mod ae;
mod audit;
mod availability;
mod batch;
mod check;
mod clock_skew;
mod commit;
mod commitment;
mod config;
mod connections;
mod consultation;
mod deletion;
mod doctor;
mod document;
mod error;
mod fingerprint;
mod forward;
mod header;
mod idempotency;
mod ingest;
mod instance;
mod keys;
mod lease;
mod migrate;
mod neighbours;
mod node;
mod notification;
mod open;
mod outbox;
mod outbox_cursor;
mod outbox_forgotten;
mod owed;
mod own_thread;
mod performed_step;
mod preview;
mod preview_claim;
mod quiet_study;
mod schedule;
mod schema;
mod search;
mod sequence_base;
mod session;
mod sign_in_rate;
mod start_turn;
mod statement;
mod store_beat;
mod text;
mod transaction;
mod turn;
mod user;
mod worklist;
mod xray_metadata;

pub use access::{
    AccessConfig, AccessGrant, BreakGlass, BreakGlassRefused, GrantKind, NewBreakGlass, NewGrant, NewShare,
    ReviewOutcome, Share, ShareOutcome,
};
pub use account::{UserChanges, UserFilter, UserKind};
pub use audit::{
    AuditActor, AuditFilter, AuditFinding, AuditFindingKind, AuditOutcome, AuditRecord, AuditRow, ChainHead,
    Encoder, StoredCheckpoint,
};
pub use availability::{AvailabilityEnd, AvailabilityNotice};
pub use check::{LinkedWrongly, PreviewRow, StoredEvent};
pub use commitment::{Commitment, CommitmentEnd, CommitmentRequested, NewCommitment};
pub use config::{DatabaseConfig, Migrate};
pub use consultation::{
    BookingError, Calendar, ChangeConsultation, ChangeError, ConsultationChange, ConsultationEdit,
    ConsultationFilter, ConsultationNote, Hold, LinkOutcome, LinkedStudy, NewConsultation, NewHold, NewNote,
    Span,
};
pub use deletion::{DeletedInstance, Deletion, DeletionRules, DeletionTarget};
pub use doctor::{DoctorChanges, DoctorFilter, DoctorVersion, NewDoctor};
pub use document::{DocumentError, WriterScope};
pub use engine::{Database, Engine};
pub use error::DatabaseError;
pub use forward::{
    Forward, ForwardFilter, ForwardItem, ForwardOutcome, ForwardRuleRow, NewForward, forward_conditions,
};
pub use header::{HeaderRecord, PackedHeader};
pub use idempotency::{Claim, ClaimedForm, FormClaim, KeptAnswer, NewClaim};
pub use ingest::{ConflictPolicy, NewInstance, Origin, StoreInstanceError, StoreOutcome};
pub use instance::{Counts, InstanceKeys, StoredInstance};
pub use keys::{
    Erased, Erasure, KeyJob, KeyJobKind, KeyJobState, LegalHold, PatientFound, SealedRow, SealedRowKind,
};
pub use lease::Lease;
pub use neighbours::Word;
pub use notification::{
    Attempt, Delivery, DeliveryFilter, DeliveryOutcome, DeliveryState, NewWebhook, REMINDER_MINUTES_BEFORE,
    Receivers, Webhook,
};
pub use outbox_forgotten::ForgottenEvents;
pub use performed_step::{PerformedStepFilter, PerformedStepRow};
pub use preview::{PREVIEW_ATTEMPTS_MAX, PreviewObjects, PreviewState};
pub use preview_claim::PreviewClaims;
pub use quiet_study::Quiet;
pub use schedule::{ScheduleRow, ScheduleUpdate};
pub use schema::Schema;
pub use search::{
    Attribute, Condition, InstanceRow, Level, MATCHING_UIDS_MAX, Matching, MatchingRules, Order, PatientRow,
    SearchQuery, SearchResult, SearchRow, SeriesRow, SortKey, StudyPlace, XrayConditions,
};
pub use session::{NewSession, OpenedSession, RefreshOutcome, Session, SessionKind, SessionSet};
pub use sign_in_rate::Allowance;
pub use start_turn::StartTurn;
pub use store_beat::StoreBeat;
pub use user::{NewUser, User, folded_username};
pub use worklist::{
    WorklistCondition, WorklistCursor, WorklistFilter, WorklistKey, WorklistQuery, WorklistStep,
};
pub use xray_metadata::{FormOfXray, XrayMetadata};
