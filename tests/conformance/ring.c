/* SPDX-License-Identifier: MIT */
/* Output that goes to the ring: order, runs, loss, waiting, a reader beside a run. */
#include <pthread.h>
#include <stdlib.h>

#include "conformance.h"

static struct nmhal_event got[64];

/* One spike of row 0 makes neurons 0..4 fire. */
static void make_burst(void)
{
	for (uint32_t n = 0; n < 5; n++) {
		set_weight(0, n, 1);
		set_neuron(n, 1, 0, 0);
	}
}

/* A run of `count` spikes of row 0, one a step, into the ring. */
static struct nmhal_spike_report run_to_ring(uint32_t count)
{
	struct nmhal_event in[8];
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = count,
		.timeout_ms = RUN_MS};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	ck_assert_uint_le(count, 8);
	for (uint32_t n = 0; n < count; n++)
		in[n] = spike(n, 0);
	OK(nmhal_run_spikes(conf.dev, &op, &report));
	return report;
}

static struct nmhal_spike_read request(size_t capacity)
{
	return (struct nmhal_spike_read){.struct_size = sizeof(struct nmhal_spike_read), .events = got,
		.capacity = capacity};
}

START_TEST(the_ring_gives_each_run_in_order)
{
	struct nmhal_spike_read rd = request(4);

	NEED_LIF();
	make_burst();
	ck_assert_uint_eq(run_to_ring(2).events_lost, 0);
	run_to_ring(1);
	for (uint32_t n = 0; n < 10; n += (uint32_t)rd.count) { /* 10 outputs of run 1, in pieces of up to 4 */
		OK(nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
		ck_assert_uint_eq(rd.run, 1);
		ck_assert_uint_eq(rd.lost, 0);
		ck_assert(rd.count >= 1 && rd.count <= 4 && n + rd.count <= 10);
		for (uint32_t k = 0; k < rd.count; k++) {
			ck_assert_uint_eq(got[k].step, (n + k) / 5);
			ck_assert_uint_eq(got[k].address, (n + k) % 5);
		}
	}
	rd.capacity = 64;
	OK(nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.run, 2);
	ck_assert_uint_eq(rd.count, 5);
	FAILS(NMHAL_E_AGAIN, "none", nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
}
END_TEST

START_TEST(a_full_ring_keeps_the_first_events_and_counts_the_rest)
{
	struct nmhal_spike_read rd = request(64);
	struct nmhal_spike_report report;

	NEED_LIF();
	reopen(7);
	make_burst();
	report = run_to_ring(2);
	ck_assert_uint_eq(report.events_out, 10);
	ck_assert_uint_eq(report.events_lost, 3);
	OK(nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.count, 7);
	ck_assert_uint_eq(rd.lost, 0);
	ck_assert_uint_eq(got[6].address, 1);
	run_to_ring(1);
	OK(nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.count, 5);
	ck_assert_uint_eq(rd.lost, 3);
	ck_assert_uint_eq(rd.run, 2);
}
END_TEST

START_TEST(an_empty_ring_waits_until_the_deadline)
{
	struct nmhal_spike_read rd = request(64);

	NEED_CAN(NMHAL_CAN_SPIKES);
	FAILS(NMHAL_E_TIMEOUT, "20 ms", nmhal_read_spikes(conf.dev, &rd, 20));
	ck_assert_uint_eq(rd.count, 0);
}
END_TEST

START_TEST(bad_reads_are_refused)
{
	struct nmhal_spike_read rd = request(0);

	FAILS(NMHAL_E_INVALID, "room", nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	rd = request(64);
	rd.events = NULL;
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	rd = request(64);
	rd.struct_size = 8;
	FAILS(NMHAL_E_INVALID, "struct", nmhal_read_spikes(conf.dev, &rd, NMHAL_NO_WAIT));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_read_spikes(conf.dev, NULL, NMHAL_NO_WAIT));
}
END_TEST

/* Reads until it has seen 1,000 outputs of the run, then ends it. */
static void *read_and_interrupt(void *count)
{
	struct nmhal_event events[64];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = events, .capacity = 64};
	uint64_t *seen = count;

	while (*seen < 1000 && nmhal_read_spikes(conf.dev, &rd, 10000) == NMHAL_OK)
		*seen += rd.count + rd.lost;
	nmhal_device_interrupt(conf.dev);
	return NULL;
}

START_TEST(a_second_thread_reads_while_the_first_runs)
{
	const struct nmhal_event in = spike(0, 0);
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &in, .in_count = 1,
		.max_events_per_input = NMHAL_NO_LIMIT, .timeout_ms = 30000};
	uint64_t seen = 0;
	pthread_t reader;

	NEED_LIF();
	NEED_ATTR("open_loop");
	set_weight(0, 1, 1);
	set_weight(1, 1, 1);
	set_neuron(1, 1, 0, 0);
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	ck_assert_int_eq(pthread_create(&reader, NULL, read_and_interrupt, &seen), 0);
	FAILS(NMHAL_E_CANCELED, "interrupted", nmhal_run_spikes(conf.dev, &op, NULL));
	pthread_join(reader, NULL);
	ck_assert_uint_ge(seen, 1000);
}
END_TEST

TCase *ring_tests(void)
{
	TCase *tcase = tcase_create("ring");

	tcase_add_test(tcase, the_ring_gives_each_run_in_order);
	tcase_add_test(tcase, a_full_ring_keeps_the_first_events_and_counts_the_rest);
	tcase_add_test(tcase, an_empty_ring_waits_until_the_deadline);
	tcase_add_test(tcase, bad_reads_are_refused);
	tcase_add_test(tcase, a_second_thread_reads_while_the_first_runs);
	return tcase;
}
