//! Mounting by `mount` as root, else by the helper of Debian's `fuse3`, so that no library is needed.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Mounts and gives the device that the kernel's requests come from. As root every user may use the disk.
pub(super) fn mount(folder: &Path) -> io::Result<File> {
    if !rustix::process::geteuid().is_root() {
        return mount_by_helper(folder);
    }
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let options = "fd=0,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
    let mut command = Command::new("mount");
    command.args(["-i", "-t", "fuse", "-o", options, "maxray-power-cut"]).arg(folder);
    succeed(command.stdin(device.try_clone()?))?;
    Ok(device)
}

/// `fusermount3` mounts, and sends the device through the socket that it is told of.
fn mount_by_helper(folder: &Path) -> io::Result<File> {
    let (socket, theirs) = UnixStream::pair()?;
    let mut command = Command::new("fusermount3");
    command.args(["-o", "default_permissions,fsname=maxray-power-cut", "--"]).arg(folder);
    succeed(command.env("_FUSE_COMMFD", "0").stdin(std::os::fd::OwnedFd::from(theirs)))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&socket, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let rights = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    rights.map(File::from).ok_or_else(|| io::Error::other("fusermount3 sent no device"))
}

/// Lazily: a program that still dies may hold a file for a moment.
pub(super) fn unmount(folder: &Path) {
    let mut by_root = Command::new("umount");
    if succeed(by_root.arg("-l").arg(folder)).is_err() {
        let _reported_by_the_next_mount = succeed(Command::new("fusermount3").arg("-uz").arg(folder));
    }
}

fn succeed(command: &mut Command) -> io::Result<()> {
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
