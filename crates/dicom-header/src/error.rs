//! Why a data set is refused. No variant carries a value of the data set other than a UID.

/// Why a data set or a file meta group cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The bytes end inside an element, a sequence or encapsulated pixel data.
    #[error("the data set ends too early, at byte {offset}")]
    Truncated {
        /// Number of bytes that came.
        offset: u64,
    },
    /// More sequences inside each other than allowed.
    #[error("sequences are nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// More elements than allowed.
    #[error("the data set has more than {max} elements")]
    TooManyElements {
        /// The limit.
        max: u64,
    },
    /// The header does not fit into the memory for one object.
    #[error("the header needs more than {max} bytes of memory")]
    TooMuchMemory {
        /// The limit.
        max: usize,
    },
    /// An element runs past the end of the item or sequence that holds it.
    #[error("an element before byte {offset} is longer than the item or sequence around it")]
    LengthPastEnd {
        /// Where it was noticed.
        offset: u64,
    },
    /// The bytes break the encoding rules of PS3.5 7.
    #[error("the data set is malformed before byte {offset}: {what}")]
    Malformed {
        /// Where it was noticed.
        offset: u64,
        /// Which rule is broken.
        what: &'static str,
    },
    /// An element other than Pixel Data has fragments (PS3.5 A.4), which nothing but its VR tells of.
    #[error("the encapsulated value before byte {offset} can be written in Explicit VR only")]
    NeedsExplicitVr {
        /// Where it was noticed.
        offset: u64,
    },
    /// The first element is not written as the transfer syntax says: kept under it, the object would lie about itself.
    #[error("data set is {found}, unlike its transfer syntax")]
    OtherEncoding {
        /// How it is written.
        found: &'static str,
    },
    /// A mandatory UID is absent or empty.
    #[error("{0} is missing")]
    MissingUid(&'static str),
    /// A mandatory UID is no UID.
    #[error("{attribute} is not a UID")]
    InvalidUid {
        /// Keyword of the attribute.
        attribute: &'static str,
    },
    /// A mandatory UID is there twice with different values.
    #[error("{0} is there twice with different values")]
    ContradictoryUid(&'static str),
    /// The deflated data set grows beyond the limit.
    #[error("the data set inflates to more than {max} bytes")]
    DeflateTooLarge {
        /// The limit.
        max: u64,
    },
    /// The deflated data set is no deflate stream.
    #[error("the deflated data set is damaged")]
    DeflateDamaged,
    /// The bytes are neither a Part 10 file nor a bare data set.
    #[error("this is not DICOM")]
    NotDicom,
    /// Group 2 is longer than allowed.
    #[error("the file meta group is longer than {max} bytes")]
    FileMetaTooLarge {
        /// The limit.
        max: usize,
    },
}
