//! PS3.8 9.2, the upper-layer state machine: what to do when a PDU comes.
//!
//! States in which no PDU is looked at are places in the code instead: Sta1, Sta3, Sta4 and Sta8 lie between two
//! reads, and in Sta13 everything that comes is thrown away until the connection ends (`Framing::close`). As an
//! acceptor this program never asks for release, and as a requestor it answers a release collision by releasing
//! (Sta9 to Sta12 come down to that).

use super::pdu::{AbortReason, PduType};

/// A state in which PDUs are received (PS3.8 9.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sta2: connected; the A-ASSOCIATE-RQ is due.
    AwaitingAssociateRq,
    /// Sta5: requested; the answer is due.
    AwaitingAssociateAnswer,
    /// Sta6: established.
    Established,
    /// Sta7: release requested; the answer is due.
    AwaitingReleaseRp,
}

/// What to do (PS3.8 9.2.2, in brackets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read the request and decide (AE-6).
    Negotiate,
    /// The association is answered (AE-3, AE-4).
    TakeAnswer,
    /// Deliver the fragments (DT-2).
    Deliver,
    /// Answer the release (AR-2, AR-4).
    AnswerRelease,
    /// The release is confirmed (AR-3).
    Released,
    /// The peer has aborted (AA-2, AA-3).
    AbortedByPeer,
    /// Send A-ABORT and wait for the end of the connection (AA-1, AA-8).
    Abort(AbortReason),
}

/// PS3.8 table 9-10, the rows of received PDUs.
pub fn on_pdu(state: State, pdu_type: PduType) -> Action {
    use Action::{Abort, AbortedByPeer, AnswerRelease, Deliver, Negotiate, Released, TakeAnswer};
    use PduType::{AssociateAc, AssociateRj, AssociateRq, PDataTf, ReleaseRp, ReleaseRq, Unrecognized};
    let unexpected = Abort(AbortReason::UnexpectedPdu);
    match (state, pdu_type) {
        (_, PduType::Abort) => AbortedByPeer,
        (_, Unrecognized(_)) => Abort(AbortReason::UnrecognizedPdu),

        (State::AwaitingAssociateRq, AssociateRq) => Negotiate,
        (State::AwaitingAssociateAnswer, AssociateAc | AssociateRj) => TakeAnswer,
        (State::Established | State::AwaitingReleaseRp, PDataTf) => Deliver,
        (State::Established | State::AwaitingReleaseRp, ReleaseRq) => AnswerRelease,
        (State::AwaitingReleaseRp, ReleaseRp) => Released,

        (State::AwaitingAssociateRq, AssociateAc | AssociateRj | PDataTf | ReleaseRq | ReleaseRp)
        | (State::AwaitingAssociateAnswer, AssociateRq | PDataTf | ReleaseRq | ReleaseRp)
        | (State::Established, AssociateRq | AssociateAc | AssociateRj | ReleaseRp)
        | (State::AwaitingReleaseRp, AssociateRq | AssociateAc | AssociateRj) => unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [
        State::AwaitingAssociateRq,
        State::AwaitingAssociateAnswer,
        State::Established,
        State::AwaitingReleaseRp,
    ];

    #[test]
    fn every_type_in_every_state() {
        use Action::{AbortedByPeer, AnswerRelease, Deliver, Negotiate, Released, TakeAnswer};
        let no = Action::Abort(AbortReason::UnexpectedPdu);
        // PS3.8 table 9-10: A-ASSOCIATE-RQ, -AC, -RJ, P-DATA-TF, A-RELEASE-RQ, -RP, A-ABORT in Sta2, Sta5, Sta6 and Sta7.
        let table = [
            [Negotiate, no, no, no],
            [no, TakeAnswer, no, no],
            [no, TakeAnswer, no, no],
            [no, no, Deliver, Deliver],
            [no, no, AnswerRelease, AnswerRelease],
            [no, no, no, Released],
            [AbortedByPeer; 4],
        ];
        for byte in 0..=u8::MAX {
            let row = usize::from(byte).checked_sub(1).and_then(|row| table.get(row));
            for (column, state) in STATES.into_iter().enumerate() {
                let expected = row.map_or(Action::Abort(AbortReason::UnrecognizedPdu), |row| row[column]);
                assert_eq!(on_pdu(state, PduType::from(byte)), expected, "{byte} in {state:?}");
            }
        }
    }
}
