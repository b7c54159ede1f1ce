# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib.sh: for the tests in this folder. Source it first, from the repository's root: `. tests/system/lib.sh`.
#
# It gives all of scripts/lib/containers.sh, with the traps set: however a test ends, nothing stays. It stops at the first
# command that fails. $STOKER is the program under test, $FIXTURES the folder of the tests' programs.
#
#   say TEXT                           one line into the log
#   fail TEXT                          ends the test
#   expect_contains WHAT FILE PATTERN  a line of FILE matches the extended regular expression
#   wait_until SECONDS COMMAND…        until the command succeeds; else fails
#   wait_until_recording PID           until `stoker record` with waits or calls counts them
#   programs_of PID                    the ids of the BPF programs that a process holds, a line each
#   programs_gone ID…                  none of them is in the kernel
#   stolen_ns                          what a hypervisor has taken of the CPUs so far, where the kernel is told: no process ran
#   expect_top_hotspot FILE PATTERN ID… not ID…
#                                      the first of `stoker hotspots -o json` matches, and speaks of these containers only
#
#   add_node DIR                       node into a root file system made by make_rootfs
#   add_java DIR                       Java 17 (java) likewise, without its compiler
#   mount_trixie DIR                   a Debian 13 with python3.13 as a root file system, written to in DIR alone
#
#   docker_daemon_start                a Docker daemon with folders and a socket of its own (no network, no bridge)
#   docker_import_rootfs DIR IMAGE     a root file system made by make_rootfs as an image
#   docker_run NAME IMAGE [OPTIONS…] -- ARGS…   sets $DOCKER_ID to the container's full id
#   docker_daemon_stop                 containers, daemon, mounts and cgroups; at the test's end it happens by itself
#   docker …                           its client
set -Eeuo pipefail
trap 'printf "FAILED: %s line %s: %s\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND"' ERR
# shellcheck source=scripts/lib/containers.sh
. scripts/lib/containers.sh

BUILD=${BUILD:-build}
STOKER=${STOKER:-$BUILD/stoker}
FIXTURES=${FIXTURES:-$BUILD/tests/fixtures}
EXAMPLES=${EXAMPLES:-$BUILD/examples}

say() {
	printf '%s\n' "$*"
}

fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}

expect_contains() {
	grep -Eq -- "$3" "$2" || {
		cat "$2"
		fail "$1: no line matches '$3'"
	}
}

wait_until() {
	local seconds=$1 end
	shift
	end=$((SECONDS + seconds))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "not after $seconds s: $*"
		sleep 0.1
	done
}

wait_until_recording() {
	wait_until 60 sh -c 'grep -qsE "^tp_name:.*(sched_waking|sys_exit)$" /proc/"$0"/fdinfo/*' "$1"
}

# A process closes files while they are looked at: that is no failure.
programs_of() {
	{ cat "/proc/$1/fdinfo/"* 2>/dev/null || true; } | awk '$1 == "prog_id:" { print $2 }' | sort -u
}

stolen_ns() {
	awk -v tick=$((1000000000 / $(getconf CLK_TCK))) '$1 == "cpu" { printf "%.0f\n", $9 * tick }' /proc/stat
}

programs_gone() {
	local id
	for id; do
		! bpftool prog show id "$id" >/dev/null 2>&1 || return 1
	done
}

expect_top_hotspot() {
	python3 - "$@" <<-'PYTHON' || fail "the first hotspot of $1 is not as it must be"
		import json, re, sys
		file, pattern, *ids = sys.argv[1:]
		at = ids.index("not")
		hotspots = json.load(open(file))["hotspots"]
		for number, hotspot in enumerate(hotspots[:5]):
		    print("hotspot %d: %s" % (number + 1, json.dumps(hotspot)[:600]))
		top = json.dumps(hotspots[0]) if hotspots else ""
		wrong = [] if re.search(pattern, top) else ["no '%s' in it" % pattern]
		wrong += ["%s is not in it" % id for id in ids[:at] if id not in top]
		wrong += ["%s is in it" % id for id in ids[at + 1:] if id in top]
		print("\n".join(wrong))
		sys.exit(1 if wrong else 0)
	PYTHON
}

# Debian's package keeps parts of node's own library in files, and node ends where they are missing.
add_node() {
	local part
	add_program "$1" "$(readlink -f "$(command -v node)")" node
	for part in acorn acorn-walk cjs-module-lexer undici; do
		[ -d "/usr/share/nodejs/$part" ] || continue
		mkdir -p "$1/usr/share/nodejs"
		cp -rL "/usr/share/nodejs/$part" "$1/usr/share/nodejs/"
	done
}

