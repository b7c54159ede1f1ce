# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib.sh: the load of the benches in this folder. Source it from the repository's root; it sets the traps.
#
#   start_containers COUNT [OPTIONS of runc_start…]   COUNT runc containers that compute, look up files and sort
#   stop_containers
# shellcheck source=scripts/lib/containers.sh
. scripts/lib/containers.sh
BUILD=$(realpath "${BUILD:-build}")
containers_init
_bench_ids=()
make_rootfs "$CONTAINERS_DIR/root"
for _program in burn sysloop shapes; do
	add_program "$CONTAINERS_DIR/root" "$BUILD/tests/fixtures/$_program"
done

start_containers() {
	local count=$1 i id
	local programs=("burn 600" "sysloop stat 600" "shapes 600" "burn 600 2")
	shift
	for ((i = 0; i < count; i++)); do
		id=$(containers_id "$i")
		# shellcheck disable=SC2086
		runc_start "$id" "$CONTAINERS_DIR/root" "$@" -- ${programs[i % 4]}
		_bench_ids+=("$id")
	done
}

stop_containers() {
	local id
	for id in "${_bench_ids[@]}"; do
		runc_stop "$id"
	done
	_bench_ids=()
}
