//! The disk as the kernel sees it: one thread answers one request after the other, each under the one lock.
//!
//! The kernel keeps what it likes in its page cache but writes through, so that a `write` that returned is known here;
//! dirty pages of shared mappings arrive before the fsync that follows them. Locks stay in the kernel, which knows all
//! users of the disk.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    sync::Arc,
    time::SystemTime,
};

use rustix::io::Errno;

use super::{
    content::Content,
    disk::{Disk, Inode, Kind, directory},
    power::Power,
    wire::{self, Answer, Bytes, Entry, REQUEST_BYTES_MAX, Request},
};

/// O_DSYNC, which is part of O_SYNC.
const O_DSYNC: u32 = 0o10000;
/// The modes of fallocate.
const KEEP_SIZE: u32 = 1;
const PUNCH_HOLE: u32 = 2;
const ZERO_RANGE: u32 = 16;
const RENAME_NOREPLACE: u32 = 1;

/// Answers until the file system is unmounted.
pub(super) fn serve(mut device: &File, power: &Arc<Power>) {
    let mut buffer = vec![0; REQUEST_BYTES_MAX];
    let mut mounted = Mounted { power: Arc::clone(power), listings: HashMap::new(), next_listing: 1 };
    loop {
        let length = match device.read(&mut buffer) {
            Ok(length) => length,
            // Interrupted, or the request was withdrawn.
            Err(error) if matches!(error.raw_os_error(), Some(4 | 2 | 11)) => continue,
            Err(_) => return,
        };
        let Some(request) = Request::parse(&buffer[..length]) else { return };
        if let Some(answer) = mounted.answer(&request) {
            // The kernel refuses an answer that nobody waits for any more.
            let _withdrawn = device.write(&wire::framed(request.unique, answer));
        }
    }
}

/// The disk with the directories that are being read.
struct Mounted {
    power: Arc<Power>,
    listings: HashMap<u64, Vec<Entry>>,
    next_listing: u64,
}

impl Mounted {
    /// Numbers are those of `enum fuse_opcode`; `None` when the kernel expects no answer.
    fn answer(&mut self, request: &Request) -> Option<Answer> {
        Some(match request.operation {
            // FORGET, INTERRUPT, BATCH_FORGET.
            2 | 36 | 42 => return None,
            // INIT.
            26 => request.number(8).map(wire::greeting),
            // STATFS, DESTROY.
            17 => Ok(wire::free_space()),
            38 => Ok(Bytes::default()),
            // OPENDIR, READDIR, RELEASEDIR: a listing is taken once, so that entries may go while somebody reads it.
            27 => self.power.call(|disk| wire::listing(disk, request.node)).map(|listing| {
                self.next_listing += 1;
                self.listings.insert(self.next_listing, listing);
                wire::opened(Bytes::default(), self.next_listing)
            }),
            28 => self.read_directory(request),
            29 => request.long(0).map(|handle| {
                self.listings.remove(&handle);
                Bytes::default()
            }),
            _ => self.power.call(|disk| operate(disk, request)),
        })
    }

    fn read_directory(&self, request: &Request) -> Answer {
        let listing = self.listings.get(&request.long(0)?).ok_or(Errno::BADF)?;
        Ok(wire::entries(listing, request.size(8)?, request.number(16)? as usize))
    }
}

