# shellcheck shell=bash
# What the benches share on the host's side: rows, plans, sections of the document.
# Sourced. The caller has set $here and $tmp.
# shellcheck disable=SC2154

# The rows of file $1 that T= asks for: those whose name contains one of its words.
select_rows() {
	local row rest word
	grep -v '^#' "$1" | while read -r row rest; do
		[ -n "$row" ] || continue
		if [ -z "${T:-}" ]; then
			echo "$row $rest"
			continue
		fi
		for word in ${T//,/ }; do
			case $row in *"$word"*) echo "$row $rest"; break ;; esac
		done
	done
}

# Who has to run what for the rows in file $1: lines "side mode case...". Sides
# are ours and $2.
make_plan() {
	awk -v other="$2" '
	function want(side, modes, name,    list, n, i, key) {
		n = split(modes, list, ",")
		for (i = 1; i <= n; i++) {
			key = side " " list[i]
			if (!(key in plan))
				order[++keys] = key
			if (index(plan[key] " ", " " name " ") == 0)
				plan[key] = plan[key] " " name
		}
	}
	{ want("ours", $3, $2); want(other, $4, $2) }
	END { for (i = 1; i <= keys; i++) print order[i] plan[order[i]] }' "$1"
}

# Puts file $3 into $2 between the markers named $1.
insert_section() {
	local begin="<!-- $1 begin -->" end="<!-- $1 end -->"
	[ -s "$2" ] || cat "$here/performance.head.md" >"$2"
	grep -qF -- "$begin" "$2" || printf '\n%s\n%s\n' "$begin" "$end" >>"$2"
	awk -v begin="$begin" -v end="$end" -v file="$3" '
	$0 == end { skip = 0 }
	!skip { print }
	$0 == begin { skip = 1; while ((getline line < file) > 0) print line }' "$2" >"$tmp/doc"
	cat "$tmp/doc" >"$2"
}

# Puts the rows of file $3 into the table between the markers named $1 of $2: in
# the place of those that have their names, or behind all.
insert_rows() {
	awk -v begin="<!-- $1 begin -->" -v end="<!-- $1 end -->" -F '|' '
	NR == FNR { if (/^\| [^-r]/ || /^\| r[^o]/) { row[$2] = $0; order[++rows] = $2 } next }
	$0 == begin { inside = 1 }
	inside && /^\|/ { table = 1 }
	inside && /^\|/ && $2 in row { print row[$2]; delete row[$2]; next }
	inside && table && !/^\|/ {
		for (i = 1; i <= rows; i++)
			if (order[i] in row)
				print row[order[i]]
		table = inside = 0
	}
	{ print }' "$3" "$2" >"$tmp/doc"
	cat "$tmp/doc" >"$2"
}
