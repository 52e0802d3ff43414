"""At files that are none of its own: to read, to change, and to learn what there is."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import glob
import os
import shutil
import stat

from . import kernel

_AT_FDCWD = -100
_HANDLE_BYTES = 128
_MS_BIND = 0x1000
_IN_ALL_EVENTS = 0xFFF


def _read(path):
    with open(path, "rb") as file:
        return file.read(1 << 16).decode("utf-8", "replace")


def _append(path):
    """Open to write, and write nothing."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    return "{} is open to be written".format(path)


def _create(folder):
    """Make a file, for which the test looks: a folder may be one of its own that has another's name."""
    path = os.path.join(folder, "attacker-was-here")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
    return "made {}".format(path)


# To read.


def read(outside):
    return _read(outside.secret)


def read_in_temporary_folder(outside):
    return _read(outside.temporary_secret)


def read_by_climbing(outside):
    return _read("../" * 40 + outside.secret)


def read_by_own_link(outside):
    os.symlink(outside.secret, "link-to-secret")
    return _read("link-to-secret")


def read_by_hard_link(outside):
    os.link(outside.secret, "hard-link-to-secret")
    return _read("hard-link-to-secret")


def read_by_renaming(outside):
    moved = os.path.join(outside.folder, "moved")
    os.rename(outside.secret, moved)
    try:
        return _read(moved)
    finally:
        os.rename(moved, outside.secret)


def read_by_copying(outside):
    return _read(shutil.copyfile(outside.secret, "copy"))


def read_by_own_root(outside):
    return _read("/proc/self/root" + outside.secret)


def read_by_own_thread(outside):
    return _read("/proc/thread-self/root" + outside.secret)


def read_by_own_folder(outside):
    return _read("/proc/self/cwd/" + "../" * 40 + outside.secret)


def read_by_root_of_parent(outside):
    return _read("/proc/{}/root{}".format(os.getppid() or outside.host, outside.secret))


def read_by_root_of_host(outside):
    return _read("/proc/{}/root{}".format(outside.host, outside.secret))


def read_by_root_of_first(outside):
    return _read("/proc/1/root" + outside.secret)


def read_by_inherited_folders(outside):
    for descriptor in range(64):
        try:
            found = os.open("../" * 40 + outside.secret.lstrip("/"), os.O_RDONLY, dir_fd=descriptor)
        except OSError:
            continue
        return os.read(found, 100).decode()
    return None


def read_by_handle(outside):
    """By what a file is called within its file system, which asks no folder above it."""
    handle = ctypes.create_string_buffer(8 + _HANDLE_BYTES)
    ctypes.c_uint.from_buffer(handle).value = _HANDLE_BYTES
    mount = ctypes.c_int()
    kernel.call("name_to_handle_at", _AT_FDCWD, outside.secret.encode(), handle, ctypes.byref(mount), 0)
    found = kernel.call("open_by_handle_at", os.open(".", os.O_RDONLY), handle, os.O_RDONLY)
    return os.read(found, 100).decode()


def read_root_by_handle(outside):
    """The root of the file system under the work directory, by the number that a root mostly has."""
    handle = ctypes.create_string_buffer(8 + 8)
    ctypes.c_uint.from_buffer(handle).value = 8
    ctypes.c_int.from_buffer(handle, 4).value = 1
    ctypes.c_uint.from_buffer(handle, 8).value = 2
    return kernel.reaches("open_by_handle_at", os.open(".", os.O_RDONLY), handle, os.O_RDONLY)


def read_shadow(outside):
    return _read("/etc/shadow")


def read_private_keys(outside):
    """Of the machine's certificates."""
    return [folder for folder in ("/etc/ssl", "/etc/pki/tls") if os.path.isdir(folder) and "private" in os.listdir(folder)]


def read_host_name_of_machine(outside):
    """What tells this machine from others."""
    return _read("/etc/machine-id") or _read("/proc/sys/kernel/random/boot_id")


def read_home(outside):
    return [_read(os.path.join(outside.home, name)) for name in os.listdir(outside.home)]


