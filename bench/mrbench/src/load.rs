//! The steps: C-STORE, C-FIND, STOW, HTTP lists, and the check that what was stored is there.
#![expect(clippy::too_many_arguments, reason = "each argument is one option of the command line")]
use crate::{
    dimse, http,
    stats::{Stat, report, run},
    workload::*,
};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub fn store(addr: &str, aet: &str, w: Work, ni: usize, start: u64, count: u64, assoc: u64, secs: u64) {
    let im = Arc::new(images(w.kind, ni));
    let next = Arc::new(AtomicU64::new(start));
    let (a, t) = (addr.to_string(), aet.to_string());
    let pdu = Arc::new(AtomicU64::new(0));
    let (p2, n2) = (pdu.clone(), next.clone());
    let (st, wall, c) = run(assoc, move |_, st| {
        let end = Instant::now() + Duration::from_secs(secs);
        let mut h = vec![];
        let cls = [(CR_CLASS, EXPLICIT_LE), (DX_CLASS, EXPLICIT_LE)];
        let mut a_ = None;
        let mut fails = 0;
        while Instant::now() < end && fails < 3 {
            if a_.is_none() {
                match dimse::Assoc::open(&a, &t, "MRBENCH", &cls) {
                    Ok(x) => {
                        p2.store(x.max_pdu() as u64, Relaxed);
                        a_ = Some(x)
                    }
                    Err(e) => {
                        st.add(Instant::now(), format!("open: {e}"), false);
                        fails += 1;
                        continue;
                    }
                }
            }
            let i = n2.fetch_add(1, Relaxed);
            if i >= start + count {
                break;
            }
            let id = w.ids(i);
            h.clear();
            w.header(i, &mut h);
            let p = w.patch(i);
            let px = &im[i as usize % im.len()];
            let t0 = Instant::now();
            match a_.as_mut().unwrap().store(w.class(), &id.sop, &[&h, &p, &px[16..]]) {
                Ok(s) => {
                    st.add(t0, format!("{s:04x}"), s == 0 || s & 0xF000 == 0xB000);
                    st.bytes += (h.len() + px.len()) as u64
                }
                Err(e) => {
                    st.add(t0, e.to_string(), false);
                    a_ = None;
                    fails += 1
                }
            }
        }
        if let Some(x) = a_ {
            x.release()
        }
    });
    let last = next.load(Relaxed).min(start + count);
    report("c-store", assoc, st, wall, c, &format!(",\"next\":{last},\"max_pdu\":{}", pdu.load(Relaxed)));
}

pub fn find(addr: &str, aet: &str, w: Work, count: u64, by: &str, assoc: u64, secs: u64, max: u64) {
    let (a, t, by) = (addr.to_string(), aet.to_string(), by.to_string());
    let left = Arc::new(AtomicU64::new(0));
    let (st, wall, c) = run(assoc, move |k, st| {
        let end = Instant::now() + Duration::from_secs(secs);
        let mut x = match dimse::Assoc::open(&a, &t, "MRBENCH", &[(dimse::FIND_STUDY, IMPLICIT_LE)]) {
            Ok(x) => x,
            Err(e) => {
                st.add(Instant::now(), format!("open: {e}"), false);
                return;
            }
        };
        let mut r = mix(k + 5);
        while Instant::now() < end && left.fetch_add(1, Relaxed) < max {
            r = mix(r);
            let i = r % count;
            let id = w.ids(i);
            let m = match by.as_str() {
                "name" => vec![(0x10, 0x10, format!("{}^{}*", id.surname, &id.given[..1]))],
                "date" => vec![(8, 0x20, format!("{}-{}", id.study_date, w.date_plus(i, 2)))],
                _ => vec![(0x10, 0x20, id.pid.clone())],
            };
            let t0 = Instant::now();
            match x.find(&dimse::find_identifier(&m)) {
                Ok(n) => {
                    st.items += n as u64;
                    st.add(t0, "0000".into(), true)
                }
                Err(e) => {
                    st.add(t0, e.to_string(), false);
                    return;
                }
            }
        }
        x.release()
    });
    report("c-find", assoc, st, wall, c, "");
}

