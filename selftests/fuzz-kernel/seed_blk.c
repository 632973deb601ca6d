// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the inputs to begin with, of the target vhost_blk. Between them they
 * reach each call, each type of request in both dialects, and each backing.
 */
#include "seed.h"

/* Of A_REQ: what, above the type. */
#define IN		0
#define OUT		1
#define FLUSH		2
#define GET_ID		3
#define DISCARD		4
#define ZEROES		5
#define ERASE		6
#define UNMAP		0x10
#define BAD_FLAG	0x20
#define BEHIND		0x40
#define NOTHING		0x80

/* Its shape. */
#define INDIRECT	0x04
#define PIECES		0x08
#define JOIN		0x10
#define ODD		0x20
#define SPOIL		0x80

/* Its length: the index of that. */
#define L_512		0
#define L_4096		1
#define L_1024		2
#define L_8192		3
#define L_0		4
#define L_1		5
#define L_32768		7
#define L_20		9
#define L_513		11

/* Features: the first byte of A_SETUP. */
#define F_PACKED	0x01
#define F_FLUSH		0x02
#define F_EVENT_IDX	0x04
#define F_INDIRECT	0x08
#define F_RANGES	0x30
#define F_ALL		0xfe

/* The second one. */
#define LEGACY		0x01
#define CONFIG_WCE	0x02
#define SECURE_ERASE	0x04
#define WORKERS		0x10
#define PAGES		0x20
#define BATCH		0x40
#define UNOFFERED	0x80

/* Device, by which node, and queue: what actions begin with. */
#define DEV(i)		((i) << 1)
#define NODE(i, node)	(DEV(i) | (node) << 2)
#define CONTROL		NR_DISKS

#define SETUP(disk, f, more)	A_SETUP, NODE(0, disk), (f), (more), 8, 0, 0
#define CLASSIC(b, f, more)	A_SETUP, NODE(0, CONTROL), (f), (more), 8, 0, (b)
#define REQ(n, what, shape, len, sector, ...)				\
	A_REQ, 0, (n) - 1, (what), (shape), (len), WORD(sector), 0, ##__VA_ARGS__
#define CLASS(n, what, len, sector, class)				\
	A_REQ, 0, (n) - 1, (what), 0, (len), WORD(sector), (class)
#define GO		A_KICK, 0, A_WAIT, 0
#define GO1		A_KICK, 1, A_WAIT, 0
#define STATUS(s)	CALL(0, C_VDPA_SET_STATUS, (s))
#define SHUT		CALL(0, C_BLK_SET_BACKEND, 0xff, 0)

/* Every type once, good ones and bad ones, and in any layout. */
#define EVERYTHING							\
	REQ(2, OUT, 0, L_4096, 16), GO, REQ(2, IN, 1, L_4096, 16), GO,		\
	REQ(1, FLUSH, 0, 0, 0), REQ(1, GET_ID, 0, L_20, 0), GO,			\
	REQ(1, DISCARD, 0, 7, 32), REQ(1, ZEROES, 0, 7, 64), GO,		\
	REQ(1, ZEROES | UNMAP, 0, 7, 128), REQ(1, ERASE, 0, 7, 256), GO,		\
	REQ(3, OUT, 3 | ODD, L_8192, 16), REQ(3, IN, 2 | ODD, L_8192, 16), GO,	\
	REQ(3, OUT, JOIN, L_512, 2), REQ(3, IN, JOIN, L_512, 2), GO,		\
	REQ(3, OUT, PIECES, L_32768, 0), REQ(3, IN, PIECES | 3, L_32768, 0), GO,	\
	REQ(1, GET_ID, 0, L_1, 0), REQ(1, GET_ID, 3, L_512, 0), GO

