# Reads the rows (rows.txt) and then the lines of inside.sh; prints the table
# and writes it as Markdown to the file `doc`. Ends with 1 if a row is missing
# or beyond its limit.
#
# kernel, release, date; ours: 0 if only the other side was measured
# other: the name of that side (in-tree)

BEGIN {
	if (!other)
		other = "in-tree"
}

# The lab's console ends lines as terminals do.
{
	sub(/\r$/, "")
}

# A mode that is not offered: vbench says so, and the row does without.
$1 == "vbench:" && $2 == "SKIP:" {
	next
}

$1 !~ /^[0-9]+$/ {
	row[++rows] = $1
	name[rows] = $2
	modes[rows, "ours"] = $3
	modes[rows, other] = $4
	limit[rows] = kernel == "6.12" ? $5 : $6
	next
}

# phase side case mode median least most title...
$5 ~ /^[0-9.]+$/ {
	key = $2 SUBSEP $3 SUBSEP $4
	sum[key] += $5
	count[key]++
	if (!(key in low) || $6 < low[key])
		low[key] = $6
	if ($7 > high[key])
		high[key] = $7
	what = $8
	for (i = 9; i <= NF; i++)
		what = what " " $i
	title[$3] = what
}

# The cheapest of a side's modes; its name goes to `mode`, spread to `spread`.
function best(side, r,    list, n, i, key, value, least) {
	n = split(modes[r, side], list, ",")
	least = 0
	for (i = 1; i <= n; i++) {
		key = side SUBSEP name[r] SUBSEP list[i]
		if (!(key in sum))
			continue
		value = sum[key] / count[key]
		if (!least || value < least) {
			least = value
			mode = list[i]
			spread = (high[key] - low[key]) / value
		}
	}
	return least
}

function figure(value) {
	return value ? sprintf("%.0f", value) : "-"
}

END {
	printf "%s\n", release
	printf "%-18s %9s %9s %7s %7s %7s\n", "row", other, "ours", "ratio", "limit", "spread"
	print "Kernel " release ", " date "." > doc
	print "" > doc
	print "| row | case | " other " | ours | ratio | limit |" > doc
	print "| --- | --- | ---: | ---: | ---: | ---: |" > doc
	for (r = 1; r <= rows; r++) {
		theirs = best(other, r)
		their_mode = mode
		widest = spread
		mine = best("ours", r)
		if (mine && spread > widest)
			widest = spread
		text = title[name[r]]
		if (modes[r, "ours"] != modes[r, other] || modes[r, "ours"] ~ /,/)
			text = text " (" other ": " their_mode ", ours: " mode ")"
		if (!theirs || !mine) {
			printf "%-18s %9s %9s %7s %7s\n", row[r], figure(theirs), figure(mine), "-", limit[r]
			if (!theirs || ours)
				bad = 1
			continue
		}
		ratio = mine / theirs
		if (limit[r] ~ /^>=/) {
			loses = (ratio < 1)
			over = (mine < substr(limit[r], 3) + 0)
		} else {
			loses = (ratio > 1)
			over = (limit[r] != "-" && ratio > limit[r] + 0)
		}
		bad = (bad || over)
		remark = over ? "  beyond the limit" : loses ? "  loses" : ""
		printf "%-18s %9.0f %9.0f %7.3f %7s %6.1f%%%s\n", row[r], theirs, mine, ratio, limit[r],
			100 * widest, remark
		cell = sprintf(loses ? "**%.3f (loses)**" : "%.3f", ratio)
		printf "| %s | %s | %.0f | %.0f | %s | %s |\n", row[r], text, theirs, mine, cell, limit[r] > doc
		if (loses)
			losing = losing (losing ? ", " : "") row[r]
	}
	print "" > doc
	print (losing ? "Rows where ours costs more: " losing "." : "No row where ours costs more.") > doc
	exit bad
}
