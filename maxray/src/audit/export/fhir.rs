//! FHIR R4 AuditEvent, in the shapes of IHE Basic Audit Log Patterns (BALP).

use chrono::SecondsFormat;
use database::{AuditOutcome, AuditRow};
use serde_json::{Map, Value, json};

use super::event::{Code, Event, event_of, outcome_of, user_of};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";

/// The resource of a record.
pub fn audit_event(row: &AuditRow) -> Value {
    let record = &row.record;
    let event = event_of(record);
    let mut resource = Map::new();
    let mut put = |name: &str, value: Value| {
        resource.insert(name.to_owned(), value);
    };
    put("resourceType", "AuditEvent".into());
    put("id", record.id.to_string().into());
    if let Some(profile) = profile(row, event) {
        put("meta", json!({ "profile": [profile] }));
    }
    if let Some(code) = interaction(event) {
        put(
            "type",
            json!({
                "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
                "code": "rest",
                "display": "Restful Operation",
            }),
        );
        put("subtype", json!([{ "system": INTERACTION, "code": code }, coding(event.id)]));
    } else {
        put("type", coding(event.id));
        if let Some(kind) = event.kind {
            put("subtype", json!([coding(kind)]));
        }
    }
    put("action", event.action.to_string().into());
    put("recorded", row.at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
    put("outcome", outcome_of(record).into());
    if !record.detail.is_empty() {
        put("outcomeDesc", record.detail.clone().into());
    }
    put("agent", agents(row));
    put(
        "source",
        json!({
            "site": "MaxRay",
            "observer": { "identifier": { "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", row.chain_id) } },
            "type": [{
                "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                "code": "4",
                "display": "Application Server",
            }],
        }),
    );
    put("entity", entities(row));
    Value::Object(resource)
}

fn coding(code: Code) -> Value {
    json!({ "system": DCM, "code": code.value, "display": code.meaning })
}

/// FHIR's name for what was done, for the events that BALP describes so.
fn interaction(event: Event) -> Option<&'static str> {
    match (event.id.value, event.action) {
        ("110112", _) => Some("search"),
        ("110103" | "110104" | "110106" | "110110", 'R') => Some("read"),
        ("110104" | "110110", 'C') => Some("create"),
        ("110110", 'U') => Some("update"),
        ("110105" | "110110", 'D') => Some("delete"),
        _ => None,
    }
}

/// The BALP profile whose every demand the record meets, if there is one.
fn profile(row: &AuditRow, event: Event) -> Option<String> {
    let record = &row.record;
    let described = record.patient.is_some() && !record.study_instance_uid.is_empty();
    if record.outcome != AuditOutcome::Success || !described || record.actor.source_address.is_empty() {
        return None;
    }
    match interaction(event)? {
        "read" => Some(format!("{BALP}.PatientRead")),
        "create" => Some(format!("{BALP}.PatientCreate")),
        "update" => Some(format!("{BALP}.PatientUpdate")),
        "delete" => Some(format!("{BALP}.PatientDelete")),
        _ => None,
    }
}

/// The client, the server, and the user when one was proved.
fn agents(row: &AuditRow) -> Value {
    let actor = &row.record.actor;
    let mut client = json!({
        "type": { "coding": [coding(Code { value: "110153", meaning: "Source Role ID" })] },
        "who": { "display": user_of(&row.record) },
        "requestor": actor.user_id.is_none(),
    });
    if !actor.source_address.is_empty() {
        client["network"] = json!({ "address": actor.source_address, "type": "2" });
    }
    if !actor.certificate.is_empty() {
        client["policy"] = json!([format!("urn:maxray:certificate:{}", actor.certificate)]);
    }
    let mut agents = vec![
        client,
        json!({
            "type": { "coding": [coding(Code { value: "110152", meaning: "Destination Role ID" })] },
            "who": { "display": "MaxRay" },
            "requestor": false,
            "network": { "address": format!("urn:uuid:{}", row.chain_id), "type": "5" },
        }),
    ];
    if let Some(user) = actor.user_id {
        let mut agent = json!({
            "type": { "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                "code": "IRCP",
                "display": "information recipient",
            }] },
            "role": [{ "text": actor.role }],
            "who": { "identifier": { "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{user}") } },
            "requestor": true,
        });
        if let Some(session) = actor.session_id {
            agent["policy"] = json!([format!("urn:uuid:{session}")]);
        }
        agents.push(agent);
    }
    agents.into()
}

fn entities(row: &AuditRow) -> Value {
    let record = &row.record;
    let mut entities = Vec::new();
    if let Some(patient) = record.patient {
        entities.push(json!({
            "what": { "reference": format!("Patient/{patient}") },
            "type": { "system": ENTITY_TYPE, "code": "1", "display": "Person" },
            "role": { "system": ENTITY_ROLE, "code": "1", "display": "Patient" },
        }));
    }
    if !record.study_instance_uid.is_empty() {
        let uid = format!("urn:oid:{}", record.study_instance_uid);
        entities.push(json!({
            "what": { "identifier": { "system": "urn:dicom:uid", "value": uid } },
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
            "role": { "system": ENTITY_ROLE, "code": "4", "display": "Domain Resource" },
        }));
    }
    if let Some(consultation) = record.consultation_id {
        entities.push(json!({
            "what": { "reference": format!("Encounter/{consultation}") },
            "type": { "system": ENTITY_TYPE, "code": "2", "display": "System Object" },
        }));
    }
    if !record.actor.request_id.is_empty() {
        entities.push(json!({
            "what": { "identifier": { "value": record.actor.request_id } },
            "type": { "system": BALP_ENTITY, "code": "XrequestId" },
        }));
    }
    let mut details = vec![
        json!({ "type": "action", "valueString": record.action }),
        json!({ "type": "chain_sequence", "valueString": row.chain_sequence.to_string() }),
    ];
    for (name, value) in [("subject", &record.subject), ("rule", &record.rule)] {
        if !value.is_empty() {
            details.push(json!({ "type": name, "valueString": value }));
        }
    }
    entities.push(json!({ "name": "MaxRay audit record", "detail": details }));
    entities.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::export::tests::row;

    #[test]
    fn a_read_has_what_its_profile_asks_for() {
        let event = audit_event(&row("read_study"));
        assert_eq!(event["meta"]["profile"][0], format!("{BALP}.PatientRead"));
        assert_eq!(event["type"]["code"], "rest");
        assert_eq!(event["subtype"][0]["code"], "read");
        assert_eq!((&event["action"], &event["outcome"]), (&json!("R"), &json!("0")));
        assert_eq!(event["recorded"], "2027-01-15T08:00:00.000Z");
        let agents = event["agent"].as_array().expect("agents");
        assert_eq!(agents.len(), 3);
        assert_eq!(agents.iter().filter(|agent| agent["requestor"] == true).count(), 1);
        assert!(event["entity"].as_array().expect("entities").len() >= 2);
    }

    #[test]
    fn other_events_are_called_by_their_dicom_code() {
        let event = audit_event(&row("create_session"));
        assert_eq!((&event["type"]["system"], &event["type"]["code"]), (&json!(DCM), &json!("110114")));
        assert_eq!(event["subtype"][0]["code"], "110122");
        assert!(event.get("meta").is_none());
    }
}
