//! PS3.4 C.4.2.1.5 to C.4.2.1.9: how the sub-operations of a retrieval go, and what is said of them.

use std::collections::BTreeMap;

use database::StoredInstance;
use dicom_header::VR;
use model::{SopInstanceUid, StudyInstanceUid};

use crate::{
    dimse::status,
    query_retrieve::{
        data_set::DataSet,
        response::{Counts, Refused, Response},
    },
};

const FAILED_SOP_INSTANCE_UID_LIST: u32 = 0x0008_0058;
/// UIDs in one value: more do not fit the 16-bit length that UI has in Explicit VR (PS3.5 7.1.2).
const FAILED_LISTED_MAX: usize = 1000;

/// How a sub-operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has the instance.
    Completed,
    /// It has it, and something to say about it.
    Warning,
    /// It does not have it.
    Failed,
}

impl Outcome {
    /// By the status of a C-STORE response.
    pub fn of(store_status: u16) -> Self {
        match store_status {
            status::SUCCESS => Self::Completed,
            warning if status::is_success(warning) => Self::Warning,
            _ => Self::Failed,
        }
    }
}

/// The sub-operations of one retrieval.
#[derive(Debug)]
pub struct SubOperations {
    /// How many.
    pub counts: Counts,
    /// How many of each study.
    pub by_study: BTreeMap<StudyInstanceUid, Counts>,
    failed: Vec<SopInstanceUid>,
}

impl SubOperations {
    /// One is to do for each instance, told by its study.
    pub fn new<'a>(studies: impl IntoIterator<Item = &'a StudyInstanceUid>) -> Self {
        let mut all = Self { counts: Counts::default(), by_study: BTreeMap::new(), failed: Vec::new() };
        for study in studies {
            all.counts.remaining += 1;
            all.by_study.entry(study.clone()).or_default().remaining += 1;
        }
        all
    }

    /// One more is done.
    pub fn note(
        &mut self,
        outcome: Outcome,
        study_instance_uid: &StudyInstanceUid,
        sop_instance_uid: &SopInstanceUid,
    ) {
        for counts in self.by_study.get_mut(study_instance_uid).into_iter().chain([&mut self.counts]) {
            counts.remaining = counts.remaining.saturating_sub(1);
            match outcome {
                Outcome::Completed => counts.completed += 1,
                Outcome::Warning => counts.warning += 1,
                Outcome::Failed => counts.failed += 1,
            }
        }
        if outcome == Outcome::Failed && self.failed.len() < FAILED_LISTED_MAX {
            self.failed.push(sop_instance_uid.clone());
        }
    }

    /// These are not done any more.
    pub fn fail(&mut self, instances: &[StoredInstance]) {
        for instance in instances {
            self.note(Outcome::Failed, &instance.study_instance_uid, &instance.sop_instance_uid);
        }
    }

    /// A response on the way.
    pub fn pending(&self) -> Response {
        self.response(status::PENDING, "", true)
    }

    /// The last response.
    pub fn last(&self, is_cancelled: bool) -> Response {
        let Counts { completed, failed, warning, .. } = self.counts;
        match (is_cancelled, failed, warning, completed) {
            (true, ..) => self.response(status::CANCEL, "", true),
            (_, 0, 0, _) => self.response(status::SUCCESS, "", false),
            (_, 1.., 0, 0) => {
                self.response(status::SUB_OPERATIONS_NOT_PERFORMED, "no instance could be sent", false)
            }
            _ => self.response(status::SUB_OPERATIONS_WITH_FAILURES, "", false),
        }
    }

    fn response(&self, status: u16, comment: &str, tells_remaining: bool) -> Response {
        Response { said: Refused::saying(status, comment), counts: Some(self.counts), tells_remaining }
    }

    /// The data set of the last response: what failed, when something did.
    pub fn failed_list(&self, implicit_vr: bool) -> Option<Vec<u8>> {
        if self.failed.is_empty() {
            return None;
        }
        let uids: Vec<&str> = self.failed.iter().map(SopInstanceUid::as_str).collect();
        let mut data_set = DataSet::default();
        data_set.text(FAILED_SOP_INSTANCE_UID_LIST, VR::UI, &uids.join("\\"));
        Some(data_set.encode(implicit_vr, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(uid: &str) -> StudyInstanceUid {
        StudyInstanceUid::parse(uid).expect("a UID")
    }

    #[test]
    fn the_last_word_depends_on_how_all_of_them_went() {
        use Outcome::{Completed, Failed, Warning};
        for (outcomes, is_cancelled, expected) in [
            (&[][..], false, 0x0000),
            (&[Completed], false, 0x0000),
            (&[Failed, Failed], false, 0xA702),
            (&[Completed, Failed], false, 0xB000),
            (&[Completed, Warning], false, 0xB000),
            (&[Completed, Failed], true, 0xFE00),
        ] {
            let (study, other) = (study("1.1"), study("1.9"));
            let mut all = SubOperations::new([&study, &study, &other]);
            let uid = SopInstanceUid::parse("1.2").expect("a UID");
            for outcome in outcomes {
                all.note(*outcome, &study, &uid);
            }
            assert_eq!(all.by_study[&other], Counts { remaining: 1, ..Counts::default() });
            assert_eq!(all.by_study[&study], Counts { remaining: all.counts.remaining - 1, ..all.counts });
            let last = all.last(is_cancelled);
            assert_eq!((last.said.status, last.tells_remaining), (expected, is_cancelled), "{outcomes:?}");
            assert_eq!(all.failed_list(true).is_some(), outcomes.contains(&Failed));
            assert_eq!(all.counts.remaining as usize, 3 - outcomes.len());
        }
    }

    #[test]
    fn a_status_of_storage_is_an_outcome() {
        for (status, expected) in [
            (0x0000, Outcome::Completed),
            (0xB000, Outcome::Warning),
            (0xB007, Outcome::Warning),
            (0xA700, Outcome::Failed),
            (0x0122, Outcome::Failed),
        ] {
            assert_eq!(Outcome::of(status), expected, "{status:04x}");
        }
    }

    #[test]
    fn a_list_of_failures_fits_its_value() {
        let study = study("1.1");
        let mut all = SubOperations::new(std::iter::repeat_n(&study, 70_000));
        let uid = SopInstanceUid::parse(&format!("2.25.{}", "1".repeat(59))).expect("a UID");
        for _ in 0..70_000 {
            all.note(Outcome::Failed, &study, &uid);
        }
        let list = all.failed_list(false).expect("a list");
        assert_eq!((&list[4..6], all.counts.failed), (&b"UI"[..], 70_000));
    }
}
