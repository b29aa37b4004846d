//! What a record of the audit trail says.

use std::fmt;

use uuid::Uuid;

/// Who acts. What is not known stays empty: `AuditActor { role, ..AuditActor::default() }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditActor {
    /// The account, when one was proved.
    pub user_id: Option<Uuid>,
    /// The session of the account's token.
    pub session_id: Option<Uuid>,
    /// Role of the account, or what acts: `modality`, `worker`, `operator`.
    pub role: String,
    /// Calling AE title on the DICOM network; empty elsewhere.
    pub calling_ae: String,
    /// SHA-256 of the public key of the client's certificate, hexadecimal; empty without one.
    pub certificate: String,
    /// Network address it came from.
    pub source_address: String,
    /// The request or association it belongs to.
    pub request_id: String,
    /// The claim of an Idempotency-Key that a change fulfils; not kept in the trail.
    pub claim: Option<Uuid>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Done.
    Success,
    /// Not allowed, or not acceptable.
    Refused,
    /// Went wrong.
    Failed,
}

impl AuditOutcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Refused, Self::Failed];

    /// The word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for AuditOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was done or refused. None of its texts holds patient data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Identity, a UUIDv7. A commit whose answer was lost may write a record twice: the id tells.
    pub id: Uuid,
    /// Who.
    pub actor: AuditActor,
    /// What, verb_noun: `store_instance`, `read_study`, `link_study`.
    pub action: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The study it was about; empty for none.
    pub study_instance_uid: String,
    /// The consultation it was about.
    pub consultation_id: Option<Uuid>,
    /// `patient.id` of whom it was about: a pseudonym. Left out, the study's patient is looked up.
    pub patient: Option<Uuid>,
    /// The id of what it was about, as text; empty for none.
    pub subject: String,
    /// The rule that allowed or refused it, or its purpose; empty for none.
    pub rule: String,
    /// More, such as the reason of a refusal, in one sentence.
    pub detail: String,
}

impl AuditRecord {
    /// A successful action about nothing in particular yet.
    pub fn success(actor: &AuditActor, action: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            actor: actor.clone(),
            action: action.to_owned(),
            outcome: AuditOutcome::Success,
            study_instance_uid: String::new(),
            consultation_id: None,
            patient: None,
            subject: String::new(),
            rule: String::new(),
            detail: String::new(),
        }
    }

    /// An action that was refused.
    pub fn refused(actor: &AuditActor, action: &str) -> Self {
        Self { outcome: AuditOutcome::Refused, ..Self::success(actor, action) }
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = subject.to_string();
        self
    }

    /// The same about a study.
    #[must_use]
    pub fn of_study(mut self, study_instance_uid: impl fmt::Display) -> Self {
        self.study_instance_uid = study_instance_uid.to_string();
        self
    }

    /// The same about a consultation.
    #[must_use]
    pub fn of_consultation(mut self, consultation_id: Uuid) -> Self {
        self.consultation_id = Some(consultation_id);
        self
    }

    /// The same about the patient of this pseudonym: `patient.id`.
    #[must_use]
    pub fn of_patient(mut self, patient: Uuid) -> Self {
        self.patient = Some(patient);
        self
    }

    /// The same by this rule, or for this purpose.
    #[must_use]
    pub fn by_rule(mut self, rule: impl fmt::Display) -> Self {
        self.rule = rule.to_string();
        self
    }

    /// The same with more to say.
    #[must_use]
    pub fn saying(mut self, detail: impl fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }
}
