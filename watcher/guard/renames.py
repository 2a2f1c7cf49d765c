"""Rename files from one open folder to another: see `links.Folder`."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from watcher.guard.links import Folder


def rename_if_free(folder: Folder, name: str, target_folder: Folder, target_name: str) -> None:
    """Rename a file, also on file systems without hard links. Raises FileExistsError if the name is taken."""
    if sys.platform == "win32":
        os.rename(folder.at(name), target_folder.at(target_name))  # Windows refuses an existing target
        return
    if sys.platform == "linux" and _rename_no_replace(folder, name, target_folder, target_name):
        return
    # The last resort: claim the name with an empty file, then replace that, so that no other file can be replaced.
    # Only a crash between the two steps can leave the empty file.
    os.close(os.open(target_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=target_folder.descriptor))
    try:
        replace(folder, name, target_folder, target_name)
    except OSError:
        os.unlink(target_name, dir_fd=target_folder.descriptor)
        raise


def replace(folder: Folder, name: str, target_folder: Folder, target_name: str) -> None:
    """Rename a file; it replaces the file that has the name."""
    source, target = folder.at(name), target_folder.at(target_name)
    os.replace(source, target, src_dir_fd=folder.descriptor, dst_dir_fd=target_folder.descriptor)


def _rename_no_replace(folder: Folder, name: str, target_folder: Folder, target_name: str) -> bool:
    """Call renameat2(2) with RENAME_NOREPLACE. Returns False if the file system cannot do that."""
    libc = ctypes.CDLL(None, use_errno=True)  # Python has no wrapper for renameat2
    no_replace = 1  # from <linux/fs.h>
    names = os.fsencode(name), os.fsencode(target_name)
    if libc.renameat2(folder.descriptor, names[0], target_folder.descriptor, names[1], no_replace) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), target_name)
