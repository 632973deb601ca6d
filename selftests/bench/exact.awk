# Turns what exact.so counted into instructions per packet by symbol.
#
#   awk -v packets=N -v lines=N [-v show='SYMBOL...'] -f exact.awk kallsyms-sorted counts
#
# show: these symbols' instructions are listed too, each with its count.

FILENAME == ARGV[1] {
	if ($2 ~ /^[tTwW]$/ && $3 !~ /^__pfx_/) {
		addr[++n] = $1
		name[n] = $3 ($4 ? " " $4 : "")
	}
	next
}

$3 == "user" && $1 ~ /^0+$/ {
	count["(the driver's own code)"] = $2
	total += $2
	next
}

{
	# Both files are sorted by address, of 16 digits each: compare as text.
	while (at < n && addr[at + 1] "" <= $1 "")
		at++
	count[name[at]] += $2
	total += $2
	split(name[at], word, " ")
	if (index(" " show " ", " " word[1] " ")) {
		text = $0
		sub(/^[^ ]+ [^ ]+ /, "", text)
		listing[name[at]] = listing[name[at]] sprintf("%9.2f  %s  %s\n", $2 / packets,
			substr($1, 9), text)
	}
}

END {
	printf "# %.1f instructions per packet, counted one by one\n", total / packets
	print "# share, instructions per packet, symbol, module"
	sort = "sort -rn | head -n " lines " | cut -f 2-"
	for (s in count)
		printf "%.0f\t%6.1f%% %9.2f  %s\n", count[s], 100 * count[s] / total,
			count[s] / packets, s | sort
	close(sort)
	for (s in listing)
		printf "# %s: times per packet, address, instruction\n%s", s, listing[s]
}