def read_store(outside):
    """The receipts of what is installed."""
    return [_read(path)[:20] for path in glob.glob(outside.store + "/**/*.toml", recursive=True)]


def read_other_plugin(outside):
    """The code of another plugin's environment."""
    return _read(outside.other_plugin)[:20]


def read_other_work(outside):
    """The work directories of other workers."""
    beside = [name for name in os.listdir("..") if name != os.path.basename(os.getcwd())]
    return [name for name in beside if os.access(os.path.join("..", name), os.R_OK)]


def read_command_line(outside):
    """What the machine was started with, and what is known of its parts."""
    for path in ("/proc/cmdline", "/proc/kcore", "/proc/kallsyms", "/proc/config.gz"):
        try:
            return os.close(os.open(path, os.O_RDONLY)) or path
        except OSError:
            pass
    return None


def read_mounts(outside):
    """Where what is mounted, outside included."""
    return [line for line in _read("/proc/self/mountinfo").splitlines() if outside.folder in line or "/root" in line.split()[3]]


def read_system(outside):
    return os.listdir("/sys/class/net")


def read_disks(outside):
    found = [path for path in glob.glob("/dev/*") if stat.S_ISBLK(os.stat(path).st_mode)]
    return [os.read(os.open(path, os.O_RDONLY), 16) for path in found]


def read_memory_of_machine(outside):
    return os.open("/dev/mem", os.O_RDONLY)


def read_log_of_kernel(outside):
    return os.read(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK), 8192)


def read_terminal(outside):
    return os.open("/dev/tty", os.O_RDWR)


# To learn what there is.


def tell_by_stat(outside):
    return os.stat(outside.secret).st_size


def tell_by_access(outside):
    return os.access(outside.secret, os.F_OK)


def tell_by_link(outside):
    return os.readlink(outside.link)


def tell_by_listing(outside):
    return os.listdir(outside.folder)


def tell_by_entering(outside):
    here = os.getcwd()
    os.chdir(outside.folder)
    try:
        return os.getcwd()
    finally:
        os.chdir(here)


def tell_by_opening_as_path(outside):
    return os.open(outside.secret, os.O_PATH)


def tell_by_kind_of_error(outside):
    """What is there is told otherwise than what isn't."""
    errors = set()
    for path in (outside.secret, outside.secret + "-that-is-not-there"):
        try:
            os.listxattr(path)
        except OSError as error:
            errors.add(error.errno)
        else:
            errors.add(0)
    return errors if len(errors) > 1 else None


def tell_by_watching(outside):
    """Who opens a file outside."""
    libc = kernel.LIBC
    watch = libc.inotify_add_watch(libc.inotify_init1(0), outside.folder.encode(), _IN_ALL_EVENTS)
    if watch < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    return "watches {}".format(outside.folder)


def tell_by_watching_all(outside):
    return kernel.call("fanotify_init", 0, 0)


def tell_by_space(outside):
    return os.statvfs(outside.folder).f_fsid


# To change. The test looks at what there is outside afterwards.


def write(outside):
    with open(outside.writable, "a") as file:
        file.write("attacker")
    return "written"


def write_new_file(outside):
    with open(os.path.join(outside.folder, "new"), "w") as file:
        return file.write("attacker")


def write_in_temporary_folder(outside):
    with open(os.path.join(os.path.dirname(outside.temporary_secret), "new"), "w") as file:
        return file.write("attacker")


def write_by_truncating(outside):
    os.truncate(outside.writable, 0)
    return "truncated"


def write_by_renaming_over(outside):
    with open("replacement", "w") as file:
        file.write("attacker")
    os.rename("replacement", outside.writable)
    return "replaced"


def write_by_own_link(outside):
    os.symlink(outside.writable, "link-to-writable")
    with open("link-to-writable", "a") as file:
        return file.write("attacker")


def write_by_hard_link(outside):
    os.link(outside.writable, "hard-link-to-writable")
    with open("hard-link-to-writable", "a") as file:
        return file.write("attacker")


def change_mode(outside):
    os.chmod(outside.writable, 0o777)


def change_owner(outside):
    os.chown(outside.writable, os.getuid(), os.getgid())


def change_times(outside):
    os.utime(outside.writable, (1, 1))


