use std::fs::{canonicalize, metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Inodes, Space};

pub(super) fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    let inodes = Inodes { total: found.f_files, available: found.f_favail };
    Ok(Space {
        total: bytes(found.f_blocks),
        free: bytes(found.f_bfree),
        available: bytes(found.f_bavail),
        // btrfs makes them as they are needed.
        inodes: Some(inodes).filter(|inodes| inodes.total > 0),
    })
}

/// Whether the folder above is on another disk, or there is none.
pub(super) fn is_mount_point(path: &Path) -> io::Result<bool> {
    let path = canonicalize(path)?;
    let Some(above) = path.parent() else { return Ok(true) };
    Ok(metadata(&path)?.dev() != metadata(above)?.dev())
}
