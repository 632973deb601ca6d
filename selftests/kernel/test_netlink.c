// SPDX-License-Identifier: GPL-2.0
/* The netlink family: what it shows, and what it tells. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/prctl.h>

#include "netlink.h"
#include "vvsock.h"

static void state_is(long long dev, int state)
{
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), state);
}

static void device(void)
{
	struct vmm a, b;
	struct ids ids;
	long long id;
	char comm[32] = "";

	begin_host();
	EXPECT_EQ(dump_ids(&host).nr, 0);
	OK(vmm_open(&a, NULL, 1 << 20));
	id = only_id();
	get(VHOST_CMD_DEV_GET, id, -1);
	text_is(VHOST_A_DEV_DRIVER, "net");
	text_is(VHOST_A_DEV_NODE, "vhost-net");
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 0);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_UNOWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_OWNER_PID) && !nl_attr(&m, VHOST_A_DEV_OWNER_COMM));
	EXPECT(nl_number(&m, VHOST_A_DEV_NETNS_COOKIE) > 0);

	OK(vmm_set_owner(&a));
	OK(vmm_set_features(&a, BIT_ULL(VIRTIO_F_VERSION_1)));
	get(VHOST_CMD_DEV_GET, id, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_OWNED);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), getpid());
	prctl(PR_GET_NAME, comm);
	text_is(VHOST_A_DEV_OWNER_COMM, comm);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_FEATURES), BIT_ULL(VIRTIO_F_VERSION_1));

	/* Another one is another id; one that is closed is gone. */
	OK(vmm_open(&b, NULL, 0));
	ids = dump_ids(&host);
	EXPECT_EQ(ids.nr, 2);
	EXPECT(has(&ids, id));
	OK(vmm_reset_owner(&a));
	state_is(id, VHOST_DEV_STATE_UNOWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_OWNER_PID));
	vmm_close(&a);
	about(VHOST_CMD_DEV_GET, id, -1);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(strstr(host.why, "no such device"));
	EXPECT(only_id() != id);
	vmm_close(&b);
}

static void queues(void)
{
	unsigned int worker;
	long long id;
	int i;

	begin_host();
	vnet_start(&n, NULL);
	id = only_id();
	state_is(id, VHOST_DEV_STATE_RUNNING);
	vnet_tx_check(&n, 0, 20, 60);
	for (i = 0; i < VMM_VQS; i++) {
		get(VHOST_CMD_VQ_GET, id, i);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_DEV_ID), id);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_INDEX), i);
		text_is(VHOST_A_VQ_NAME, i == VMM_RX ? "rx" : "tx");
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_RUNNING);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAYOUT), !!(test_mode & TEST_PACKED));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_SIZE), 256);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAST_AVAIL),
			  vmm_counter(&n.vmm, i, "last_avail"));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAST_USED), vmm_counter(&n.vmm, i, "last_used"));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_IN_FLIGHT), 0);
		OK(vmm_get_worker(&n.vmm, i, &worker));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_WORKER_ID), worker);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_MODE), VHOST_POLL_MODE_FIXED);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_US), 0);
	}
	EXPECT(nl_number(&m, VHOST_A_VQ_LAST_USED) == 20);
	vnet_backend(&n, -1);
	get(VHOST_CMD_VQ_GET, id, VMM_TX);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_STOPPED);
}

/* Whose counters are compared, and how many there were. */
struct counted {
	const struct vmm *vmm;
	unsigned int vq;
	unsigned int nr;
};

static void take_counters(const struct nlmsg *msg, void *arg)
{
	const struct nlattr *c = NULL;
	struct counted *counted = arg;

	EXPECT_EQ(nl_number(msg, VHOST_A_VQ_INDEX), counted->vq);
	while ((c = nl_next(msg, VHOST_A_VQ_COUNTER, c))) {
		const char *name = nl_nested_text(c, VHOST_A_COUNTER_NAME);

		if (nl_nested_number(c, VHOST_A_COUNTER_VALUE) !=
		    vmm_counter(counted->vmm, counted->vq, name))
			test_fail("%s is %lld", name, nl_nested_number(c, VHOST_A_COUNTER_VALUE));
		counted->nr++;
	}
}

