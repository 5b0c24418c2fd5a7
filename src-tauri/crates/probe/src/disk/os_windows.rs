use std::io;
use std::path::Path;

use super::Space;

pub(super) fn space(path: &Path) -> io::Result<Space> {
    // Without it, a path that is not there is taken for the drive it would be on.
    path.metadata()?;
    let found = fs4::statvfs(path)?;
    let (total, free) = (found.total_space(), found.free_space());
    Ok(Space { total, free, available: found.available_space(), inodes: None })
}

/// Whether it is a drive, or a folder that stands for one.
pub(super) fn is_mount_point(path: &Path) -> io::Result<bool> {
    let is_link = path.symlink_metadata()?.file_type().is_symlink();
    Ok(is_link || path.parent().is_none())
}
