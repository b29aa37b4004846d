//! What an action is called in PS3.15 A.5 and PS3.16 CID 400 to 402.

use database::{AuditOutcome, AuditRecord};

/// A code of the DICOM Controlled Terminology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Code Value (0008,0100).
    pub value: &'static str,
    /// Code Meaning (0008,0104).
    pub meaning: &'static str,
}

const fn code(value: &'static str, meaning: &'static str) -> Code {
    Code { value, meaning }
}

/// PS3.16 CID 400, Audit Event ID.
const APPLICATION_ACTIVITY: Code = code("110100", "Application Activity");
const AUDIT_LOG_USED: Code = code("110101", "Audit Log Used");
const INSTANCES_ACCESSED: Code = code("110103", "DICOM Instances Accessed");
const INSTANCES_TRANSFERRED: Code = code("110104", "DICOM Instances Transferred");
const STUDY_DELETED: Code = code("110105", "DICOM Study Deleted");
const EXPORT: Code = code("110106", "Export");
const IMPORT: Code = code("110107", "Import");
const PATIENT_RECORD: Code = code("110110", "Patient Record");
const QUERY: Code = code("110112", "Query");
const SECURITY_ALERT: Code = code("110113", "Security Alert");
const USER_AUTHENTICATION: Code = code("110114", "User Authentication");

/// PS3.16 CID 401, Audit Event Type Code.
const APPLICATION_START: Code = code("110120", "Application Start");
const APPLICATION_STOP: Code = code("110121", "Application Stop");
const LOGIN: Code = code("110122", "Login");
const LOGOUT: Code = code("110123", "Logout");
const NODE_AUTHENTICATION: Code = code("110126", "Node Authentication");
const OVERRIDE_STARTED: Code = code("110127", "Emergency Override Started");
const NETWORK_CONFIGURATION: Code = code("110128", "Network Configuration");
const SECURITY_CONFIGURATION: Code = code("110129", "Security Configuration");
const USER_ATTRIBUTES_CHANGED: Code = code("110137", "User Security Attributes Changed");
const OVERRIDE_STOPPED: Code = code("110138", "Emergency Override Stopped");

/// An action as other systems know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The kind of event.
    pub id: Code,
    /// More precisely.
    pub kind: Option<Code>,
    /// Create, Read, Update, Delete, Execute.
    pub action: char,
}

/// The event that a record tells of.
pub fn event_of(record: &AuditRecord) -> Event {
    let (verb, noun) = record.action.split_once('_').unwrap_or((record.action.as_str(), ""));
    let (id, kind) = kind_of(record, verb, noun);
    let action = match verb {
        "create" | "add" | "store" | "import" | "link" => 'C',
        "read" | "retrieve" | "render" | "download" | "get" | "export" | "list" => 'R',
        "update" | "set" | "rotate" | "cancel" | "close" | "revoke" | "unlink" => 'U',
        "delete" | "remove" | "erase" | "purge" => 'D',
        _ => 'E',
    };
    // A query is carried out (PS3.15 A.5.3.10), and so is a sign-in.
    let action = if [QUERY, USER_AUTHENTICATION, APPLICATION_ACTIVITY].contains(&id) { 'E' } else { action };
    Event { id, kind, action }
}

fn kind_of(record: &AuditRecord, verb: &str, noun: &str) -> (Code, Option<Code>) {
    match (verb, noun) {
        ("start", "server") => (APPLICATION_ACTIVITY, Some(APPLICATION_START)),
        ("stop", "server") => (APPLICATION_ACTIVITY, Some(APPLICATION_STOP)),
        ("associate", _) if record.outcome != AuditOutcome::Success => {
            (SECURITY_ALERT, Some(NODE_AUTHENTICATION))
        }
        ("associate", _) => (APPLICATION_ACTIVITY, None),
        ("delete" | "revoke" | "end", "session") => (USER_AUTHENTICATION, Some(LOGOUT)),
        (_, "session" | "token") => (USER_AUTHENTICATION, Some(LOGIN)),
        (_, "audit" | "access_report") => (AUDIT_LOG_USED, None),
        ("import", _) => (IMPORT, None),
        ("export" | "download", _) => (EXPORT, None),
        ("store" | "retrieve", _) => (INSTANCES_TRANSFERRED, None),
        ("search" | "list" | "find", _) => (QUERY, None),
        ("delete" | "erase" | "purge", _) => (STUDY_DELETED, None),
        ("start" | "create" | "break", "break_glass" | "glass") => (SECURITY_ALERT, Some(OVERRIDE_STARTED)),
        ("end" | "stop" | "revoke", "break_glass") => (SECURITY_ALERT, Some(OVERRIDE_STOPPED)),
        (_, "user" | "password" | "users") => (SECURITY_ALERT, Some(USER_ATTRIBUTES_CHANGED)),
        (_, "ae" | "aes") => (SECURITY_ALERT, Some(NETWORK_CONFIGURATION)),
        ("rotate" | "set" | "step", _) => (SECURITY_ALERT, Some(SECURITY_CONFIGURATION)),
        ("read" | "render" | "get" | "listen", "study" | "instance" | "xray" | "preview" | "events") => {
            (INSTANCES_ACCESSED, None)
        }
        _ if record.patient.is_some() || record.consultation_id.is_some() => (PATIENT_RECORD, None),
        (_, "consultation" | "consultations" | "study" | "patient") => (PATIENT_RECORD, None),
        _ => (APPLICATION_ACTIVITY, None),
    }
}

/// EventOutcomeIndicator, the same numbers in FHIR: success, minor failure (nothing was done), serious failure.
pub fn outcome_of(record: &AuditRecord) -> &'static str {
    match record.outcome {
        AuditOutcome::Success => "0",
        AuditOutcome::Refused => "4",
        AuditOutcome::Failed => "8",
    }
}

/// Who acted, in one word: the account, else the AE title, else the role.
pub fn user_of(record: &AuditRecord) -> String {
    let actor = &record.actor;
    match actor.user_id {
        Some(id) => id.to_string(),
        None if !actor.calling_ae.is_empty() => actor.calling_ae.clone(),
        None if !actor.role.is_empty() => actor.role.clone(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::export::tests::row;

    #[test]
    fn actions_have_their_events() {
        let rows = [
            ("start_server", "110100", Some("110120"), 'E'),
            ("stop_server", "110100", Some("110121"), 'E'),
            ("read_audit", "110101", None, 'R'),
            ("export_audit", "110101", None, 'R'),
            ("read_study", "110103", None, 'R'),
            ("render_instance", "110103", None, 'R'),
            ("store_instance", "110104", None, 'C'),
            ("retrieve_instances", "110104", None, 'R'),
            ("erase_patient", "110105", None, 'D'),
            ("delete_instances", "110105", None, 'D'),
            ("purge_instances", "110105", None, 'D'),
            ("download_xray", "110106", None, 'R'),
            ("link_study", "110110", None, 'C'),
            ("search_studies", "110112", None, 'E'),
            ("list_studies", "110112", None, 'E'),
            ("create_user", "110113", Some("110137"), 'C'),
            ("add_ae", "110113", Some("110128"), 'C'),
            ("create_session", "110114", Some("110122"), 'E'),
        ];
        for (action, id, kind, letter) in rows {
            let event = event_of(&row(action).record);
            assert_eq!(
                (event.id.value, event.kind.map(|kind| kind.value), event.action),
                (id, kind, letter),
                "{action}"
            );
        }
        let mut refused = row("associate").record;
        refused.outcome = AuditOutcome::Refused;
        assert_eq!(event_of(&refused).id.value, "110113");
    }
}
