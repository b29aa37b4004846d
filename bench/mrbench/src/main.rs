//! Workload generator and load client; `mrbench` without arguments lists what it does.

mod dimse;
mod disk;
mod http;
mod load;
mod stats;
mod workload;
use load::*;
use std::collections::HashMap;
use std::time::Instant;
use workload::*;

const HELP: &str = "mrbench: workload generator and load client (loopback only)
  gen       --kind small|dx|tiny --base N --start 0 --count N --out DIR       write Part 10 files
  store     --addr H:P --aet AE --kind K --base N --start N --count N --assoc N --secs S   C-STORE
  find      --addr H:P --aet AE --kind K --base N --count LOADED --by pid|name|date --assoc N --secs S --n MAX
  stow      --addr H:P --path /dicom-web/studies --kind K --base N --start N --count N --conc N --secs S --per-post 1
  urls      --kind K --base N --start N --count LOADED --n DRAWS --seed N --template T [--distinct study|instance]
            {pid} {name} {study} {series} {sop} {acc} {date} {date2} in T
  http      --addr H:P --urls FILE --conc N --secs S --accept T --method GET [--header 'K: V'] [--once] [--show]
            [--think MS between requests] [--body TEXT]; --body pair: each line of FILE is a path, a tab and the body
  verify    --addr H:P --path /dicom-web --kind K --base N --count LOADED --n 10   fetch and compare every pixel
  sink-scp  --port P --mode null|write|fsync|group|direct --dir D --max-pdu 131072
  sink-http --port P
  disk      --dir D --secs 1 --mb 512
  memcpy";

fn main() {
    let mut it = std::env::args().skip(1);
    let cmd = it.next().unwrap_or_default();
    let mut o: HashMap<String, String> = HashMap::new();
    let mut rest: Vec<String> = it.collect();
    rest.reverse();
    while let Some(k) = rest.pop() {
        let k = k.trim_start_matches("--").to_string();
        if k == "once" || k == "show" {
            o.insert(k, "1".into());
        } else {
            o.insert(k, rest.pop().unwrap_or_default());
        }
    }
    let s = |k: &str, d: &str| o.get(k).cloned().unwrap_or_else(|| d.to_string());
    let n = |k: &str, d: u64| {
        o.get(k).map_or(d, |v| {
            v.parse().unwrap_or_else(|_| {
                eprintln!("--{k}: not a number");
                std::process::exit(2)
            })
        })
    };
    let work = || Work {
        kind: Kind::parse(&s("kind", "small")),
        base: n("base", 1),
        per_series: n("per-series", 2),
        series_per_study: n("series-per-study", 2),
        studies_per_patient: n("studies-per-patient", 2),
    };
    if let Some(a) = o.get("addr")
        && !(a.starts_with("127.0.0.1:") || a.starts_with("localhost:"))
    {
        eprintln!("refusing to send load anywhere but loopback: {a}");
        std::process::exit(2)
    }
    match cmd.as_str() {
        "gen" => {
            let w = work();
            let im = images(w.kind, n("images", 4) as usize);
            let out = s("out", "/tmp/mrbench-data");
            std::fs::create_dir_all(&out).unwrap();
            let mut b = vec![];
            for i in n("start", 0)..n("start", 0) + n("count", 10) {
                b.clear();
                w.file_meta(i, &mut b);
                w.header(i, &mut b);
                b.extend_from_slice(&w.patch(i));
                b.extend_from_slice(&im[(i as usize) % im.len()][16..]);
                std::fs::write(format!("{out}/{:08}.dcm", i), &b).unwrap()
            }
        }
        "store" => store(
            &s("addr", ""),
            &s("aet", "ANY-SCP"),
            work(),
            n("images", 4) as usize,
            n("start", 0),
            n("count", 100),
            n("assoc", 1),
            n("secs", 10),
        ),
        "find" => find(
            &s("addr", ""),
            &s("aet", "ANY-SCP"),
            work(),
            n("count", 1),
            &s("by", "pid"),
            n("assoc", 1),
            n("secs", 5),
            n("n", 1 << 40),
        ),
        "stow" => stow(
            &s("addr", ""),
            &s("path", "/dicom-web/studies"),
            &o.get("header").cloned(),
            work(),
            n("images", 4) as usize,
            n("start", 0),
            n("count", 100),
            n("conc", 1),
            n("secs", 10),
            n("per-post", 1),
        ),
        "urls" => urls(
            work(),
            n("start", 0),
            n("count", 1),
            n("n", 1000),
            n("seed", 1),
            &s("template", "{sop}"),
            o.get("distinct").map(|x| x.as_str()),
        ),
        "http" => load(
            &s("addr", ""),
            &s("urls", ""),
            n("conc", 1),
            n("secs", 5),
            &s("accept", "*/*"),
            &s("method", "GET"),
            &o.get("header").cloned(),
            o.contains_key("once"),
            o.contains_key("show"),
            &o.get("body").cloned(),
            n("think", 0),
        ),
        "verify" => verify(
            &s("addr", ""),
            &s("path", "/dicom-web"),
            &o.get("header").cloned(),
            work(),
            n("images", 4) as usize,
            n("start", 0),
            n("count", 1),
            n("n", 10),
        ),
        "sink-scp" => {
            let m = match s("mode", "null").as_str() {
                "null" => dimse::SinkMode::Null,
                "write" => dimse::SinkMode::Write,
                "fsync" => dimse::SinkMode::Fsync,
                "direct" => dimse::SinkMode::Direct,
                _ => dimse::SinkMode::Group,
            };
            let d = s("dir", "/tmp/mrbench-sink");
            std::fs::create_dir_all(&d).unwrap();
            dimse::sink(n("port", 11199) as u16, m, d, n("max-pdu", 131072) as u32).unwrap()
        }
        "sink-http" => http::sink(n("port", 11198) as u16).unwrap(),
        "disk" => {
            println!("{}", disk::probe(&s("dir", "/tmp/mrbench-disk"), n("secs", 1), n("mb", 512) as usize))
        }
        "memcpy" => {
            let a = vec![1u8; 256 << 20];
            let mut b = vec![0u8; 256 << 20];
            b.copy_from_slice(&a);
            let t = Instant::now();
            for _ in 0..20 {
                b.copy_from_slice(&a);
                std::hint::black_box(&b);
            }
            println!("{{\"memcpy_GBps\":{:.2}}}", 20.0 * a.len() as f64 / 1e9 / t.elapsed().as_secs_f64())
        }
        _ => {
            println!("{HELP}");
            std::process::exit(2)
        }
    }
}
