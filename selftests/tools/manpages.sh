#!/bin/bash
# The pages of tools/vhostctl/man: mandoc has nothing to say, all objects and all
# words of the usage texts are there, and what they refer to exists.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl
man=/src/tools/vhostctl/man
top=/src/tools/vhosttop/man

lint() {
	why=$(mandoc -T lint -W warning "$man"/*.8 "$top"/*.8 2>&1)
	[ -z "$why" ]
}

# The words of a usage text's synopsis (up to a sentence or an empty line) that are
# to be typed as they are, options included.
typed() {
	sed '/^\(".*\)*$/,$d; s/^Usage: *//; s/^ *//; s/^vhost[a-z-]* //' |
		grep -oE -- '(^|[][ |])(-{0,2}[a-z][a-z_]*)' | tr -d '][ |' | sort -u
}

# missing PAGE [DIRECTORY]: words on standard input that the page does not have.
missing() {
	mandoc -T ascii "${2:-$man}/$1.8" | col -b | grep -oE -- '-{0,2}[a-z][a-z_]*' | sort -u >"$tmp/has"
	comm -23 - "$tmp/has"
}

objects() {
	"$ctl" -h | sed -nE 's/^  ([a-z]+)  .*/\1/p' | sort >"$tmp/objects"
	[ "$(wc -l <"$tmp/objects")" -ge 8 ] || return
	why=$(missing vhostctl <"$tmp/objects")
	[ -z "$why" ] && why=$(diff "$tmp/objects" <(cd "$man" && printf '%s\n' vhostctl-*.8 | sed 's/vhostctl-\(.*\)\.8/\1/' | sort))
}

words() {
	local object
	why=$("$ctl" -h | typed | missing vhostctl)
	[ -z "$why" ] || return
	why=$(/src/tools/vhost-counters --help | typed | missing vhost-counters)
	[ -z "$why" ] || return
	why=$(/build/tools/vhosttop -h | sed -n 1p | typed | missing vhosttop "$top")
	[ -z "$why" ] || return
	while read -r object; do
		"$ctl" "$object" help | typed >"$tmp/words"
		why="$object: $(missing "vhostctl-$object" <"$tmp/words")"
		[ -s "$tmp/words" ] && [ "$why" = "$object: " ] || return
	done <"$tmp/objects"
}

references() {
	local page
	while read -r page; do
		why="there is no page $page"
		[ -e "$man/$page.8" ] || return
	done < <(sed -n 's/^\.Xr \([^ ]*\) 8.*/\1/p' "$man"/*.8 "$top"/*.8 | sort -u)
}

for name in lint objects words references; do
	check "$name" "$name" || true
done