#define WRONG								\
	REQ(1, IN, 0, L_0, 0), REQ(1, IN, 0, L_1, 0), REQ(1, OUT, 0, L_513, 0), GO,	\
	REQ(1, IN, 0, L_512, 0x8000), REQ(1, IN, 0, L_1024, 0x8001),			\
	REQ(1, OUT, 0, L_512, 0xc001), REQ(1, 7, 0, L_512, 0), REQ(1, 8, 0, L_512, 0), GO, \
	REQ(1, 9, 0, L_512, 0), REQ(1, 10, 0, L_512, 0), REQ(1, 11, 0, L_512, 0), GO,	\
	REQ(1, DISCARD | BAD_FLAG, 0, 1, 0), REQ(1, DISCARD | UNMAP, 0, 1, 0),		\
	REQ(1, ZEROES | BEHIND, 0, 2, 0), REQ(1, ZEROES, 0, 0, 0), GO,			\
	REQ(1, ZEROES, 0, 17, 0), REQ(1, DISCARD | NOTHING, 0, 3, 5),			\
	REQ(1, DISCARD, 0, 3, 0x8001), GO

#define SPOILT(how, type)						\
	SETUP(D_RAM, F_ALL, 0), REQ(2, type, SPOIL, L_4096, 0, how), GO,	\
	SETUP(D_MEMFD, F_ALL | F_PACKED, 0), REQ(1, type, SPOIL | 3, L_4096, 0, how), GO, \
	CLASSIC(D_RAM_FREE, F_ALL | F_PACKED, 0),				\
	REQ(1, type, SPOIL | INDIRECT, L_512, 0, how), GO

