"""Decides whether a folder must be polled: on network and FUSE file systems, the system does not report all changes."""

from __future__ import annotations

import os
import re
import sys

_POLLED_FILE_SYSTEMS = re.compile(
    r"nfs4?|cifs|smb\d*|smbfs|fuse\..*|fuseblk|fuse|9p|afs|ceph|glusterfs|davfs|vboxsf|prl_fs|virtiofs|drvfs"
)
_OCTAL_ESCAPE = re.compile(r"\\([0-7]{3})")


def must_poll(folder: str) -> bool:
    """Return whether `folder` is on a file system that another machine can change without an event on this one."""
    if sys.platform == "win32":
        import ctypes

        drive_remote = 4  # DRIVE_REMOTE
        drive = os.path.splitdrive(os.path.abspath(folder))[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == drive_remote
    if sys.platform == "darwin":
        # Network drives are below /Volumes. So are local drives, for which polling works as well.
        return os.path.realpath(folder).startswith("/Volumes/")
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return _POLLED_FILE_SYSTEMS.fullmatch(file_system_type(os.path.realpath(folder), file.read())) is not None
    except OSError:
        return False


def file_system_type(path: str, mountinfo: str) -> str:
    """Return the type of the file system that `path` is on, or "" if it is unknown.

    `path`: absolute, with links resolved. `mountinfo`: the text of /proc/self/mountinfo (proc(5)).
    """
    type_name = ""
    for line in mountinfo.split("\n"):
        mount_part, _, file_system_part = line.partition(" - ")
        fields = mount_part.split(" ")
        if len(fields) > 4:
            mount_point = _OCTAL_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
            # A later mount hides the earlier ones at and below its mount point.
            if path == mount_point or path.startswith(mount_point.rstrip("/") + "/"):
                type_name = file_system_part.split(" ")[0]
    return type_name