# Debian's JDK without what a program that runs does not need. $JAVA_HOME is where it is.
JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64
add_java() {
	local home=$1$JAVA_HOME part
	mkdir -p "$home/bin" "$home/lib"
	add_program "$1" "$JAVA_HOME/lib/server/libjvm.so"
	rm "$1/usr/bin/libjvm.so"
	add_program "$1" "$JAVA_HOME/bin/java"
	mv "$1/usr/bin/java" "$home/bin/java"
	ln -s "$JAVA_HOME/bin/java" "$1/usr/bin/java"
	for part in modules server jvm.cfg libjli.so libjava.so libjimage.so libzip.so libnio.so libnet.so libverify.so; do
		cp -rL "$JAVA_HOME/lib/$part" "$home/lib/"
	done
}

# Below is a root that is made once for the machine; tests/bench/bpf_cost uses it, too.
mount_trixie() {
	local root=${PEER_ROOT:-/var/tmp/stoker-trixie} layer=$1.layer
	(
		flock 9
		[ -e "$root/usr/bin/apt-get" ] ||
			debootstrap --variant=minbase --include=libbpf-tools trixie "$root" >/dev/null
		[ -e "$root/usr/bin/python3.13" ] || DEBIAN_FRONTEND=noninteractive chroot "$root" \
			sh -c 'apt-get -qq update && apt-get -qq -y install --no-install-recommends python3.13' >/dev/null
	) 9>"$root.lock"
	mkdir -p "$1" "$layer/up" "$layer/work"
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$layer/up,workdir=$layer/work" "$1"
}

# Debian's client: another one on the PATH may speak to something else altogether.
docker() {
	DOCKER_CONFIG=$_docker_dir/config /usr/bin/docker -H "unix://$_docker_dir/socket" "$@"
}

docker_daemon_start() {
	_docker_dir=$CONTAINERS_DIR/docker
	mkdir -p "$_docker_dir/config"
	_docker_before=$(_docker_traces)
	# Its folders are not the host's, and neither is its configuration: /etc/docker/daemon.json is not read.
	echo '{}' >"$_docker_dir/daemon.json"
	# A session of its own: Ctrl-C is for the test, which then stops the daemon in order.
	setsid dockerd --config-file "$_docker_dir/daemon.json" --iptables=false --ip6tables=false --bridge=none \
		--data-root "$_docker_dir/data" --exec-root "$_docker_dir/exec" -H "unix://$_docker_dir/socket" \
		-p "$_docker_dir/pid" >"$_docker_dir/log" 2>&1 </dev/null &
	_docker_pid=$!
	own_cleanup docker_daemon_stop
	local tries
	for ((tries = 0; tries < 300; tries++)); do
		docker version >/dev/null 2>&1 && return 0
		kill -0 "$_docker_pid" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$_docker_dir/log"
	fail "the Docker daemon did not start"
}

docker_import_rootfs() {
	tar -C "$1" -c . | docker import - "$2" >/dev/null
}

docker_run() {
	local name=$1 image=$2 options=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	DOCKER_ID=$(docker run --detach --name "$name" --network none "${options[@]}" "$image" "$@")
}

# What a daemon leaves outside of its folders, empty: parent cgroups, a folder for plug-ins.
_docker_traces() {
	find /sys/fs/cgroup -maxdepth 2 -type d -name docker
	find /run/docker -depth -type d 2>/dev/null || :
}

docker_daemon_stop() {
	local ids tries dir
	[ -n "${_docker_pid-}" ] || return 0
	ids=$(docker ps --all --quiet --no-trunc 2>/dev/null) || :
	# shellcheck disable=SC2086 # ids are words
	[ -z "$ids" ] || docker rm --force $ids >/dev/null 2>&1 || :
	kill -TERM "$_docker_pid" 2>/dev/null || :
	for ((tries = 0; tries < 150; tries++)); do
		kill -0 "$_docker_pid" 2>/dev/null || break
		sleep 0.1
	done
	_docker_kill_leftovers
	_docker_pid=
	# Those that were there before are somebody else's.
	_docker_traces | while read -r dir; do
		grep -qxF "$dir" <<<"$_docker_before" || rmdir "$dir" 2>/dev/null || :
	done
	_containers_remove_dir "$_docker_dir"
}

# A daemon that had to be killed leaves its containerd and shims: they name our folder in their command lines.
_docker_kill_leftovers() {
	local file pid
	for file in /proc/[0-9]*/cmdline; do
		pid=${file#/proc/}
		pid=${pid%/cmdline}
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		dockerd | containerd | containerd-shim* | runc)
			if { tr '\0' ' ' <"$file"; } 2>/dev/null | grep -qF "$_docker_dir/"; then
				kill -KILL "$pid" 2>/dev/null || :
			fi
			;;
		esac
	done
}

containers_init
