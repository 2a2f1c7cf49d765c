"""What the numbers of the system's errors mean for a file that nobg reads or writes."""

from __future__ import annotations

import errno

NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.ENOENT, errno.EINVAL}
"""This file system has no second names for a file."""
BAD_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DEVICE_GONE = {errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE, errno.EHOSTDOWN}
BUSY = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN, errno.ETIMEDOUT}
"""A limit of the system is reached now."""
PASSING = DEVICE_GONE | BUSY
"""At reading, these say nothing about the file: the drive, or a limit of the system, fails now."""
ACCESS_DENIED = {errno.EACCES, errno.EPERM}