pub fn stow(
    addr: &str,
    path: &str,
    hdr: &Option<String>,
    w: Work,
    ni: usize,
    start: u64,
    count: u64,
    conc: u64,
    secs: u64,
    per: u64,
) {
    let im = Arc::new(images(w.kind, ni));
    let next = Arc::new(AtomicU64::new(start));
    let n2 = next.clone();
    let a = addr.to_string();
    let path = path.to_string();
    let hdr = hdr.as_ref().map(|h| format!("{h}\r\n")).unwrap_or_default();
    let (st, wall, c) = run(conc, move |_, st| {
        let end = Instant::now() + Duration::from_secs(secs);
        let mut cn = http::Conn::new(&a);
        let mut fails = 0;
        while Instant::now() < end && fails < 3 {
            let i0 = n2.fetch_add(per, Relaxed);
            if i0 >= start + count {
                break;
            }
            let i1 = (i0 + per).min(start + count);
            let mut heads = vec![];
            for i in i0..i1 {
                let mut h = "\r\n--mrbenchboundary\r\nContent-Type: application/dicom\r\n\r\n"
                    .to_string()
                    .into_bytes();
                w.file_meta(i, &mut h);
                w.header(i, &mut h);
                h.extend_from_slice(&w.patch(i));
                heads.push(h)
            }
            let tail = b"\r\n--mrbenchboundary--\r\n";
            let mut len = tail.len();
            for h in &heads {
                len += h.len() + im[0].len() - 16
            }
            let req = format!(
                "POST {path} HTTP/1.1\r\nHost: {a}\r\n{hdr}Accept: application/dicom+json\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=mrbenchboundary\r\nContent-Length: {len}\r\n\r\n"
            );
            let mut parts: Vec<&[u8]> = vec![req.as_bytes()];
            for (k, h) in heads.iter().enumerate() {
                parts.push(h);
                parts.push(&im[(i0 as usize + k) % im.len()][16..])
            }
            parts.push(tail);
            let t0 = Instant::now();
            match cn.request(&parts, None) {
                Ok(r) => {
                    st.add(t0, r.status.to_string(), r.status == 200);
                    st.items += i1 - i0;
                    st.bytes += len as u64;
                    st.resp_bytes += r.bytes;
                    if r.status != 200 {
                        fails += 1
                    }
                }
                Err(e) => {
                    st.add(t0, e.to_string(), false);
                    fails += 1
                }
            }
        }
    });
    let last = next.load(Relaxed).min(start + count);
    let ips = st.items as f64 / wall;
    report(
        "stow",
        conc,
        st,
        wall,
        c,
        &format!(",\"next\":{last},\"inst_per_s\":{ips:.2},\"per_post\":{per}"),
    );
}

pub fn urls(w: Work, start: u64, count: u64, n: u64, seed: u64, t: &str, distinct: Option<&str>) {
    let out = std::io::stdout();
    let mut out = std::io::BufWriter::new(out.lock());
    let per = w.per_series * w.series_per_study;
    let mut put = |i: u64| {
        let d = w.ids(i);
        let l = t
            .replace("{pid}", &d.pid)
            .replace("{name}", &format!("{}%5E{}*", d.surname, &d.given[..1]))
            .replace("{study}", &d.study)
            .replace("{series}", &d.series)
            .replace("{sop}", &d.sop)
            .replace("{acc}", &d.acc)
            .replace("{date2}", &w.date_plus(i, 2))
            .replace("{date}", &d.study_date);
        writeln!(out, "{l}").unwrap()
    };
    match distinct {
        Some("study") => {
            for st in 0..(count / per).min(n) {
                put(start + st * per)
            }
        }
        Some(_) => {
            for i in 0..count.min(n) {
                put(start + i)
            }
        }
        None => {
            let mut r = mix(seed);
            for _ in 0..n {
                r = mix(r);
                put(start + r % count)
            }
        }
    }
}

