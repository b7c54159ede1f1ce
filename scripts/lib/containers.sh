# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# containers.sh: small real containers out of what is on this machine, for the demo, the examples and the tests.
#
# Source it, then call containers_init. What is started is remembered by the ids given here and removed by
# containers_cleanup, which containers_init sets as the trap for every way out of the script. Nothing else is touched.
#
#   containers_init                    makes $CONTAINERS_DIR (on TMPDIR's disk) and sets the traps
#   make_rootfs DIR                    a root file system of busybox: /bin/sh and friends, /tmp, /proc …
#   add_program DIR FILE [NAME]        FILE as /usr/bin/NAME in it, with the shared libraries that it needs
#   add_python DIR                     python3.11 with what of its library is written in Python, without packages
#   runc_start ID ROOTFS [--cpu-quota PERCENT] [--user UID] [--host-pid] -- ARGS…
#                                      returns when it runs; ids are looked for in /run/runc, and there they are.
#                                      --host-pid: in the host's pid namespace, as an agent that looks at others
#   runc_stop ID
#   runc_log ID                        what it has printed
#   runc_pid ID                        of its first process, as the host sees it
#   runc_status ID                     created, running, stopped
#   own_process PID                    a child of the script, to be ended with it
#   own_cleanup COMMAND…               to be called at the end, last one first
#   refuse_tmpfs                       ends the script unless $CONTAINERS_DIR is on a disk
#   drop_dentries                      makes the kernel forget file names that it remembers; for own_cleanup
#   cgroup_usage_ns ID                 CPU time of a runc container so far
#
# ID is unique on the machine: use containers_id NAME where no name is asked for.

containers_init() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "${0##*/}: starting containers needs root; try: sudo $0" >&2
		exit 1
	fi
	# runc and dockerd; a root shell of su has no sbin on its path.
	PATH=$PATH:/usr/sbin:/sbin
	CONTAINERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/stoker-containers.XXXXXX")
	# A container's own user must get through to its root.
	chmod 755 "$CONTAINERS_DIR"
	_containers_runc=()
	_containers_processes=()
	_containers_cleanups=()
	trap containers_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

