//! What can be asked for.

/// Makes the actions and the list of them.
macro_rules! actions {
    ($($(#[doc = $text:literal])+ $action:ident,)+) => {
        /// Something that can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $text])+ $action,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$action),+];

            /// What it is, in a sentence for operators.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$action => concat!($($text),+).trim_ascii(),)+
                }
            }
        }
    };
}

actions! {
    /// Find and read studies, previews, frames, events about them.
    ReadStudy,
    /// Store an instance over HTTP.
    StoreInstance,
    /// Send an X-ray or a picture of one over REST, and say what it is.
    UploadXray,
    /// Delete a study, a series or an instance.
    DeleteInstances,
    /// See doctors' profiles.
    ReadDoctor,
    /// Make a doctor, change any profile.
    ManageDoctors,
    /// Make accounts of people and programs, change what they may do, end their sessions.
    ManageUsers,
    /// Register a device that sends X-rays for a paramedic.
    CreateDevice,
    /// Change a profile.
    UpdateDoctor,
    /// See consultations.
    ReadConsultation,
    /// Book or start a consultation.
    CreateConsultation,
    /// Move a consultation on, give it another time or doctor, cancel it.
    UpdateConsultation,
    /// Read what was written about a consultation.
    ReadNote,
    /// Write notes and amendments.
    WriteNote,
    /// Read signed prescriptions; a doctor the own drafts, too.
    ReadPrescription,
    /// Write, sign, replace and take back prescriptions.
    WritePrescription,
    /// Read signed reports; a doctor the own drafts, too.
    ReadReport,
    /// Write, sign, replace and take back reports.
    WriteReport,
    /// Link a study to a consultation, or unlink it.
    LinkStudy,
    /// Listen to events about what can be read.
    ReadEvents,
    /// Make a token for an image viewer that opens one consultation's studies, or take it back.
    IssueViewerToken,
    /// Share one study by a link, or take the link back.
    ShareStudy,
    /// Read one patient's studies in an emergency, with a reason.
    BreakGlass,
    /// See and review emergency accesses.
    ReviewBreakGlass,
    /// Grant viewers and doctors studies, or take a grant back.
    ManageGrants,
    /// Read the audit trail.
    ReadAudit,
    /// Tell who saw a patient's X-rays.
    ReadAccessReport,
    /// Let machines associate over DICOM, and say what for.
    ManageAes,
    /// Say where events are sent over HTTP.
    ManageWebhooks,
    /// See what is scheduled for modalities.
    ReadWorklist,
    /// Schedule procedures for modalities, change and take back what is scheduled.
    ManageWorklist,
}
