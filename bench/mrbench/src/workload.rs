//! Deterministic X-ray-like workload. Instance `i` of (kind, base) always has
//! the same patient, study, series and SOP instance, so URL lists can be drawn
//! without asking the server, and every target gets byte-identical data.

pub const CR_CLASS: &str = "1.2.840.10008.5.1.4.1.1.1";
pub const DX_CLASS: &str = "1.2.840.10008.5.1.4.1.1.1.1.1";
pub const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
pub const IMPLICIT_LE: &str = "1.2.840.10008.1.2";

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Small,
    Dx,
    Tiny,
}

impl Kind {
    pub fn parse(s: &str) -> Kind {
        match s {
            "small" => Kind::Small,
            "dx" => Kind::Dx,
            "tiny" => Kind::Tiny,
            _ => {
                eprintln!("kind must be small|dx|tiny");
                std::process::exit(2)
            }
        }
    }
    pub fn dims(self) -> (usize, usize, u32) {
        // rows, cols, bits stored
        match self {
            Kind::Small => (512, 512, 12),
            Kind::Dx => (3000, 2500, 14),
            Kind::Tiny => (48, 48, 12),
        }
    }
    fn code(self) -> u64 {
        match self {
            Kind::Small => 1,
            Kind::Dx => 2,
            Kind::Tiny => 3,
        }
    }
}

const SURNAMES: [&str; 64] = [
    "Smith",
    "Jones",
    "Taylor",
    "Brown",
    "Williams",
    "Wilson",
    "Johnson",
    "Davies",
    "Robinson",
    "Wright",
    "Thompson",
    "Evans",
    "Walker",
    "White",
    "Roberts",
    "Green",
    "Hall",
    "Wood",
    "Jackson",
    "Clarke",
    "Patel",
    "Khan",
    "Lewis",
    "James",
    "Phillips",
    "Mason",
    "Mitchell",
    "Rose",
    "Davis",
    "Rodriguez",
    "Garcia",
    "Martinez",
    "Lopez",
    "Gonzalez",
    "Perez",
    "Sanchez",
    "Rossi",
    "Bianchi",
    "Ferrari",
    "Mueller",
    "Schmidt",
    "Schneider",
    "Fischer",
    "Weber",
    "Meyer",
    "Wagner",
    "Becker",
    "Schulz",
    "Hoffmann",
    "Dubois",
    "Moreau",
    "Laurent",
    "Simon",
    "Michel",
    "Novak",
    "Svoboda",
    "Kowalski",
    "Nowak",
    "Ivanov",
    "Petrov",
    "Tanaka",
    "Suzuki",
    "Nguyen",
    "Tran",
];
const GIVEN: [&str; 48] = [
    "Anna", "Alan", "Aisha", "Ben", "Bianca", "Boris", "Carla", "Chen", "Chloe", "Daniel", "Diana", "Dmitri",
    "Elena", "Erik", "Eva", "Fatima", "Felix", "Fiona", "George", "Giulia", "Greta", "Hana", "Henry", "Hugo",
    "Ines", "Ivan", "Jan", "Julia", "Karl", "Kenji", "Laura", "Lena", "Liam", "Maria", "Mateo", "Mei",
    "Nadia", "Noah", "Olga", "Oscar", "Paula", "Pedro", "Rosa", "Sara", "Sven", "Tomas", "Viktor", "Yuki",
];
const BODY: [(&str, &str, &str, &str); 8] = [
    ("CHEST", "PA", "XR Chest PA and lateral", "Chest PA"),
    ("CHEST", "LL", "XR Chest PA and lateral", "Chest LAT"),
    ("HAND", "PA", "XR Hand left 2 views", "Hand PA"),
    ("KNEE", "AP", "XR Knee right 2 views", "Knee AP"),
    ("PELVIS", "AP", "XR Pelvis AP", "Pelvis AP"),
    ("SPINE", "LL", "XR Lumbar spine 2 views", "L-spine LAT"),
    ("SHOULDER", "AP", "XR Shoulder 2 views", "Shoulder AP"),
    ("ANKLE", "AP", "XR Ankle 3 views", "Ankle AP"),
];

pub fn mix(mut x: u64) -> u64 {
    // splitmix64
    x = x.wrapping_add(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D049BB133111EB);
    x ^ (x >> 31)
}

