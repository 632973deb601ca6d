# The plot of burst.sh: kernel, data and out are set by it.
set terminal svg size 900,420 font "sans,12" noenhanced background "white"
set output out
set multiplot layout 1,2 title "Instructions a packet by burst, kernel ".kernel
set logscale x 2
set logscale y
set xrange [1:256]
set yrange [500:20000]
set ytics (500, 1000, 2000, 5000, 10000, 20000)
set grid
set xlabel "packets made available at once"
set key top right
series(case, side, mode) = sprintf("< awk '$1 == \"%s\" && $2 == \"%s\" && $4 == \"%s\"' %s", side, mode, case, data)
do for [case in "tx64 rx64"] {
	set title (case eq "tx64" ? "TX 64 B, XDP_DROP" : "RX 64 B")
	plot series(case, "in-tree", "split") using 3:5 with linespoints title "in-tree, split", \
	     series(case, "in-tree", "split+in-order") using 3:5 with linespoints title "in-tree, IN_ORDER", \
	     series(case, "ours", "split") using 3:5 with linespoints title "ours, split", \
	     series(case, "ours", "packed+in-order") using 3:5 with linespoints title "ours, packed, IN_ORDER"
}
unset multiplot
