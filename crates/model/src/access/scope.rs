//! Proof of a permission, and how far it goes.

use uuid::Uuid;

/// How far a permission goes, with the keys of what bounds it. `database` makes SQL of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Whatever there is.
    Everything,
    /// A doctor's consultations and what they open.
    Doctor {
        /// The doctor.
        doctor_id: Uuid,
        /// The account whose grants and emergency accesses count, too; `None` when they do not.
        user_id: Option<Uuid>,
    },
    /// The uploads of an account and the consultations it made.
    Cases {
        /// The account.
        user_id: Uuid,
    },
    /// What was granted to an account.
    Granted {
        /// The account.
        user_id: Uuid,
    },
    /// The studies of one consultation while it is open.
    Consultation {
        /// The consultation.
        consultation_id: Uuid,
        /// Its doctor.
        doctor_id: Uuid,
    },
    /// The study of one share link, as long as the doctor who made it may read it.
    Share {
        /// The link.
        share_id: Uuid,
        /// The doctor who made it.
        doctor_id: Uuid,
    },
}

/// Proof of a permission, and how far it goes. Only [`super::Principal::authorize`] and [`Scope::internal`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    extent: Extent,
}

impl Scope {
    pub(super) fn new(extent: Extent) -> Self {
        Self { extent }
    }

    /// For MaxRay's own background work and its operator at the command line, who act for nobody.
    pub fn internal() -> Self {
        Self::new(Extent::Everything)
    }

    /// How far it goes.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether there is no bound.
    pub fn is_everything(&self) -> bool {
        self.extent == Extent::Everything
    }

    /// Whether a doctor's own things are in reach: the profile, the list of consultations. Whoever has cases may
    /// address any doctor, and sees the own consultations with each.
    pub fn includes_doctor(&self, doctor_id: Uuid) -> bool {
        match self.extent {
            Extent::Everything | Extent::Cases { .. } => true,
            Extent::Doctor { doctor_id: own, .. } => own == doctor_id,
            Extent::Granted { .. } | Extent::Consultation { .. } | Extent::Share { .. } => false,
        }
    }

    /// Whether only the own uploads may be added to.
    pub fn bounds_uploads(&self) -> bool {
        matches!(self.extent, Extent::Cases { .. })
    }
}
