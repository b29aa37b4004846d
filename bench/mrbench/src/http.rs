//! Closed-loop HTTP/1.1 client over keep-alive connections, and a sink server.
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};

pub struct Conn {
    addr: String,
    s: Option<TcpStream>,
    buf: Vec<u8>,
    pos: usize,
    end: usize,
}
pub struct Resp {
    pub status: u16,
    pub bytes: u64,
    pub head: Vec<u8>,
}

fn err(m: &str) -> Error {
    Error::new(ErrorKind::InvalidData, m)
}
pub fn find(h: &[u8], n: &[u8]) -> Option<usize> {
    h.windows(n.len()).position(|w| w == n)
}

impl Conn {
    pub fn new(addr: &str) -> Conn {
        Conn { addr: addr.into(), s: None, buf: vec![0; 1 << 17], pos: 0, end: 0 }
    }
    fn fill(&mut self) -> Result<usize> {
        if self.pos == self.end {
            self.pos = 0;
            self.end = 0
        } else if self.end == self.buf.len() {
            self.buf.copy_within(self.pos..self.end, 0);
            self.end -= self.pos;
            self.pos = 0;
            if self.end == self.buf.len() {
                return Err(err("header too large"));
            }
        }
        let n = self.s.as_mut().unwrap().read(&mut self.buf[self.end..])?;
        self.end += n;
        Ok(n)
    }
    fn take(&mut self, mut n: u64, keep: Option<&mut Vec<u8>>) -> Result<()> {
        let mut k = keep;
        while n > 0 {
            if self.pos == self.end && self.fill()? == 0 {
                return Err(err("short body"));
            }
            let m = ((self.end - self.pos) as u64).min(n);
            if let Some(v) = k.as_mut() {
                v.extend_from_slice(&self.buf[self.pos..self.pos + m as usize])
            }
            self.pos += m as usize;
            n -= m
        }
        Ok(())
    }
    fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(i) = find(&self.buf[self.pos..self.end], b"\r\n") {
                let l = self.buf[self.pos..self.pos + i].to_vec();
                self.pos += i + 2;
                return Ok(l);
            }
            if self.fill()? == 0 {
                return Err(err("eof in line"));
            }
        }
    }
    /// Sends the parts as one request; body is kept only where `keep` is given.
    pub fn request(&mut self, parts: &[&[u8]], mut keep: Option<&mut Vec<u8>>) -> Result<Resp> {
        if self.s.is_none() {
            let s = TcpStream::connect(&self.addr)?;
            s.set_nodelay(true)?;
            s.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
            self.s = Some(s);
            self.pos = 0;
            self.end = 0
        }
        let r = (|| {
            for p in parts {
                self.s.as_mut().unwrap().write_all(p)?
            }
            let head = loop {
                if let Some(i) = find(&self.buf[self.pos..self.end], b"\r\n\r\n") {
                    let h = self.buf[self.pos..self.pos + i].to_vec();
                    self.pos += i + 4;
                    if h.len() > 12 && &h[9..12] == b"100" {
                        continue;
                    }
                    break h;
                }
                if self.fill()? == 0 {
                    return Err(err("closed before reply"));
                }
            };
            let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let status: u16 =
                text.get(9..12).and_then(|s| s.parse().ok()).ok_or_else(|| err("bad status"))?;
            let hv = |n: &str| {
                text.lines()
                    .find_map(|l| l.strip_prefix(n).map(|v| v.trim_start_matches(':').trim().to_string()))
            };
            let mut bytes = 0u64;
            if hv("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
                loop {
                    let l = self.line()?;
                    let n = u64::from_str_radix(
                        String::from_utf8_lossy(&l).split(';').next().unwrap().trim(),
                        16,
                    )
                    .map_err(|_| err("bad chunk"))?;
                    self.take(n, keep.as_deref_mut())?;
                    bytes += n;
                    if n == 0 {
                        while !self.line()?.is_empty() {}
                        break;
                    }
                    self.take(2, None)?;
                }
            } else if let Some(n) = hv("content-length").and_then(|v| v.parse::<u64>().ok()) {
                self.take(n, keep.as_deref_mut())?;
                bytes = n
            } else if status != 204 && status != 304 {
                loop {
                    bytes += (self.end - self.pos) as u64;
                    if let Some(v) = keep.as_deref_mut() {
                        v.extend_from_slice(&self.buf[self.pos..self.end])
                    }
                    self.pos = self.end;
                    if self.fill()? == 0 {
                        break;
                    }
                }
                self.s = None
            }
            if hv("connection").is_some_and(|v| v == "close") {
                self.s = None
            }
            Ok(Resp { status, bytes, head })
        })();
        if r.is_err() {
            self.s = None
        }
        r
    }
}

/// Reads any request completely and answers 200 with an empty JSON object.
pub fn sink(port: u16) -> Result<()> {
    for s in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let mut s = s?;
        std::thread::spawn(move || -> Result<()> {
            s.set_nodelay(true)?;
            let mut b = vec![0u8; 1 << 18];
            let mut have = 0usize;
            loop {
                let h = loop {
                    if let Some(i) = find(&b[..have], b"\r\n\r\n") {
                        break i + 4;
                    }
                    let n = s.read(&mut b[have..])?;
                    if n == 0 {
                        return Ok(());
                    }
                    have += n
                };
                let t = String::from_utf8_lossy(&b[..h]).to_ascii_lowercase();
                let cl: usize = t
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length:").and_then(|v| v.trim().parse().ok()))
                    .unwrap_or(0);
                let mut got = have - h;
                while got < cl {
                    let n = s.read(&mut b)?;
                    if n == 0 {
                        return Ok(());
                    }
                    got += n
                }
                have = 0;
                s.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n{}",
                )?
            }
        });
    }
    Ok(())
}