containers_cleanup() {
	local status=$? i
	# A second Ctrl-C must not leave half of it behind.
	trap '' INT TERM HUP
	trap - EXIT ERR
	set +e
	for i in "${_containers_processes[@]}"; do
		_containers_end_process "$i"
	done
	for i in "${_containers_runc[@]}"; do
		_containers_end_runc "$i"
	done
	for ((i = ${#_containers_cleanups[@]} - 1; i >= 0; i--)); do
		eval "${_containers_cleanups[i]}"
	done
	_containers_remove_dir "$CONTAINERS_DIR"
	exit "$status"
}

own_process() {
	_containers_processes+=("$1")
}

own_cleanup() {
	_containers_cleanups+=("$(printf '%q ' "$@")")
}

# A number alone may be somebody else's process by now.
_containers_is_ours() {
	grep -qxs "PPid:[[:space:]]*$$" "/proc/$1/status"
}

_containers_end_process() {
	local pid=$1 tries
	_containers_is_ours "$pid" || return 0
	kill -TERM "$pid" 2>/dev/null
	# The shell reaps its children while it sleeps, so an ended one is not there any more.
	for ((tries = 0; tries < 100; tries++)); do
		_containers_is_ours "$pid" || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# Mounts below it go first: rm must never walk into something that is not ours.
_containers_remove_dir() {
	local dir=$1 mount
	[ -n "$dir" ] && [ -d "$dir" ] || return 0
	while read -r mount; do
		umount -l "$mount"
	done < <(awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	rm -rf --one-file-system "$dir"
}

containers_id() {
	echo "stk-$$-$1"
}

make_rootfs() {
	local dir=$1 busybox
	busybox=$(command -v busybox)
	mkdir -p "$dir"/{usr/bin,usr/sbin,etc,proc,sys,dev,tmp,root,var/log}
	chmod 1777 "$dir/tmp"
	ln -sfn usr/bin "$dir/bin"
	ln -sfn usr/sbin "$dir/sbin"
	cp "$(readlink -f "$busybox")" "$dir/usr/bin/busybox"
	chroot "$dir" /usr/bin/busybox --install -s /usr/bin
	echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
}

add_program() {
	local dir=$1 file=$2 name=${3:-${2##*/}} library
	install -m 755 "$file" "$dir/usr/bin/$name"
	while read -r library; do
		[ -e "$dir$library" ] || install -D -m 755 "$library" "$dir$library"
	done < <(ldd "$file" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/" { print $1 }')
}

add_python() {
	add_program "$1" /usr/bin/python3.11
	mkdir -p "$1/usr/lib/python3.11"
	cp -r /usr/lib/python3.11/{__pycache__,encodings,collections,re,multiprocessing,*.py} "$1/usr/lib/python3.11/"
}

# Words as a JSON array: backslashes and quotes are all that the command lines here can need.
_containers_json_array() {
	local word list=
	for word; do
		word=${word//\\/\\\\}
		word=${word//\"/\\\"}
		list+=${list:+, }\"$word\"
	done
	echo "[$list]"
}

_containers_config() {
	local rootfs=$1 quota=$2 name=$3 user=$4 pid=$5 cpu=
	shift 5
	[ -z "$quota" ] || cpu="\"cpu\": {\"quota\": $((quota * 1000)), \"period\": 100000},"
	cat <<-JSON
		{
		  "ociVersion": "1.0.2",
		  "hostname": "$name",
		  "root": {"path": "$rootfs", "readonly": false},
		  "process": {
		    "terminal": false, "user": {"uid": $user, "gid": $user}, "cwd": "/root", "noNewPrivileges": true,
		    "args": $(_containers_json_array "$@"),
		    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]
		  },
		  "mounts": [
		    {"destination": "/proc", "type": "proc", "source": "proc"},
		    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}
		  ],
		  "linux": {
		    "cgroupsPath": "/$name",
		    "resources": {$cpu "devices": [{"allow": true, "access": "rwm"}]},
		    "namespaces": [$pid{"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}]
		  }
		}
	JSON
}

runc_start() {
	local id=$1 rootfs=$2 quota='' user=0 pid='{"type": "pid"}, ' bundle
	shift 2
	while [ "$1" != -- ]; do
		case $1 in
		--cpu-quota) quota=$2 && shift ;;
		--user) user=$2 && shift ;;
		--host-pid) pid= ;;
		*) echo "runc_start: no option $1" >&2 && return 1 ;;
		esac
		shift
	done
	shift
	# Ours by name from here on: a container of this name that somebody else runs must not fall to our cleanup.
	if runc state "$id" >/dev/null 2>&1; then
		echo "runc_start: there is a container $id already" >&2
		return 1
	fi
	bundle=$CONTAINERS_DIR/bundle-$id
	mkdir -p "$bundle"
	_containers_config "$(readlink -f "$rootfs")" "$quota" "$id" "$user" "$pid" "$@" >"$bundle/config.json"
	_containers_runc+=("$id")
	if ! runc run --detach --bundle "$bundle" "$id" >"$bundle/log" 2>&1 </dev/null; then
		cat "$bundle/log" >&2
		return 1
	fi
}

_containers_end_runc() {
	runc delete --force "$1" >/dev/null 2>&1
}

runc_stop() {
	local id kept=()
	for id in "${_containers_runc[@]}"; do
		[ "$id" = "$1" ] || kept+=("$id")
	done
	_containers_runc=("${kept[@]}")
	_containers_end_runc "$1"
}

runc_log() {
	cat "$CONTAINERS_DIR/bundle-$1/log"
}

runc_pid() {
	runc state "$1" | sed -n 's/.*"pid": \([0-9]*\),.*/\1/p'
}

runc_status() {
	runc state "$1" | sed -n 's/.*"status": "\(.*\)".*/\1/p'
}

# The first controller directory that has it: v1's cpuacct, mounted alone or with cpu, or v2.
cgroup_usage_ns() {
	local dir
	for dir in /sys/fs/cgroup/cpuacct "/sys/fs/cgroup/cpu,cpuacct"; do
		if [ -r "$dir/$1/cpuacct.usage" ]; then
			cat "$dir/$1/cpuacct.usage"
			return
		fi
	done
	awk '$1 == "usage_usec" { print $2 * 1000 }' "/sys/fs/cgroup/$1/cpu.stat"
}

refuse_tmpfs() {
	case $(stat -f -c %T "$CONTAINERS_DIR") in
	tmpfs | ramfs)
		echo "${0##*/}: this shows itself on a disk's file system, not on tmpfs: set TMPDIR to a folder on one" >&2
		exit 1
		;;
	esac
}

# Takes seconds where there are millions. It is the whole host's cache of names, which fills again by itself.
drop_dentries() {
	echo 2 >/proc/sys/vm/drop_caches
}