static unsigned int lines_of(const char *path)
{
	unsigned int lines = 0;
	FILE *f = fopen(path, "re");
	int c;

	EXPECT(f);
	while ((c = fgetc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

/* The same counters as in debugfs, all of them, with the same values. */
static void counters_are(long long dev, const struct vmm *vmm, unsigned int vq)
{
	struct counted counted = { .vmm = vmm, .vq = vq };
	char path[160];

	about(VHOST_CMD_STAT_GET, dev, vq);
	OK(nl_dump(&host, &m, take_counters, &counted));
	snprintf(path, sizeof(path), "%.100s/vq%u", vmm->stats, vq);
	/* name ... poll_window_ns come before the counters. */
	EXPECT_EQ(counted.nr, lines_of(path) - 9);
}

static void counters(void)
{
	begin_host();
	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 50, 60);
	counters_are(only_id(), &n.vmm, VMM_TX);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "packets") == 50);
}

static void workers(void)
{
	struct vhost_ext_worker_info info;
	const struct nlattr *a;
	unsigned int id;
	__u64 mask[16];
	long long dev;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	nl_begin(&m, VHOST_CMD_WORKER_GET);
	OK(nl_dump(&host, &m, take_worker, &m));
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ID), id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_TID), info.tid);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_POLICY), VHOST_SCHED_POLICY_NORMAL);
	EXPECT_EQ((int)nl_number(&m, VHOST_A_WORKER_NICE), -3);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_PRIORITY), 0);
	a = nl_attr(&m, VHOST_A_WORKER_VQ);
	EXPECT(a && *(__u32 *)(a + 1) == VMM_RX);
	a = nl_next(&m, VHOST_A_WORKER_VQ, a);
	EXPECT(a && *(__u32 *)(a + 1) == VMM_TX);
	EXPECT(!nl_next(&m, VHOST_A_WORKER_VQ, a));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	a = nl_attr(&m, VHOST_A_WORKER_CPUS);
	EXPECT(a && !memcmp(a + 1, mask, a->nla_len - NLA_HDRLEN));
}

static void errors(void)
{
	static const int gets[] = { VHOST_CMD_VQ_GET, VHOST_CMD_WORKER_GET };
	struct vmm v;
	unsigned int i;
	long long dev;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	dev = only_id();
	for (i = 0; i < N(changes); i++) {
		begin_change(changes[i], dev);
		FAILS(nl_do(&host, &m), ENOTCONN);
		EXPECT(strstr(host.why, "no owner"));
		begin_change(changes[i], dev + 1000);
		FAILS(nl_do(&host, &m), ENOENT);
		begin_change(changes[i], 0);
		FAILS(nl_do(&host, &m), ERANGE);
		nl_begin(&m, changes[i]);
		FAILS(nl_do(&host, &m), EINVAL);
		EXPECT(strstr(host.why, "which device?"));
		/* An attribute that is none, and one that is cut. */
		begin_change(changes[i], dev);
		nl_put_u32(&m, 60, 1);
		FAILS(nl_do(&host, &m), EINVAL);
		nl_begin(&m, changes[i]);
		nl_put(&m, VHOST_A_DEV_ID, "\1", 1);
		FAILS(nl_do(&host, &m), EINVAL);
		if (changes[i] == VHOST_CMD_WORKER_NEW)
			continue;
		about(changes[i], dev, -1);
		FAILS(nl_do(&host, &m), EINVAL);
	}
	for (i = 0; i < N(gets); i++) {
		about(gets[i], dev, 1000);
		FAILS(nl_do(&host, &m), ENOENT);
		about(gets[i], dev, -1);
		FAILS(nl_do(&host, &m), EINVAL);
		about(gets[i], dev + 1000, -1);
		FAILS(nl_dump(&host, &m, NULL, NULL), ENOENT);
		about(gets[i], dev, 0);
		FAILS(nl_dump(&host, &m, NULL, NULL), EINVAL);
	}
	about(VHOST_CMD_VQ_SET, dev, 0);
	FAILS(nl_do(&host, &m), EINVAL);
	EXPECT(strstr(host.why, "nothing to change"));
	about(VHOST_CMD_VQ_SET, dev, 0);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, VHOST_POLL_US_MAX + 1);
	FAILS(nl_do(&host, &m), ERANGE);
	about(VHOST_CMD_VQ_SET, dev, 0);
	nl_put_u32(&m, VHOST_A_VQ_POLL_MODE, 2);
	FAILS(nl_do(&host, &m), ERANGE);
	about(VHOST_CMD_VQ_SET, dev, 2);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, 1);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(strstr(host.why, "last virtqueue"));
	about(VHOST_CMD_STAT_GET, dev, 2);
	FAILS(nl_dump(&host, &m, NULL, NULL), ENOENT);
	nl_begin(&m, VHOST_CMD_STAT_GET);
	nl_put_u32(&m, VHOST_A_VQ_INDEX, 0);
	FAILS(nl_dump(&host, &m, NULL, NULL), EINVAL);
	about(VHOST_CMD_STAT_GET, dev, 0);
	FAILS(nl_do(&host, &m), EOPNOTSUPP);
	nl_begin(&m, VHOST_CMD_MAX + 1);
	FAILS(nl_do(&host, &m), EOPNOTSUPP);
	vmm_close(&v);
}

