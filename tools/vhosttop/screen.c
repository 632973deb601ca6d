// SPDX-License-Identifier: GPL-2.0
/* The table on a terminal. */
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vhostctl.h"
#include "vhosttop.h"

static const char help_text[] = "q quit  arrows, PgUp, PgDn, Home scroll  sort: p PID  d device  c %CPU  "
				"w %WAIT  o ops  b bytes  k kicks  s suppressed  i interrupts  r ring  l p99";

/* Lines above the table, its caption included. */
#define TOP	3

bool screen_active;
const char *screen_note;

/* What the user has asked for. */
static struct {
	int key;
	const char *column;
	size_t first;	/* queue */
	int left;	/* column */
} view = { .key = 'd', .column = "DEVICE" };

/* A line of the table, from the column on that is at the left. */
static void put_line(int row, const char *line)
{
	if ((size_t)view.left < strlen(line))
		mvaddnstr(row, 0, line + view.left, COLS);
}

static void draw(const struct sample *s, double seconds, const char *why)
{
	int height = getmaxy(stdscr);
	size_t room = height > TOP + 1 ? height - TOP - 1 : 0, i;
	char line[256], clock[16];
	time_t now = time(NULL);

	if (view.first + room > s->nr)
		view.first = s->nr > room ? s->nr - room : 0;
	erase();
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
	snprintf(line, sizeof(line), "vhosttop %s  every %g s  %zu virtqueues, %zu-%zu  sorted by %s",
		 clock, seconds, s->nr, s->nr ? view.first + 1 : 0,
		 view.first + room < s->nr ? view.first + room : s->nr, view.column);
	mvaddnstr(0, 0, line, COLS);
	if (screen_note)
		mvaddnstr(1, 0, screen_note, COLS);
	else if (why) {
		snprintf(line, sizeof(line), "no latencies: %s", why);
		mvaddnstr(1, 0, line, COLS);
	}
	screen_note = NULL;
	line_of_heads(line, sizeof(line));
	attron(A_REVERSE);
	mvhline(TOP - 1, 0, ' ', COLS);
	put_line(TOP - 1, line);
	attroff(A_REVERSE);
	for (i = 0; i < room && view.first + i < s->nr; i++) {
		line_of_queue(&s->queue[view.first + i], line, sizeof(line));
		put_line(TOP + i, line);
	}
	mvaddnstr(height - 1, 0, help_text, COLS - 1);
	refresh();
}

/* Return: whether to go on. */
static bool handle(int key, struct sample *s)
{
	int height = getmaxy(stdscr);
	size_t page = height > TOP + 2 ? height - TOP - 2 : 1;
	const char *column;

	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case KEY_UP:
		view.first -= view.first > 0;
		break;
	case KEY_DOWN:
		view.first++;
		break;
	case KEY_PPAGE:
		view.first -= view.first < page ? view.first : page;
		break;
	case KEY_NPAGE:
		view.first += page;
		break;
	case KEY_HOME:
		view.first = 0;
		view.left = 0;
		break;
	case KEY_LEFT:
		view.left -= view.left > 8 ? 8 : view.left;
		break;
	case KEY_RIGHT:
		view.left += view.left < 120 ? 8 : 0;
		break;
	default:
		column = sort_by(s, key);
		if (column) {
			view.key = key;
			view.column = column;
			view.first = 0;
		}
	}
	return true;
}

/* Draw, and do what keys say, until it is time for the next sample. */
static bool look_until(unsigned long long end, struct sample *s, double seconds, const char *why)
{
	unsigned long long now;
	int key;

	draw(s, seconds, why);
	while (!ending && (now = now_ns()) < end) {
		timeout((end - now) / 1000000 + 1);
		key = getch();
		if (key == ERR && !isatty(STDIN_FILENO))
			return false;
		if (key == ERR)
			continue;
		if (!handle(key, s))
			return false;
		draw(s, seconds, why);
	}
	return !ending;
}

int run_screen(double seconds, long count, int pid, const char *why)
{
	struct sample s, before = {};
	unsigned long long next = 0;
	int err = EXIT_OK;
	SCREEN *screen;
	bool on = true;

	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return error(EXIT_USAGE, "this terminal is not known (TERM; -b wants none)");
	screen_active = true;
	cbreak();
	noecho();
	keypad(stdscr, true);
	set_escdelay(25);
	curs_set(0);
	while (on && count--) {
		err = sample_take(&s, &before, pid);
		if (err)
			break;
		latency_update(&s);
		sample_free(&before);
		before = s;
		sort_by(&before, view.key);
		next = next_due(next ? next : s.ns, seconds);
		on = look_until(next, &before, seconds, why);
	}
	endwin();
	delscreen(screen);
	screen_active = false;
	if (err)
		error(err, "%s", screen_note ? screen_note : "?");
	sample_free(&before);
	return err;
}
