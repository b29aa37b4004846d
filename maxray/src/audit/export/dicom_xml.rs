//! PS3.15 A.5.1, DICOM Audit Message Schema.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chrono::SecondsFormat;
use database::AuditRow;

use super::event::{Code, event_of, outcome_of, user_of};

/// The message of a record, in one line.
pub fn audit_message(row: &AuditRow) -> String {
    let record = &row.record;
    let event = event_of(record);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
    let at = row.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    push(
        &mut xml,
        "<EventIdentification EventActionCode=\"@\" EventDateTime=\"@\" EventOutcomeIndicator=\"@\">",
        &[&event.action.to_string(), &at, outcome_of(record)],
    );
    push_code(&mut xml, "EventID", event.id);
    if let Some(kind) = event.kind {
        push_code(&mut xml, "EventTypeCode", kind);
    }
    if !record.detail.is_empty() {
        push(&mut xml, "<EventOutcomeDescription>@</EventOutcomeDescription>", &[&record.detail]);
    }
    xml.push_str("</EventIdentification>");
    push_participants(&mut xml, row);
    push(&mut xml, "<AuditSourceIdentification AuditSourceID=\"@\"/>", &[&row.chain_id.to_string()]);
    push_objects(&mut xml, row);
    xml.push_str("</AuditMessage>");
    xml
}

fn push_participants(xml: &mut String, row: &AuditRow) {
    let actor = &row.record.actor;
    push(xml, "<ActiveParticipant UserID=\"@\"", &[&user_of(&row.record)]);
    if !actor.calling_ae.is_empty() {
        push(xml, " AlternativeUserID=\"AETITLES=@\"", &[&actor.calling_ae]);
    }
    xml.push_str(" UserIsRequestor=\"true\"");
    if !actor.source_address.is_empty() {
        let kinds = " NetworkAccessPointID=\"@\" NetworkAccessPointTypeCode=\"2\"";
        push(xml, kinds, &[&actor.source_address]);
    }
    xml.push('>');
    push_code(xml, "RoleIDCode", Code { value: "110153", meaning: "Source Role ID" });
    xml.push_str("</ActiveParticipant>");
    let server = "<ActiveParticipant UserID=\"@\" UserIsRequestor=\"false\">";
    push(xml, server, &[&format!("maxray {}", row.chain_id)]);
    push_code(xml, "RoleIDCode", Code { value: "110152", meaning: "Destination Role ID" });
    xml.push_str("</ActiveParticipant>");
}

fn push_objects(xml: &mut String, row: &AuditRow) {
    let record = &row.record;
    let details = [
        ("action", record.action.clone()),
        ("request_id", record.actor.request_id.clone()),
        ("session_id", record.actor.session_id.map_or_else(String::new, |id| id.to_string())),
        ("certificate", record.actor.certificate.clone()),
        ("rule", record.rule.clone()),
        ("subject", record.subject.clone()),
        ("chain_sequence", row.chain_sequence.to_string()),
    ];
    if !record.study_instance_uid.is_empty() {
        let kind = Code { value: "110180", meaning: "Study Instance UID" };
        push_object(xml, &record.study_instance_uid, ("2", "3"), (kind, "DCM"), &[]);
    }
    if let Some(patient) = record.patient {
        let kind = Code { value: "2", meaning: "Patient Number" };
        push_object(xml, &patient.to_string(), ("1", "1"), (kind, "RFC-3881"), &[]);
    }
    if let Some(consultation) = record.consultation_id {
        let kind = Code { value: "8", meaning: "Encounter Number" };
        push_object(xml, &consultation.to_string(), ("2", "20"), (kind, "RFC-3881"), &[]);
    }
    // What the schema has no place for: the record itself, as a job of this system.
    let kind = Code { value: "12", meaning: "URI" };
    let id = format!("urn:uuid:{}", record.id);
    push_object(xml, &id, ("2", "13"), (kind, "RFC-3881"), &details);
}

fn push_object(
    xml: &mut String,
    id: &str,
    (kind, role): (&str, &str),
    (id_kind, scheme): (Code, &str),
    details: &[(&str, String)],
) {
    push(
        xml,
        "<ParticipantObjectIdentification ParticipantObjectID=\"@\" ParticipantObjectTypeCode=\"@\" \
         ParticipantObjectTypeCodeRole=\"@\">",
        &[id, kind, role],
    );
    push(
        xml,
        "<ParticipantObjectIDTypeCode csd-code=\"@\" codeSystemName=\"@\" originalText=\"@\"/>",
        &[id_kind.value, scheme, id_kind.meaning],
    );
    push(xml, "<ParticipantObjectName>@</ParticipantObjectName>", &[id]);
    for (name, value) in details.iter().filter(|(_, value)| !value.is_empty()) {
        let value = BASE64.encode(value);
        push(xml, "<ParticipantObjectDetail type=\"@\" value=\"@\"/>", &[name, &value]);
    }
    xml.push_str("</ParticipantObjectIdentification>");
}

fn push_code(xml: &mut String, element: &str, code: Code) {
    let Code { value, meaning } = code;
    let _ =
        write!(xml, "<{element} csd-code=\"{value}\" codeSystemName=\"DCM\" originalText=\"{meaning}\"/>");
}

/// Adds a text whose every `@` is one of the values, escaped.
fn push(xml: &mut String, text: &str, values: &[&str]) {
    let mut values = values.iter();
    for character in text.chars() {
        if character == '@' {
            escape(xml, values.next().copied().unwrap_or_default());
        } else {
            xml.push(character);
        }
    }
}

fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // XML 1.0 has no way to write most control characters; a line end would end the message.
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                xml.push(' ');
            }
            character => xml.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::export::tests::row;

    #[test]
    fn a_message_in_one_line_of_well_formed_xml() {
        let xml = audit_message(&row("read_study"));
        assert!(!xml.contains('\n'));
        for part in [
            "<AuditMessage><EventIdentification EventActionCode=\"R\" \
             EventDateTime=\"2027-01-15T08:00:00.000005Z\" EventOutcomeIndicator=\"0\"><EventID csd-code=\"110103\" \
             codeSystemName=\"DCM\" originalText=\"DICOM Instances Accessed\"/>",
            "AlternativeUserID=\"AETITLES=CR&lt;1&gt;\" UserIsRequestor=\"true\" NetworkAccessPointID=\"192.0.2.7\"",
            "<EventOutcomeDescription>a b</EventOutcomeDescription>",
            "ParticipantObjectID=\"1.2.3\" ParticipantObjectTypeCode=\"2\" ParticipantObjectTypeCodeRole=\"3\"",
        ] {
            assert!(xml.contains(part), "{part}\n{xml}");
        }
    }
}