/* ---- dumps while devices come and go ------------------------------------------------- */

#define STABLE	100

static bool churning = true;

static void *churn(void *unused)
{
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		struct vmm v;

		OK(vmm_open(&v, NULL, 0));
		OK(vmm_set_owner(&v));
		vmm_close(&v);
	}
	return unused;
}

struct rows {
	unsigned int nr;
	long long last;
};

/* In order, so none twice: by device, then by number in it. */
static void take_row(const struct nlmsg *msg, void *arg)
{
	long long at = nl_number(msg, VHOST_A_DEV_ID) << 32 | nl_number(msg, VHOST_A_VQ_INDEX);
	struct rows *rows = arg;

	/* Those of one virtqueue's counters may be cut in two. */
	EXPECT(msg->g.cmd == VHOST_CMD_STAT_GET ? at >= rows->last : at > rows->last);
	rows->nr += at > rows->last;
	rows->last = at;
}

/* What does not fit in a buffer goes on in the next one. */
static void dump_many(void)
{
	static const int cmds[] = { VHOST_CMD_VQ_GET, VHOST_CMD_STAT_GET, VHOST_CMD_WORKER_GET };
	static struct vmm v[2 * STABLE];
	unsigned int i;

	begin_host();
	for (i = 0; i < N(v); i++) {
		OK(vmm_open(&v[i], NULL, 0));
		OK(vmm_set_owner(&v[i]));
	}
	for (i = 0; i < N(cmds); i++) {
		struct rows rows = { 0, 0 };

		nl_begin(&m, cmds[i]);
		OK(nl_dump(&host, &m, take_row, &rows));
		EXPECT_EQ(rows.nr, cmds[i] == VHOST_CMD_WORKER_GET ? N(v) : 2 * N(v));
		EXPECT(host.buffers > 5);
		EXPECT(!host.interrupted);
	}
	for (i = 0; i < N(v); i++)
		vmm_close(&v[i]);
}

/* Complete or flagged, and none twice. */
static void dump_under_churn(void)
{
	static struct vmm v[STABLE];
	unsigned int i, k, interrupted = 0, complete = 0;
	struct ids stable, ids;
	pthread_t thread;

	begin_host();
	for (i = 0; i < STABLE; i++)
		OK(vmm_open(&v[i], NULL, 0));
	stable = dump_ids(&host);
	EXPECT_EQ(stable.nr, STABLE);
	EXPECT(host.buffers > 2);
	EXPECT(!host.interrupted);
	EXPECT(!pthread_create(&thread, NULL, churn, NULL));
	/* Both have to be seen: who is slow makes more of the one, who is fast of the other. */
	for (i = 0; i < 100 || (i < 5000 && (!interrupted || !complete)); i++) {
		ids = dump_ids(&host);
		for (k = 1; k < ids.nr; k++)
			EXPECT(ids.id[k] > ids.id[k - 1]);
		if (host.interrupted) {
			interrupted++;
			continue;
		}
		complete++;
		EXPECT(ids.nr >= STABLE);
		for (k = 0; k < STABLE; k++)
			EXPECT(has(&ids, stable.id[k]));
	}
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# %u complete, %u interrupted\n", complete, interrupted);
	EXPECT(interrupted);
	EXPECT_EQ(dump_ids(&host).nr, STABLE);
	EXPECT(!host.interrupted);
	for (i = 0; i < STABLE; i++)
		vmm_close(&v[i]);
}

/* ---- events -------------------------------------------------------------------------- */

