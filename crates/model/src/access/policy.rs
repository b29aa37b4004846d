//! The policy table: what is not listed is denied. `docs/access.md` shows it to operators.

use super::{Action, Role};

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Whatever there is.
    Everything,
    /// What belongs to the doctor's own consultations.
    Own,
    /// The same, what was granted to the account, and the patient of an emergency access.
    OwnAndGranted,
    /// The own uploads and the consultations that the account made.
    OwnCases,
    /// What was granted to the account, and nothing without a grant.
    Granted,
}

impl Reach {
    /// As the table for operators says it.
    #[cfg(test)]
    fn word(self) -> &'static str {
        match self {
            Self::Everything => "all",
            Self::Own => "own",
            Self::OwnAndGranted => "own, granted, emergency",
            Self::OwnCases => "own cases",
            Self::Granted => "granted",
        }
    }
}

/// The policy.
const RULES: &[(Role, Action, Reach)] = &[
    (Role::Admin, Action::DeleteInstances, Reach::Everything),
    (Role::Admin, Action::ReadDoctor, Reach::Everything),
    (Role::Admin, Action::ManageDoctors, Reach::Everything),
    (Role::Admin, Action::UpdateDoctor, Reach::Everything),
    (Role::Admin, Action::ManageUsers, Reach::Everything),
    (Role::Admin, Action::CreateDevice, Reach::Everything),
    (Role::Admin, Action::ReadEvents, Reach::Everything),
    (Role::Admin, Action::ReviewBreakGlass, Reach::Everything),
    (Role::Admin, Action::ManageGrants, Reach::Everything),
    (Role::Admin, Action::ReadAudit, Reach::Everything),
    (Role::Admin, Action::ReadAccessReport, Reach::Everything),
    (Role::Admin, Action::ManageAes, Reach::Everything),
    (Role::Admin, Action::ManageWebhooks, Reach::Everything),
    (Role::Doctor, Action::ReadStudy, Reach::OwnAndGranted),
    (Role::Doctor, Action::UploadXray, Reach::Own),
    (Role::Doctor, Action::ReadDoctor, Reach::Everything),
    (Role::Doctor, Action::UpdateDoctor, Reach::Own),
    (Role::Doctor, Action::ReadConsultation, Reach::Own),
    (Role::Doctor, Action::CreateConsultation, Reach::Own),
    (Role::Doctor, Action::UpdateConsultation, Reach::Own),
    (Role::Doctor, Action::ReadNote, Reach::Own),
    (Role::Doctor, Action::WriteNote, Reach::Own),
    (Role::Doctor, Action::ReadPrescription, Reach::Own),
    (Role::Doctor, Action::WritePrescription, Reach::Own),
    (Role::Doctor, Action::ReadReport, Reach::Own),
    (Role::Doctor, Action::WriteReport, Reach::Own),
    (Role::Doctor, Action::LinkStudy, Reach::Own),
    (Role::Doctor, Action::ReadEvents, Reach::OwnAndGranted),
    (Role::Doctor, Action::IssueViewerToken, Reach::Own),
    (Role::Doctor, Action::ShareStudy, Reach::Own),
    (Role::Doctor, Action::BreakGlass, Reach::Own),
    (Role::Doctor, Action::ReadAccessReport, Reach::Own),
    (Role::Doctor, Action::ReadWorklist, Reach::Own),
    (Role::Doctor, Action::ManageWorklist, Reach::Own),
    (Role::Paramedic, Action::ReadStudy, Reach::OwnCases),
    (Role::Paramedic, Action::StoreInstance, Reach::OwnCases),
    (Role::Paramedic, Action::UploadXray, Reach::OwnCases),
    (Role::Paramedic, Action::CreateDevice, Reach::OwnCases),
    (Role::Paramedic, Action::ReadDoctor, Reach::Everything),
    (Role::Paramedic, Action::ReadConsultation, Reach::OwnCases),
    (Role::Paramedic, Action::CreateConsultation, Reach::Everything),
    (Role::Paramedic, Action::UpdateConsultation, Reach::OwnCases),
    (Role::Paramedic, Action::ReadNote, Reach::OwnCases),
    (Role::Paramedic, Action::WriteNote, Reach::OwnCases),
    (Role::Paramedic, Action::ReadPrescription, Reach::OwnCases),
    (Role::Paramedic, Action::ReadReport, Reach::OwnCases),
    (Role::Paramedic, Action::LinkStudy, Reach::OwnCases),
    (Role::Paramedic, Action::ReadEvents, Reach::OwnCases),
    (Role::Paramedic, Action::ReadWorklist, Reach::OwnCases),
    (Role::Paramedic, Action::ManageWorklist, Reach::OwnCases),
    (Role::Viewer, Action::ReadStudy, Reach::Granted),
    (Role::Viewer, Action::ReadDoctor, Reach::Everything),
    (Role::Viewer, Action::ReadEvents, Reach::Granted),
    (Role::Service, Action::ReadStudy, Reach::Everything),
    (Role::Service, Action::StoreInstance, Reach::Everything),
    (Role::Service, Action::UploadXray, Reach::Everything),
    (Role::Service, Action::ReadDoctor, Reach::Everything),
    (Role::Service, Action::ReadConsultation, Reach::Everything),
    (Role::Service, Action::CreateConsultation, Reach::Everything),
    (Role::Service, Action::UpdateConsultation, Reach::Everything),
    (Role::Service, Action::ReadPrescription, Reach::Everything),
    (Role::Service, Action::ReadReport, Reach::Everything),
    (Role::Service, Action::LinkStudy, Reach::Everything),
    (Role::Service, Action::ReadEvents, Reach::Everything),
    (Role::Service, Action::ReadWorklist, Reach::Everything),
    (Role::Service, Action::ManageWorklist, Reach::Everything),
];

/// The rule for a role and an action.
pub(super) fn reach(role: Role, action: Action) -> Option<Reach> {
    RULES.iter().find(|(who, what, _)| *who == role && *what == action).map(|rule| rule.2)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn table() -> String {
        let mut table = String::from("| action |");
        for role in Role::ALL {
            let _ = write!(table, " {} |", role.as_str());
        }
        table.push_str("\n|---|---|---|---|---|---|\n");
        for action in Action::ALL {
            let _ = write!(table, "| {action:?}: {} |", action.description());
            for role in Role::ALL {
                let _ = write!(table, " {} |", reach(role, *action).map_or("–", Reach::word));
            }
            table.push('\n');
        }
        table
    }

    #[test]
    fn no_rule_stands_twice() {
        for (index, (role, action, _)) in RULES.iter().enumerate() {
            let again = RULES.iter().skip(index + 1).any(|(r, a, _)| r == role && a == action);
            assert!(!again, "{role:?} {action:?}");
        }
    }

    #[test]
    fn every_action_is_somebodys() {
        for action in Action::ALL {
            let allowed = Role::ALL.into_iter().any(|role| reach(role, *action).is_some());
            assert!(allowed, "nobody may {action:?}: no rule names it");
        }
    }

    /// What operators read is what the program does.
    #[test]
    fn the_table_in_the_documentation_is_the_policy() {
        let documented = include_str!("../../../../docs/access.md");
        let table = table();
        assert!(documented.contains(&table), "put this table into docs/access.md:\n\n{table}");
    }
}
