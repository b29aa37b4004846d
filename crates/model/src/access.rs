//! Who may do what: the rules as data, default deny.
//!
//! A handler calls [`Principal::authorize`] and gets a [`Scope`]: the only value that the database's clinical
//! queries accept, and only this module can make one. So a query that forgot to ask does not compile.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What somebody is to MaxRay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the server: doctors, users, configuration. Reads no images.
    Admin,
    /// Sees own consultations, the studies linked to them and their patients' studies.
    Doctor,
    /// Sends X-rays and starts consultations about them, in the field.
    Paramedic,
    /// A viewer or workstation with a grant to read every study.
    Viewer,
    /// Another program: stores instances, reads every study, books consultations.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Doctor, Self::Paramedic, Self::Viewer, Self::Service];

    /// The word in tokens and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Doctor => "doctor",
            Self::Paramedic => "paramedic",
            Self::Viewer => "viewer",
            Self::Service => "service",
        }
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role is one of admin, doctor, paramedic, viewer, service")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Find and read studies, previews, frames, events about them.
    ReadStudy,
    /// Store an instance over HTTP.
    StoreInstance,
    /// See doctors' profiles.
    ReadDoctor,
    /// Make a doctor, change any profile.
    ManageDoctors,
    /// Make accounts of people and programs, change what they may do, end their sessions.
    ManageUsers,
    /// Change a profile.
    UpdateDoctor,
    /// See consultations.
    ReadConsultation,
    /// Book or start a consultation.
    CreateConsultation,
    /// Link a study to a consultation, or unlink it.
    LinkStudy,
    /// Listen to events.
    ReadEvents,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::ReadStudy,
        Self::StoreInstance,
        Self::ReadDoctor,
        Self::ManageDoctors,
        Self::ManageUsers,
        Self::UpdateDoctor,
        Self::ReadConsultation,
        Self::CreateConsultation,
        Self::LinkStudy,
        Self::ReadEvents,
    ];
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Whatever there is.
    Everything,
    /// What belongs to the doctor.
    Own,
}

/// The policy. What is not listed is denied.
const RULES: &[(Role, Action, Reach)] = &[
    (Role::Admin, Action::ReadDoctor, Reach::Everything),
    (Role::Admin, Action::ManageDoctors, Reach::Everything),
    (Role::Admin, Action::UpdateDoctor, Reach::Everything),
    (Role::Admin, Action::ManageUsers, Reach::Everything),
    (Role::Doctor, Action::ReadStudy, Reach::Own),
    (Role::Doctor, Action::ReadDoctor, Reach::Everything),
    (Role::Doctor, Action::UpdateDoctor, Reach::Own),
    (Role::Doctor, Action::ReadConsultation, Reach::Own),
    (Role::Doctor, Action::CreateConsultation, Reach::Own),
    (Role::Doctor, Action::LinkStudy, Reach::Own),
    (Role::Doctor, Action::ReadEvents, Reach::Own),
    (Role::Paramedic, Action::StoreInstance, Reach::Everything),
    (Role::Paramedic, Action::ReadDoctor, Reach::Everything),
    (Role::Paramedic, Action::CreateConsultation, Reach::Everything),
    (Role::Viewer, Action::ReadStudy, Reach::Everything),
    (Role::Viewer, Action::ReadDoctor, Reach::Everything),
    (Role::Viewer, Action::ReadEvents, Reach::Everything),
    (Role::Service, Action::ReadStudy, Reach::Everything),
    (Role::Service, Action::StoreInstance, Reach::Everything),
    (Role::Service, Action::ReadDoctor, Reach::Everything),
    (Role::Service, Action::ReadConsultation, Reach::Everything),
    (Role::Service, Action::CreateConsultation, Reach::Everything),
    (Role::Service, Action::LinkStudy, Reach::Everything),
    (Role::Service, Action::ReadEvents, Reach::Everything),
];

