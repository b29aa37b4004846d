//! A database and the facts about it: each step is done in the one and noted in the other.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    AuditActor, ChangeConsultation, GrantKind, Level, LinkOutcome, NewBreakGlass, NewConsultation, NewGrant,
    NewShare, NewUser, SearchQuery, StoreOutcome,
};
use model::{
    access::{Action, Grant, Principal, Role, Scope},
    clinical::{ConsultationCommand, ConsultationStatus},
};
use uuid::Uuid;

use super::oracle::{ConsultationFact, EmergencyFact, Facts, GrantFact, Granted, ShareFact, StudyFact};
use crate::{
    consultations::{booking, doctor},
    support::{Home, actor, instance, patient, study_uid, study_uids},
};

pub struct World<'a> {
    pub home: &'a Home,
    pub facts: Facts,
    /// Keeps the names of this world apart from those of others in the same database.
    prefix: String,
    studies: usize,
}

impl<'a> World<'a> {
    pub fn new(home: &'a Home, number: usize) -> Self {
        Self { home, facts: Facts::default(), prefix: format!("1.{}", number + 1), studies: 0 }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.home.now()
    }

    /// A Patient ID of this world.
    pub fn patient_id(&self, number: usize) -> String {
        format!("P{}-{number}", self.prefix)
    }

    /// An account; a doctor's comes with its doctor.
    pub async fn account(&self, role: Role) -> Principal {
        let doctor_id = if role == Role::Doctor { Some(doctor(self.home).await) } else { None };
        let username = Uuid::now_v7().to_string();
        let new = NewUser { username, password_hash: "-".to_owned(), role, doctor_id };
        let user = self.home.database.create_user(new, &actor()).await.expect("an account");
        Principal::new(user.id, role, doctor_id)
    }

    /// A study of a patient, sent by an account or by a machine. Gives its UID.
    pub async fn store(&mut self, patient_id: &str, issuer: &str, sender: Option<&Principal>) -> String {
        self.studies += 1;
        let uid = format!("{}.{}", self.prefix, self.studies);
        let mut new = instance(&uid, 1);
        new.header.patient = patient(patient_id, "Doe^Jane");
        new.header.patient.issuer_of_patient_id = issuer.to_owned();
        new.origin.user_id = sender.map(|sender| sender.user_id);
        new.origin.own_studies_only = sender.is_some_and(|sender| sender.role == Role::Paramedic);
        let stored = self.home.store(new).await.expect("stored");
        assert!(matches!(stored, StoreOutcome::Stored { .. }), "{stored:?}");
        self.facts.studies.push(StudyFact {
            uid: uid.clone(),
            patient_id: patient_id.to_owned(),
            issuer: issuer.to_owned(),
            uploaded_by: sender.map(|sender| sender.user_id),
            came_at: self.now(),
        });
        uid
    }

    /// A consultation with a doctor that `booker` makes. Gives its place among the facts.
    pub async fn book(
        &mut self,
        booker: &Principal,
        doctor: &Principal,
        patient_id: &str,
        issuer: &str,
    ) -> usize {
        self.make(booker, doctor, (patient_id, issuer), ConsultationStatus::Booked).await
    }

    /// As [`World::book`], at any status that a consultation can begin with.
    pub async fn make(
        &mut self,
        booker: &Principal,
        doctor: &Principal,
        (patient_id, issuer): (&str, &str),
        status: ConsultationStatus,
    ) -> usize {
        let scope = booker.authorize(Action::CreateConsultation).expect("may book");
        let doctor_id = doctor.doctor_id.expect("a doctor");
        let new = NewConsultation {
            issuer_of_patient_id: issuer.to_owned(),
            status,
            ..booking(doctor_id, patient_id)
        };
        let made = self.home.database.create_consultation(&scope, new, &acting(booker)).await;
        let made = made.expect("booked");
        self.facts.consultations.push(ConsultationFact {
            id: made.id,
            doctor_id,
            patient_id: patient_id.to_owned(),
            issuer: issuer.to_owned(),
            status: made.status,
            made_at: made.created_at,
            made_by: Some(booker.user_id),
            booked_by_its_doctor: booker.role == Role::Doctor,
            closed_at: None,
            linked: Vec::new(),
        });
        self.facts.consultations.len() - 1
    }

