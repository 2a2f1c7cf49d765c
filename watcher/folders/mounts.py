"""Does the system tell us of changes in a folder, or must we go and look? Network and FUSE file systems do not tell."""

from __future__ import annotations

import os
import re
import sys

_POLLED_FILE_SYSTEMS = re.compile(
    r"nfs4?|cifs|smb\d*|smbfs|fuse\..*|fuseblk|fuse|9p|afs|ceph|glusterfs|davfs|vboxsf|prl_fs|virtiofs|drvfs"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def must_poll(folder: str) -> bool:
    """Is `folder` on a file system whose changes may come from elsewhere, without an event here?"""
    if sys.platform == "win32":
        import ctypes

        remote = 4  # DRIVE_REMOTE
        drive = os.path.splitdrive(os.path.abspath(folder))[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == remote
    if sys.platform == "darwin":
        return os.path.realpath(folder).startswith("/Volumes/")  # network drives are there, and others that do no harm
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return _POLLED_FILE_SYSTEMS.fullmatch(file_system_type(os.path.realpath(folder), file.read())) is not None
    except OSError:
        return False


def file_system_type(path: str, mountinfo: str) -> str:
    """The type of the file system that `path` is on, by the text of /proc/self/mountinfo (proc(5)); "" if unknown."""
    kind = ""
    for line in mountinfo.split("\n"):
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) > 4:
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            if path == point or path.startswith(point.rstrip("/") + "/"):  # a later mount hides what is below it
                kind = right.split(" ")[0]
    return kind
