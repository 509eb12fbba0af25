/* SPDX-License-Identifier: MIT */
/*
 * The port of a real FT2232H. libftdi1 opens it, resets it and hands its channel A over; channel B is claimed on the
 * same handle, so that one event loop serves both. Data goes by libusb transfers of our own: those of libftdi hang on
 * short answers and on cancel.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>

#include "usb.h"

#define CONTROL_MS     1000
#define CONTROL_MIN_MS 50
#define SLICE_NS       INT64_C(10000000)
#define A_INTERFACE    0
#define B_INTERFACE    1

struct usb {
	struct nmhal_host *host;
	struct ftdi_context *ftdi;
	int completed;    /* a transfer has, since the last wait */
	atomic_bool woken;
	bool halted[FTDI_CHANNELS][2]; /* by a stall, [in] */
	int channels;     /* claimed: A, or both */
};

static const unsigned char endpoints[FTDI_CHANNELS][2] = {{0x02, 0x81}, {0x04, 0x83}};

static void usb_close(void *self)
{
	struct usb *usb = self;

	/* What was claimed goes back to the kernel driver that had it. */
	if (usb->channels > 1)
		(void)libusb_release_interface(usb->ftdi->usb_dev, B_INTERFACE);
	(void)ftdi_usb_close(usb->ftdi);
	ftdi_free(usb->ftdi);
	free(usb);
}

static int usb_control(void *self, enum ftdi_channel channel, enum ftdi_request request, unsigned value,
	int64_t deadline_ns)
{
	struct usb *usb = self;
	int64_t left_ms = deadline_ns == NMHAL_NEVER ? CONTROL_MS : (deadline_ns - nmhal_now_ns()) / 1000000;
	unsigned limit_ms = left_ms < CONTROL_MIN_MS ? CONTROL_MIN_MS : left_ms > CONTROL_MS ? CONTROL_MS :
		(unsigned)left_ms;
	int error = libusb_control_transfer(usb->ftdi->usb_dev, FTDI_DEVICE_OUT_REQTYPE, (uint8_t)request,
		(uint16_t)value, (uint16_t)((channel + 1) | value >> 16 << 8), NULL, 0, limit_ms);

	if (error >= 0)
		return NMHAL_OK;
	return nmhal_host_fail(usb->host, usb_status(error), "control request %d, value 0x%04x, of channel %c: %s",
		(int)request, value, 'A' + (int)channel, libusb_strerror(error));
}

/* What a transfer has of ours. */
struct flight {
	struct usb *usb;
	struct ftdi_transfer *transfer;
	struct libusb_transfer *urb;
};

static int usb_alloc(void *self, struct ftdi_transfer *transfer, size_t size)
{
	struct usb *usb = self;
	struct flight *flight = calloc(1, sizeof(*flight));

	transfer->data = malloc(size);
	if (flight)
		*flight = (struct flight){usb, transfer, libusb_alloc_transfer(0)};
	if (flight && flight->urb && transfer->data) {
		transfer->impl = flight;
		return NMHAL_OK;
	}
	if (flight)
		libusb_free_transfer(flight->urb);
	free(flight);
	free(transfer->data);
	transfer->data = NULL;
	return nmhal_host_fail(usb->host, NMHAL_E_NO_MEMORY, "open: no memory for a USB transfer of %zu bytes", size);
}

static void usb_free(void *self, struct ftdi_transfer *transfer)
{
	struct flight *flight = transfer->impl;

	(void)self;
	libusb_free_transfer(flight->urb);
	free(flight);
	free(transfer->data);
}

static void LIBUSB_CALL on_complete(struct libusb_transfer *urb)
{
	struct flight *flight = urb->user_data;
	struct ftdi_transfer *transfer = flight->transfer;

	if (urb->status == LIBUSB_TRANSFER_STALL)
		flight->usb->halted[transfer->channel][transfer->in] = true;
	transfer->status = usb_transfer_status(urb->status);
	transfer->done = (size_t)urb->actual_length;
	transfer->busy = false;
	flight->usb->completed = 1;
}

static int usb_submit(void *self, struct ftdi_transfer *transfer)
{
	struct usb *usb = self;
	struct flight *flight = transfer->impl;
	unsigned char endpoint = endpoints[transfer->channel][transfer->in];
	bool *halted = &usb->halted[transfer->channel][transfer->in];
	int error = 0;

	if (*halted)
		error = libusb_clear_halt(usb->ftdi->usb_dev, endpoint);
	*halted = *halted && error;
	/* No time-out: one that fires may lose bytes. */
	libusb_fill_bulk_transfer(flight->urb, usb->ftdi->usb_dev, endpoint, transfer->data, (int)transfer->size,
		on_complete, flight, 0);
	transfer->done = 0;
	transfer->status = NMHAL_OK;
	if (!error)
		error = libusb_submit_transfer(flight->urb);
	transfer->busy = !error;
	if (!error)
		return NMHAL_OK;
	return nmhal_host_fail(usb->host, usb_status(error), "USB transfer of %zu bytes %s channel %c: %s",
		transfer->size, transfer->in ? "from" : "to", 'A' + (int)transfer->channel, libusb_strerror(error));
}

