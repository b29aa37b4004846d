//! Latencies and counts of a step, and the one JSON line that says them.
use std::{collections::BTreeMap, sync::Arc, time::Instant};

pub fn cpu() -> f64 {
    let t = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let v: Vec<&str> = t.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    (v.get(11).and_then(|x| x.parse::<f64>().ok()).unwrap_or(0.0)
        + v.get(12).and_then(|x| x.parse::<f64>().ok()).unwrap_or(0.0))
        / 100.0
}

#[derive(Default)]
pub struct Stat {
    pub lat: Vec<u32>,
    pub bytes: u64,
    pub resp_bytes: u64,
    pub ok: u64,
    pub codes: BTreeMap<String, u64>,
    pub items: u64,
}
impl Stat {
    pub fn merge(&mut self, o: Stat) {
        self.lat.extend(o.lat);
        self.bytes += o.bytes;
        self.resp_bytes += o.resp_bytes;
        self.ok += o.ok;
        self.items += o.items;
        for (k, v) in o.codes {
            *self.codes.entry(k).or_default() += v
        }
    }
    pub fn add(&mut self, t: Instant, code: String, ok: bool) {
        self.lat.push(t.elapsed().as_micros().min(u32::MAX as u128) as u32);
        if ok {
            self.ok += 1
        }
        *self.codes.entry(code).or_default() += 1
    }
}

pub fn report(op: &str, conc: u64, mut st: Stat, wall: f64, c: f64, extra: &str) {
    st.lat.sort_unstable();
    let q = |p: f64| {
        if st.lat.is_empty() {
            0.0
        } else {
            st.lat[((st.lat.len() as f64 * p) as usize).min(st.lat.len() - 1)] as f64 / 1000.0
        }
    };
    let codes: Vec<String> =
        st.codes.iter().map(|(k, v)| format!("\"{}\":{}", k.replace('"', "'"), v)).collect();
    let total = st.lat.len() as u64;
    println!(
        "{{\"op\":\"{op}\",\"conc\":{conc},\"n\":{total},\"ok\":{},\"errors\":{},\"wall_s\":{wall:.3},\"rps\":{:.2},\"MBps\":{:.2},\"resp_MBps\":{:.2},\"avg_resp_bytes\":{:.0},\"items\":{},\"p50_ms\":{:.3},\"p90_ms\":{:.3},\"p99_ms\":{:.3},\"max_ms\":{:.3},\"client_cpu_s\":{c:.2},\"codes\":{{{}}}{extra}}}",
        st.ok,
        total - st.ok,
        st.ok as f64 / wall,
        st.bytes as f64 / 1e6 / wall,
        st.resp_bytes as f64 / 1e6 / wall,
        st.resp_bytes as f64 / total.max(1) as f64,
        st.items,
        q(0.5),
        q(0.9),
        q(0.99),
        q(1.0),
        codes.join(",")
    );
}

pub fn run<F>(threads: u64, f: F) -> (Stat, f64, f64)
where
    F: Fn(u64, &mut Stat) + Send + Sync + 'static,
{
    let f = Arc::new(f);
    let c0 = cpu();
    let t = Instant::now();
    let hs: Vec<_> = (0..threads)
        .map(|k| {
            let f = f.clone();
            std::thread::spawn(move || {
                let mut s = Stat::default();
                f(k, &mut s);
                s
            })
        })
        .collect();
    let mut all = Stat::default();
    for h in hs {
        all.merge(h.join().unwrap())
    }
    (all, t.elapsed().as_secs_f64(), cpu() - c0)
}