static void events(void)
{
	struct nl listener;
	__u64 mask[16] = { 0 };
	unsigned int id;
	struct vmm v;
	long long dev;

	begin_host();
	OK(nl_open(&listener));
	OK(nl_listen(&listener));
	OK(vmm_open(&v, NULL, 0));
	event_is(&listener, VHOST_CMD_DEV_ADD_NTF);
	dev = nl_number(&m, VHOST_A_DEV_ID);
	text_is(VHOST_A_DEV_DRIVER, "net");
	EXPECT_EQ(dev, only_id());
	OK(vmm_set_owner(&v));
	event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
	EXPECT(nl_number(&m, VHOST_A_WORKER_TID) > 0);
	id = nl_number(&m, VHOST_A_WORKER_ID);
	/* Whoever tries: the owner, or the admin. */
	FAILS(vmm_set_affinity(&v, id, mask, sizeof(mask)), EINVAL);
	event_is(&listener, VHOST_CMD_PIN_FAIL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ID), id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ERRNO), EINVAL);
	FAILS(pin(&host, dev, id, mask, 4), EINVAL);
	event_is(&listener, VHOST_CMD_PIN_FAIL_NTF);
	vmm_close(&v);
	event_is(&listener, VHOST_CMD_DEV_DEL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_ID), dev);
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
}

static void event_vq_broken(void)
{
	struct nl listener;

	begin_host();
	OK(nl_open(&listener));
	bad_begin(VMM_TX);
	OK(nl_listen(&listener));
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 0, 0, 0);
	bad_breaks("zero_len", BAD_HEAD);
	event_is(&listener, VHOST_CMD_VQ_BROKEN_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_INDEX), VMM_TX);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_BROKEN);
	text_is(VHOST_A_VQ_REJECTION, "zero_len");
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
}

/* ---- a device of another kind -------------------------------------------------------- */

/* Its driver, queues, workers, and reasons to reject are its own; it has a CID. */
static void vsock(void)
{
	static const int class[] = { VHOST_SCHED_POLICY_BATCH, VHOST_SCHED_POLICY_NORMAL };
	struct virtio_vsock_hdr hdr;
	struct nl listener;
	struct vvsock v;
	long long dev;
	int i;

	begin_host();
	OK(nl_open(&listener));
	OK(nl_listen(&listener));
	vvsock_open(&v, NULL);
	event_is(&listener, VHOST_CMD_DEV_ADD_NTF);
	text_is(VHOST_A_DEV_DRIVER, "vsock");
	dev = nl_number(&m, VHOST_A_DEV_ID);
	for (i = 0; i < 2; i++) {
		event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_POLICY), class[i]);
		EXPECT_EQ((int)nl_number(&m, VHOST_A_WORKER_NICE), -3);
	}
	EXPECT_EQ(dev, only_id());
	get(VHOST_CMD_DEV_GET, dev, -1);
	text_is(VHOST_A_DEV_NODE, "vhost-vsock");
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_OWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_CID));
	OK(vvsock_alloc_cid(&v, &v.cid));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	v.cid = 4260;
	OK(vvsock_set_cid(&v, v.cid));
	OK(vvsock_run(&v, 1));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_RUNNING);
	for (i = 0; i < 2; i++) {
		get(VHOST_CMD_VQ_GET, dev, i);
		text_is(VHOST_A_VQ_NAME, i == VSOCK_RX ? "rx" : "tx");
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_RUNNING);
		get(VHOST_CMD_WORKER_GET, dev, nl_number(&m, VHOST_A_VQ_WORKER_ID));
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQ), i);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQS), 1);
	}
	hdr = vvsock_hdr(&v, 1, 2, VIRTIO_VSOCK_TYPE_STREAM, VIRTIO_VSOCK_OP_REQUEST);
	hdr.src_cid++;
	vvsock_put(&v, &hdr, NULL, 0);
	vvsock_sync(&v);
	EXPECT_EQ(vmm_counter(&v.vmm, VSOCK_TX, "tx_src"), 1);
	for (i = 0; i < 2; i++)
		counters_are(dev, &v.vmm, i);
	OK(vmm_reset_owner(&v.vmm));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_CID));
	OK(vmm_set_owner(&v.vmm));
	for (i = 0; i < 2; i++)
		event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
	OK(vvsock_set_cid(&v, v.cid));
	vvsock_close(&v);
	event_is(&listener, VHOST_CMD_DEV_DEL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_ID), dev);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
}

static const struct test tests[] = {
	TEST_ONCE(device), TEST(queues), TEST_ONCE(counters), TEST_ONCE(workers),
	TEST_ONCE(errors), TEST_ONCE(dump_many), TEST_ONCE(dump_under_churn),
	TEST_ONCE(events), TEST_ONCE(event_vq_broken), TEST_ONCE(vsock),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