    /// Leads a consultation to a status, when there is a way.
    pub async fn set_status(&mut self, place: usize, status: ConsultationStatus) {
        let now = self.now();
        let fact = &mut self.facts.consultations[place];
        for command in way(fact.status, status) {
            let change = ChangeConsultation::new(*command);
            let changed =
                self.home.database.change_consultation(&Scope::internal(), fact.id, change, &actor()).await;
            fact.status = changed.expect("changed").status;
            let over =
                [ConsultationStatus::Completed, ConsultationStatus::Cancelled, ConsultationStatus::NoShow];
            fact.closed_at = over.contains(&fact.status).then_some(now);
        }
    }

    /// Links as `who`; whether it became linked.
    pub async fn link(&mut self, who: &Principal, place: usize, uid: &str) -> bool {
        let scope = who.authorize(Action::LinkStudy).expect("may link");
        let fact = &mut self.facts.consultations[place];
        let linked = self.home.database.link_study(&scope, fact.id, &study_uid(uid), &acting(who)).await;
        let linked = linked.expect("an answer") == LinkOutcome::Linked;
        if linked {
            fact.linked.push(uid.to_owned());
        }
        linked
    }

    pub async fn unlink(&mut self, place: usize, uid: &str) {
        let fact = &mut self.facts.consultations[place];
        let (scope, study) = (Scope::internal(), study_uid(uid));
        let unlinked = self.home.database.unlink_study(&scope, fact.id, &study, &actor()).await;
        assert_eq!(unlinked.expect("an answer"), fact.linked.iter().any(|linked| linked == uid));
        fact.linked.retain(|linked| linked != uid);
    }

    pub async fn grant(&mut self, who: &Principal, what: Granted, hours: Option<i64>) -> usize {
        let kind = match &what {
            Granted::Study(uid) => GrantKind::Study(study_uid(uid)),
            Granted::Patient(patient_id, issuer) => {
                GrantKind::Patient { patient_id: patient_id.clone(), issuer_of_patient_id: issuer.clone() }
            }
            Granted::Everything => GrantKind::Everything,
        };
        let expires_at = hours.map(|hours| self.now() + TimeDelta::hours(hours));
        let new = NewGrant { user_id: who.user_id, kind, expires_at };
        let made = self.home.database.add_grant(new, &actor()).await.expect("granted");
        let fact = GrantFact { id: made.id, user_id: who.user_id, what, expires_at, revoked: false };
        self.facts.grants.push(fact);
        self.facts.grants.len() - 1
    }

    pub async fn revoke_grant(&mut self, place: usize) {
        let fact = &mut self.facts.grants[place];
        let revoked = self.home.database.revoke_grant(fact.id, &actor()).await.expect("an answer");
        assert_eq!(revoked, !fact.revoked);
        fact.revoked = true;
    }

    /// Shares a study that the doctor may share; `None` when not.
    pub async fn share(&mut self, who: &Principal, uid: &str, hours: i64) -> Option<usize> {
        let scope = who.authorize(Action::ShareStudy).expect("may share");
        let doctor_id = who.doctor_id.expect("a doctor");
        let mut token_sha256 = [0; 32];
        token_sha256[..16].copy_from_slice(Uuid::now_v7().as_bytes());
        let new = NewShare {
            token_sha256,
            pin_sha256: None,
            uses_max: 1,
            lifetime: TimeDelta::hours(hours),
            user_id: who.user_id,
            doctor_id,
        };
        let made = self.home.database.create_share(&scope, &study_uid(uid), new, &acting(who)).await;
        let made = made.expect("an answer")?;
        self.facts.shares.push(ShareFact {
            id: made.id,
            doctor_id,
            study: uid.to_owned(),
            expires_at: made.expires_at,
            revoked: false,
        });
        Some(self.facts.shares.len() - 1)
    }

    pub async fn revoke_share(&mut self, place: usize) {
        let fact = &mut self.facts.shares[place];
        let revoked = self.home.database.revoke_share(fact.doctor_id, fact.id, &actor()).await;
        assert_eq!(revoked.expect("an answer"), !fact.revoked);
        fact.revoked = true;
    }