#[derive(Clone)]
pub struct Ids {
    pub study: String,
    pub series: String,
    pub sop: String,
    pub pid: String,
    pub surname: &'static str,
    pub given: &'static str,
    pub study_date: String,
    pub study_time: String,
    pub acc: String,
    pub birth: String,
    pub sex: &'static str,
    pub age: u32,
    pub body: usize,
    pub series_no: u64,
    pub inst_no: u64,
}

#[derive(Clone)]
pub struct Work {
    pub kind: Kind,
    pub base: u64,
    pub per_series: u64,
    pub series_per_study: u64,
    pub studies_per_patient: u64,
}

fn ymd(day: u64) -> String {
    // days since 2000-01-01
    let (mut y, mut d) = (2000u64, day);
    loop {
        let n = if y % 4 == 0 { 366 } else { 365 };
        if d < n {
            break;
        }
        d -= n;
        y += 1;
    }
    let ml = [31, if y % 4 == 0 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut m = 0;
    while d >= ml[m] {
        d -= ml[m];
        m += 1;
    }
    format!("{:04}{:02}{:02}", y, m + 1, d + 1)
}

impl Work {
    pub fn study_index(&self, i: u64) -> u64 {
        i / (self.per_series * self.series_per_study)
    }
    pub fn study_day(&self, st: u64) -> u64 {
        7671 + mix(self.base << 32 ^ st) % 1826
    } // 2021-01-01 + 5 years
    pub fn date_plus(&self, i: u64, days: u64) -> String {
        ymd(self.study_day(self.study_index(i)) + days)
    }
    pub fn ids(&self, i: u64) -> Ids {
        let se = i / self.per_series;
        let st = self.study_index(i);
        let pt = st / self.studies_per_patient;
        let h = mix(pt ^ 0xABCDEF);
        let hs = mix(st ^ 0x1234567);
        let uid =
            |t: u32, n: u64| format!("2.25.1{}{:06}{}{:010}", self.kind.code(), self.base % 1_000_000, t, n);
        let birth_day = (h >> 20) % 7000; // born 2000..2019, shifted back below
        let by = 1930 + (h >> 40) % 85;
        Ids {
            study: uid(1, st),
            series: uid(2, se),
            sop: uid(3, i),
            pid: format!("P{}{:06}{:08}", self.kind.code(), self.base % 1_000_000, pt),
            surname: SURNAMES[(h % 64) as usize],
            given: GIVEN[((h >> 8) % 48) as usize],
            study_date: ymd(self.study_day(st)),
            study_time: format!(
                "{:02}{:02}{:02}.{:03}",
                7 + hs % 12,
                (hs >> 8) % 60,
                (hs >> 16) % 60,
                (hs >> 24) % 1000
            ),
            acc: format!("A{:04}{:010}", self.base % 10000, st),
            birth: format!("{}{}", by, &ymd(birth_day)[4..]),
            sex: if h & 1 == 0 { "F" } else { "M" },
            age: (2023 - by) as u32,
            body: ((hs >> 32) % 8) as usize,
            series_no: se % self.series_per_study + 1,
            inst_no: i % self.per_series + 1,
        }
    }
    pub fn class(&self) -> &'static str {
        if self.kind == Kind::Dx { DX_CLASS } else { CR_CLASS }
    }

    /// Explicit VR LE data set up to and including the PixelData element header.
    pub fn header(&self, i: u64, out: &mut Vec<u8>) {
        let id = self.ids(i);
        let (rows, cols, bits) = self.kind.dims();
        let dx = self.kind == Kind::Dx;
        let b = BODY[id.body];
        let hi = mix(i ^ 0x55AA);
        let d = &id.study_date;
        let t = &id.study_time;
        let mut e = Enc { b: out };
        e.s(0x0008, 0x0005, b"CS", "ISO_IR 192");
        e.s(0x0008, 0x0008, b"CS", "ORIGINAL\\PRIMARY");
        e.s(0x0008, 0x0012, b"DA", d);
        e.s(0x0008, 0x0013, b"TM", t);
        e.ui(0x0008, 0x0016, self.class());
        e.ui(0x0008, 0x0018, &id.sop);
        e.s(0x0008, 0x0020, b"DA", d);
        e.s(0x0008, 0x0021, b"DA", d);
        e.s(0x0008, 0x0022, b"DA", d);
        e.s(0x0008, 0x0023, b"DA", d);
        e.s(0x0008, 0x0030, b"TM", t);
        e.s(0x0008, 0x0031, b"TM", t);
        e.s(0x0008, 0x0032, b"TM", t);
        e.s(0x0008, 0x0033, b"TM", t);
        e.s(0x0008, 0x0050, b"SH", &id.acc);
        e.s(0x0008, 0x0060, b"CS", if dx { "DX" } else { "CR" });
        if dx {
            e.s(0x0008, 0x0068, b"CS", "FOR PRESENTATION");
        }
        e.s(0x0008, 0x0070, b"LO", "MaxRay Bench Imaging");
        e.s(0x0008, 0x0080, b"LO", "St. Example General Hospital");
        e.s(0x0008, 0x0081, b"ST", "1 Example Street, Exampleton");
        e.s(0x0008, 0x0090, b"PN", "Referrer^Rita^^Dr");
        e.s(0x0008, 0x1010, b"SH", &format!("XR-ROOM-{}", 1 + hi % 6));
        e.s(0x0008, 0x1030, b"LO", b.2);
        e.s(0x0008, 0x103E, b"LO", b.3);
        e.s(0x0008, 0x1040, b"LO", "Radiology");
        e.s(0x0008, 0x1050, b"PN", "Performer^Paul^^Dr");
        e.s(0x0008, 0x1070, b"PN", "Operator^Olive");
        e.s(0x0008, 0x1090, b"LO", "MRB-DR 4343");
        let mut item = Vec::new();
        {
            let mut q = Enc { b: &mut item };
            q.s(0x0008, 0x0100, b"SH", "51185008");
            q.s(0x0008, 0x0102, b"SH", "SCT");
            q.s(0x0008, 0x0104, b"LO", "Thoracic structure");
        }
        e.sq(0x0008, 0x2218, &[&item]);
        e.s(0x0010, 0x0010, b"PN", &format!("{}^{}", id.surname, id.given));
        e.s(0x0010, 0x0020, b"LO", &id.pid);
        e.s(0x0010, 0x0030, b"DA", &id.birth);
        e.s(0x0010, 0x0040, b"CS", id.sex);
        e.s(0x0010, 0x1010, b"AS", &format!("{:03}Y", id.age));
        e.s(0x0010, 0x1020, b"DS", "1.72");
        e.s(0x0010, 0x1030, b"DS", "74.5");
        e.s(0x0018, 0x0015, b"CS", b.0);
        e.s(0x0018, 0x0060, b"DS", "125");
        e.s(0x0018, 0x1000, b"LO", "SN-0042-7781");
        e.s(0x0018, 0x1004, b"LO", "PLATE-77");
        e.s(0x0018, 0x1020, b"LO", "4.2.1\\FW 11");
        e.s(0x0018, 0x1030, b"LO", b.3);
        e.s(0x0018, 0x1110, b"DS", "1800");
        e.s(0x0018, 0x1111, b"DS", "1750");
        e.s(0x0018, 0x1150, b"IS", &format!("{}", 4 + hi % 30));
        e.s(0x0018, 0x1151, b"IS", "320");
        e.s(0x0018, 0x1152, b"IS", &format!("{}", 1 + hi % 9));
        e.s(0x0018, 0x115E, b"DS", "0.9");
        e.s(0x0018, 0x1164, b"DS", "0.139\\0.139");
        e.s(0x0018, 0x1200, b"DA", "20210104");
        e.s(0x0018, 0x1400, b"LO", "Standard");
        e.s(0x0018, 0x1401, b"LO", "S02");
        e.s(0x0018, 0x1411, b"DS", &format!("{}", 180 + hi % 200));
        e.s(0x0018, 0x1508, b"CS", "COLUMN");
        e.s(0x0018, 0x5101, b"CS", b.1);
        e.s(0x0018, 0x6000, b"DS", "400");
        e.s(0x0018, 0x7004, b"CS", "SCINTILLATOR");
        e.ui(0x0020, 0x000D, &id.study);
        e.ui(0x0020, 0x000E, &id.series);
        e.s(0x0020, 0x0010, b"SH", &id.acc);
        e.s(0x0020, 0x0011, b"IS", &id.series_no.to_string());
        e.s(0x0020, 0x0012, b"IS", "1");
        e.s(0x0020, 0x0013, b"IS", &id.inst_no.to_string());
        e.s(0x0020, 0x0020, b"CS", "L\\F");
        e.s(0x0020, 0x0062, b"CS", "U");
        e.us(0x0028, 0x0002, 1);
        e.s(0x0028, 0x0004, b"CS", "MONOCHROME2");
        e.us(0x0028, 0x0010, rows as u16);
        e.us(0x0028, 0x0011, cols as u16);
        e.s(0x0028, 0x0030, b"DS", "0.139\\0.139");
        e.us(0x0028, 0x0100, 16);
        e.us(0x0028, 0x0101, bits as u16);
        e.us(0x0028, 0x0102, bits as u16 - 1);
        e.us(0x0028, 0x0103, 0);
        e.s(0x0028, 0x0301, b"CS", "NO");
        e.s(0x0028, 0x1040, b"CS", "LIN");
        e.s(0x0028, 0x1050, b"DS", &format!("{}", 1u32 << (bits - 1)));
        e.s(0x0028, 0x1051, b"DS", &format!("{}", 1u32 << bits));
        e.s(0x0028, 0x1052, b"DS", "0");
        e.s(0x0028, 0x1053, b"DS", "1");
        e.s(0x0028, 0x1054, b"LO", "US");
        e.s(0x0028, 0x2110, b"CS", "00");
        e.s(0x0040, 0x0244, b"DA", d);
        e.s(0x0040, 0x0245, b"TM", t);
        e.s(0x0040, 0x0253, b"SH", &id.acc);
        e.s(0x0040, 0x0254, b"LO", b.2);
        let mut item = Vec::new();
        {
            let mut q = Enc { b: &mut item };
            q.s(0x0040, 0x0007, b"LO", b.2);
            q.s(0x0040, 0x0009, b"SH", &id.acc);
            q.s(0x0040, 0x1001, b"SH", &id.acc);
        }
        e.sq(0x0040, 0x0275, &[&item]);
        e.sq(0x0040, 0x0555, &[]);
        e.s(0x2050, 0x0020, b"CS", "IDENTITY");
        e.tag(0x7FE0, 0x0010, b"OW");
        e.b.extend_from_slice(&[0, 0]);
        e.b.extend_from_slice(&((rows * cols * 2) as u32).to_le_bytes());
    }

    /// Preamble, DICM and file meta group.
    pub fn file_meta(&self, i: u64, out: &mut Vec<u8>) {
        let id = self.ids(i);
        meta(self.class(), &id.sop, EXPLICIT_LE, out);
    }
    /// 16 bytes replacing the first 8 pixels: every instance has unique pixel data.
    pub fn patch(&self, i: u64) -> [u8; 16] {
        let mut p = [0u8; 16];
        let mask = (1u16 << self.kind.dims().2) - 1;
        for k in 0..8 {
            let v = ((mix(self.base << 40 ^ i) >> ((k % 4) * 16)) as u16 ^ (mix(i + k as u64) as u16)) & mask;
            p[k * 2..k * 2 + 2].copy_from_slice(&v.to_le_bytes());
        }
        p
    }
}

