//! Who may do what: the rules as data, default deny.
//!
//! A handler calls [`Principal::authorize`] and gets a [`Scope`]: the only value that the database's clinical
//! queries accept, and only this module can make one. So a query that forgot to ask does not compile.

mod action;
mod policy;
mod role;
mod scope;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::policy::Reach;
pub use self::{
    action::Action,
    role::{Role, UnknownRole},
    scope::{Extent, Scope},
};

/// What a token that was made for one purpose opens, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The studies of this consultation, for an image viewer.
    Consultation(Uuid),
    /// The study of this share link.
    Share(Uuid),
    /// A paramedic's uploader: it stores, and sees what became of its account's uploads.
    Device,
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

impl Principal {
    /// An account at an ordinary sign-in, before it has a session.
    pub fn new(user_id: Uuid, role: Role, doctor_id: Option<Uuid>) -> Self {
        Self { user_id, role, doctor_id, session_id: None, grant: None }
    }

    /// As what it acts, for the audit trail: whoever holds a share link is not the doctor who made it.
    pub fn acts_as(&self) -> &'static str {
        match self.grant {
            None => self.role.as_str(),
            Some(Grant::Consultation(_)) => "consultation-token",
            Some(Grant::Share(_)) => "share-link",
            Some(Grant::Device) => "device",
        }
    }

    /// Looks the action up in the rules.
    ///
    /// # Errors
    /// [`Denied`] when no rule allows it, when a doctor's account is tied to no doctor, or when the token was made for
    /// another purpose.
    pub fn authorize(&self, action: Action) -> Result<Scope, Denied> {
        let reach = policy::reach(self.role, action).ok_or(Denied)?;
        let user_id = self.user_id;
        let extent = match (self.grant, reach) {
            (Some(grant), _) => self.narrowed(grant, action)?,
            (None, Reach::Everything) => Extent::Everything,
            (None, Reach::Own) => Extent::Doctor { doctor_id: self.doctor_id.ok_or(Denied)?, user_id: None },
            (None, Reach::OwnAndGranted) => {
                Extent::Doctor { doctor_id: self.doctor_id.ok_or(Denied)?, user_id: Some(user_id) }
            }
            (None, Reach::OwnCases) => Extent::Cases { user_id },
            (None, Reach::Granted) => Extent::Granted { user_id },
        };
        Ok(Scope::new(extent))
    }

    /// A token with a grant reads what the grant names, through the doctor who gave it, and does nothing else. A device
    /// stores and reads as its paramedic does.
    fn narrowed(&self, grant: Grant, action: Action) -> Result<Extent, Denied> {
        if grant == Grant::Device {
            let device = matches!(action, Action::StoreInstance | Action::ReadStudy);
            let allowed = self.role == Role::Paramedic && device;
            return if allowed { Ok(Extent::Cases { user_id: self.user_id }) } else { Err(Denied) };
        }
        if self.role != Role::Doctor || action != Action::ReadStudy {
            return Err(Denied);
        }
        let doctor_id = self.doctor_id.ok_or(Denied)?;
        Ok(match grant {
            Grant::Consultation(consultation_id) => Extent::Consultation { consultation_id, doctor_id },
            Grant::Share(share_id) => Extent::Share { share_id, doctor_id },
            Grant::Device => return Err(Denied),
        })
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
            assert_eq!(viewer.authorize(*action).is_ok(), reads, "{action:?}");
        }
    }

    #[test]
    fn a_doctor_is_bound_to_the_own_consultations() {
        let id = Uuid::from_u128(7);
        let scope = principal(Role::Doctor, Some(id)).authorize(Action::ReadStudy).expect("allowed");
        let user_id = Some(Uuid::from_u128(1));
        assert_eq!(scope.extent(), Extent::Doctor { doctor_id: id, user_id });
        assert!(scope.includes_doctor(id));
        assert!(!scope.includes_doctor(Uuid::from_u128(8)));
        let scope = principal(Role::Doctor, Some(id)).authorize(Action::ShareStudy).expect("allowed");
        let own = Extent::Doctor { doctor_id: id, user_id: None };
        assert_eq!(scope.extent(), own, "what was granted, or read in an emergency, is not passed on");
        for action in Action::ALL {
            let free = principal(Role::Doctor, None).authorize(*action);
            assert_eq!(free.is_ok(), *action == Action::ReadDoctor, "{action:?}");
        }
    }

    // Section 7, C9: an empty scope is not everything.
    #[test]
    fn only_services_see_everything_and_nobody_without_a_bound_does() {
        for role in Role::ALL {
            let of_doctor = (role == Role::Doctor).then(|| Uuid::from_u128(7));
            for action in [Action::ReadStudy, Action::ReadConsultation] {
                let everything =
                    principal(role, of_doctor).authorize(action).is_ok_and(|scope| scope.is_everything());
                assert_eq!(everything, role == Role::Service, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn a_device_stores_and_sees_its_paramedics_uploads() {
        for role in Role::ALL {
            let device =
                Principal { grant: Some(Grant::Device), ..principal(role, Some(Uuid::from_u128(7))) };
            for action in Action::ALL {
                let allowed = device.authorize(*action).map(|scope| scope.extent());
                let may =
                    role == Role::Paramedic && matches!(action, Action::StoreInstance | Action::ReadStudy);
                let cases = Extent::Cases { user_id: device.user_id };
                assert_eq!(allowed, if may { Ok(cases) } else { Err(Denied) }, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn a_grant_reads_what_it_names_and_nothing_else() {
        let (doctor_id, id) = (Uuid::from_u128(7), Uuid::from_u128(8));
        for grant in [Grant::Consultation(id), Grant::Share(id)] {
            for role in Role::ALL {
                let holder = Principal { grant: Some(grant), ..principal(role, Some(doctor_id)) };
                for action in Action::ALL {
                    let allowed = holder.authorize(*action);
                    let reads = role == Role::Doctor && *action == Action::ReadStudy;
                    assert_eq!(allowed.is_ok(), reads, "{grant:?} {role:?} {action:?}");
                    let extent = allowed.map_or(Extent::Everything, |scope| scope.extent());
                    let bounded = match grant {
                        Grant::Consultation(consultation_id) => {
                            extent == Extent::Consultation { consultation_id, doctor_id }
                        }
                        Grant::Share(share_id) => extent == Extent::Share { share_id, doctor_id },
                        Grant::Device => false,
                    };
                    assert_eq!(bounded, reads, "{grant:?} {role:?} {action:?}: {extent:?}");
                }
            }
        }
    }
}