/// What a token that was made for one purpose opens, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The studies of this consultation, for an image viewer.
    Consultation(Uuid),
    /// The study of this share link.
    Share(Uuid),
}

/// Somebody whose identity was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// User id: `sub` of the token.
    pub user_id: Uuid,
    /// What the user is.
    pub role: Role,
    /// The doctor the user is; only with [`Role::Doctor`].
    pub doctor_id: Option<Uuid>,
    /// The session the token belongs to (`sid`), by which it is revoked.
    pub session_id: Option<Uuid>,
    /// Narrows whatever the role could do; `None` for an ordinary sign-in.
    pub grant: Option<Grant>,
}

/// The answer to a question that the rules do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this account may not do that")]
pub struct Denied;

/// Proof of a permission, and how far it goes. Only [`Principal::authorize`] and [`Scope::internal`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    doctor_id: Option<Uuid>,
}

impl Scope {
    /// The doctor whose consultations bound what is visible; `None` for everything.
    pub fn doctor_id(&self) -> Option<Uuid> {
        self.doctor_id
    }

    /// For MaxRay's own background work and its operator at the command line, who act for nobody.
    pub fn internal() -> Self {
        Self { doctor_id: None }
    }

    /// Whether something that belongs to `doctor_id` is in reach.
    pub fn includes_doctor(&self, doctor_id: Uuid) -> bool {
        self.doctor_id.is_none_or(|own| own == doctor_id)
    }
}

impl Principal {
    /// An account at an ordinary sign-in, before it has a session.
    pub fn new(user_id: Uuid, role: Role, doctor_id: Option<Uuid>) -> Self {
        Self { user_id, role, doctor_id, session_id: None, grant: None }
    }

    /// Looks the action up in the rules.
    ///
    /// # Errors
    /// [`Denied`] when no rule allows it, or when a doctor's account is tied to no doctor.
    pub fn authorize(&self, action: Action) -> Result<Scope, Denied> {
        if self.grant.is_some() {
            return Err(Denied);
        }
        let rule =
            RULES.iter().find(|(role, allowed, _)| *role == self.role && *allowed == action).ok_or(Denied)?;
        match rule.2 {
            Reach::Everything => Ok(Scope { doctor_id: None }),
            Reach::Own => self.doctor_id.map(|id| Scope { doctor_id: Some(id) }).ok_or(Denied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, doctor_id: Option<Uuid>) -> Principal {
        Principal::new(Uuid::from_u128(1), role, doctor_id)
    }

    #[test]
    fn an_admin_reads_no_images_and_a_viewer_changes_nothing() {
        let admin = principal(Role::Admin, None);
        assert_eq!(admin.authorize(Action::ReadStudy), Err(Denied));
        assert_eq!(admin.authorize(Action::ReadConsultation), Err(Denied));
        let viewer = principal(Role::Viewer, None);
        for action in Action::ALL {
            let reads = matches!(action, Action::ReadStudy | Action::ReadDoctor | Action::ReadEvents);
            assert_eq!(viewer.authorize(action).is_ok(), reads, "{action:?}");
        }
    }

    #[test]
    fn a_doctor_is_bound_to_the_own_consultations() {
        let id = Uuid::from_u128(7);
        let scope = principal(Role::Doctor, Some(id)).authorize(Action::ReadStudy).expect("allowed");
        assert_eq!(scope.doctor_id(), Some(id));
        assert!(!scope.includes_doctor(Uuid::from_u128(8)));
        assert_eq!(principal(Role::Doctor, None).authorize(Action::ReadStudy), Err(Denied));
    }

    #[test]
    fn no_rule_stands_twice() {
        for (index, (role, action, _)) in RULES.iter().enumerate() {
            let again = RULES.iter().skip(index + 1).any(|(r, a, _)| r == role && a == action);
            assert!(!again, "{role:?} {action:?}");
        }
    }
}
