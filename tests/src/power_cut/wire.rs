//! FUSE's own protocol, as far as a disk needs it: requests taken apart and answers put together. Numbers are in the
//! machine's byte order. See `include/uapi/linux/fuse.h` of Linux, version 7.31.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::io::Errno;

use super::disk::{Disk, Kind};

/// Version of the protocol spoken here.
pub(super) const VERSION: [u32; 2] = [7, 31];
/// Longest write the kernel may send at once.
pub(super) const WRITE_BYTES_MAX: u32 = 1 << 20;
/// Size of a buffer that every request fits into.
pub(super) const REQUEST_BYTES_MAX: usize = WRITE_BYTES_MAX as usize + 4096;
/// What `stat` says about blocks.
pub(super) const BLOCK_BYTES: u32 = 4096;

const HEADER_BYTES: usize = 40;
const PAGES_MAX: u16 = (WRITE_BYTES_MAX / 4096) as u16;
/// FUSE_ASYNC_READ, FUSE_BIG_WRITES and FUSE_MAX_PAGES; no write-back cache: a write that returned has arrived.
const FLAGS: u32 = 1 | 1 << 5 | 1 << 22;
/// FOPEN_KEEP_CACHE: nobody changes the disk behind the kernel's back.
const KEEP_CACHE: u32 = 1 << 1;
/// For the same reason what the kernel knows stays true: seconds.
const KNOWN_FOR: u64 = 3600;

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) operation: u32,
    pub(super) unique: u64,
    pub(super) node: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    body: &'a [u8],
}

/// What an operation gives back.
pub(super) type Answer = Result<Bytes, Errno>;

impl<'a> Request<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let header = Request { operation: 0, unique: 0, node: 0, uid: 0, gid: 0, body: header };
        Some(Self {
            operation: header.number(4).ok()?,
            unique: header.long(8).ok()?,
            node: header.long(16).ok()?,
            uid: header.number(24).ok()?,
            gid: header.number(28).ok()?,
            body,
        })
    }

    /// The 32 bits at an offset of the body.
    pub(super) fn number(&self, at: usize) -> Result<u32, Errno> {
        let bytes = self.body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_ne_bytes).ok_or(Errno::INVAL)
    }

    /// The 64 bits at an offset of the body.
    pub(super) fn long(&self, at: usize) -> Result<u64, Errno> {
        let bytes = self.body.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_ne_bytes).ok_or(Errno::INVAL)
    }

    /// The same for lengths and offsets.
    pub(super) fn size(&self, at: usize) -> Result<usize, Errno> {
        self.long(at)?.try_into().map_err(|_| Errno::FBIG)
    }

    /// Bytes from an offset on.
    pub(super) fn bytes(&self, at: usize, length: usize) -> Result<&'a [u8], Errno> {
        self.body.get(at..at + length).ok_or(Errno::INVAL)
    }

    /// The names from an offset on, each ended by a zero.
    pub(super) fn names(&self, at: usize) -> Result<[&'a OsStr; 2], Errno> {
        let mut names = self.body.get(at..).ok_or(Errno::INVAL)?.split(|byte| *byte == 0);
        let mut name = || OsStr::from_bytes(names.next().unwrap_or_default());
        Ok([name(), name()])
    }

    /// The one name from an offset on.
    pub(super) fn name(&self, at: usize) -> Result<&'a OsStr, Errno> {
        self.names(at).map(|[name, _]| name)
    }
}

/// An answer's body.
#[derive(Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn numbers(mut self, numbers: &[u32]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        self
    }

    pub(super) fn longs(mut self, numbers: &[u64]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        self
    }
}

/// The whole answer to a request, with its header.
pub(super) fn framed(unique: u64, answer: Answer) -> Vec<u8> {
    let (error, body) = match answer {
        Ok(body) => (0, body.0),
        Err(error) => (error.raw_os_error(), Vec::new()),
    };
    let mut frame = Vec::with_capacity(16 + body.len());
    frame.extend((16 + body.len() as u32).to_ne_bytes());
    frame.extend((-error).to_ne_bytes());
    frame.extend(unique.to_ne_bytes());
    frame.extend(body);
    frame
}

