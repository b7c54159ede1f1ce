# SPDX-License-Identifier: BSD-2-Clause
"""peer_tools: libbpf-tools of Debian 13 as peers, from a root of its own ($PEER_ROOT; tests/bench/bpf_cost makes one)."""
import os
import subprocess
import sys
import time

PEERS = os.environ.get("PEER_ROOT", "/var/tmp/stoker-trixie")


def peer(tool, *options):
    return ["chroot", PEERS, "/usr/sbin/%s-libbpf" % tool, *options]


def have_peers():
    return os.path.exists(os.path.join(PEERS, "usr/sbin/syscount-libbpf"))


def mount_tracefs(mounted):
    if not os.path.exists("/sys/kernel/tracing/events"):
        subprocess.run(["mount", "-t", "tracefs", "none", "/sys/kernel/tracing"], check=True)
        mounted.append("/sys/kernel/tracing")


def mount_for_peers(mounted):
    """They look for tracepoints in tracefs, and for everything else below their own root. Adds to the list for umount_all()."""
    mount_tracefs(mounted)
    for name in "sys", "proc":
        if not os.path.ismount(os.path.join(PEERS, name)):
            subprocess.run(["mount", "--rbind", "--make-rslave", "/" + name, os.path.join(PEERS, name)], check=True)
            mounted.append(os.path.join(PEERS, name))


def umount_all(mounted):
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", folder], check=False)


def holds_programs(process):
    """Is any BPF program attached that the process holds?"""
    folder = "/proc/%d/fdinfo" % process.pid
    for name in os.listdir(folder):
        try:
            if "link_type" in open(os.path.join(folder, name)).read():
                return True
        except OSError:
            continue
    return False


def start(command, folder, log_name, **options):
    """Returns when it traces; what it prints goes to the log, its errors to another one."""
    errors = os.path.join(folder, log_name + ".errors")
    with open(os.path.join(folder, log_name), "wb") as out, open(errors, "wb") as err:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err, **options)
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("%s ended: %s" % (" ".join(command), open(errors, errors="replace").read()))
        if holds_programs(process):
            return process
        time.sleep(0.05)
    sys.exit("%s attaches nothing" % " ".join(command))