static int dialects(void)
{
	int failed = 0;

	SEED("ram", SETUP(D_RAM, F_ALL, CONFIG_WCE), EVERYTHING, WRONG);
	SEED("ram_packed", SETUP(D_RAM, F_ALL | F_PACKED, CONFIG_WCE), EVERYTHING, WRONG);
	SEED("ram_through", SETUP(D_RAM, 0, 0), EVERYTHING);
	SEED("null", SETUP(D_NULL, F_ALL, 0), EVERYTHING, WRONG);
	SEED("null_packed", SETUP(D_NULL, F_ALL | F_PACKED, SECURE_ERASE), EVERYTHING);
	SEED("file", SETUP(D_FILE, F_ALL, 0), EVERYTHING, WRONG);
	SEED("file_through", SETUP(D_FILE, F_RANGES, 0), EVERYTHING);
	SEED("memfd", SETUP(D_MEMFD, F_ALL | F_PACKED, 0), EVERYTHING, WRONG);
	SEED("rdonly", SETUP(D_RDONLY, F_ALL, 0), EVERYTHING);
	SEED("indirect", SETUP(D_RAM, F_INDIRECT, 0), REQ(9, OUT, INDIRECT | 3, L_8192, 8), GO,
	     REQ(9, IN, INDIRECT | PIECES | 2, L_8192, 8), GO, REQ(9, FLUSH, INDIRECT, 0, 0), GO);
	SEED("indirect_packed", SETUP(D_RAM, F_INDIRECT | F_PACKED, 0),
	     REQ(9, OUT, INDIRECT | 3, L_8192, 8), GO, REQ(9, IN, INDIRECT | JOIN, L_8192, 8), GO);
	SEED("event_idx", SETUP(D_RAM, F_EVENT_IDX, 0), REQ(60, OUT, 0, L_512, 0), GO,
	     REQ(60, IN, 0, L_512, 0), GO, REQ(60, IN, 0, L_512, 0), GO);
	SEED("classic_ram", CLASSIC(D_RAM_FREE, F_ALL, 0), EVERYTHING, WRONG);
	SEED("classic_packed", CLASSIC(D_RAM_FREE, F_ALL | F_PACKED, WORKERS), EVERYTHING);
	SEED("classic_legacy", CLASSIC(D_MEMFD_FREE, F_ALL, LEGACY), EVERYTHING);
	SEED("classic_rdonly", CLASSIC(D_RAM_FREE | 0x10, 0, 0), EVERYTHING);
	SEED("classic_busy", CLASSIC(D_RAM, F_ALL, 0), REQ(1, IN, 0, 0, 0), GO,
	     CLASSIC(D_WRONG, F_ALL, 0), CLASSIC(D_MEMFD_ODD, F_ALL, 0),
	     REQ(1, IN, 0, L_512, 0), REQ(1, IN, 0, L_512, 1), GO,
	     CLASSIC(D_RDONLY, 0, 0), CLASSIC(D_RDONLY | 0x10, 0, 0), REQ(1, OUT, 0, 0, 0), GO);
	SEED("classic_swap", CLASSIC(D_RAM_FREE, F_ALL, 0), REQ(9, OUT, 0, L_4096, 0), A_KICK, 0, SHUT,
	     CALL(0, C_BLK_SET_BACKEND, D_MEMFD_FREE, 4), REQ(9, IN, 0, L_4096, 0), GO,
	     CALL(0, C_BLK_SET_BACKEND, D_MEMFD_FREE, 0), CALL(0, C_BLK_SET_BACKEND, 0, 0x80), SHUT,
	     CALL(0, C_BLK_SET_BACKEND, 0x85, 0), CALL(0, C_RESET_OWNER));
	SEED("classic_mem", CLASSIC(D_RAM_FREE, F_ALL, 0), REQ(3, OUT, 0, L_4096, 0), GO,
	     CALL(0, C_SET_MEM_TABLE, 2, 17), REQ(9, IN, 0, L_4096, 0), GO,
	     CALL(0, C_SET_MEM_TABLE, 11, 1), REQ(9, IN, 0, L_8192, 0), GO,
	     CALL(0, C_SET_MEM_TABLE, 5, 1), REQ(9, IN, 0, L_8192, 0), GO);
	SEED("second_queue", SETUP(D_RAM, F_ALL, 0), REQ(5, OUT, 0, L_4096, 0),
	     A_REQ, 1, 5, IN, 0, L_4096, 0, 0, 0, A_KICK, 0, GO1,
	     A_SETUP, NODE(1, D_NULL), F_ALL | F_PACKED, 0, 6, 0, 0,
	     A_REQ, DEV(1), 5, IN, 0, L_4096, 0, 0, 0, A_KICK, DEV(1), A_WAIT, DEV(1));
	SEED("small_rings", A_SETUP, NODE(0, D_RAM), F_ALL | F_PACKED, 0, 2, 0, 0,
	     REQ(1, OUT, 0, L_512, 0), GO, REQ(1, IN, 0, L_512, 0), GO, REQ(1, IN, 0, L_512, 0), GO,
	     A_SETUP, NODE(0, D_RAM), F_INDIRECT, 0, 0, 0, 0, REQ(1, OUT, INDIRECT, L_512, 0), GO,
	     REQ(1, OUT, INDIRECT, L_512, 0), GO);
	return failed;
}

