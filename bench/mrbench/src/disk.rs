//! Disk probe: taken before and after every target, because a shared or
//! throttled disk drifts by more than the servers differ.
use std::io::Write;
use std::time::{Duration, Instant};

pub fn probe(dir: &str, secs: u64, seq_mb: usize) -> String {
    std::fs::create_dir_all(dir).unwrap();
    let d = Duration::from_secs(secs);
    let append = {
        let p = format!("{dir}/append");
        let mut f = std::fs::File::create(&p).unwrap();
        let t = Instant::now();
        let mut n = 0u64;
        while t.elapsed() < d {
            f.write_all(&[7; 4096]).unwrap();
            f.sync_data().unwrap();
            n += 1
        }
        let r = n as f64 / t.elapsed().as_secs_f64();
        let _ = std::fs::remove_file(p);
        r
    };
    let files = |threads: usize, size: usize| -> f64 {
        let t = Instant::now();
        let hs: Vec<_> = (0..threads)
            .map(|k| {
                let dir = dir.to_string();
                std::thread::spawn(move || {
                    let b = vec![9u8; size];
                    let mut n = 0u64;
                    while t.elapsed() < d {
                        let p = format!("{dir}/f{k}-{n}");
                        let mut f = std::fs::File::create(&p).unwrap();
                        f.write_all(&b).unwrap();
                        f.sync_all().unwrap();
                        n += 1
                    }
                    n
                })
            })
            .collect();
        let ns: Vec<u64> = hs.into_iter().map(|h| h.join().unwrap()).collect();
        let r = ns.iter().sum::<u64>() as f64 / t.elapsed().as_secs_f64();
        for (k, n) in ns.iter().enumerate() {
            for i in 0..*n {
                let _ = std::fs::remove_file(format!("{dir}/f{k}-{i}"));
            }
        }
        r
    };
    let (f1, f8) = (files(1, 526_000), files(8, 526_000));
    let seq = {
        let p = format!("{dir}/seq");
        let mut f = std::fs::File::create(&p).unwrap();
        let b = vec![5u8; 1 << 20];
        let t = Instant::now();
        for _ in 0..seq_mb {
            f.write_all(&b).unwrap()
        }
        f.sync_data().unwrap();
        let r = seq_mb as f64 * 1.048576 / t.elapsed().as_secs_f64();
        let _ = std::fs::remove_file(p);
        r
    };
    format!(
        "{{\"append_fdatasync_per_s\":{append:.0},\"file512k_fsync_per_s_x1\":{f1:.0},\"file512k_fsync_per_s_x8\":{f8:.0},\"seq_write_MBps\":{seq:.0}}}"
    )
}
