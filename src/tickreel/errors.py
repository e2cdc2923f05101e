"""Every exception that tickreel raises on purpose, sorted by what the caller should do next.

    TickreelError
    ├── UsageError          an argument or setting is wrong: change the call            exit 2
    ├── InputError          a file that was given is not what it must be: mend it       exit 3
    │   └── StrategyError   the strategy does not compile or load: mend the line named  exit 3
    ├── NetworkError        a provider or a key failed                                  exit 4
    │   ├── RefusedError        the key, or what its plan may read: renew it, ask for less
    │   ├── MissingError        the provider has no such thing: go on without
    │   └── QuotaError          the quota is used up: ask for nothing more until it is renewed
    ├── DiskError           no room, no permission, a failing disk: mend it, run again  exit 5
    │   └── ReadError           one file that was given cannot be read: mend that one       exit 5
    └── FailedError         the thing asked for does not hold                           exit 1
        ├── CorruptionError     stored bytes are not what was written: restore them
        ├── FormatError         the segment needs a newer tickreel: upgrade
        ├── LockedError         another process writes to the store: wait for it
        └── TaskError           a symbol or a file failed, with its traceback

Every message names the file, the place, the value found, the value allowed and the next step.
"""

import errno


class TickreelError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(TickreelError):
    exit_code = 2


class InputError(TickreelError):
    exit_code = 3


class StrategyError(InputError):
    pass


class NetworkError(TickreelError):
    exit_code = 4


class RefusedError(NetworkError):
    pass


class MissingError(NetworkError):
    pass


class QuotaError(NetworkError):
    pass


class DiskError(TickreelError):
    exit_code = 5


class ReadError(DiskError):
    pass


class FailedError(TickreelError):
    exit_code = 1


class CorruptionError(FailedError):
    pass


class FormatError(FailedError):
    pass


class LockedError(FailedError):
    pass


class TaskError(FailedError):
    pass


_DISK_ERRNOS = {
    errno.ENOSPC: "make room and run the same command again",
    errno.EDQUOT: "raise the quota or make room, and run the same command again",
    errno.EIO: "the disk failed: check it before you write to it again",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "give this user the right to that, or choose another place",
    errno.EPERM: "give this user the right to that, or choose another place",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
}


def disk_error(error: OSError, doing: str) -> DiskError:
    """Turn an operating-system error into a message with the next step.

    doing  what was tried, e.g. "writing /data/tape/x.reel"
    """
    step = _DISK_ERRNOS.get(error.errno or 0, "nothing was published; mend the cause and run again")
    return DiskError(f"{doing}: {error.strerror or error}; {step}")


_READ_ERRNOS = {
    errno.ENOENT: "it is gone, or a link to nothing: remove the link, or fetch the file again",
    errno.ENXIO: "it is a socket or pipe, no file: move it elsewhere",
    errno.ELOOP: "a link that leads to itself: remove it",
    errno.EIO: "the disk failed: check it, or fetch the file again to another",
    errno.EACCES: "give this user the right to read it",
    errno.EPERM: "give this user the right to read it",
}


def read_error(error: OSError, path: object) -> DiskError:
    """Turn an operating-system error of a file that was given into a message with the next step.

    ReadError, unless it is this process that can open no file more.
    """
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return disk_error(error, f"reading {path}")
    step = _READ_ERRNOS.get(error.errno or 0, "mend the cause and run again")
    return ReadError(f"{path}: cannot be read: {error.strerror or error}; {step}")