pub fn meta(class: &str, sop: &str, ts: &str, out: &mut Vec<u8>) {
    let mut g = Vec::new();
    {
        let mut e = Enc { b: &mut g };
        e.tag(2, 1, b"OB");
        e.b.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0, 1]);
        e.ui(2, 2, class);
        e.ui(2, 3, sop);
        e.ui(2, 0x10, ts);
        e.ui(2, 0x12, "2.25.19999999999999999999");
        e.s(2, 0x13, b"SH", "MRBENCH_1");
    }
    out.resize(out.len() + 128, 0);
    out.extend_from_slice(b"DICM");
    out.extend_from_slice(&[2, 0, 0, 0, b'U', b'L', 4, 0]);
    out.extend_from_slice(&(g.len() as u32).to_le_bytes());
    out.extend_from_slice(&g);
}

struct Enc<'a> {
    b: &'a mut Vec<u8>,
}
impl Enc<'_> {
    fn tag(&mut self, g: u16, e: u16, vr: &[u8; 2]) {
        self.b.extend_from_slice(&g.to_le_bytes());
        self.b.extend_from_slice(&e.to_le_bytes());
        self.b.extend_from_slice(vr);
    }
    fn put(&mut self, g: u16, e: u16, vr: &[u8; 2], v: &str, pad: u8) {
        self.tag(g, e, vr);
        let n = v.len() + v.len() % 2;
        self.b.extend_from_slice(&(n as u16).to_le_bytes());
        self.b.extend_from_slice(v.as_bytes());
        if v.len() % 2 == 1 {
            self.b.push(pad)
        }
    }
    fn s(&mut self, g: u16, e: u16, vr: &[u8; 2], v: &str) {
        self.put(g, e, vr, v, b' ')
    }
    fn ui(&mut self, g: u16, e: u16, v: &str) {
        self.put(g, e, b"UI", v, 0)
    }
    fn us(&mut self, g: u16, e: u16, v: u16) {
        self.tag(g, e, b"US");
        self.b.extend_from_slice(&[2, 0]);
        self.b.extend_from_slice(&v.to_le_bytes());
    }
    fn sq(&mut self, g: u16, e: u16, items: &[&Vec<u8>]) {
        self.tag(g, e, b"SQ");
        self.b.extend_from_slice(&[0, 0]);
        let n: usize = items.iter().map(|i| i.len() + 8).sum();
        self.b.extend_from_slice(&(n as u32).to_le_bytes());
        for i in items {
            self.b.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
            self.b.extend_from_slice(&(i.len() as u32).to_le_bytes());
            self.b.extend_from_slice(i);
        }
    }
}