/// FUSE_INIT.
pub(super) fn greeting(readahead: u32) -> Bytes {
    let halves = |low: u16, high: u16| {
        u32::from_ne_bytes([low.to_ne_bytes(), high.to_ne_bytes()].concat().try_into().unwrap_or_default())
    };
    Bytes::default()
        .numbers(&VERSION)
        .numbers(&[readahead, FLAGS, halves(16, 12), WRITE_BYTES_MAX, 1, halves(PAGES_MAX, 0)])
        .numbers(&[0; 8])
}

/// FUSE_STATFS: 64 GiB, mostly free, so that every reserve fits.
pub(super) fn free_space() -> Bytes {
    let (blocks, free) = (1 << 24, 15 << 20);
    Bytes::default()
        .longs(&[blocks, free, free, blocks, free])
        .numbers(&[BLOCK_BYTES, 255, BLOCK_BYTES, 0])
        .numbers(&[0; 6])
}

/// An open file or directory.
pub(super) fn opened(answer: Bytes, handle: u64) -> Bytes {
    answer.longs(&[handle]).numbers(&[KEEP_CACHE, 0])
}

/// A name's inode.
pub(super) fn entry(disk: &Disk, number: u64) -> Answer {
    let answer = Bytes::default().longs(&[number, 0, KNOWN_FOR, KNOWN_FOR]).numbers(&[0, 0]);
    attributes(answer, disk, number)
}

/// FUSE_GETATTR.
pub(super) fn attribute(disk: &Disk, number: u64) -> Answer {
    attributes(Bytes::default().longs(&[KNOWN_FOR]).numbers(&[0, 0]), disk, number)
}

fn attributes(answer: Bytes, disk: &Disk, number: u64) -> Answer {
    let inode = disk.inode(number)?;
    let size = match &inode.kind {
        Kind::File(content) => content.len() as u64,
        Kind::Directory { .. } => u64::from(BLOCK_BYTES),
        Kind::Symlink(target) => target.len() as u64,
    };
    let modified = inode.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanoseconds) = (modified.as_secs(), modified.subsec_nanos());
    let mode = file_type(&inode.kind) << 12 | u32::from(inode.mode);
    Ok(answer
        .longs(&[number, size, size.div_ceil(512), seconds, seconds, seconds])
        .numbers(&[nanoseconds, nanoseconds, nanoseconds, mode, inode.links])
        .numbers(&[inode.uid, inode.gid, 0, BLOCK_BYTES, 0]))
}

/// A time of FUSE_SETATTR.
pub(super) fn time(seconds: u64, nanoseconds: u32) -> SystemTime {
    UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

/// What `mode` and directory entries call a kind.
fn file_type(kind: &Kind) -> u32 {
    match kind {
        Kind::Directory { .. } => 4,
        Kind::File(_) => 8,
        Kind::Symlink(_) => 10,
    }
}

/// One entry of a directory that is being read: number, kind, name.
pub(super) type Entry = (u64, u32, OsString);

/// A directory as it is now.
pub(super) fn listing(disk: &Disk, number: u64) -> Result<Vec<Entry>, Errno> {
    let parent = match disk.inode(number)?.kind {
        Kind::Directory { parent, .. } => parent,
        _ => number,
    };
    let mut entries = vec![(number, 4, OsString::from(".")), (parent, 4, OsString::from(".."))];
    for (name, number) in disk.names(number)? {
        entries.push((*number, file_type(&disk.inode(*number)?.kind), name.clone()));
    }
    Ok(entries)
}

/// FUSE_READDIR: entries from `offset` on, as many as `size` bytes hold.
pub(super) fn entries(listing: &[Entry], offset: usize, size: usize) -> Bytes {
    let mut answer = Bytes::default();
    for (index, (number, kind, name)) in listing.iter().enumerate().skip(offset) {
        let length = (24 + name.len()).next_multiple_of(8);
        if answer.0.len() + length > size {
            break;
        }
        let end = answer.0.len() + length;
        answer = answer.longs(&[*number, index as u64 + 1]).numbers(&[name.len() as u32, *kind]);
        answer.0.extend(name.as_bytes());
        answer.0.resize(end, 0);
    }
    answer
}