/// What touches the disk.
fn operate(disk: &mut Disk, request: &Request) -> Answer {
    let node = request.node;
    let done = |()| Bytes::default();
    match request.operation {
        // LOOKUP, GETATTR, SETATTR, READLINK.
        1 => wire::entry(disk, disk.lookup(node, request.name(0)?)?),
        3 => wire::attribute(disk, node),
        4 => set_attributes(disk, request),
        5 => match &disk.inode(node)?.kind {
            Kind::Symlink(target) => Ok(Bytes(target.as_bytes().to_vec())),
            _ => Err(Errno::INVAL),
        },
        // SYMLINK, MKNOD, MKDIR, CREATE.
        6 => {
            let [name, target] = request.names(0)?;
            make(disk, request, name, Kind::Symlink(target.to_owned()), 0o777).map(|(_, entry)| entry)
        }
        8 if request.number(0)? >> 12 == 8 => {
            let mode = request.number(0)? & !request.number(8)?;
            make(disk, request, request.name(16)?, Kind::File(Content::default()), mode)
                .map(|(_, entry)| entry)
        }
        9 => {
            let mode = request.number(0)? & !request.number(4)?;
            make(disk, request, request.name(8)?, directory(node), mode).map(|(_, entry)| entry)
        }
        35 => {
            let mode = request.number(4)? & !request.number(8)?;
            let made = make(disk, request, request.name(16)?, Kind::File(Content::default()), mode);
            made.map(|(_, entry)| wire::opened(entry, 0))
        }
        // UNLINK, RMDIR.
        10 | 11 => disk.remove(node, request.name(0)?).map(done),
        // RENAME, RENAME2.
        12 => rename(disk, request, 0, request.names(8)?).map(done),
        45 => rename(disk, request, request.number(8)?, request.names(16)?).map(done),
        // LINK.
        13 => {
            let linked = request.long(0)?;
            disk.link(node, request.name(8)?, linked)?;
            wire::entry(disk, linked)
        }
        // OPEN, RELEASE, FLUSH.
        14 => disk.inode(node).map(|_| wire::opened(Bytes::default(), 0)),
        18 | 25 => Ok(Bytes::default()),
        // READ, WRITE, FALLOCATE.
        15 => match &disk.inode(node)?.kind {
            Kind::File(content) => {
                Ok(Bytes(content.read(request.size(8)?, request.number(16)? as usize).to_vec()))
            }
            _ => Err(Errno::ISDIR),
        },
        16 => write(disk, request),
        43 => allocate(disk, request).map(done),
        // FSYNC and fdatasync, FSYNCDIR.
        20 | 30 => disk.sync(node).map(done),
        _ => Err(Errno::NOSYS),
    }
}

fn make(
    disk: &mut Disk,
    request: &Request,
    name: &std::ffi::OsStr,
    kind: Kind,
    mode: u32,
) -> Result<(u64, Bytes), Errno> {
    let number = disk.create(request.node, name, Inode::new(kind, mode, request.uid, request.gid))?;
    Ok((number, wire::entry(disk, number)?))
}

fn rename(
    disk: &mut Disk,
    request: &Request,
    flags: u32,
    [name, new_name]: [&std::ffi::OsStr; 2],
) -> Result<(), Errno> {
    if flags & !RENAME_NOREPLACE != 0 {
        return Err(Errno::INVAL);
    }
    disk.rename((request.node, name), (request.long(0)?, new_name), flags == 0)
}

/// Bits of `valid`: mode, owner, group, size, times.
fn set_attributes(disk: &mut Disk, request: &Request) -> Answer {
    let valid = request.number(0)?;
    let is_valid = |bit: u32| valid & 1 << bit != 0;
    if is_valid(3) {
        disk.file(request.node)?.resize(request.size(16)?);
    }
    let inode = disk.inode_mut(request.node)?;
    if is_valid(0) {
        inode.mode = (request.number(68)? & 0o7777) as u16;
    }
    if is_valid(1) {
        inode.uid = request.number(76)?;
    }
    if is_valid(2) {
        inode.gid = request.number(80)?;
    }
    if is_valid(8) {
        inode.modified = SystemTime::now();
    } else if is_valid(5) {
        inode.modified = wire::time(request.long(40)?, request.number(60)?);
    }
    wire::attribute(disk, request.node)
}

fn write(disk: &mut Disk, request: &Request) -> Answer {
    let (at, length) = (request.size(8)?, request.number(16)?);
    let bytes = request.bytes(40, length as usize)?;
    let content = disk.file(request.node)?;
    content.write(at, bytes);
    if request.number(32)? & O_DSYNC != 0 {
        content.sync();
    }
    Ok(Bytes::default().numbers(&[length, 0]))
}

fn allocate(disk: &mut Disk, request: &Request) -> Result<(), Errno> {
    let (at, length, mode) = (request.size(8)?, request.size(16)?, request.number(24)?);
    let content = disk.file(request.node)?;
    match mode & !KEEP_SIZE {
        0 => {}
        PUNCH_HOLE | ZERO_RANGE => content.zero(at, length),
        _ => return Err(Errno::OPNOTSUPP),
    }
    if mode & KEEP_SIZE == 0 && content.len() < at + length {
        content.resize(at + length);
    }
    Ok(())
}