static int vdpa(void)
{
	int failed = 0;

	SEED("status", STATUS(1), CALL(0, C_SET_OWNER), STATUS(1), STATUS(3), STATUS(2), STATUS(7),
	     STATUS(11), CALL(0, C_SET_FEATURES, 0, 8), STATUS(15), CALL(0, C_SET_FEATURES, 0, 9),
	     CALL(0, C_VDPA_GET_STATUS), STATUS(143), STATUS(0), STATUS(15), STATUS(64),
	     CALL(0, C_VDPA_GET_STATUS));
	SEED("suspend", SETUP(D_NULL, F_ALL, 0), REQ(20, OUT, 0, L_4096, 0), A_KICK, 0,
	     CALL(0, C_VDPA_SUSPEND), CALL(0, C_GET_VRING_BASE), REQ(20, IN, 0, L_4096, 0), A_KICK, 0,
	     CALL(0, C_SET_VRING_BASE), CALL(0, C_VDPA_SUSPEND), CALL(0, C_VDPA_RESUME), A_WAIT, 0,
	     CALL(0, C_GET_VRING_BASE), CALL(0, C_VDPA_RESUME), REQ(20, IN, 0, L_4096, 0), GO);
	SEED("suspend_packed", SETUP(D_NULL, F_ALL | F_PACKED, 0), REQ(20, OUT, 0, L_4096, 0),
	     A_KICK, 0, CALL(0, C_VDPA_SUSPEND), CALL(0, C_GET_VRING_BASE),
	     CALL(0, C_VDPA_SET_VRING_ENABLE, 0), CALL(0, C_VDPA_RESUME), REQ(9, IN, 0, L_4096, 0), GO,
	     CALL(0, C_VDPA_SET_VRING_ENABLE, 1), GO);
	SEED("reset_in_flight", SETUP(D_NULL, F_ALL, 0), REQ(100, IN, 0, L_8192, 0), A_KICK, 0,
	     STATUS(0), SETUP(D_NULL, F_ALL, 0), REQ(50, OUT, 0, L_4096, 0), A_KICK, 0, A_CLOSE, 0,
	     SETUP(D_FILE, F_ALL, 0), REQ(50, OUT, 0, L_32768, 0), A_KICK, 0, A_CLOSE, 0,
	     SETUP(D_NULL, F_ALL | F_PACKED, 0), REQ(40, IN, 0, L_4096, 0), A_KICK, 0,
	     CALL(0, C_VDPA_SET_VRING_ENABLE, 0), CALL(0, C_VDPA_SET_VRING_ENABLE, 1), GO);
	SEED("config", CALL(0, C_SET_OWNER), CALL(0, C_VDPA_GET_CONFIG, 0, 60),
	     CALL(0, C_VDPA_GET_CONFIG, 0, 96), CALL(0, C_VDPA_GET_CONFIG, 95, 1),
	     CALL(0, C_VDPA_GET_CONFIG, 96, 1), CALL(0, C_VDPA_GET_CONFIG, 0xff, 0xff),
	     CALL(0, C_VDPA_GET_CONFIG, 1, 0xff), CALL(0, C_VDPA_GET_CONFIG, 0, 0),
	     CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 0), SETUP(D_FILE, F_ALL, CONFIG_WCE),
	     CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 0), EVERYTHING,
	     CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 1), CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 2),
	     CALL(0, C_VDPA_SET_CONFIG, 0, 8, 1), CALL(0, C_VDPA_SET_CONFIG, 200, 8, 1));
	SEED("config_ram", SETUP(D_RAM, F_ALL, CONFIG_WCE), CALL(0, C_VDPA_GET_CONFIG, 0, 96),
	     CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 0), EVERYTHING, SETUP(D_NULL, F_ALL, CONFIG_WCE),
	     CALL(0, C_VDPA_GET_CONFIG, 0, 96), CALL(0, C_VDPA_SET_CONFIG, 0xfe, 1, 0),
	     REQ(1, DISCARD, 0, 7, 0), REQ(1, OUT, 0, L_4096, 0), GO);
	SEED("config_call", CALL(0, C_SET_OWNER), CALL(0, C_VDPA_SET_CONFIG_CALL, 0),
	     CALL(0, C_VDPA_SET_CONFIG_CALL, 0xff), CALL(0, C_VDPA_SET_CONFIG_CALL, 0xfe),
	     CALL(0, C_VDPA_SET_CONFIG_CALL, 0), CALL(0, C_VDPA_SET_CONFIG_CALL, 0xfb));
	SEED("maps_pages", SETUP(D_RAM, F_ALL, PAGES), REQ(9, OUT, 0, L_8192, 0), GO,
	     A_MSG, 0, 0, VHOST_IOTLB_INVALIDATE, 17, 0, 0, REQ(9, IN, 0, L_8192, 0), GO,
	     A_MSG, 0, 0, VHOST_IOTLB_UPDATE, 17, 0x30, 17, REQ(9, IN, 0, L_8192, 0), GO);
	SEED("maps_batch", SETUP(D_RAM, F_ALL | F_PACKED, BATCH | PAGES), REQ(9, OUT, 0, L_8192, 0), GO,
	     A_MSG, 0, 4, VHOST_IOTLB_INVALIDATE, 0, 1, 0, REQ(9, IN, 0, L_8192, 0), GO,
	     A_MSG, 0, 4, VHOST_IOTLB_UPDATE, 0, 0x31, 0, A_MSG, 0, 3, VHOST_IOTLB_UPDATE, 0, 0x31, 0,
	     A_MSG, 0, 6, VHOST_IOTLB_UPDATE, 0, 0x31, 0, A_MSG, 0, 7, VHOST_IOTLB_UPDATE, 0, 0x31, 0,
	     SETUP(D_RAM, F_ALL, 0), REQ(9, IN, 0, L_8192, 0), GO);
	SEED("maps_perm", A_SETUP, NODE(0, D_RAM), F_ALL, 0, 8, 1, 0, REQ(2, OUT, 0, L_4096, 0),
	     REQ(2, IN, 0, L_4096, 0), GO, A_SETUP, NODE(0, D_RAM), F_ALL, 0, 8, 2, 0,
	     REQ(2, OUT, 0, L_4096, 0), REQ(2, IN, 0, L_4096, 0), GO,
	     A_SETUP, NODE(0, D_RAM), F_ALL, 0, 8, 4, 0, REQ(2, IN, 0, L_4096, 0), GO,
	     A_SETUP, NODE(0, D_RAM), F_ALL, 0, 0x88, 0, 0, REQ(1, IN, 0, 0, 0), GO);
	SEED("more_features", A_SETUP, NODE(0, D_RAM), 0xff, UNOFFERED | LEGACY | 6, 8, 0, 0,
	     A_SETUP, NODE(0, CONTROL), 0xff, UNOFFERED | 6, 8, 0, D_RAM_FREE,
	     CALL(0, C_SET_FEATURES, 0, 0x31), CALL(0, C_SET_FEATURES_ARRAY, 2, F_ALL, 9, 0, 0));
	SEED("resumed_elsewhere", SETUP(D_RAM, F_ALL, 0), REQ(9, OUT, 0, L_512, 0), GO,
	     CALL(0, C_VDPA_SUSPEND), A_PROTECT, 0, 1, CALL(0, C_VDPA_RESUME), A_PROTECT, 0, 3,
	     CALL(0, C_VDPA_RESUME), CALL(0, C_SET_VRING_NUM, 0x80, WORD(3)),
	     CALL(0, C_VDPA_SET_VRING_ENABLE, 0), CALL(0, C_SET_VRING_NUM, 0x80, WORD(2000)),
	     CALL(0, C_SET_VRING_ADDR, 0, 1, WORD(1)), CALL(0, C_VDPA_SET_VRING_ENABLE, 1));
	return failed;
}

