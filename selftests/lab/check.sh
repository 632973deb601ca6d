#!/bin/bash
# Runs the tests of tests.list.   check.sh [--only GROUP[,GROUP...]] [--list] [PATTERN]
#
# PATTERN is the name of a test ("ioctl"), a name in one group ("ioctl@k612"),
# or else a part of such names, wildcards allowed ("ioctl*@k72"). Of a test with
# modes ("ring/packed@k612") what is before the slash names all of them.
# The last line is "N passed, N failed", with ", N skipped" if there were any.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=testlib.sh
. "$LAB_DIR/testlib.sh"

list=${VHOST_LAB_TESTS:-$LAB_DIR/tests.list}
only='' show='' pattern=''
while [ $# -gt 0 ]; do
	case $1 in
	--only) only=$2; shift ;;
	--list) show=1 ;;
	-*) sed -n '2,/^# shellcheck/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
	*) pattern=$1 ;;
	esac
	shift
done

passed=0 failed=0 skipped=0
child=
beside=
ahead=

# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$? pid
	trap - EXIT INT TERM HUP
	for pid in "$child" "$beside" "$ahead"; do
		[ -n "$pid" ] || continue
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	lab_cleanup
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- the list: arrays with one entry per test of one group -------------------

declare -A options=()
groups=()
t_name=() t_group=() t_timeout=() t_command=()

# The value of a group's option: option GROUP NAME DEFAULT
option() {
	local word
	for word in ${options[$1]}; do
		[ "${word%%=*}" != "$2" ] || { echo "${word#*=}"; return 0; }
	done
	echo "$3"
}

