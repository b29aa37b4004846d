//! PS3.7 D.3.3.3, the asynchronous operations window: how many operations may be outstanding at once.

/// Asynchronous operations window of a request and of its answer (PS3.7 tables D.3-7 and D.3-8).
pub const OPERATIONS_WINDOW_ITEM: u8 = 0x53;
/// Operations that we have outstanding at once on an association that others have made: C-STOREs of a C-GET.
const INVOKED_HERE_MAX: u16 = 1;

/// Maximum-number-operations-invoked of a request: what the requestor would like to have outstanding; 0 is no limit.
/// `None`: the item is no window.
pub fn read(item: &[u8]) -> Option<u16> {
    let &[high, low, _, _] = item else { return None };
    Some(u16::from_be_bytes([high, low]))
}

/// What is agreed on of what was proposed.
pub fn agree(proposed: u16, operations_max: u16) -> u16 {
    if proposed == 0 { operations_max } else { proposed.min(operations_max) }
}

/// The answer.
pub fn encode(agreed: u16) -> Vec<u8> {
    [agreed.to_be_bytes(), INVOKED_HERE_MAX.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_agreed_on_than_either_wants() {
        assert_eq!([agree(0, 8), agree(1, 8), agree(5, 8), agree(9, 8), agree(u16::MAX, 1)], [8, 1, 5, 8, 1]);
        assert_eq!(read(&[1, 2, 3, 4]), Some(0x0102));
        assert_eq!([read(&[]), read(&[1, 2, 3]), read(&[1, 2, 3, 4, 5])], [None; 3]);
        assert_eq!(encode(0x0102), [1, 2, 0, 1]);
    }
}