static int disks(void)
{
	int failed = 0;

	SEED("add_del", A_OPEN, NODE(1, CONTROL), CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 0, D_MEMFD_FREE, 2, 0), CALL(2, C_BLK_ADD, 1, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 1, D_MEMFD_FREE, 64, 0x1f), A_STATS, 0, CALL(2, C_BLK_DEL, 0),
	     CALL(2, C_BLK_DEL, 0), CALL(2, C_BLK_DEL, 1), CALL(2, C_BLK_ADD, 8, D_MEMFD_ODD, 1, 4),
	     A_STATS, 0, CALL(2, C_BLK_ADD, 9, D_MEMFD_ODD, 1, 0));
	SEED("add_bad", A_OPEN, NODE(1, CONTROL), CALL(2, C_BLK_ADD, 10, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 11, D_RAM_FREE, 2, 0), CALL(2, C_BLK_ADD, 12, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 13, D_RAM_FREE, 2, 0), CALL(2, C_BLK_ADD, 14, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 15, D_RAM_FREE, 2, 0), CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 0, 0),
	     CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 65, 0), CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 2, 0x20),
	     CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 2, 0x80), CALL(2, C_BLK_ADD, 0, D_WRONG, 2, 1),
	     CALL(2, C_BLK_ADD, 0, 0xff, 2, 0), CALL(2, C_BLK_ADD, 0, 0x80, 2, 0));
	SEED("add_bad2", A_OPEN, NODE(1, CONTROL), CALL(2, C_BLK_ADD, 0, D_RDONLY, 2, 0),
	     CALL(2, C_BLK_ADD, 0, D_RDONLY, 2, 1), CALL(2, C_BLK_ADD, 1, D_RAM, 2, 0),
	     CALL(2, C_BLK_ADD, 1, D_MEMFD, 2, 1), CALL(2, C_BLK_ADD, 1, 0xfd, 2, 0),
	     CALL(2, C_BLK_DEL, 10), CALL(2, C_BLK_DEL, 3), CALL(2, C_BLK_DEL, 4),
	     CALL(2, C_BLK_DEL, 11), A_DISK, 0, 2, WORD(1), CALL(2, C_BLK_ADD, 1, D_RAM_FREE, 2, 0),
	     CALL(2, C_BLK_ADD, 1, D_RAM_FREE, 2, 1));
	SEED("del_open", A_OPEN, NODE(1, CONTROL), SETUP(D_RAM, F_ALL, 0), CALL(2, C_BLK_DEL, 3),
	     REQ(5, OUT, 0, L_512, 0), GO, A_CLOSE, 0, CALL(2, C_BLK_DEL, 3),
	     A_OPEN, NODE(0, D_RAM), CALL(2, C_BLK_ADD, 3, D_RAM, 3, 2), SETUP(D_RAM, F_ALL, 0),
	     REQ(5, OUT, 0, L_512, 0), GO);
	SEED("opened_twice", A_OPEN, NODE(1, D_RAM), SETUP(D_RAM, 0, 0), A_CLOSE, 0,
	     A_OPEN, NODE(1, D_RAM), SETUP(D_RAM, 0, 0), A_FORK, 0, C_VDPA_GET_STATUS,
	     A_FORK, 0x80, C_VDPA_SET_STATUS);
	SEED("resized", SETUP(D_MEMFD, F_ALL, 0), REQ(9, OUT, 0, L_4096, 0), GO, A_DISK, 1, 0, WORD(16),
	     REQ(9, IN, 0, L_4096, 0), GO, A_STATS, 0, A_DISK, 1, 0, WORD(4000),
	     REQ(9, IN, 0, L_4096, 3000), GO, A_DISK, 1, 1, WORD(3000), REQ(9, IN, 0, L_4096, 3000), GO,
	     A_HELP, NODE(0, 1), H_SEND, WORD(8), REQ(60, IN, 0, L_4096, 0), GO,
	     REQ(60, OUT, 0, L_4096, 0), GO, A_HELP_END, 0);
	SEED("resized_file", SETUP(D_FILE, F_ALL, 0), A_HELP, 0, H_SEND, WORD(8),
	     REQ(60, IN, 0, L_4096, 0), GO, REQ(60, ZEROES, 0, 9, 0), GO, A_HELP_END, 0);
	SEED("stats", SETUP(D_FILE, F_ALL, 0), REQ(9, IN, 0, L_4096, 0), GO, A_STATS, 0);
	return failed;
}