# Adds a test of each of the groups: name, groups, time-out, command, mode. A
# group that has modes takes no other; GROUP/MODE takes that one.
add_test() {
	local group modes
	for group in ${2//,/ }; do
		modes=
		[ "$group" = "${group#*/}" ] || modes=${group#*/}
		group=${group%%/*}
		[ -n "${options[$group]+set}" ] || fail "$list: no group '$group' for $1"
		if [ -n "${5:-}" ]; then
			modes=${modes:-$(option "$group" modes "$5")}
			case ,$modes, in *,"$5",*) ;; *) continue ;; esac
		fi
		t_name+=("$1")
		t_group+=("$group")
		t_timeout+=("$3")
		t_command+=("$4")
	done
}

read_list() {
	local first second third rest mode line=0 modes=
	while read -r first second third rest; do
		line=$((line + 1))
		case $first in
		'' | '#'*) continue ;;
		group)
			groups+=("$second")
			options[$second]="$third $rest"
			continue
			;;
		modes)
			modes="$second $third $rest"
			continue
			;;
		esac
		[ -n "$rest" ] || fail "$list:$line: name, group, time-out and command are needed"
		if [ "$first" = "${first%/\*}" ]; then
			add_test "$first" "$second" "$third" "$rest"
			continue
		fi
		[ -n "$modes" ] || fail "$list:$line: no line 'modes' in front of it"
		for mode in $modes; do
			add_test "${first%/\*}/$mode" "$second" "$third" "$rest --mode $mode" "$mode"
		done
	done <"$list"
}

# Full name: host tests have just a name, those of a boot say which.
full_name() {
	if [ "$(option "${t_group[$1]}" kernel '')" ]; then
		echo "${t_name[$1]}@${t_group[$1]}"
	else
		echo "${t_name[$1]}"
	fi
}

# Fills "chosen" with the indexes of the tests to run.
choose() {
	local i name exact=()
	chosen=()
	for i in "${!t_name[@]}"; do
		case ",$only," in ,, | *",${t_group[i]},"*) ;; *) continue ;; esac
		# Groups with "when=asked" run only if named, by --only or pattern.
		if [ -z "$only" ] && [ -z "$pattern" ] && [ "$(option "${t_group[i]}" when always)" = asked ]; then
			continue
		fi
		name=$(full_name "$i")
		case $pattern in
		"$name" | "${t_name[i]}" | "${t_name[i]%%/*}" | "${t_name[i]%%/*}@${t_group[i]}") exact+=("$i") ;;
		esac
		# shellcheck disable=SC2053 # a pattern on purpose
		[ -n "$pattern" ] && [[ $name != *$pattern* ]] || chosen+=("$i")
	done
	[ "${#exact[@]}" -eq 0 ] || chosen=("${exact[@]}")
	[ "${#chosen[@]}" -gt 0 ] || fail "no test matches '$pattern' (check.sh --list shows them)"
}

count() { # passed, failed, skipped
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

# --- tests on the host --------------------------------------------------------

run_host_test() {
	local i=$1 name status=0 begin=$SECONDS
	name=$(full_name "$i")
	local output=$results/$name.log why=$results/$name.why
	(cd "$LAB_REPO" && exec timeout --kill-after=10 "${t_timeout[i]}" \
		bash -c "${t_command[i]}") >"$output" 2>&1 </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	judge "$status" "$output" "${t_timeout[i]}" >"$why"
	report "$name" "$((SECONDS - begin))" "$output" "$why"
	count "$T_PASSED" "$T_FAILED" "$T_SKIPPED"
	[ "$status" -ne 0 ] || prepared[${t_command[i]}]=ok
}

# --- tests in the lab ----------------------------------------------------------

declare -A built=() prepared=()

# Builds for a kernel once per run; remembers a failure.
build_for() {
	local kernel=$1 log=$results/build-for-$1.log
	if [ -z "${built[$kernel]:-}" ]; then
		built[$kernel]=ok
		if ! "${polite[@]}" "$LAB_DIR/build.sh" "$kernel" all >"$log" 2>&1; then
			built[$kernel]=failed
			grep -E -A 5 'error|Error' "$log" | head -n 40 || tail -n 40 "$log"
		fi
	fi
	[ "${built[$kernel]}" = ok ]
}

# Runs what a group wants before its boot; once, be it for several groups or as a
# test of its own.
prepare() { # script
	local log=$results/before-${1//\//.}.log
	if [ -z "${prepared[$1]:-}" ]; then
		echo "before the boot: $1"
		prepared[$1]=ok
		"$LAB_REPO/$1" >"$log" 2>&1 </dev/null &
		child=$!
		wait "$child" || { prepared[$1]=failed; tail -n 40 "$log"; }
		child=
	fi
	[ "${prepared[$1]}" = ok ]
}

# Watches one boot from outside: when the test that runs is overdue by far,
# the guest can no longer help itself.
watch_vm() { # pid, directory
	local name limit age
	while kill -0 "$1" 2>/dev/null; do
		lab_sleep 3 || return 0
		if read -r name limit 2>/dev/null <"$2/current"; then
			age=$(($(date +%s) - $(stat -c %Y "$2/current" 2>/dev/null || date +%s)))
			if [ "$age" -gt $((limit + 90)) ]; then
				say "$name: no sign of life for $age s, stopping the machine"
				kill -TERM "$1" 2>/dev/null || true
				return
			fi
		fi
	done
}

# A fault of QEMU's multi-threaded TCG, seen once in some hundred boots: a CPU
# still runs the breakpoint that the kernel used to patch an instruction and has
# taken out again. Before the first test that says nothing about what is tested.
emulator_fault() { # directory
	[ ! -e "$1/current" ] && grep -q 'Oops: int3: ' "$1/serial.log"
}

run_group() {
	local group=$1 kernel dir i name limit=120 boot=0 pending=() left status watcher slow before
	local faults=0
	local p f s
	shift
	pending=("$@")
	kernel=$(option "$group" kernel 6.12)
	slow=$(option "$group" slow 1)
	before=$(option "$group" before '')
	if ! build_for "$kernel" || { [ -n "$before" ] && ! prepare "$before"; }; then
		for i in "${pending[@]}"; do
			printf 'FAIL  %s: what it needs could not be built for %s\n' "$(full_name "$i")" "$kernel"
			count 0 1 0
		done
		return
	fi
	# As a machine may die, what is left is run in another boot.
	while [ "${#pending[@]}" -gt 0 ]; do
		boot=$((boot + 1))
		dir=$results/$group.$boot
		mkdir "$dir"
		limit=180
		for i in "${pending[@]}"; do
			printf '%s\t%s\t%s\n' "${t_name[i]}" "$((slow * t_timeout[i]))" "${t_command[i]}"
			limit=$((limit + slow * t_timeout[i] + 60))
		done >"$dir/plan"
		echo "boot  $group (kernel $kernel, $(option "$group" modules ours) modules, ${#pending[@]} tests)"
		local vm=("$LAB_DIR/vm.sh" -k "$kernel" --timeout "$limit" --out "$dir" --log "$dir/serial.log"
			--smp "$(option "$group" smp 2)" --mem "$(option "$group" mem 2048)"
			--modules "$(option "$group" modules ours)" --append "$(option "$group" append '')" --env "LAB_GROUP=$group"
			--env "TEST_SLOW=$slow")
		[ "$(option "$group" clock '')" != icount ] || vm+=(--icount)
		"${polite[@]}" "${vm[@]}" /src/selftests/lab/runtests.sh /out/plan /out &
		child=$!
		watch_vm "$child" "$dir" &
		watcher=$!
		status=0
		wait "$child" || status=$?
		child=
		kill "$watcher" 2>/dev/null || true
		wait "$watcher" 2>/dev/null || true
		touch "$dir/results"

		left=()
		for i in "${pending[@]}"; do
			name=${t_name[i]}
			if IFS=$'\t' read -r _ p f s < <(grep -m1 -F "$name"$'\t' "$dir/results"); then
				count "$p" "$f" "$s"
			elif [ -e "$dir/current" ] && [ "$(cut -d' ' -f1 "$dir/current")" = "$name" ]; then
				echo "FAIL  $name@$group: the machine died in it (status $status)"
				tail -n 20 "$dir/${name//\//.}.log" 2>/dev/null | sed 's/^/      | /'
				count 0 1 0
			else
				left+=("$i")
			fi
		done
		if [ "$faults" -eq 0 ] && emulator_fault "$dir"; then
			faults=1
			echo "boot  $group again: the emulator ran an instruction that was no longer there"
		elif [ "${#left[@]}" -eq "${#pending[@]}" ] || { [ "$boot" -ge 6 ] && [ "${#left[@]}" -gt 0 ]; }; then
			for i in "${left[@]}"; do
				echo "FAIL  $(full_name "$i"): not run, the machine does not get there (status $status)"
				count 0 1 0
			done
			left=()
		fi
		pending=("${left[@]}")
	done
}

# --- all of it -----------------------------------------------------------------

# Builds and a machine in the lab leave much of the CPUs' time: the groups with
# "beside=yes" run meanwhile, by another of these scripts, which leaves its logs and
# what it counted in our results. Those with "beside=spare" are run by whichever of
# the two has done its own.
start_beside() {
	mkdir "$results/beside"
	VHOST_LAB_BESIDE=$results/beside "$0" --only "$1" "$pattern" &
	beside=$!
}

# A spare group is the one's that makes its directory.
claim() { # group
	mkdir -p "$claims"
	mkdir "$claims/$1" 2>/dev/null && return
	[ -d "$claims/$1" ] || fail "$1 cannot be claimed in $claims"
	return 1
}

# The status of the other one says nothing that its counts do not, if there are any.
join_beside() {
	local p=0 f=1 s=0
	wait "$beside" || true
	beside=
	read -r p f s <"$results/beside/counts" || echo "FAIL  what ran beside came to no end"
	count "$p" "$f" "$s"
	rm -f "$results/beside/counts"
	find "$results/beside" -mindepth 1 -maxdepth 1 -exec mv -t "$results" {} +
	rmdir "$results/beside"
}

run_groups() {
	local group mine i
	for group in "$@"; do
		mine=()
		for i in "${chosen[@]}"; do
			[ "${t_group[i]}" != "$group" ] || mine+=("$i")
		done
		polite=()
		[ -z "${VHOST_LAB_BESIDE:-}" ] || [ "$(option "$group" beside no)" != yes ] || polite=(nice -n 5)
		# Here and not in the first test: it shows its progress, and takes its time.
		case $(option "$group" on lab) in
		host)
			"$LAB_DIR/setup.sh" --host
			# The root is mostly waited for: it is made meanwhile.
			if [ "$#" -gt 1 ]; then
				"$LAB_DIR/setup.sh" &
				ahead=$!
			fi
			;;
		*)
			[ -z "$ahead" ] || wait "$ahead"
			ahead=
			"${polite[@]}" "$LAB_DIR/setup.sh" --kernel "$(option "$group" kernel 6.12)"
			if [ -n "$others" ] && [ -z "$beside" ]; then
				start_beside "$others${spare:+,$spare}"
				others=
			fi
			;;
		esac
		case $(option "$group" on lab) in
		host | root)
			for i in "${mine[@]}"; do
				run_host_test "$i"
			done
			;;
		lab)
			run_group "$group" "${mine[@]}"
			;;
		esac
	done
}

read_list
choose
if [ -n "$show" ]; then
	for i in "${chosen[@]}"; do
		printf '%-40s %5s s  %s\n' "$(full_name "$i")" "${t_timeout[i]}" "${t_command[i]}"
	done
	exit 0
fi

lab_make_tmp check
results=${VHOST_LAB_BESIDE:-$LAB_TMP}
claims=${VHOST_LAB_BESIDE:-$results/beside}.claims
here=() others='' spare='' polite=() wanted=" $(for i in "${chosen[@]}"; do echo -n "${t_group[i]} "; done)"
for group in "${groups[@]}"; do
	[[ $wanted = *" $group "* ]] || continue
	case ${VHOST_LAB_BESIDE:+in-}$(option "$group" beside no) in
	yes) others+=${others:+,}$group ;;
	spare | in-spare) spare+=${spare:+,}$group ;;
	*) here+=("$group") ;;
	esac
done
run_groups "${here[@]}"
# Alone there was nothing to run beside.
IFS=, read -ra rest <<<"$others"
others=
run_groups "${rest[@]}"
IFS=, read -ra rest <<<"$spare"
for group in "${rest[@]}"; do
	! claim "$group" || run_groups "$group"
done
[ -z "$beside" ] || join_beside
if [ -n "${VHOST_LAB_BESIDE:-}" ]; then
	echo "$passed $failed $skipped" >"$results/counts"
	exit
fi
rm -rf "$claims"

# The last run's logs stay.
keep=$(lab_build_dir results)
mkdir -p "$(dirname "$keep")"
rm -rf "$keep"
cp -a "$results" "$keep"
[ "$failed" -eq 0 ] || echo "logs: $keep"
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
echo "$line"
[ "$failed" -eq 0 ]