def change_attributes(outside):
    os.setxattr(outside.writable, "user.attacker", b"was here")
    return "set"


def delete(outside):
    os.unlink(outside.expendable)
    return "deleted"


def make_folder(outside):
    os.mkdir(os.path.join(outside.folder, "folder"))
    return "made"


def make_named_pipe(outside):
    os.mkfifo(os.path.join(outside.folder, "pipe"))
    return "made"


def make_device(outside):
    os.mknod("device", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    return os.read(os.open("device", os.O_RDONLY), 16)


def make_device_by_renaming(outside):
    """What marks a file as deleted, left where one was."""
    os.close(os.open("renamed", os.O_CREAT | os.O_WRONLY, 0o600))
    kernel.call("renameat2", _AT_FDCWD, b"renamed", _AT_FDCWD, b"renamed-on", 4)
    return "made" if stat.S_ISCHR(os.stat("renamed").st_mode) else None


def make_program_of_owner(outside):
    """A program that whoever runs it runs with our rights."""
    shutil.copy("/bin/true", "program") if os.path.exists("/bin/true") else open("program", "w").close()
    os.chmod("program", 0o4755)
    return "setuid" if os.stat("program").st_mode & 0o4000 else None


def make_program_of_owner_at_once(outside):
    os.close(os.open("program-at-once", os.O_CREAT | os.O_WRONLY, 0o4755))
    return "setuid" if os.stat("program-at-once").st_mode & 0o4000 else None


def change_own_environment(outside):
    """What is beside the plugin's own code, as the next worker will run it."""
    return _create(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def change_own_code(outside):
    return _append(os.path.abspath(__file__))


def change_bytecode(outside):
    for name in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "__pycache__", "*")):
        return _append(name)
    return None


def change_marker_of_environment(outside):
    import sys

    return _append(os.path.join(sys.prefix, "plughost-venv.json"))


def change_base_python(outside):
    return _create(os.path.dirname(os.__file__))


def change_runner(outside):
    return _append(outside.runner)


def change_bytecode_of_runner(outside):
    return _create(os.path.dirname(outside.runner))


def change_store(outside):
    return _create(outside.store)


def change_other_plugin(outside):
    return _append(outside.other_plugin)


def change_libraries(outside):
    return _create("/usr/lib")


def change_settings_of_kernel(outside):
    return _append("/proc/sys/kernel/core_pattern")


def change_limits_of_namespaces(outside):
    return _append("/proc/sys/user/max_user_namespaces")


def change_devices(outside):
    return _append("/sys/kernel/uevent_helper") if os.path.exists("/sys/kernel/uevent_helper") else _append("/sys/power/state")


def change_control_groups(outside):
    root = "/sys/fs/cgroup"
    folders = [root, *(os.path.join(root, name) for name in os.listdir(root))]
    for folder in folders:
        path = os.path.join(folder, "attacker")
        try:
            os.mkdir(path)
        except OSError:
            continue
        os.rmdir(path)
        return path
    return None


def mount_over(outside):
    kernel.call("mount", b"none", os.getcwd().encode(), b"tmpfs", 0, 0)
    kernel.LIBC.umount2(os.getcwd().encode(), 2)
    return "mounted"


def mount_outside(outside):
    os.mkdir("mounted")
    kernel.call("mount", outside.folder.encode(), b"mounted", 0, _MS_BIND, 0)
    try:
        return os.listdir("mounted")
    finally:
        kernel.LIBC.umount2(b"mounted", 2)


def mount_by_descriptor(outside):
    return kernel.call("open_tree", _AT_FDCWD, outside.folder.encode(), 1)


def mount_a_new_one(outside):
    return kernel.call("fsopen", b"tmpfs", 0)


def change_root(outside):
    """The classic way out of a root that one is in."""
    os.mkdir("jail")
    here = os.open(".", os.O_RDONLY)
    os.chroot("jail")
    os.fchdir(here)
    try:
        return _read("../" * 40 + outside.secret.lstrip("/"))
    finally:
        for _ in range(40):
            os.chdir("..")
        os.chroot(".")
        os.fchdir(here)