pub fn load(
    addr: &str,
    file: &str,
    conc: u64,
    secs: u64,
    accept: &str,
    method: &str,
    hdr: &Option<String>,
    once: bool,
    show: bool,
    body: &Option<String>,
    think: u64,
) {
    let list: Arc<Vec<String>> = Arc::new(
        std::fs::read_to_string(file).expect("--urls FILE").lines().map(|l| l.to_string()).collect(),
    );
    if list.is_empty() {
        println!("{{\"op\":\"http\",\"error\":\"empty url list\"}}");
        return;
    }
    let hdr = hdr.as_ref().map(|h| format!("{h}\r\n")).unwrap_or_default();
    let a = addr.to_string();
    let (acc, me) = (accept.to_string(), method.to_string());
    let next = Arc::new(AtomicU64::new(0));
    let b = body.clone().unwrap_or_default();
    let use_body = body.is_some();
    if show {
        let mut cn = http::Conn::new(&a);
        let mut k = vec![];
        let r = cn
            .request(
                &[format!("{me} {} HTTP/1.1\r\nHost: {a}\r\n{hdr}Accept: {acc}\r\n\r\n", list[0]).as_bytes()],
                Some(&mut k),
            )
            .unwrap();
        eprintln!(
            "{}\n{}",
            String::from_utf8_lossy(&r.head),
            String::from_utf8_lossy(&k[..k.len().min(1500)])
        );
        return;
    }
    let (st, wall, c) = run(conc, move |_, st| {
        let end = Instant::now() + Duration::from_secs(secs);
        let mut cn = http::Conn::new(&a);
        let mut fails = 0;
        while Instant::now() < end && fails < 20 {
            let k = next.fetch_add(1, Relaxed) as usize;
            if once && k >= list.len() {
                break;
            }
            let (u, bd) = if use_body && b == "line" {
                ("", list[k % list.len()].as_str())
            } else if use_body && b == "pair" {
                list[k % list.len()].split_once('\t').unwrap_or((list[k % list.len()].as_str(), ""))
            } else {
                (list[k % list.len()].as_str(), b.as_str())
            };
            let req = if use_body {
                format!(
                    "{me} {u} HTTP/1.1\r\nHost: {a}\r\n{hdr}Accept: {acc}\r\nContent-Length: {}\r\n\r\n{bd}",
                    bd.len()
                )
            } else {
                format!("{me} {u} HTTP/1.1\r\nHost: {a}\r\n{hdr}Accept: {acc}\r\n\r\n")
            };
            if think > 0 {
                // Between half and one and a half of it, so that clients do not keep step.
                std::thread::sleep(Duration::from_millis(think / 2 + (k as u64).wrapping_mul(7919) % think));
            }
            let t0 = Instant::now();
            match cn.request(&[req.as_bytes()], None) {
                Ok(r) => {
                    st.add(t0, r.status.to_string(), (200..300).contains(&r.status));
                    st.resp_bytes += r.bytes;
                    if r.status >= 300 {
                        fails += 1
                    }
                }
                Err(e) => {
                    st.add(t0, e.to_string(), false);
                    fails += 1
                }
            }
        }
    });
    report("http", conc, st, wall, c, "");
}

/// Fetches random loaded instances and compares identifiers and all pixel bytes
/// with the generator: a server that acknowledges without keeping is caught.
pub fn verify(
    addr: &str,
    root: &str,
    hdr: &Option<String>,
    w: Work,
    ni: usize,
    start: u64,
    count: u64,
    n: u64,
) {
    let im = images(w.kind, ni);
    let mut cn = http::Conn::new(addr);
    let hdr = hdr.as_ref().map(|h| format!("{h}\r\n")).unwrap_or_default();
    let (mut st, t, mut r) = (Stat::default(), Instant::now(), mix(99));
    for _ in 0..n {
        r = mix(r);
        let i = start + r % count;
        let d = w.ids(i);
        let mut body = vec![];
        let t0 = Instant::now();
        let req = format!(
            "GET {root}/studies/{}/series/{}/instances/{} HTTP/1.1\r\nHost: {addr}\r\n{hdr}Accept: multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n",
            d.study, d.series, d.sop
        );
        let why = match cn.request(&[req.as_bytes()], Some(&mut body)) {
            Err(e) => e.to_string(),
            Ok(q) if q.status != 200 => q.status.to_string(),
            Ok(_) => {
                let p = w.patch(i);
                let px = &im[i as usize % im.len()][16..];
                match body.windows(16).position(|x| x == p) {
                    Some(k) if body[k + 16..].starts_with(px) => {
                        if http::find(&body[..k], d.sop.as_bytes()).is_some()
                            && http::find(&body[..k], d.pid.as_bytes()).is_some()
                        {
                            "identical".into()
                        } else {
                            "identifiers differ".into()
                        }
                    }
                    Some(_) => "pixels differ".into(),
                    None => "pixels not found".into(),
                }
            }
        };
        st.add(t0, why.clone(), why == "identical");
    }
    report("verify", 1, st, t.elapsed().as_secs_f64(), 0.0, "");
}
