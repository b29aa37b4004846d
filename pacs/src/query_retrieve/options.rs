//! PS3.4 C.5: what is agreed on beyond the baseline, by SOP Class Extended Negotiation (PS3.7 D.3.3.5).

use model::ae::AeOperation;

/// Longest service-class-application-information that is answered: what the Standard defines for C-FIND.
const INFORMATION_LENGTH_MAX: usize = 7;

/// What was agreed for one presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueryOptions {
    /// Relational queries and retrievals: keys of any level, without the unique keys above.
    pub relational: bool,
    /// A range of dates and one of times make one range of moments (PS3.4 C.2.2.2.5.1).
    pub date_time: bool,
    /// Fuzzy semantic matching of person names (PS3.4 C.2.2.2.1.1).
    pub fuzzy: bool,
    /// Empty Value Matching (PS3.4 C.2.2.2.7).
    pub empty_value: bool,
    /// Multiple Value Matching (PS3.4 C.2.2.2.8).
    pub multiple_value: bool,
}

impl QueryOptions {
    /// What of the requestor's wishes is granted: one byte each, 1 for wanted (PS3.4 tables C.5-1 to C.5-3).
    pub fn read(operation: AeOperation, information: &[u8]) -> Self {
        let wanted = |index: usize| information.get(index) == Some(&1);
        let of_queries = operation == AeOperation::Find;
        Self {
            relational: wanted(0),
            date_time: of_queries && wanted(1),
            fuzzy: of_queries && wanted(2),
            empty_value: of_queries && wanted(5),
            multiple_value: of_queries && wanted(6),
        }
    }

    /// The answer, as long as the question was. Timezone query adjustment and the conversion of enhanced multi-frame
    /// images are not granted to anybody.
    pub fn answer(self, length: usize) -> Vec<u8> {
        let Self { relational, date_time, fuzzy, empty_value, multiple_value } = self;
        let granted = [relational, date_time, fuzzy, false, false, empty_value, multiple_value];
        granted.into_iter().take(length.min(INFORMATION_LENGTH_MAX)).map(u8::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_and_known_is_granted() {
        let all = QueryOptions::read(AeOperation::Find, &[1; 9]);
        assert_eq!(all.answer(9), [1, 1, 1, 0, 0, 1, 1]);
        assert_eq!(QueryOptions::read(AeOperation::Find, &[0, 1, 2]).answer(3), [0, 1, 0]);
        assert_eq!(QueryOptions::read(AeOperation::Move, &[1, 1]).answer(2), [1, 0]);
        assert_eq!(QueryOptions::read(AeOperation::Find, &[]), QueryOptions::default());
    }
}