static int trouble(void)
{
	int failed = 0;
	unsigned int how;
	char name[32];

	for (how = 0; how < 16; how++) {
		const __u8 in[] = { SPOILT(how, IN) }, out[] = { SPOILT(how, OUT) };
		const __u8 ranges[] = { SPOILT(how, DISCARD) }, id[] = { SPOILT(how, GET_ID) };

		snprintf(name, sizeof(name), "spoilt_in_%u", how);
		failed |= write_seed(name, in, sizeof(in));
		snprintf(name, sizeof(name), "spoilt_out_%u", how);
		failed |= write_seed(name, out, sizeof(out));
		snprintf(name, sizeof(name), "spoilt_ranges_%u", how);
		failed |= write_seed(name, ranges, sizeof(ranges));
		snprintf(name, sizeof(name), "spoilt_id_%u", how);
		failed |= write_seed(name, id, sizeof(id));
	}
	SEED("classes", SETUP(D_NULL, F_ALL, 0), CLASS(20, OUT, L_32768, 0, 3),
	     CLASS(5, IN, L_4096, 0, 1), CLASS(20, OUT, L_32768, 0, 0), CLASS(3, FLUSH, 0, 0, 2), GO,
	     CLASS(20, IN, L_32768, 0, 3), CLASS(20, OUT, L_32768, 0, 1), GO);
	SEED("classes_ram", SETUP(D_RAM, F_ALL | F_PACKED, 0), CLASS(1, IN, L_4096, 0, 1),
	     CLASS(20, OUT, L_32768, 0, 3), A_REQ, 1, 20, OUT, 0, L_32768, 0, 0, 3, A_KICK, 0, GO1,
	     CLASS(5, IN, L_4096, 0, 99), GO, CLASS(50, OUT, L_4096, 0, 2), GO);
	SEED("classes_reset", SETUP(D_FILE, F_ALL, 0), CLASS(1, IN, L_4096, 0, 1),
	     CLASS(60, OUT, L_32768, 0, 3), A_KICK, 0, STATUS(0), SETUP(D_NULL, F_ALL, 0),
	     CLASS(1, IN, L_4096, 0, 1), CLASS(60, IN, L_32768, 0, 3), A_KICK, 0, CALL(0, C_VDPA_SUSPEND),
	     CALL(0, C_VDPA_RESUME), A_WAIT, 0);
	SEED("classes_broken", SETUP(D_NULL, F_ALL, 0), CLASS(1, IN, L_4096, 0, 1),
	     CLASS(60, OUT, L_32768, 0, 3), A_IDX, 0, 0xff, 4, A_KICK, 0, A_IDX, 0, 200, 0, GO);
	SEED("protected", SETUP(D_RAM, F_ALL, 0), A_PROTECT, 16, 1, REQ(9, OUT, 0, L_4096, 0), GO,
	     A_PROTECT, 17, 0, REQ(9, IN, 0, L_4096, 0), GO, A_PROTECT, 18, 2,
	     REQ(9, IN, 3 | ODD, L_4096, 0), GO, A_PROTECT, 48, 1, REQ(2, IN, 0, L_4096, 0), GO);
	SEED("protected_ring", SETUP(D_RAM, F_ALL, 0), REQ(2, OUT, 0, L_4096, 0), A_PROTECT, 52, 0, GO,
	     A_PROTECT, 52, 3, SETUP(D_RAM, F_ALL, 0), REQ(2, OUT, 0, L_4096, 0), A_PROTECT, 2, 1, GO,
	     A_PROTECT, 2, 3, SETUP(D_RAM, F_ALL, 0), REQ(2, OUT, 0, L_4096, 0), A_PROTECT, 0, 4, GO);
	SEED("protected_ranges", SETUP(D_RAM, F_ALL, 0), A_PROTECT, 56, 1, REQ(2, ZEROES, 0, 7, 0), GO,
	     A_PROTECT, 16, 0, A_PROTECT, 17, 1, REQ(2, GET_ID, 0, L_20, 0), GO);
	SEED("gone_in_flight", SETUP(D_NULL, F_ALL, 0), REQ(8, OUT, 0, L_4096, 0), A_KICK, 0,
	     A_PROTECT, 16, 2, A_PROTECT, 17, 4, REQ(8, IN, ODD, L_4096, 0), A_KICK, 0,
	     A_PROTECT, 18, 2, A_PROTECT, 19, 1, A_WAIT, 0, A_PROTECT, 52, 2, REQ(8, IN, 0, L_4096, 0),
	     GO, A_MSG, 0, 0, VHOST_IOTLB_INVALIDATE, 0, 1, 0, A_WAIT, 0);
	SEED("garbage", SETUP(D_RAM, F_INDIRECT, 0), A_CHAINS, 0, 9, 0x00, A_CHAINS, 0, 9, 0x11,
	     A_CHAINS, 0, 9, 0x16, GO, A_CHAIN, 0, 0x2b, 0x33, 3, 2, 1, A_MEM_WRITE, WORD(0x4000), 1, 0, 0,
	     0, GO, A_DESC, 0, 0, 1, 0, WORD(60), 64, A_IDX, 0, 5, 0, GO);
	SEED("polls", SETUP(D_RAM, F_ALL, 0), CALL(0, C_SET_VRING_BUSYLOOP, 50, 0, 0, 0),
	     REQ(9, OUT, 0, L_512, 0), GO, CALL(0, C_SET_POLL_MODE, 1), REQ(9, OUT, 0, L_512, 0), GO,
	     SETUP(D_NULL, F_ALL, 0), REQ(60, IN, 0, L_4096, 0), GO);
	SEED("second_thread", SETUP(D_NULL, F_ALL, 0), A_HELP, 0, H_SCRIBBLE, WORD(0xc000),
	     REQ(40, OUT, 0, L_4096, 0), GO, A_HELP, C_VDPA_SUSPEND << 2, H_IOCTL, WORD(0),
	     REQ(40, IN, 0, L_4096, 0), GO, CALL(0, C_VDPA_RESUME), A_HELP, 0, H_KICK, WORD(0),
	     REQ(40, IN, 0, L_4096, 0), A_HELP, C_VDPA_SET_STATUS << 2, H_IOCTL, WORD(0), GO);
	SEED("second_thread_disks", A_OPEN, NODE(1, CONTROL), A_HELP, DEV(1) | C_BLK_ADD << 2, H_IOCTL,
	     D_MEMFD_FREE << 8 & 0xff, D_MEMFD_FREE, CALL(2, C_BLK_DEL, 0), CALL(2, C_BLK_DEL, 0),
	     A_STATS, 0, CALL(2, C_BLK_DEL, 0), A_HELP_END, 0);
	SEED("failing", A_FAIL, 0, CALL(0, C_SET_OWNER), A_FAIL, 1, SETUP(D_RAM, F_ALL, 0),
	     A_FAIL, 8, SETUP(D_MEMFD, F_ALL, 0), A_FAIL, 0, A_OPEN, NODE(1, D_NULL),
	     A_FAIL, 1, A_OPEN, NODE(1, D_NULL), A_FAIL, 2, A_OPEN, NODE(1, D_NULL),
	     A_FAIL, 3, A_OPEN, NODE(1, CONTROL), A_FAIL, 0, CALL(2, C_BLK_ADD, 0, D_MEMFD_FREE, 2, 0),
	     A_FAIL, 1, CALL(2, C_BLK_ADD, 0, D_MEMFD_FREE, 2, 0),
	     A_FAIL, 3, CALL(2, C_BLK_ADD, 0, D_RAM_FREE, 2, 0), A_FAIL, 0, CALL(0, C_NEW_WORKER, 0));
	SEED("raw", CALL(0, C_SET_OWNER), A_IOCTL_RAW, 0, 0x7d, 0x00, 1, 0, 0, 0, 0, 0, 0, 0,
	     A_IOCTL_RAW, 0, 0x72, 0x05, 1, 0, 0, 0, 0, 0, 0, 0,
	     A_IOCTL_RAW, 0, 0xe2, 0x71, 1, 0, 0, 0, 0, 0, 0, 0);
	return failed;
}

int main(int argc, char **argv)
{
	int err = seed_dir(argc, argv);

	return err ? err : every_call(NR_BLK_CALLS) | dialects() | vdpa() | disks() | trouble();
}