static void usb_cancel(void *self, struct ftdi_transfer *transfer)
{
	struct flight *flight = transfer->impl;

	(void)self;
	/* NOT_FOUND: it has completed and waits to be reaped. */
	(void)libusb_cancel_transfer(flight->urb);
}

/* In slices, because libusb's own way to interrupt takes a lock, and interrupt() may come from a signal handler. */
static int usb_wait(void *self, int64_t until_ns)
{
	struct usb *usb = self;
	int64_t left_ns;
	int error = 0;

	do {
		int64_t now_ns = nmhal_now_ns();
		struct timeval slice;

		left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
		if (left_ns > SLICE_NS)
			left_ns = SLICE_NS;
		slice = (struct timeval){.tv_usec = (suseconds_t)((left_ns + 999) / 1000)};
		error = libusb_handle_events_timeout_completed(usb->ftdi->usb_ctx, &slice, &usb->completed);
	} while (!error && !usb->completed && left_ns && !atomic_exchange(&usb->woken, false));
	usb->completed = 0;
	if (!error || error == LIBUSB_ERROR_INTERRUPTED)
		return NMHAL_OK;
	return nmhal_host_fail(usb->host, usb_status(error), "USB: %s", libusb_strerror(error));
}

static void usb_interrupt(void *self)
{
	struct usb *usb = self;

	atomic_store(&usb->woken, true);
}

static int usb_counter(void *self, const char *key, uint64_t *value)
{
	(void)self;
	(void)key;
	(void)value;
	return NMHAL_E_UNSUPPORTED;
}

static const struct ftdi_port_ops usb_ops = {
	.close = usb_close,
	.control = usb_control,
	.alloc = usb_alloc,
	.free = usb_free,
	.submit = usb_submit,
	.cancel = usb_cancel,
	.wait = usb_wait,
	.interrupt = usb_interrupt,
	.counter = usb_counter,
};

/* Codes of ftdi_usb_open_dev(). */
static int fail_open(struct nmhal_host *host, const struct usb_board *board, const struct ftdi_context *ftdi, int error)
{
	switch (error) {
	case -5:
		return usb_board_fail(host, board, LIBUSB_ERROR_BUSY);
	case -8:
		return nmhal_host_fail(host, NMHAL_E_ACCESS,
			"open: %s: the kernel driver cannot be detached: permission denied; install 70-nmhal.rules and "
			"replug", board->node);
	default:
		return nmhal_host_fail(host, NMHAL_E_IO, "open: %s: %s (%d)", board->node, ftdi->error_str, error);
	}
}

/* libftdi that fails in its first requests closes without release: channel A would stay without its kernel driver. */
static void give_back(struct libusb_device *device)
{
	struct libusb_device_handle *handle;

	if (libusb_open(device, &handle))
		return;
	(void)libusb_attach_kernel_driver(handle, A_INTERFACE);
	libusb_close(handle);
}

/* Claims channel A, or both; each gets its kernel driver back when it is released. */
static int claim(struct nmhal_host *host, struct ftdi_context *ftdi, const struct usb_board *board, int channels)
{
	int error;

	ftdi->module_detach_mode = AUTO_DETACH_REATACH_SIO_MODULE;
	ftdi->usb_write_timeout = CONTROL_MS;
	ftdi->usb_read_timeout = CONTROL_MS;
	error = ftdi_set_interface(ftdi, INTERFACE_A);
	if (!error)
		error = ftdi_usb_open_dev(ftdi, board->device);
	if (error) {
		give_back(board->device);
		return fail_open(host, board, ftdi, error);
	}
	if (channels > 1)
		error = libusb_claim_interface(ftdi->usb_dev, B_INTERFACE);
	/* A stall that an earlier process met is still there. */
	for (int n = 0; n < 2 * channels && !error; n++)
		error = libusb_clear_halt(ftdi->usb_dev, endpoints[n / 2][n % 2]);
	if (!error)
		return NMHAL_OK;
	if (channels > 1)
		(void)libusb_release_interface(ftdi->usb_dev, B_INTERFACE);
	(void)ftdi_usb_close(ftdi);
	if (error == LIBUSB_ERROR_BUSY)
		return usb_board_fail(host, board, error);
	return nmhal_host_fail(
		host, usb_status(error), "open: %s: claim: %s", board->node, libusb_strerror(error));
}

int ftdi_port_open(struct nmhal_host *host, struct ftdi_context *ftdi, const struct usb_board *board, int channels,
	struct ftdi_port *port)
{
	struct usb *usb = calloc(1, sizeof(*usb));
	int status;

	if (!usb)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the port");
	status = claim(host, ftdi, board, channels);
	if (status != NMHAL_OK) {
		free(usb);
		return status;
	}
	usb->host = host;
	usb->ftdi = ftdi;
	usb->channels = channels;
	port->ops = &usb_ops;
	port->self = usb;
	return NMHAL_OK;
}
