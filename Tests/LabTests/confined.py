# Puts a program under what the unit restricts, as systemd does it: filters of system calls by libseccomp. Its arguments:
# permitted system calls and address families, with spaces between, and the command.
import ctypes, errno, os, socket, sys

calls, families, command = sys.argv[1].split(), sys.argv[2].split(), sys.argv[3:]
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
permit, refuse, absent = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
equal, greater, masked = 4, 6, 7


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("one", ctypes.c_uint64), ("other", ctypes.c_uint64)]


class Filter:
    def __init__(self, action):
        self.context = ctypes.c_void_p(library.seccomp_init(action))

    def rule(self, action, name, *comparison):
        number = library.seccomp_syscall_resolve_name(name.encode())
        # Those that other processors alone have.
        if number < 0:
            return
        array = (Comparison * 1)(Comparison(*comparison))
        code = library.seccomp_rule_add_array(
            self.context, action, number, 1 if comparison else 0, array)
        assert code == 0, (name, code)

    def load(self):
        code = library.seccomp_load(self.context)
        assert code == 0, code


denials = Filter(permit)
# MemoryDenyWriteExecute=
denials.rule(refuse, "mmap", 2, masked, 6, 6)
for name in ["mprotect", "pkey_mprotect"]:
    denials.rule(refuse, name, 2, masked, 4, 4)
denials.rule(refuse, "shmat", 2, masked, 0o100000, 0o100000)
# RestrictAddressFamilies=
permitted = [getattr(socket, name) for name in families]
for family in range(64):
    if family not in permitted:
        denials.rule(0x50000 | errno.EAFNOSUPPORT, "socket", 0, equal, family)
# RestrictNamespaces=
denials.rule(absent, "clone3")
for flag in [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]:
    denials.rule(refuse, "clone", 0, masked, flag, flag)
for name in ["unshare", "setns"]:
    denials.rule(refuse, name)
# Where the kernel can, it watches over memory itself: PR_SET_MDWE.
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
# SystemCallFilter=
permissions = Filter(refuse)
for name in calls:
    permissions.rule(permit, name)
denials.load()
permissions.load()
os.execv(command[0], command)
