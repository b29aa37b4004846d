//! PS3.18 10.5.3, what a Store Transaction answers: which instances were stored and which were not, and why.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{
    dicom_json::{DataSet, tag, to_native_xml},
    media_type::{DICOM_JSON, DICOM_XML},
};

/// What became of one instance of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Durable, now or before.
    Accepted {
        /// Affected SOP Class.
        sop_class_uid: String,
        /// Affected SOP Instance.
        sop_instance_uid: String,
        /// Study it belongs to.
        study_instance_uid: String,
        /// Where it can be had.
        retrieve_url: String,
        /// What the sender should know all the same.
        warning: Option<Remark>,
    },
    /// Not stored.
    Failed {
        /// SOP Class and SOP Instance, when they could be read.
        identity: Option<(String, String)>,
        /// Failure Reason (0008,1197): the status that C-STORE would answer, and why.
        reason: Remark,
    },
}

/// A number of PS3.18 tables I.2-1 and I.2-2, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Warning Reason or Failure Reason.
    pub reason: u16,
    /// Error Comment (0000,0902); cut to what its VR holds. Without patient data.
    pub comment: String,
}

/// Longest value of VR LO in characters (PS3.5 6.2).
const COMMENT_LENGTH_MAX: usize = 64;

impl Remark {
    /// A number and its sentence.
    pub fn new(reason: u16, comment: impl Into<String>) -> Self {
        Self { reason, comment: comment.into() }
    }

    fn write(&self, item: &mut DataSet, tag: u32) {
        let plain = self.comment.chars().map(|c| if c == '\\' || c.is_control() { ' ' } else { c });
        let mut comment: String = plain.take(COMMENT_LENGTH_MAX + 1).collect();
        if comment.chars().count() > COMMENT_LENGTH_MAX {
            comment = comment.chars().take(COMMENT_LENGTH_MAX - 3).collect();
            comment.push_str("...");
        }
        item.number(tag, "US", i64::from(self.reason)).text_if_any(tag::ERROR_COMMENT, "LO", &comment);
    }
}

/// The outcome of a whole request.
#[derive(Debug, Clone, Default)]
pub struct StoreResponse {
    /// Instances in the order of the request.
    pub instances: Vec<Stored>,
}

impl StoreResponse {
    /// PS3.18 table 10.5.3-1: all, some or none stored; some also when there is a warning.
    pub fn status(&self) -> StatusCode {
        let warned =
            self.instances.iter().any(|stored| matches!(stored, Stored::Accepted { warning: Some(_), .. }));
        match self.stored() {
            stored if stored == self.instances.len() && !warned => StatusCode::OK,
            0 => StatusCode::CONFLICT,
            _ => StatusCode::ACCEPTED,
        }
    }

    /// How many were stored.
    pub fn stored(&self) -> usize {
        self.instances.iter().filter(|stored| matches!(stored, Stored::Accepted { .. })).count()
    }