/// Chest-like base images: collimated field, two lungs, mediastinum, ribs,
/// smooth soft tissue, signal-dependent noise with slight spatial correlation.
pub fn images(kind: Kind, n: usize) -> Vec<Vec<u8>> {
    let hs: Vec<_> = (0..n).map(|k| std::thread::spawn(move || image(kind, k as u64))).collect();
    hs.into_iter().map(|h| h.join().unwrap()).collect()
}
fn image(kind: Kind, seed: u64) -> Vec<u8> {
    let (rows, cols, bits) = kind.dims();
    let full = ((1u32 << bits) - 1) as f32;
    let mut out = vec![0u8; rows * cols * 2];
    let mut r = mix(seed + 77);
    let jx = (mix(seed) % 100) as f32 / 1000.0 - 0.05;
    let jy = (mix(seed + 9) % 100) as f32 / 1000.0 - 0.05;
    let noise_k = if bits >= 14 { 0.10 } else { 0.11 };
    let mut prev = 0f32;
    let mut up = vec![0f32; cols];
    for y in 0..rows {
        let v = y as f32 / rows as f32 - 0.5 + jy;
        let rib_base = v * 60.0;
        for x in 0..cols {
            let u = x as f32 / cols as f32 - 0.5 + jx;
            let ell = |cx: f32, cy: f32, rx: f32, ry: f32| {
                let q = ((u - cx) / rx).powi(2) + ((v - cy) / ry).powi(2);
                1.0 / (1.0 + (q * q * q * q))
            };
            let body = ell(0.0, 0.05, 0.46, 0.60);
            let lungs = ell(-0.21, -0.02, 0.155, 0.30) + ell(0.21, -0.02, 0.155, 0.30);
            let med = ell(0.0, 0.0, 0.07, 0.5) * 0.8 + ell(0.06, 0.14, 0.13, 0.12) * 0.6;
            let ph = rib_base + u.abs() * 22.0;
            let tri = (ph - ph.floor() - 0.5).abs() * 2.0;
            let rib = (tri * tri * (3.0 - 2.0 * tri)) * lungs * 0.10;
            let mut s = 0.10 + 0.42 * body - 0.30 * lungs * body + 0.28 * med + rib + 0.05 * u + 0.04 * v;
            if u.abs() > 0.49 || v.abs() > 0.49 {
                s = 0.02
            }
            // sum of 4 uniforms ~ normal
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            let g = ((r & 0xFFFF) + ((r >> 16) & 0xFFFF) + ((r >> 32) & 0xFFFF) + (r >> 48)) as f32 / 65536.0
                - 2.0; // sd 0.577
            let nz = 0.75 * g + 0.25 * prev + 0.2 * up[x];
            prev = g;
            up[x] = g;
            let sig = (s.max(0.005) * full).min(full);
            let val = (sig + nz * noise_k * 2.0 * sig.sqrt() * (full / 4096.0).sqrt().max(1.0))
                .clamp(0.0, full) as u16;
            out[(y * cols + x) * 2..][..2].copy_from_slice(&val.to_le_bytes());
        }
    }
    out
}
