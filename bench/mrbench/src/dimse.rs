//! Minimal DICOM upper layer: an SCU (C-STORE, C-FIND, C-ECHO) cheap enough not
//! to be the bottleneck, and a sink SCP that sets the physical limit.
use crate::workload::*;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

fn bad<T>(m: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidData, m.into()))
}
fn item(t: u8, body: &[u8]) -> Vec<u8> {
    let mut v = vec![t, 0];
    v.extend_from_slice(&(body.len() as u16).to_be_bytes());
    v.extend_from_slice(body);
    v
}

pub struct Assoc {
    s: TcpStream,
    max_pdu: usize,
    pub pcs: Vec<(u8, String)>,
    buf: Vec<u8>,
    rx: Vec<u8>,
    msg: u16,
}

impl Assoc {
    pub fn open(addr: &str, called: &str, calling: &str, classes: &[(&str, &str)]) -> Result<Assoc> {
        let mut s = TcpStream::connect(addr)?;
        s.set_nodelay(true)?;
        s.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
        let mut b = vec![0, 1, 0, 0];
        for a in [called, calling] {
            let mut x = [b' '; 16];
            x[..a.len()].copy_from_slice(a.as_bytes());
            b.extend_from_slice(&x);
        }
        b.extend_from_slice(&[0; 32]);
        b.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
        for (k, (c, ts)) in classes.iter().enumerate() {
            let mut p = vec![(k * 2 + 1) as u8, 0, 0, 0];
            p.extend(item(0x30, c.as_bytes()));
            p.extend(item(0x40, ts.as_bytes()));
            b.extend(item(0x20, &p));
        }
        let mut u = item(0x51, &(262144u32).to_be_bytes());
        u.extend(item(0x52, b"2.25.19999999999999999999"));
        u.extend(item(0x55, b"MRBENCH_1"));
        b.extend(item(0x50, &u));
        let mut pdu = vec![1, 0];
        pdu.extend_from_slice(&(b.len() as u32).to_be_bytes());
        pdu.extend(b);
        s.write_all(&pdu)?;
        let mut a =
            Assoc { s, max_pdu: 16384, pcs: vec![], buf: Vec::with_capacity(1 << 19), rx: vec![], msg: 0 };
        let t = a.read_pdu()?;
        if t != 2 {
            return bad(format!("association refused, PDU type {t}"));
        }
        let d = a.rx.clone();
        let mut p = 68;
        while p + 4 <= d.len() {
            let n = u16::from_be_bytes([d[p + 2], d[p + 3]]) as usize;
            let body = &d[p + 4..p + 4 + n];
            if d[p] == 0x21 && body[2] == 0 {
                let k = (body[0] as usize - 1) / 2;
                a.pcs.push((body[0], classes[k].0.to_string()))
            }
            if d[p] == 0x50 {
                let mut q = 0;
                while q + 4 <= n {
                    let m = u16::from_be_bytes([body[q + 2], body[q + 3]]) as usize;
                    if body[q] == 0x51 {
                        let v = u32::from_be_bytes(body[q + 4..q + 8].try_into().unwrap()) as usize;
                        a.max_pdu = if v == 0 { 262144 } else { v.min(262144) }
                    }
                    q += 4 + m
                }
            }
            p += 4 + n;
        }
        if a.pcs.is_empty() {
            return bad("no presentation context accepted");
        }
        Ok(a)
    }
    pub fn max_pdu(&self) -> usize {
        self.max_pdu
    }
    fn read_pdu(&mut self) -> Result<u8> {
        let mut h = [0u8; 6];
        self.s.read_exact(&mut h)?;
        let n = u32::from_be_bytes([h[2], h[3], h[4], h[5]]) as usize;
        self.rx.resize(n, 0);
        self.s.read_exact(&mut self.rx)?;
        if h[0] == 7 {
            return bad("peer aborted");
        }
        Ok(h[0])
    }
    fn flush(&mut self) -> Result<()> {
        self.s.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }
    /// Queues `parts` as one message stream of PDVs no larger than the peer allows.
    fn send(&mut self, pc: u8, cmd: bool, parts: &[&[u8]]) -> Result<()> {
        let chunk = (self.max_pdu - 6) & !1;
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let mut left = total;
        let (mut pi, mut off) = (0, 0);
        while left > 0 {
            let n = left.min(chunk);
            let last = n == left;
            self.buf.push(4);
            self.buf.push(0);
            self.buf.extend_from_slice(&(n as u32 + 6).to_be_bytes());
            self.buf.extend_from_slice(&(n as u32 + 2).to_be_bytes());
            self.buf.push(pc);
            self.buf.push((cmd as u8) | ((last as u8) << 1));
            let mut need = n;
            while need > 0 {
                let a = &parts[pi][off..];
                let m = a.len().min(need);
                self.buf.extend_from_slice(&a[..m]);
                need -= m;
                off += m;
                if off == parts[pi].len() {
                    pi += 1;
                    off = 0
                }
            }
            left -= n;
            if self.buf.len() > 240_000 {
                self.flush()?
            }
        }
        Ok(())
    }
    /// Reads one DIMSE message: command set and data set bytes.
    fn recv(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        let (mut c, mut d) = (vec![], vec![]);
        let mut want_data = false;
        loop {
            if self.read_pdu()? != 4 {
                return bad("unexpected PDU");
            }
            let mut p = 0;
            while p + 6 <= self.rx.len() {
                let n = u32::from_be_bytes(self.rx[p..p + 4].try_into().unwrap()) as usize;
                let f = self.rx[p + 5];
                let body = &self.rx[p + 6..p + 4 + n];
                if f & 1 == 1 {
                    c.extend_from_slice(body);
                    if f & 2 != 0 {
                        want_data = us(&c, 0x0800).unwrap_or(0x0101) != 0x0101;
                        if !want_data {
                            return Ok((c, d));
                        }
                    }
                } else {
                    d.extend_from_slice(body);
                    if f & 2 != 0 {
                        return Ok((c, d));
                    }
                }
                p += 4 + n;
            }
            let _ = want_data;
        }
    }
    pub fn store(&mut self, class: &str, sop: &str, parts: &[&[u8]]) -> Result<u16> {
        let pc = match self.pcs.iter().find(|p| p.1 == class) {
            Some(p) => p.0,
            None => return bad("SOP class not accepted"),
        };
        self.msg = self.msg.wrapping_add(1);
        let c = command(&[
            (0x0002, V::Ui(class)),
            (0x0100, V::Us(1)),
            (0x0110, V::Us(self.msg)),
            (0x0700, V::Us(0)),
            (0x0800, V::Us(1)),
            (0x1000, V::Ui(sop)),
        ]);
        self.send(pc, true, &[&c])?;
        self.send(pc, false, parts)?;
        self.flush()?;
        let (r, _) = self.recv()?;
        us(&r, 0x0900).map_or_else(|| bad("no status"), Ok)
    }
    /// Study Root C-FIND; returns the number of matches.
    pub fn find(&mut self, ident: &[u8]) -> Result<usize> {
        let (pc, class) = self.pcs[0].clone();
        self.msg = self.msg.wrapping_add(1);
        let c = command(&[
            (0x0002, V::Ui(&class)),
            (0x0100, V::Us(0x20)),
            (0x0110, V::Us(self.msg)),
            (0x0700, V::Us(0)),
            (0x0800, V::Us(1)),
        ]);
        self.send(pc, true, &[&c])?;
        self.send(pc, false, &[ident])?;
        self.flush()?;
        let mut n = 0;
        loop {
            let (r, _) = self.recv()?;
            match us(&r, 0x0900) {
                Some(0xFF00) | Some(0xFF01) => n += 1,
                Some(0) => return Ok(n),
                s => return bad(format!("C-FIND status {s:04x?}")),
            }
        }
    }
    pub fn release(mut self) {
        let _ = self.s.write_all(&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        let _ = self.read_pdu();
    }
}

enum V<'a> {
    Ui(&'a str),
    Us(u16),
}
fn command(e: &[(u16, V)]) -> Vec<u8> {
    let mut b = vec![];
    for (el, v) in e {
        b.extend_from_slice(&[0, 0]);
        b.extend_from_slice(&el.to_le_bytes());
        match v {
            V::Ui(s) => {
                let n = s.len() + s.len() % 2;
                b.extend_from_slice(&(n as u32).to_le_bytes());
                b.extend_from_slice(s.as_bytes());
                if s.len() % 2 == 1 {
                    b.push(0)
                }
            }
            V::Us(x) => {
                b.extend_from_slice(&2u32.to_le_bytes());
                b.extend_from_slice(&x.to_le_bytes())
            }
        }
    }
    let mut o = vec![0, 0, 0, 0, 4, 0, 0, 0];
    o.extend_from_slice(&(b.len() as u32).to_le_bytes());
    o.extend(b);
    o
}
fn elem(c: &[u8], el: u16) -> Option<&[u8]> {
    let mut p = 0;
    while p + 8 <= c.len() {
        let n = u32::from_le_bytes(c[p + 4..p + 8].try_into().unwrap()) as usize;
        if p + 8 + n > c.len() {
            return None;
        }
        if c[p..p + 2] == [0, 0] && u16::from_le_bytes([c[p + 2], c[p + 3]]) == el {
            return Some(&c[p + 8..p + 8 + n]);
        }
        p += 8 + n
    }
    None
}
fn us(c: &[u8], el: u16) -> Option<u16> {
    elem(c, el).filter(|v| v.len() >= 2).map(|v| u16::from_le_bytes([v[0], v[1]]))
}

/// Implicit VR LE identifier for a study-level query with the usual return keys.
pub fn find_identifier(matchers: &[(u16, u16, String)]) -> Vec<u8> {
    let mut k: Vec<(u16, u16, String)> = vec![(0x0008, 0x0052, "STUDY".into())];
    for (g, e) in
        [(8, 0x20), (8, 0x30), (8, 0x50), (8, 0x1030), (0x10, 0x10), (0x10, 0x20), (0x20, 0x0D), (0x20, 0x10)]
    {
        k.push(matchers.iter().find(|m| m.0 == g && m.1 == e).cloned().unwrap_or((g, e, String::new())))
    }
    k.sort_by_key(|x| (x.0, x.1));
    let mut b = vec![];
    for (g, e, v) in k {
        b.extend_from_slice(&g.to_le_bytes());
        b.extend_from_slice(&e.to_le_bytes());
        let n = v.len() + v.len() % 2;
        b.extend_from_slice(&(n as u32).to_le_bytes());
        b.extend_from_slice(v.as_bytes());
        if v.len() % 2 == 1 {
            b.push(if e == 0x0D && g == 0x20 { 0 } else { b' ' })
        }
    }
    b
}
pub const FIND_STUDY: &str = "1.2.840.10008.5.1.4.1.2.2.1";

// ---------------------------------------------------------------- sink SCP

#[derive(Clone, Copy, PartialEq)]
pub enum SinkMode {
    Null,
    Write,
    Fsync,
    Group,
    Direct,
}

/// O_DIRECT writer with one reused aligned buffer: no page cache, no first-touch.
struct Direct {
    f: std::fs::File,
    n: usize,
    total: u64,
}
struct Aligned {
    v: Vec<u8>,
    off: usize,
}
const DB: usize = 1 << 22;
impl Aligned {
    fn new() -> Aligned {
        let v = vec![0u8; DB + 4096];
        let off = 4096 - v.as_ptr() as usize % 4096;
        Aligned { v, off }
    }
    fn s(&mut self) -> &mut [u8] {
        let o = self.off;
        &mut self.v[o..o + DB]
    }
}
impl Direct {
    fn create(p: &str) -> Result<Direct> {
        use std::os::unix::fs::OpenOptionsExt;
        Ok(Direct {
            f: std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .custom_flags(0o40000)
                .open(p)?,
            n: 0,
            total: 0,
        })
    }
    fn put(&mut self, mut d: &[u8], b: &mut Aligned) -> Result<()> {
        while !d.is_empty() {
            let m = d.len().min(DB - self.n);
            b.s()[self.n..self.n + m].copy_from_slice(&d[..m]);
            self.n += m;
            self.total += m as u64;
            d = &d[m..];
            if self.n == DB {
                self.f.write_all(b.s())?;
                self.n = 0
            }
        }
        Ok(())
    }
    fn close(mut self, b: &mut Aligned) -> Result<()> {
        let k = (self.n + 4095) & !4095;
        if k > 0 {
            self.f.write_all(&b.s()[..k])?
        }
        self.f.set_len(self.total)?;
        self.f.sync_data()
    }
}

/// One append-only segment; several associations share each fdatasync.
struct Segment {
    m: Mutex<(std::fs::File, u64, u64)>,
    cv: Condvar,
    sync: std::fs::File,
}

pub fn sink(port: u16, mode: SinkMode, dir: String, max_pdu: u32) -> Result<()> {
    let l = TcpListener::bind(("127.0.0.1", port))?;
    let seg = if mode == SinkMode::Group {
        let f = std::fs::File::create(format!("{dir}/segment"))?;
        let sync = f.try_clone()?;
        let s = Arc::new(Segment { m: Mutex::new((f, 0, 0)), cv: Condvar::new(), sync });
        let t = s.clone();
        std::thread::spawn(move || {
            loop {
                let upto = {
                    let mut g = t.m.lock().unwrap();
                    while g.1 == g.2 {
                        g = t.cv.wait(g).unwrap()
                    }
                    g.1
                };
                t.sync.sync_data().unwrap();
                t.m.lock().unwrap().2 = upto;
                t.cv.notify_all();
            }
        });
        Some(s)
    } else {
        None
    };
    for (k, s) in l.incoming().enumerate() {
        let s = s?;
        let dir = dir.clone();
        let seg = seg.clone();
        std::thread::spawn(move || {
            let _ = serve(s, mode, &dir, k, max_pdu, seg);
        });
    }
    Ok(())
}
fn serve(
    mut s: TcpStream,
    mode: SinkMode,
    dir: &str,
    k: usize,
    max_pdu: u32,
    seg: Option<Arc<Segment>>,
) -> Result<()> {
    s.set_nodelay(true)?;
    let mut rx = vec![];
    let mut h = [0u8; 6];
    s.read_exact(&mut h)?;
    rx.resize(u32::from_be_bytes([h[2], h[3], h[4], h[5]]) as usize, 0);
    s.read_exact(&mut rx)?;
    let mut b = rx[..68].to_vec();
    b.extend(item(0x10, b"1.2.840.10008.3.1.1.1"));
    let mut p = 68;
    while p + 4 <= rx.len() {
        let n = u16::from_be_bytes([rx[p + 2], rx[p + 3]]) as usize;
        let body = rx[p + 4..p + 4 + n].to_vec();
        if rx[p] == 0x20 {
            let mut q = 4;
            let mut ts = vec![];
            while q + 4 <= n {
                let m = u16::from_be_bytes([body[q + 2], body[q + 3]]) as usize;
                if body[q] == 0x40 && (ts.is_empty() || &body[q + 4..q + 4 + m] == EXPLICIT_LE.as_bytes()) {
                    ts = body[q + 4..q + 4 + m].to_vec()
                }
                q += 4 + m
            }
            let mut a = vec![body[0], 0, 0, 0];
            a.extend(item(0x40, &ts));
            b.extend(item(0x21, &a));
        }
        p += 4 + n;
    }
    let mut u = item(0x51, &max_pdu.to_be_bytes());
    u.extend(item(0x52, b"2.25.18888888888888888888"));
    b.extend(item(0x50, &u));
    let mut o = vec![2, 0];
    o.extend_from_slice(&(b.len() as u32).to_be_bytes());
    o.extend(b);
    s.write_all(&o)?;
    let (mut cmd, mut n, mut off) = (vec![], 0u64, 0u64);
    let mut file: Option<std::fs::File> = None;
    let mut data: Vec<u8> = vec![];
    let mut dir_f: Option<Direct> = None;
    let mut ab = Aligned::new();
    loop {
        s.read_exact(&mut h)?;
        rx.resize(u32::from_be_bytes([h[2], h[3], h[4], h[5]]) as usize, 0);
        s.read_exact(&mut rx)?;
        if h[0] == 5 {
            s.write_all(&[6, 0, 0, 0, 0, 4, 0, 0, 0, 0])?;
            return Ok(());
        }
        if h[0] != 4 {
            return Ok(());
        }
        let mut p = 0;
        while p + 6 <= rx.len() {
            let len = u32::from_be_bytes(rx[p..p + 4].try_into().unwrap()) as usize;
            let (pc, f) = (rx[p + 4], rx[p + 5]);
            let body = &rx[p + 6..p + 4 + len];
            let mut done = false;
            if f & 1 == 1 {
                cmd.extend_from_slice(body);
                if f & 2 != 0 {
                    done = us(&cmd, 0x0800) == Some(0x0101);
                    if !done && mode != SinkMode::Null {
                        let (c, i) = (text(&cmd, 2), text(&cmd, 0x1000));
                        let mut m = vec![];
                        meta(&c, &i, EXPLICIT_LE, &mut m);
                        if mode == SinkMode::Group {
                            data = m
                        } else if mode == SinkMode::Direct {
                            let mut d = Direct::create(&format!("{dir}/{k}-{n}"))?;
                            d.put(&m, &mut ab)?;
                            dir_f = Some(d)
                        } else {
                            let mut fl = std::fs::File::create(format!("{dir}/{k}-{n}"))?;
                            fl.write_all(&m)?;
                            file = Some(fl)
                        }
                    }
                }
            } else {
                match mode {
                    SinkMode::Null => {}
                    SinkMode::Direct => dir_f.as_mut().unwrap().put(body, &mut ab)?,
                    SinkMode::Group => {
                        data.extend_from_slice(body);
                        if data.len() > 1 << 20 || f & 2 != 0 {
                            let g = seg.as_ref().unwrap();
                            let mut q = g.m.lock().unwrap();
                            q.0.write_all(&data)?;
                            q.1 += data.len() as u64;
                            off = q.1;
                            g.cv.notify_all();
                            data.clear()
                        }
                    }
                    _ => file.as_mut().unwrap().write_all(body)?,
                }
                done = f & 2 != 0
            }
            if done {
                if let Some(d) = dir_f.take() {
                    d.close(&mut ab)?
                }
                if mode == SinkMode::Fsync
                    && let Some(fl) = file.take()
                {
                    fl.sync_all()?
                }
                if mode == SinkMode::Group {
                    let g = seg.as_ref().unwrap();
                    let mut q = g.m.lock().unwrap();
                    while q.2 < off {
                        q = g.cv.wait(q).unwrap()
                    }
                }
                file = None;
                n += 1;
                let (c, i) = (text(&cmd, 2), text(&cmd, 0x1000));
                let r = us(&cmd, 0x0100).unwrap_or(1) | 0x8000;
                let id = us(&cmd, 0x0110).unwrap_or(0);
                let rsp = if i.is_empty() {
                    command(&[
                        (2, V::Ui(&c)),
                        (0x0100, V::Us(r)),
                        (0x0120, V::Us(id)),
                        (0x0800, V::Us(0x0101)),
                        (0x0900, V::Us(0)),
                    ])
                } else {
                    command(&[
                        (2, V::Ui(&c)),
                        (0x0100, V::Us(r)),
                        (0x0120, V::Us(id)),
                        (0x0800, V::Us(0x0101)),
                        (0x0900, V::Us(0)),
                        (0x1000, V::Ui(&i)),
                    ])
                };
                let mut o = vec![4, 0];
                o.extend_from_slice(&(rsp.len() as u32 + 6).to_be_bytes());
                o.extend_from_slice(&(rsp.len() as u32 + 2).to_be_bytes());
                o.push(pc);
                o.push(3);
                o.extend(rsp);
                s.write_all(&o)?;
                cmd.clear();
            }
            p += 4 + len;
        }
    }
}
fn text(c: &[u8], el: u16) -> String {
    elem(c, el).map(|v| String::from_utf8_lossy(v).trim_end_matches('\0').to_string()).unwrap_or_default()
}
