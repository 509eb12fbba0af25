/* SPDX-License-Identifier: MIT */
/*
 * bench-usb [--json]: what the carrier usb: costs. The same frames go to the echo (tests/usb/model_echo.c) and back,
 * once through the stream, once in a bare loop over libusb with the same transfers, eight each way.
 */
#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "tap.h"
#include "tests/usb/bed.h"

#define FLIGHTS 8u
#define MOST    66560u /* room of an IN transfer, as the carrier's */

static size_t frame; /* bytes of a frame */
static struct tap tap;
static struct bench bench;

/* ---- the carrier ------------------------------------------------------------------------------------------------- */

static uint64_t by_carrier(void *arg, uint64_t count)
{
	const struct nmhal_stream *stream = &tap.stream;
	const int64_t deadline_ns = nmhal_now_ns() + INT64_C(60000000000);
	static uint8_t bytes[MOST];
	uint64_t sent = 0, got = 0;
	size_t size = 0;

	(void)arg;
	while (got < count) {
		for (; sent < count && sent < got + 2 * FLIGHTS; sent++) /* eight each way */
			bench_check(stream->ops->send(stream->self, bytes, frame, deadline_ns), "send");
		bench_check(stream->ops->recv(stream->self, bytes, sizeof(bytes), &size, deadline_ns), "receive");
		if (size != frame)
			abort();
		got++;
	}
	return got;
}

/* ---- bare libusb ------------------------------------------------------------------------------------------------- */

struct bare {
	struct libusb_context *usb;
	struct libusb_device_handle *handle;
	struct libusb_transfer *out[FLIGHTS], *in[FLIGHTS];
	uint64_t to_send, got;
	unsigned busy; /* transfers */
};

static void post(struct bare *bare, struct libusb_transfer *transfer)
{
	bench_check(libusb_submit_transfer(transfer), "submit");
	bare->busy++;
}

static void LIBUSB_CALL sent_one(struct libusb_transfer *transfer)
{
	struct bare *bare = transfer->user_data;

	if (transfer->status != LIBUSB_TRANSFER_COMPLETED)
		abort();
	bare->busy--;
	if (bare->to_send) {
		bare->to_send--;
		post(bare, transfer);
	}
}

static void LIBUSB_CALL got_one(struct libusb_transfer *transfer)
{
	struct bare *bare = transfer->user_data;

	bare->busy--;
	if (transfer->status == LIBUSB_TRANSFER_CANCELLED)
		return;
	if (transfer->status != LIBUSB_TRANSFER_COMPLETED)
		abort();
	if ((size_t)transfer->actual_length == frame)
		bare->got++;
	post(bare, transfer);
}

static uint64_t by_libusb(void *arg, uint64_t count)
{
	struct bare *bare = arg;

	bare->got = 0;
	bare->to_send = count;
	for (unsigned n = 0; n < FLIGHTS && bare->to_send; n++) {
		bare->out[n]->length = (int)frame;
		bare->out[n]->flags = frame % 512 ? 0 : LIBUSB_TRANSFER_ADD_ZERO_PACKET;
		bare->to_send--;
		post(bare, bare->out[n]);
	}
	while (bare->got < count || bare->busy > FLIGHTS) /* those that are posted for more */
		bench_check(libusb_handle_events(bare->usb), "handle events");
	return bare->got;
}

static struct libusb_transfer *transfer_of(struct bare *bare, uint8_t endpoint, libusb_transfer_cb_fn done)
{
	struct libusb_transfer *transfer = libusb_alloc_transfer(0);

	libusb_fill_bulk_transfer(transfer, bare->handle, endpoint, calloc(1, MOST), MOST, done, bare, 0);
	return transfer;
}

static void bare_open(struct bare *bare)
{
	bench_check(libusb_init(&bare->usb), "libusb_init");
	bare->handle = libusb_open_device_with_vid_pid(bare->usb, 0x1209, 0x0001);
	bench_check(bare->handle ? libusb_claim_interface(bare->handle, 0) : -1, "open");
	for (unsigned n = 0; n < FLIGHTS; n++) {
		bare->out[n] = transfer_of(bare, 0x01, sent_one);
		bare->in[n] = transfer_of(bare, 0x81, got_one);
		post(bare, bare->in[n]);
	}
}

static void bare_close(struct bare *bare)
{
	for (unsigned n = 0; n < FLIGHTS; n++)
		(void)libusb_cancel_transfer(bare->in[n]);
	while (bare->busy)
		bench_check(libusb_handle_events(bare->usb), "handle events");
	for (unsigned n = 0; n < FLIGHTS; n++) {
		free(bare->in[n]->buffer);
		free(bare->out[n]->buffer);
		libusb_free_transfer(bare->in[n]);
		libusb_free_transfer(bare->out[n]);
	}
	(void)libusb_release_interface(bare->handle, 0);
	libusb_close(bare->handle);
	libusb_exit(bare->usb);
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

/* Each has a board of its own, so that both are open at once. */
static void measure(struct bare *bare, size_t size, uint64_t count)
{
	struct bench_metric metric = {.unit = "ns/frame", .goal = 1 / 0.9, .wall = true};
	char name[48];

	frame = size;
	snprintf(name, sizeof(name), "usb echo, frames of %zu bytes", size);
	metric.name = name;
	metric.note = "bare libusb, the same transfers";
	bench_pair(&metric, by_carrier, NULL, by_libusb, bare, count);
	bench_print(&bench, &metric);
	if (!bench.json)
		printf("  payload %.1f MB/s each way, %.1f %% of the rate of bare libusb\n",
			(double)size * 1000 / metric.value, 100 / metric.ratio);
}

/* A test, because the bed asserts; a frame that does not come back ends the program. */
START_TEST(carrier_and_bare_libusb)
{
	struct model_params params = {.serial = NULL};
	struct bare bare = {0};
	struct model model;
	nmhal_context *ctx;
	struct bed *bed = bed_new();

	ck_assert(model_new("echo", &params, &model));
	(void)bed_plug_model(bed, model);
	bare_open(&bare); /* while it is the only one */
	params.serial = "NM-0002";
	ck_assert(model_new("echo", &params, &model));
	(void)bed_plug_model(bed, model);
	ctx = tap_context();
	tap_open(ctx, "usb:echo,serial=NM-0002", &tap);
	measure(&bare, 64, 100);
	measure(&bare, 4096, 100);
	measure(&bare, 65536, 24);
	tap_close(&tap);
	nmhal_context_unref(ctx);
	bare_close(&bare);
	bed_free(bed);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("usb");
	TCase *tcase = tcase_create("usb");
	SRunner *runner = srunner_create(suite);
	int failed;

	bench_options(&bench, argc, argv, "bench-usb [--json]");
	bed_or_skip();
	tcase_set_timeout(tcase, 0);
	tcase_add_test(tcase, carrier_and_bare_libusb);
	suite_add_tcase(suite, tcase);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed || bench.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
