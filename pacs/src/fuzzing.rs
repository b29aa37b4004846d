//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

use std::{net::IpAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use dicom_header::Identity;
use dicom_ul::pdu::{MAXIMUM_PDU_SIZE, Pdu, PresentationContextResultReason, UserVariableItem, read_pdu};
use model::{
    TransferSyntaxUid,
    ae::{Ae, AeOperation},
    transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    access::Denied,
    backend::{Backend, InstanceSink, Peer, Refused, RefusedAct, Unavailable},
    caller::Caller,
    config::PacsConfig,
    connection::Door,
    dimse::{
        command_set::{CommandSet, encode_response},
        status,
    },
    find_scp::Query,
    origin::Origin,
    query_retrieve::{identifier::Identifier, information_model::InformationModel, options::QueryOptions},
    refusals::More,
    upper_layer::{
        negotiation::{
            NegotiationRules, PRESENTATION_CONTEXTS_MAX, PresentationContext, Request, negotiate,
            parse_request, read_titles,
        },
        pdu::{PDU_HEADER_LENGTH_BYTES, PduHeader, put_p_data, split_presentation_data_value},
        user_identity::USER_IDENTITY_ANSWER_ITEM,
    },
};

/// Longest A-ASSOCIATE-AC: every context with a result and the longest UIDs.
const ANSWER_LENGTH_MAX_BYTES: usize = 64 * 1024;
/// Longest text that says of a user identity which kind it is.
const IDENTITY_SHOWN_MAX: usize = 80;
/// Most bytes that a door may answer to one connection that is under way: an acceptance, responses, an abort.
const ANSWERS_LENGTH_MAX_BYTES: usize = 1 << 20;

/// PS3.8 9.3: any bytes as PDUs, cut into presentation data values and put together again, and as a command set.
///
/// # Panics
/// When values do not add up to their PDU, do not survive being written, or a response is no command set.
pub fn pdu(input: &[u8]) {
    let mut rest = Bytes::copy_from_slice(input);
    while let Some(header) = rest.first_chunk::<PDU_HEADER_LENGTH_BYTES>() {
        let header = PduHeader::parse(*header);
        let mut body = rest.split_off(PDU_HEADER_LENGTH_BYTES);
        rest = body.split_off(body.len().min(header.length as usize));
        let (length, mut taken) = (body.len(), 0);
        let mut command = BytesMut::new();
        while let Ok(value) = split_presentation_data_value(&mut body) {
            taken += PDU_HEADER_LENGTH_BYTES + value.fragment.len();
            let mut written = BytesMut::new();
            put_p_data(&mut written, value.context_id, value.is_command, value.is_last, &value.fragment);
            let mut again = written.freeze().split_off(PDU_HEADER_LENGTH_BYTES);
            assert_eq!(split_presentation_data_value(&mut again).as_ref(), Ok(&value));
            assert!(again.is_empty());
            command.extend_from_slice(&value.fragment);
        }
        assert_eq!(taken + body.len(), length, "bytes were lost or read twice");
        command_set(&command.freeze());
    }
    command_set(&Bytes::copy_from_slice(input));
}

fn command_set(bytes: &Bytes) {
    let Ok(command) = CommandSet::parse(bytes.clone()) else { return };
    let response = encode_response(&command, 7, 0xC000, "fuzz\\ed\r\n");
    let response = CommandSet::parse(response.into()).expect("a response is a command set");
    assert!(!response.has_data_set);
}

/// PS3.8 9.3.2: any bytes as the body of an A-ASSOCIATE-RQ.
///
/// # Panics
/// When the answer is no A-ASSOCIATE-AC, does not answer each context once, or accepts what was not proposed, or a user
/// identity shows what it holds.
pub fn associate_request(input: &[u8]) {
    let Ok(Request { association: request, user_identity, .. }) =
        parse_request(Bytes::copy_from_slice(input))
    else {
        return;
    };
    if let Some(identity) = &user_identity {
        let shown = format!("{identity:?}");
        assert!(shown.len() < IDENTITY_SHOWN_MAX, "an identity shows more than its kind: {shown}");
    }
    if let Ok((called, calling)) = read_titles(&request) {
        for title in [called, calling] {
            assert!(
                title.as_str().len() <= 16 && title.as_str().bytes().all(|byte| (0x20..0x7f).contains(&byte))
            );
        }
    }
    for open in [false, true] {
        let rules = NegotiationRules {
            accept_unknown_sop_classes: open,
            accept_unknown_transfer_syntaxes: open,
            pdu_length_max_bytes: 128 * 1024,
            confirms_identity: open,
            ..NegotiationRules::default()
        };
        let Ok((agreement, answer)) = negotiate(&request, &rules) else { continue };
        assert!(answer.len() <= ANSWER_LENGTH_MAX_BYTES, "an answer of {} bytes", answer.len());
        let Ok(Some(Pdu::AssociationAC(answer))) = read_pdu(&answer[..], MAXIMUM_PDU_SIZE, false) else {
            panic!("the answer is no A-ASSOCIATE-AC");
        };
        let confirmation = UserVariableItem::Unknown(USER_IDENTITY_ANSWER_ITEM, vec![0, 0]);
        assert_eq!(answer.user_variables.contains(&confirmation), open);
        let proposed = &request.presentation_contexts;
        assert!(proposed.len() <= PRESENTATION_CONTEXTS_MAX);
        assert_eq!(answer.presentation_contexts.len(), proposed.len());
        let accepted = answer
            .presentation_contexts
            .iter()
            .filter(|result| result.reason == PresentationContextResultReason::Acceptance);
        assert_eq!(accepted.count(), agreement.contexts.len());
        for context in &agreement.contexts {
            let was_proposed = proposed.iter().any(|one| {
                one.id == context.id
                    && one
                        .abstract_syntax
                        .trim_end_matches(['\0', ' '])
                        .ends_with(context.abstract_syntax.as_str())
                    && one
                        .transfer_syntaxes
                        .iter()
                        .any(|syntax| syntax.contains(context.transfer_syntax.as_str()))
            });
            assert!(was_proposed, "context {} was not proposed like that", context.id);
        }
    }
}

/// PS3.8 9.2: any bytes as all that a peer ever sends, to the whole door: upper layer, messages and services. The
/// first byte is the size of the pieces.
///
/// # Panics
/// When the door panics, answers without end, or a data set is committed that did not end.
pub fn connection(input: &[u8]) {
    let [size, bytes @ ..] = input else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without threads");
    runtime.block_on(async {
        let config = PacsConfig::default();
        let door = Arc::new(Door::new(Nowhere, Caller::new(&config), config, false));
        let (mut peer, ours) = tokio::io::duplex(64 * 1024);
        let serving =
            tokio::spawn(door.serve_connection(ours, Origin::plain(IpAddr::from([127, 0, 0, 1])), None));
        let (mut answers, mut requests) = tokio::io::split(&mut peer);
        let sending = async {
            for piece in bytes.chunks(usize::from(*size).max(1) * 8) {
                if requests.write_all(piece).await.is_err() {
                    break;
                }
            }
            // The door may have closed already.
            let _closed = requests.shutdown().await;
        };
        let reading = async {
            let mut answered = Vec::new();
            let mut limited = (&mut answers).take(ANSWERS_LENGTH_MAX_BYTES as u64);
            // A connection that breaks ends the answers as well as one that closes.
            let _broken = limited.read_to_end(&mut answered).await;
            answered
        };
        let ((), answered) = tokio::join!(sending, reading);
        assert!(answered.len() < ANSWERS_LENGTH_MAX_BYTES, "answers without end");
        assert!(answered.first().is_none_or(|kind| matches!(kind, 2 | 3 | 7)), "answered {answered:02x?}");
        serving.await.expect("the door does not panic");
    });
}

/// PS3.4 C.1.4: any bytes as the Identifier of a query, in either transfer syntax and with anything agreed on. The first
/// byte says which.
///
/// # Panics
/// When a refusal has a status of something else, or a query has more conditions than keys.
pub fn identifier(input: &[u8]) {
    let [choice, bytes @ ..] = input else { return };
    let syntaxes = [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN];
    let syntax = TransferSyntaxUid::parse(syntaxes[usize::from(choice & 1)]).expect("a UID of the Standard");
    let wishes: Vec<u8> = (1..8).map(|bit| choice >> bit & 1).collect();
    let options = QueryOptions::read(AeOperation::Find, &wishes);
    let statuses = [status::IDENTIFIER_DOES_NOT_MATCH, status::UNABLE_TO_PROCESS];
    let identifier = match Identifier::read(&syntax, bytes) {
        Ok(identifier) => identifier,
        Err(refused) => return assert!(statuses.contains(&refused.status), "{refused:?}"),
    };
    for model in
        [InformationModel::PatientRoot, InformationModel::StudyRoot, InformationModel::PatientStudyOnly]
    {
        match Query::read(model, options, &identifier) {
            Ok(query) => {
                assert!(model.levels().contains(&query.level));
                let keys: usize = identifier.keys.values().map(|key| 1 + key.item.len()).sum();
                assert!(query.conditions.len() <= keys, "{query:?}");
                assert_eq!(query.filter_hash().len(), 32);
            }
            Err(refused) => assert!(statuses.contains(&refused.status), "{refused:?}"),
        }
    }
}

/// An archive that keeps nothing, but watches the order of what it is told.
struct Nowhere;

struct NowhereWriter {
    written: usize,
}

pub(crate) mod empty;

empty::empty_lookup!(Nowhere);

impl Backend for Nowhere {
    type Writer = NowhereWriter;

    fn instance_length_max_bytes(&self) -> u64 {
        10_000
    }

    fn begin_instance(&self, _: &Peer, _: &PresentationContext, _: Identity) -> NowhereWriter {
        NowhereWriter { written: 0 }
    }

    async fn registry(&self) -> Result<Arc<[Ae]>, Unavailable> {
        Ok(Arc::new([]))
    }

    async fn record_acceptance(&self, _: &Peer) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn record_refusal(&self, _: &Peer, _: RefusedAct) {}

    async fn record_more_refusals(&self, _: &Peer, _: Denied, _: More) {}

    async fn raise_alarm(&self, _: IpAddr) {}

    async fn record_failed_handshake(&self, _: IpAddr, _: &'static str) {}
}

impl InstanceSink for NowhereWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Refused> {
        assert!(!bytes.is_empty(), "an empty fragment reached the archive");
        self.written += bytes.len();
        if self.written > 5_000 { Err(Refused::saying(0xA700, "no room")) } else { Ok(()) }
    }

    async fn commit(self) -> Result<(), Refused> {
        Ok(())
    }

    async fn abort(self) {}
}

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_pdu() {
        replay::replay("pdu", pdu);
    }

    #[test]
    fn corpus_associate_request() {
        replay::replay("associate_request", associate_request);
    }

    #[test]
    fn corpus_identifier() {
        replay::replay("identifier", identifier);
    }

    #[test]
    fn corpus_connection() {
        replay::replay("connection", connection);
    }
}
