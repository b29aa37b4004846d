//! A name server that knows one name (RFC 1035), as the one that Docker has for the containers of a service.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{net::UdpSocket, task::JoinHandle};

/// Header, before the question.
const HEADER_BYTES: usize = 12;
/// Type and class, after the name.
const QUESTION_END_BYTES: usize = 4;
/// An address of IPv4.
const TYPE_A: [u8; 2] = [0, 1];

/// The server, until it is dropped.
#[derive(Debug)]
pub struct Names(JoinHandle<()>);

impl Names {
    /// Says of `name`, which has no dots, that these are its addresses, and of all others that they do not exist.
    ///
    /// # Panics
    /// When the address cannot be listened at.
    pub async fn serve(at: SocketAddr, name: &str, addresses: Vec<Ipv4Addr>) -> Self {
        let socket = UdpSocket::bind(at).await.unwrap_or_else(|error| panic!("{at}: {error}"));
        let length = u8::try_from(name.len()).expect("a short name");
        let name = [&[length], name.as_bytes(), &[0]].concat();
        Self(tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, who)) = socket.recv_from(&mut question).await {
                if let Some(answer) = answer(&question[..length], &name, &addresses) {
                    let _asked_again = socket.send_to(&answer, who).await;
                }
            }
        }))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// None for what is no question.
fn answer(question: &[u8], name: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let asked = question.get(HEADER_BYTES..)?;
    let end = asked.iter().position(|byte| *byte == 0)? + 1;
    let (asked, kind) = (asked.get(..end)?, asked.get(end..end + QUESTION_END_BYTES)?);
    let known = asked.eq_ignore_ascii_case(name);
    let addresses = if known && kind[..2] == TYPE_A { addresses } else { &[] };
    let count = u16::try_from(addresses.len()).ok()?.to_be_bytes();
    // An authoritative answer, and whether the name is known.
    let flags = [0x84, if known { 0 } else { 3 }];
    let mut answer = [&question[..2], &flags, &[0, 1], &count, &[0; 4], asked, kind].concat();
    for address in addresses {
        // The name of the question, for a second.
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
