# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib_unwind.sh: what the tests of user stacks ask of a recording. Source it after lib.sh.
#
#   expect_whole REC CONTAINER PERCENT SAMPLES   at least so many samples with a user stack, of which PERCENT reach the
#                                                first function
#   expect_chain FOLDED CONTAINER                every stack is one that tests/fixtures/unwind_chain.c allows
#   expect_order FOLDED CONTAINER NAMES [PERCENT]  of the samples that hold the last of NAMES (;-separated) at least so many
#                                                (95 %) hold them all, side by side, and 20 samples at least

expect_whole() {
	"$STOKER" info -o json "$1" >"$CONTAINERS_DIR/info.json"
	python3 - "$CONTAINERS_DIR/info.json" "$2" "$3" "$4" <<-'PYTHON' || fail "not enough whole stacks of $2: $("$STOKER" fold "$1" | grep "^$2" | grep -v "_start" | sed -n 1,8p)"
		import json, sys
		file, label, percent, samples = sys.argv[1:]
		row = next((c["accounting"] for c in json.load(open(file))["containers"] if c["label"] == label), None)
		if not row:
		    sys.exit("no container %s" % label)
		share = 100.0 * row["user_complete"] / max(row["user_samples"], 1)
		print("%s: %.2f %% of %d user stacks are whole, %d assumed, %d truncated" % (
		    label, share, row["user_samples"], row["user_assumed"], row["user_truncated"]))
		sys.exit(not (row["user_samples"] >= int(samples) and share >= float(percent)))
	PYTHON
}

expect_chain() {
	python3 - "$1" "$2" <<-'PYTHON' || fail "stacks of $2 that its source does not allow"
		import re, sys
		levels, wrong, seen, ends = ["level%d" % i for i in range(1, 13)], [], 0, {}
		for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
		    stack, count = line.rstrip("\n").rsplit(" ", 1)
		    names = stack.split(";")
		    if names[0] != sys.argv[2]:
		        continue
		    seen += int(count)
		    user = [name for name in names[2:] if not name.endswith("_[k]")]
		    if "main" not in user:
		        # Before main() there is only the loader, and after it exit().
		        wrong.append((int(count), stack))
		        continue
		    below = user[user.index("main") + 1:]
		    depth = 0
		    while depth < min(12, len(below)) and below[depth] == levels[depth]:
		        depth += 1
		    rest = below[depth:]
		    # qsort() asks for memory, too. What has no name is looked at by the program that has all of them (static).
		    library = (r"_*qsort(_r)?|memcpy|memmove|__mem(cpy|move)_[a-z0-9_]+|msort_with_tmp.*|sysconf|"
		               r"_*(libc_)?(int_)?(malloc|free)(_[a-z]+)*|systrim.*|tcache_.*|\[(stripped|no_symbol)_(libc\.so\.6|unwind_chain).*")
		    # On their way into main(): time(), at the leaf, the C library's and in it the vdso's.
		    if depth < 12:
		        allowed = not rest or (depth == 0 and (len(rest) == 1 or rest == ["time", "time"]))
		    else:
		        sorting = [name for name in rest if name == "by_number"]
		        allowed = all(re.fullmatch(library, name) for name in rest if name != "by_number")
		        allowed = allowed and sorting in ([], ["by_number"]) and (not sorting or "by_number" in rest[-2:])
		    if not allowed:
		        wrong.append((int(count), stack))
		    end = rest[-1].split("+")[0] if rest else "level12" if depth == 12 else "level"
		    ends[end] = ends.get(end, 0) + int(count)
		print("%s: %d samples of known calls; leaves: %s" % (sys.argv[2], seen, ends))
		for count, stack in wrong[:10]:
		    print("not allowed, %d times: %s" % (count, stack))
		sys.exit(1 if wrong or not seen else 0)
	PYTHON
}

expect_order() {
	awk -v id="$2;" -v names=";$3" -v last=";${3##*;}" -v percent="${4:-95}" 'index($0, id) == 1 {
			n = $NF
			sub(/ [0-9]+$/, ";")
			if (index($0, last ";")) all += n
			if (index($0, names)) right += n
		}
		END { printf "%s%s: %d of %d samples\n", id, names, right, all; exit !(right >= 20 && right >= percent / 100 * all) }' "$1" ||
		fail "too few '$3' in $2: $(grep "^$2;" "$1" | grep -vF ";$3" | sed -n 1,5p)"
}
