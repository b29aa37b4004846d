//! A second evaluator of the access rules, written from docs/access.md: no SQL, no cache, no code of the engine. It
//! looks at every fact for every question.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    access::{Grant, Principal, Role},
    clinical::ConsultationStatus,
};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct StudyFact {
    pub uid: String,
    pub patient_id: String,
    pub issuer: String,
    pub uploaded_by: Option<Uuid>,
    pub came_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub struct ConsultationFact {
    pub id: Uuid,
    pub doctor_id: Uuid,
    pub patient_id: String,
    pub issuer: String,
    pub status: ConsultationStatus,
    pub made_at: DateTime<Utc>,
    pub made_by: Option<Uuid>,
    pub booked_by_its_doctor: bool,
    pub closed_at: Option<DateTime<Utc>>,
    pub linked: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum Granted {
    Study(String),
    Patient(String, String),
    Everything,
}

#[derive(Debug, Clone)]
pub struct GrantFact {
    pub id: Uuid,
    pub user_id: Uuid,
    pub what: Granted,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked: bool,
}

#[derive(Debug, Clone)]
pub struct ShareFact {
    pub id: Uuid,
    pub doctor_id: Uuid,
    pub study: String,
    pub expires_at: DateTime<Utc>,
    pub revoked: bool,
}

#[derive(Debug, Clone)]
pub struct EmergencyFact {
    pub id: Uuid,
    pub user_id: Uuid,
    pub patient_id: String,
    pub issuer: String,
    pub expires_at: DateTime<Utc>,
    pub ended: bool,
}

/// Everything that was done.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub studies: Vec<StudyFact>,
    pub consultations: Vec<ConsultationFact>,
    pub grants: Vec<GrantFact>,
    pub shares: Vec<ShareFact>,
    pub emergencies: Vec<EmergencyFact>,
}

fn is_patient(study: &StudyFact, patient_id: &str, issuer: &str) -> bool {
    !patient_id.is_empty() && study.patient_id == patient_id && (issuer.is_empty() || study.issuer == issuer)
}

fn is_open(consultation: &ConsultationFact) -> bool {
    match consultation.status {
        ConsultationStatus::Booked | ConsultationStatus::Arrived | ConsultationStatus::InProgress => true,
        ConsultationStatus::Proposed
        | ConsultationStatus::Completed
        | ConsultationStatus::Cancelled
        | ConsultationStatus::NoShow => false,
    }
}

fn closed_less_than(consultation: &ConsultationFact, ago: TimeDelta, now: DateTime<Utc>) -> bool {
    consultation.status == ConsultationStatus::Completed
        && consultation.closed_at.is_some_and(|closed| closed + ago > now)
}

/// Whether the consultation is about the study, leaving aside where it stands.
fn is_about(consultation: &ConsultationFact, study: &StudyFact) -> bool {
    let late_enough =
        !consultation.booked_by_its_doctor || study.came_at >= consultation.made_at - TimeDelta::hours(24);
    consultation.linked.contains(&study.uid)
        || (is_patient(study, &consultation.patient_id, &consultation.issuer) && late_enough)
}

impl Facts {
    /// Whether somebody may read a study now.
    pub fn may_read(&self, who: &Principal, study: &StudyFact, now: DateTime<Utc>) -> bool {
        if who.grant == Some(Grant::Device) {
            return who.role == Role::Paramedic && self.is_own_case(who.user_id, study, now);
        }
        if let Some(grant) = who.grant {
            return who.role == Role::Doctor && self.by_grant(who, grant, study, now);
        }
        match who.role {
            Role::Admin => false,
            Role::Service => true,
            Role::Viewer => self.was_granted(who.user_id, study, now),
            Role::Paramedic => self.is_own_case(who.user_id, study, now),
            Role::Doctor => who.doctor_id.is_some_and(|doctor| {
                self.is_doctors(doctor, study, now)
                    || self.was_granted(who.user_id, study, now)
                    || self.is_emergency(who.user_id, study, now)
            }),
        }
    }

    fn by_grant(&self, who: &Principal, grant: Grant, study: &StudyFact, now: DateTime<Utc>) -> bool {
        let Some(doctor) = who.doctor_id else { return false };
        match grant {
            Grant::Consultation(id) => self.consultations.iter().any(|consultation| {
                consultation.id == id
                    && consultation.doctor_id == doctor
                    && is_open(consultation)
                    && is_about(consultation, study)
            }),
            Grant::Share(id) => {
                let live = self.shares.iter().any(|share| {
                    share.id == id && share.study == study.uid && !share.revoked && share.expires_at > now
                });
                live && self.is_doctors(doctor, study, now)
            }
            Grant::Device => false,
        }
    }

    fn is_doctors(&self, doctor: Uuid, study: &StudyFact, now: DateTime<Utc>) -> bool {
        self.consultations.iter().any(|consultation| {
            let stands = is_open(consultation) || closed_less_than(consultation, TimeDelta::days(30), now);
            consultation.doctor_id == doctor && stands && is_about(consultation, study)
        })
    }

    fn was_granted(&self, user: Uuid, study: &StudyFact, now: DateTime<Utc>) -> bool {
        self.grants.iter().any(|grant| {
            let covers = match &grant.what {
                Granted::Study(uid) => *uid == study.uid,
                Granted::Patient(patient_id, issuer) => is_patient(study, patient_id, issuer),
                Granted::Everything => true,
            };
            let live = !grant.revoked && grant.expires_at.is_none_or(|end| end > now);
            grant.user_id == user && live && covers
        })
    }

    fn is_emergency(&self, user: Uuid, study: &StudyFact, now: DateTime<Utc>) -> bool {
        self.emergencies.iter().any(|access| {
            access.user_id == user
                && !access.ended
                && access.expires_at > now
                && is_patient(study, &access.patient_id, &access.issuer)
        })
    }

    fn is_own_case(&self, user: Uuid, study: &StudyFact, now: DateTime<Utc>) -> bool {
        let day = TimeDelta::hours(24);
        let fresh = study.came_at + day > now;
        let case = self.consultations.iter().any(|consultation| {
            let running = is_open(consultation) || closed_less_than(consultation, day, now);
            let linked = consultation.linked.contains(&study.uid);
            let own = consultation.made_by == Some(user)
                && is_patient(study, &consultation.patient_id, &consultation.issuer);
            running && (linked || own)
        });
        study.uploaded_by == Some(user) && (fresh || case)
    }
}
