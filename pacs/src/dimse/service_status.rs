//! PS3.4 and PS3.7 Annex C: the statuses that each service answers, and when. The tables of `docs/conformance-*.md` are made of
//! these, and a debug build, as tests have it, answers with no other.

use model::ae::AeOperation;

use super::{
    command_set::command_field,
    status::{
        ATTRIBUTE_LIST_ERROR, CANCEL, CANNOT_UNDERSTAND, CLASS_INSTANCE_CONFLICT, DUPLICATE_SOP_INSTANCE,
        DUPLICATE_TRANSACTION_UID, IDENTIFIER_DOES_NOT_MATCH, INVALID_ARGUMENT_VALUE,
        INVALID_ATTRIBUTE_VALUE, INVALID_SOP_INSTANCE, MATCHES_NOT_COUNTED, MISSING_ATTRIBUTE,
        MISSING_ATTRIBUTE_VALUE, MISTYPED_ARGUMENT, MOVE_DESTINATION_UNKNOWN, NO_SUCH_ACTION_TYPE,
        NO_SUCH_SOP_INSTANCE, NOT_AUTHORIZED, OUT_OF_RESOURCES, PENDING, PENDING_WITH_UNSUPPORTED_KEYS,
        PROCESSING_FAILURE, RESOURCE_LIMITATION, SOP_CLASS_NOT_SUPPORTED, SUB_OPERATIONS_NOT_PERFORMED,
        SUB_OPERATIONS_WITH_FAILURES, SUCCESS, UNABLE_TO_PROCESS, UNRECOGNIZED_OPERATION,
    },
};

/// Statuses, each with when it is answered.
pub type Statuses = &'static [(u16, &'static str)];

const OTHER_CLASS: &str = "another SOP class than that of the presentation context";
const NOT_ALLOWED: &str = "not allowed, or not any more";

/// PS3.7 9.1.5.
pub const C_ECHO: Statuses = &[
    (SUCCESS, "always"),
    (SOP_CLASS_NOT_SUPPORTED, "the presentation context is not of Verification"),
    (NOT_AUTHORIZED, "the AE is not let in any more"),
];

/// PS3.4 B.2.3. What the archive says stands in `archive::StoreError`.
pub const C_STORE: Statuses = &[
    (
        SUCCESS,
        "stored, or stored already; other content under a known SOP Instance UID is kept beside the first and not shown, unless \
         `archive.conflict_policy` refuses it",
    ),
    (
        PROCESSING_FAILURE,
        "the archive could not store it now, or it is not known whether it did: send it again",
    ),
    (
        DUPLICATE_SOP_INSTANCE,
        "another data set has this SOP Instance UID, and `archive.conflict_policy` refuses it, or the UID is known in another study",
    ),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NOT_AUTHORIZED, "the AE may not store"),
    (MISTYPED_ARGUMENT, "the command announces no data set"),
    (OUT_OF_RESOURCES, "longer than the limit, or no resources now"),
    (IDENTIFIER_DOES_NOT_MATCH, "the data set is of another instance or class than the command says"),
    (
        CANNOT_UNDERSTAND,
        "the data set cannot be read, lacks a UID, or belongs to a study of another patient or a series of another study; \
         Affected SOP Instance UID is no UID",
    ),
];

/// PS3.4 C.4.1.1.4.
pub const C_FIND: Statuses = &[
    (SUCCESS, "every match has been sent"),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NOT_AUTHORIZED, NOT_ALLOWED),
    (OUT_OF_RESOURCES, "the Identifier is too long, or the archive cannot be asked now"),
    (
        IDENTIFIER_DOES_NOT_MATCH,
        "there is no Identifier, its level is none of the model, or a unique key is missing",
    ),
    (
        UNABLE_TO_PROCESS,
        "the Identifier or a value cannot be read (Offending Element and Error Comment say which, and never the value), or the \
         query cannot be recorded",
    ),
    (CANCEL, "cancelled"),
    (PENDING, "a match"),
    (
        PENDING_WITH_UNSUPPORTED_KEYS,
        "a match; a key is not known here, or has a value that is not matched on",
    ),
];

/// PS3.4 K.4.1.1.4.
pub const C_FIND_OF_WORKLIST: Statuses = &[
    (SUCCESS, "every match has been sent"),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NOT_AUTHORIZED, NOT_ALLOWED),
    (OUT_OF_RESOURCES, "the Identifier is too long, or the worklist cannot be asked now"),
    (IDENTIFIER_DOES_NOT_MATCH, "there is no Identifier"),
    (UNABLE_TO_PROCESS, "the Identifier or a value cannot be read, or the query cannot be recorded"),
    (CANCEL, "cancelled"),
    (PENDING, "a match"),
    (
        PENDING_WITH_UNSUPPORTED_KEYS,
        "a match; a key is not known here, or has a value that is not matched on",
    ),
];

