//! PROXY protocol version 2 (the specification of HAProxy): a proxy that only passes bytes on says first who sent them. Without
//! it every sender behind the proxy would have the proxy's address, and the registry of AEs, the limits of each address and
//! the audit trail would tell nobody from anybody.
//!
//! Only addresses of the settings are believed, and have to say it: a proxy that passes on what its clients send would let each
//! of them write a header. On this machine they may also speak for themselves: no header is the first thing of HTTP, TLS or DICOM.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use model::ae::Network;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::TcpStream,
    time::timeout,
};

/// What a header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses and what may follow them; senders write some dozens of bytes.
const LENGTH_MAX_BYTES: usize = 2048;

/// Who is at the other end of a connection: the peer itself, or whom it speaks for when it is one of `proxies`.
///
/// # Errors
/// When a header is malformed, or nothing comes in time.
pub async fn origin(
    stream: &mut TcpStream,
    peer: SocketAddr,
    proxies: &[Network],
    limit: Duration,
) -> io::Result<SocketAddr> {
    if !proxies.iter().any(|proxy| proxy.contains(peer.ip())) {
        return Ok(peer);
    }
    let read = async {
        let is_here = peer.ip().to_canonical().is_loopback();
        let mut first = [0];
        // Looked at, not taken: it may be the first byte of a request.
        if is_here && (stream.peek(&mut first).await? == 0 || first[0] != SIGNATURE[0]) {
            return Ok(peer);
        }
        let said = read_header(stream).await?.unwrap_or(peer);
        // A program beside a proxy elsewhere is not on this machine.
        let is_ours = is_here || !said.ip().to_canonical().is_loopback();
        Ok(if is_ours { said } else { peer })
    };
    timeout(limit, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The source address of a header; `None` when the proxy speaks for itself, or the address is no address of a network.
async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    const WRONG: &str = "no PROXY protocol header of version 2";
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, WRONG);
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if head[..12] != SIGNATURE || head[12] >> 4 != 2 || length > LENGTH_MAX_BYTES {
        return Err(wrong());
    }
    let mut body = [0; LENGTH_MAX_BYTES];
    let body = &mut body[..length];
    stream.read_exact(body).await?;
    match (head[12] & 0x0f, head[13]) {
        // LOCAL, or something that the proxy has no word for.
        (0, _) | (1, 0x00) => Ok(None),
        // TCP over IPv4
        (1, 0x11) => {
            let (address, port) = (body.first_chunk::<4>(), port_at(body, 8));
            let (address, port) = address.zip(port).ok_or_else(wrong)?;
            Ok(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*address)), port)))
        }
        // TCP over IPv6
        (1, 0x21) => {
            let (address, port) = (body.first_chunk::<16>(), port_at(body, 32));
            let (address, port) = address.zip(port).ok_or_else(wrong)?;
            Ok(Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*address)), port)))
        }
        _ => Err(wrong()),
    }
}

fn port_at(body: &[u8], at: usize) -> Option<u16> {
    body.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, body].concat()
    }

    async fn read(bytes: &[u8]) -> Option<Option<String>> {
        let mut bytes = bytes;
        let read = read_header(&mut bytes).await.ok()?;
        assert!(bytes.is_empty() || bytes == b"GET", "the header and no more was taken");
        Some(read.map(|address| address.to_string()))
    }

    #[tokio::test]
    async fn headers_are_read_to_their_end() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80];
        let said = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(read(&header(1, 0x11, &v4)).await, said("192.0.2.7:8080"));
        assert_eq!(read(&[&header(1, 0x11, &v4)[..], b"GET"].concat()).await, said("192.0.2.7:8080"));
        // Type, length and value of something that a proxy adds.
        assert_eq!(read(&header(1, 0x11, &[&v4[..], &[3, 0, 1, 9]].concat())).await, said("192.0.2.7:8080"));
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().expect("an address").octets());
        v6[33] = 104;
        assert_eq!(read(&header(1, 0x21, &v6)).await, said("[2001:db8::7]:104"));
        assert_eq!(read(&header(0, 0, &[])).await, Some(None), "a health check");
        assert_eq!(read(&header(1, 0, &[1, 2, 3])).await, Some(None));
    }

    /// Who is said to have sent these bytes, that came from `peer`; proxies are in 10.0.0.0/8 and on this machine.
    async fn said(peer: &str, bytes: &[u8]) -> Option<String> {
        let proxies = ["10.0.0.0/8", "127.0.0.0/8"].map(|network| network.parse().expect("a network"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut sender =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        sender.write_all(bytes).await.expect("sent");
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let peer = peer.parse().expect("an address");
        let said = origin(&mut stream, peer, &proxies, Duration::from_millis(500)).await;
        said.ok().map(|address| address.to_string())
    }

    #[tokio::test]
    async fn a_proxy_says_whom_it_speaks_for() {
        let text = |address: &str| Some(address.to_owned());
        let v4 = header(1, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80]);
        assert_eq!(said("10.0.0.9:1", &v4).await, text("192.0.2.7:8080"));
        assert_eq!(said("127.0.0.1:1", &v4).await, text("192.0.2.7:8080"));
        // Not a proxy: what it writes is its own.
        assert_eq!(said("192.0.2.1:1", &v4).await, text("192.0.2.1:1"));
        // A check of a proxy: it speaks for itself.
        assert_eq!(said("10.0.0.9:1", &header(0, 0, &[])).await, text("10.0.0.9:1"));
        assert_eq!(said("127.0.0.1:1", b"GET / HTTP/1.1").await, text("127.0.0.1:1"));
        // Passed on as its client wrote it; and nothing at all.
        assert_eq!(said("10.0.0.9:1", b"GET / HTTP/1.1\r\n\r\n").await, None);
        assert_eq!(said("10.0.0.9:1", b"").await, None);
    }

    /// What is on the proxy's machine is not on this one.
    #[tokio::test]
    async fn nobody_elsewhere_is_on_this_machine() {
        let here = header(1, 0x11, &[127, 0, 0, 1, 10, 0, 0, 1, 0x1f, 0x90, 0, 80]);
        assert_eq!(said("10.0.0.9:1", &here).await.as_deref(), Some("10.0.0.9:1"));
        assert_eq!(said("127.0.0.1:1", &here).await.as_deref(), Some("127.0.0.1:8080"));
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        assert_eq!(said("10.0.0.9:1", &header(1, 0x21, &mapped)).await.as_deref(), Some("10.0.0.9:1"));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80];
        let good = header(1, 0x11, &v4);
        for cut in 0..good.len() {
            assert_eq!(read(&good[..cut]).await, None, "cut after {cut}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        // Signature, version, command, family, and a length that no proxy means.
        for bytes in [with(11, 0), with(12, 0x11), with(12, 0x23), with(13, 0x31), with(14, 0xff)] {
            assert_eq!(read(&bytes).await, None, "{bytes:?}");
        }
        assert_eq!(read(&header(1, 0x11, &v4[..9])).await, None, "too short for its addresses");
        assert_eq!(read(&header(1, 0x21, &v4)).await, None, "too short for its addresses");
    }
}