    /// PS3.18 table 10.5.3-2; `study_url` when all of it belongs to one study.
    pub fn data_set(&self, study_url: &str) -> DataSet {
        let (mut referenced, mut failed, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for stored in &self.instances {
            let mut item = DataSet::new();
            match stored {
                Stored::Accepted { sop_class_uid, sop_instance_uid, retrieve_url, warning, .. } => {
                    item.text(tag::REFERENCED_SOP_CLASS_UID, "UI", sop_class_uid)
                        .text(tag::REFERENCED_SOP_INSTANCE_UID, "UI", sop_instance_uid)
                        .text(tag::RETRIEVE_URL, "UR", retrieve_url);
                    if let Some(warning) = warning {
                        warning.write(&mut item, tag::WARNING_REASON);
                    }
                    referenced.push(item);
                }
                Stored::Failed { identity: Some((sop_class_uid, sop_instance_uid)), reason } => {
                    item.text(tag::REFERENCED_SOP_CLASS_UID, "UI", sop_class_uid).text(
                        tag::REFERENCED_SOP_INSTANCE_UID,
                        "UI",
                        sop_instance_uid,
                    );
                    reason.write(&mut item, tag::FAILURE_REASON);
                    failed.push(item);
                }
                Stored::Failed { identity: None, reason } => {
                    reason.write(&mut item, tag::FAILURE_REASON);
                    other.push(item);
                }
            }
        }
        let mut data_set = DataSet::new();
        data_set
            .text_if_any(tag::RETRIEVE_URL, "UR", study_url)
            .sequence_if_any(tag::FAILED_SOP_SEQUENCE, failed)
            .sequence_if_any(tag::REFERENCED_SOP_SEQUENCE, referenced)
            .sequence_if_any(tag::OTHER_FAILURES_SEQUENCE, other);
        data_set
    }

    /// The study that every stored instance belongs to, if it is one.
    pub fn single_study(&self) -> Option<&str> {
        let mut studies = self.instances.iter().filter_map(|stored| match stored {
            Stored::Accepted { study_instance_uid, .. } => Some(study_instance_uid.as_str()),
            Stored::Failed { .. } => None,
        });
        let first = studies.next()?;
        studies.all(|study| study == first).then_some(first)
    }

    /// The answer. Its media type has no parameters: clients compare it as a whole.
    pub fn into_response(self, study_url: &str, xml: bool) -> Response {
        let data_set = self.data_set(study_url);
        let (media_type, body) =
            if xml { (DICOM_XML, to_native_xml(&data_set)) } else { (DICOM_JSON, data_set.to_json()) };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(study: &str) -> Stored {
        Stored::Accepted {
            sop_class_uid: "1.2.3".into(),
            sop_instance_uid: "1.9".into(),
            study_instance_uid: study.into(),
            retrieve_url: format!("/dicomweb/studies/{study}/series/2/instances/1.9"),
            warning: None,
        }
    }

    fn failed() -> Stored {
        let reason = Remark::new(0xA900, "it belongs to another study");
        Stored::Failed { identity: Some(("1.2.3".into(), "1.8".into())), reason }
    }

    #[test]
    fn warnings_and_comments_are_said() {
        let comment = "\u{e4}".repeat(70);
        let mut warned = accepted("1");
        if let Stored::Accepted { warning, .. } = &mut warned {
            *warning = Some(Remark::new(0xB007, comment));
        }
        let response = StoreResponse { instances: vec![warned, failed()] };
        assert_eq!(
            StoreResponse { instances: vec![response.instances[0].clone()] }.status(),
            StatusCode::ACCEPTED
        );
        let json: serde_json::Value = serde_json::from_str(&response.data_set("").to_json()).expect("JSON");
        let stored = &json["00081199"]["Value"][0];
        assert_eq!(stored["00081196"], serde_json::json!({"vr": "US", "Value": [0xB007]}));
        assert_eq!(stored["00000902"]["Value"][0].as_str().map(|text| text.chars().count()), Some(64));
        let failed = &json["00081198"]["Value"][0];
        assert_eq!(failed["00000902"]["Value"][0], "it belongs to another study");
    }

    #[test]
    fn status_says_all_some_or_none() {
        for (instances, status) in [
            (vec![accepted("1")], StatusCode::OK),
            (vec![accepted("1"), failed()], StatusCode::ACCEPTED),
            (vec![failed(), failed()], StatusCode::CONFLICT),
        ] {
            assert_eq!(StoreResponse { instances }.status(), status);
        }
    }

    #[test]
    fn failure_reasons_are_numbers() {
        let other = Stored::Failed { identity: None, reason: Remark::new(0xC000, "") };
        let response = StoreResponse { instances: vec![accepted("1"), failed(), other] };
        let json: serde_json::Value =
            serde_json::from_str(&response.data_set("/dicomweb/studies/1").to_json()).expect("JSON");
        assert_eq!(json["00081198"]["Value"][0]["00081197"]["Value"][0], 0xA900);
        assert_eq!(json["00081199"]["Value"][0]["00081155"]["Value"][0], "1.9");
        assert_eq!(json["0008119A"]["Value"][0]["00081197"]["Value"][0], 0xC000);
        assert_eq!(json["00081190"]["Value"][0], "/dicomweb/studies/1");
    }

    #[test]
    fn media_types_are_bare() {
        for (xml, expected) in [(false, "application/dicom+json"), (true, "application/dicom+xml")] {
            let response = StoreResponse { instances: vec![accepted("1")] }.into_response("", xml);
            assert_eq!(response.headers()[header::CONTENT_TYPE], expected);
        }
    }

    #[test]
    fn one_study_or_none() {
        let study = |instances| StoreResponse { instances }.single_study().map(str::to_owned);
        assert_eq!(study(vec![accepted("1"), failed(), accepted("1")]).as_deref(), Some("1"));
        assert_eq!(study(vec![accepted("1"), accepted("2")]), None);
    }
}