/// What C-GET and C-MOVE share, around what the latter alone has.
macro_rules! retrieval {
    ($not_performed:literal $(, $own:expr)?) => {
        &[
            (SUCCESS, "every instance has been sent, or none matches"),
            (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
            (NOT_AUTHORIZED, NOT_ALLOWED),
            (
                MATCHES_NOT_COUNTED,
                "more instances than one retrieval may have; the Identifier is too long; the archive cannot be asked now",
            ),
            (SUB_OPERATIONS_NOT_PERFORMED, $not_performed),
            $($own,)?
            (
                IDENTIFIER_DOES_NOT_MATCH,
                "there is no Identifier, its level is none of the model, a unique key is missing, or the Patient ID is of several \
                 issuers",
            ),
            (SUB_OPERATIONS_WITH_FAILURES, "something was sent; something failed, or was taken with a warning"),
            (UNABLE_TO_PROCESS, "the Identifier cannot be read, or the retrieval cannot be recorded"),
            (CANCEL, "cancelled"),
            (PENDING, "sub-operations go on"),
        ]
    };
}

/// PS3.4 C.4.3.1.4.
pub const C_GET: Statuses = retrieval!("nothing could be sent");

/// PS3.4 C.4.2.1.5.
pub const C_MOVE: Statuses = retrieval!(
    "nothing could be sent; the registry of destinations cannot be read now",
    (MOVE_DESTINATION_UNKNOWN, "the destination is not registered with a host and a port, or not enabled")
);

/// PS3.7 10.1.4.1.10 and PS3.4 J.3.2.
pub const N_ACTION: Statuses = &[
    (SUCCESS, "the request is kept"),
    (
        PROCESSING_FAILURE,
        "the AE has no place to be told at; the registry or the database cannot be asked now",
    ),
    (NO_SUCH_SOP_INSTANCE, "another SOP instance than the well-known one"),
    (
        INVALID_ARGUMENT_VALUE,
        "the Action Information is missing, cannot be read, has no Transaction UID, or names no instance",
    ),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NO_SUCH_ACTION_TYPE, "Action Type ID is not 1"),
    (NOT_AUTHORIZED, NOT_ALLOWED),
    (RESOURCE_LIMITATION, "too many instances, or too many transactions that wait"),
];

/// PS3.3 C.14.1.1, Failure Reason (0008,1197) of what is not committed to.
pub const FAILURE_REASONS: Statuses = &[
    (PROCESSING_FAILURE, "the instance is in the index, and its object is missing, cut or another one"),
    (NO_SUCH_SOP_INSTANCE, "no such instance, or out of reach"),
    (CLASS_INSTANCE_CONFLICT, "the instance is of another SOP class"),
    (SOP_CLASS_NOT_SUPPORTED, "no such instance, and the class is none that is stored"),
    (DUPLICATE_TRANSACTION_UID, "the Transaction UID was used for other instances"),
];

/// PS3.7 10.1.5.1.6 and PS3.4 F.7.2.1.
pub const N_CREATE: Statuses = &[
    (SUCCESS, "the step is kept"),
    (INVALID_ATTRIBUTE_VALUE, "a value is none that is allowed; Attribute Identifier List says where"),
    (PROCESSING_FAILURE, "the attributes cannot be read, or cannot be kept now"),
    (DUPLICATE_SOP_INSTANCE, "the step is there already"),
    (INVALID_SOP_INSTANCE, "Affected SOP Instance UID is no UID"),
    (MISSING_ATTRIBUTE, "attributes are missing; Attribute Identifier List says which"),
    (MISSING_ATTRIBUTE_VALUE, "a value is missing; Attribute Identifier List says of which"),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NOT_AUTHORIZED, NOT_ALLOWED),
    (RESOURCE_LIMITATION, "more than 4 MiB"),
];

/// PS3.7 10.1.3.1.9 and PS3.4 F.7.2.2.
pub const N_SET: Statuses = &[
    (SUCCESS, "done"),
    (INVALID_ATTRIBUTE_VALUE, "a value is none that is allowed; Attribute Identifier List says where"),
    (ATTRIBUTE_LIST_ERROR, "done, without what may not be changed"),
    (
        PROCESSING_FAILURE,
        "the step is over (Error ID 0xA506), the attributes cannot be read, or they cannot be kept now",
    ),
    (NO_SUCH_SOP_INSTANCE, "there is no such step of this AE, or Requested SOP Instance UID is no UID"),
    (MISSING_ATTRIBUTE, "attributes are missing; Attribute Identifier List says which"),
    (MISSING_ATTRIBUTE_VALUE, "a value is missing; Attribute Identifier List says of which"),
    (SOP_CLASS_NOT_SUPPORTED, OTHER_CLASS),
    (NOT_AUTHORIZED, NOT_ALLOWED),
    (RESOURCE_LIMITATION, "more than 4 MiB"),
];

/// Every command that nobody here serves, or not in that presentation context (PS3.7 C.5.19).
pub const OTHERS: Statuses = &[(UNRECOGNIZED_OPERATION, "always")];

/// What a command may be answered with, by the right that it needs.
pub fn statuses_of(operation: Option<AeOperation>, request: u16) -> Statuses {
    match operation {
        Some(AeOperation::Echo) => C_ECHO,
        Some(AeOperation::Store) => C_STORE,
        Some(AeOperation::Find) => C_FIND,
        Some(AeOperation::Worklist) => C_FIND_OF_WORKLIST,
        Some(AeOperation::Get) => C_GET,
        Some(AeOperation::Move) => C_MOVE,
        Some(AeOperation::Commit) => N_ACTION,
        Some(AeOperation::Mpps) if request == command_field::N_CREATE_RQ => N_CREATE,
        Some(AeOperation::Mpps) => N_SET,
        None => OTHERS,
    }
}