    /// An emergency access; `None` when it is refused.
    pub async fn break_glass(&mut self, who: &Principal, patient_id: &str, issuer: &str) -> Option<usize> {
        let new = NewBreakGlass {
            user_id: who.user_id,
            doctor_id: who.doctor_id.expect("a doctor"),
            patient_id: patient_id.to_owned(),
            issuer_of_patient_id: issuer.to_owned(),
            reason: "found unconscious, no consultation yet".to_owned(),
        };
        let made = self.home.database.start_break_glass(new, &acting(who)).await.ok()?;
        self.facts.emergencies.push(EmergencyFact {
            id: made.id,
            user_id: who.user_id,
            patient_id: patient_id.to_owned(),
            issuer: issuer.to_owned(),
            expires_at: made.expires_at,
            ended: false,
        });
        Some(self.facts.emergencies.len() - 1)
    }

    pub async fn end_break_glass(&mut self, place: usize) {
        let now = self.now();
        let fact = &mut self.facts.emergencies[place];
        let ended = self.home.database.end_break_glass(fact.user_id, fact.id, &actor()).await;
        assert_eq!(ended.expect("an answer"), !fact.ended && fact.expires_at > now);
        fact.ended = true;
    }

    /// Who holds a viewer's token of a consultation.
    pub fn viewer_token(&self, place: usize) -> Principal {
        let fact = &self.facts.consultations[place];
        let holder = Principal::new(Uuid::now_v7(), Role::Doctor, Some(fact.doctor_id));
        Principal { grant: Some(Grant::Consultation(fact.id)), ..holder }
    }

    /// Who redeemed a share link.
    pub fn share_token(&self, place: usize) -> Principal {
        let fact = &self.facts.shares[place];
        let holder = Principal::new(Uuid::now_v7(), Role::Doctor, Some(fact.doctor_id));
        Principal { grant: Some(Grant::Share(fact.id)), ..holder }
    }

    /// What the naive evaluator lets somebody see.
    pub fn expected(&self, who: &Principal) -> BTreeSet<String> {
        let now = self.now();
        let seen = self.facts.studies.iter().filter(|study| self.facts.may_read(who, study, now));
        seen.map(|study| study.uid.clone()).collect()
    }

    /// What a search on a level finds, page by page: the pages must not tell of anything else either.
    pub async fn found(&self, who: &Principal, level: Level, page: u32) -> BTreeSet<String> {
        let Ok(scope) = who.authorize(Action::ReadStudy) else { return BTreeSet::new() };
        let mut found = BTreeSet::new();
        let mut offset = 0;
        loop {
            let query = SearchQuery { level, limit: page, offset, ..SearchQuery::default() };
            let result = self.home.database.search(&scope, &query).await.expect("a search");
            offset += result.rows.len() as u64;
            found.extend(study_uids(&result.rows));
            if !result.more {
                let total = if result.rows.is_empty() && offset > 0 { None } else { Some(offset) };
                assert_eq!(result.total, total, "the count is of what is in reach");
                return found;
            }
        }
    }
}

fn acting(who: &Principal) -> AuditActor {
    AuditActor { user_id: Some(who.user_id), ..actor() }
}

/// The commands that lead from a status to another.
fn way(from: ConsultationStatus, to: ConsultationStatus) -> &'static [ConsultationCommand] {
    use ConsultationCommand::{Arrive, Cancel, Complete, Confirm, NoShow, Start};
    match (from, to) {
        (ConsultationStatus::Proposed, ConsultationStatus::Booked) => &[Confirm],
        (ConsultationStatus::Booked, ConsultationStatus::Arrived) => &[Arrive],
        (ConsultationStatus::Booked, ConsultationStatus::NoShow) => &[NoShow],
        (ConsultationStatus::Booked | ConsultationStatus::Arrived, ConsultationStatus::InProgress) => {
            &[Start]
        }
        (ConsultationStatus::Booked | ConsultationStatus::Arrived, ConsultationStatus::Completed) => {
            &[Start, Complete]
        }
        (ConsultationStatus::InProgress, ConsultationStatus::Completed) => &[Complete],
        (_, ConsultationStatus::Cancelled) if !from.is_over() => &[Cancel],
        _ => &[],
    }
}
