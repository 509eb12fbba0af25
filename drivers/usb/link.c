/* SPDX-License-Identifier: MIT */
/* The link "usb": from a URI to one nmlink board on the USB. */
#include <stdio.h>
#include <string.h>

#include "drivers/common/system.h"
#include "usb.h"

#define BOARDS   16u
#define URI_SIZE 256u

/* The URI that opens this board and no other: its serial number, or where it is plugged in. */
static void print_uri(const struct usb_find *find, char uri[URI_SIZE])
{
	char value[USB_TEXT_SIZE * 3] = "";

	system_print_value(value, sizeof(value), find->usb.serial);
	if (value[0])
		snprintf(uri, URI_SIZE, "usb:nmlink,serial=%s", value);
	else
		snprintf(uri, URI_SIZE, "usb:nmlink,bus=%u,port=%s", find->bus, find->port);
}

static int fail_none(struct nmhal_host *host, const struct usb_wish *wish, size_t others)
{
	char bus[16] = "";

	if (wish->bus)
		snprintf(bus, sizeof(bus), " bus=%u", wish->bus);
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE,
		"open: no nmlink board%s%s%s%s%s on the USB (%zu others); is it plugged in, and its firmware running?",
		wish->serial ? " serial=" : "", wish->serial ? wish->serial : "", bus, wish->port ? " port=" : "",
		wish->port ? wish->port : "", others);
}

static int fail_several(struct nmhal_host *host, const struct usb_find *finds, size_t count)
{
	char names[700] = "", uri[URI_SIZE];
	size_t used = 0;

	for (size_t n = 0; n < count && n < BOARDS && used < sizeof(names); n++) {
		print_uri(&finds[n], uri);
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", uri);
	}
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE,
		"open: %zu boards match; name one of %s, or by bus= and port=", count, names);
}

static int open_wish(struct nmhal_host *host, struct libusb_context *usb, const struct usb_wish *wish,
	int64_t deadline_ns, struct nmhal_stream *stream)
{
	struct usb_find finds[BOARDS];
	size_t count, others;
	int error = usb_find(usb, wish, finds, BOARDS, &count, &others), status;

	if (error)
		return nmhal_host_fail(host, NMHAL_E_IO, "open: list of USB devices: %s", libusb_strerror(error));
	if (!count)
		status = fail_none(host, wish, others);
	else if (count > 1)
		status = fail_several(host, finds, count);
	else if (finds[0].usb.error)
		status = usb_board_fail(host, &finds[0].usb, finds[0].usb.error);
	else
		status = usb_stream_open(host, usb, &finds[0], deadline_ns, stream);
	usb_find_free(finds, count < BOARDS ? count : BOARDS);
	return status;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct usb_wish wish = {nmhal_uri_value(uri, "serial"), nmhal_uri_value(uri, "port"), 0};
	struct libusb_context *usb;
	uint64_t number = 0;
	int status = nmhal_uri_number(host, uri, "bus", 0, 1, 255, &number);

	(void)bus;
	if (status != NMHAL_OK)
		return status;
	wish.bus = (unsigned)number;
	if (libusb_init(&usb))
		return nmhal_host_fail(host, NMHAL_E_IO, "open: libusb could not start: this machine has no USB");
	status = open_wish(host, usb, &wish, deadline_ns, stream);
	if (status != NMHAL_OK)
		libusb_exit(usb);
	return status;
}

static int link_enumerate(struct nmhal_found *found)
{
	const struct usb_wish wish = {NULL, NULL, 0};
	struct usb_find finds[BOARDS];
	size_t count = 0, others;
	struct libusb_context *usb;
	char uri[URI_SIZE];
	int status = NMHAL_OK;

	/* A machine without USB has no boards. */
	if (libusb_init(&usb))
		return NMHAL_OK;
	if (usb_find(usb, &wish, finds, BOARDS, &count, &others))
		count = 0;
	count = count < BOARDS ? count : BOARDS;
	for (size_t n = 0; n < count && status == NMHAL_OK; n++) {
		print_uri(&finds[n], uri);
		status = nmhal_found_add(found, uri, "nmlink", finds[n].usb.serial, usb_board_access(&finds[n].usb));
	}
	usb_find_free(finds, count);
	libusb_exit(usb);
	return status;
}

static const struct nmhal_key link_keys[] = {
	{"serial", "serial number of the board"},
	{"bus", "number of the USB bus, 1 to 255"},
	{"port", "ports from the root hub to the board, 4.2"},
	{NULL, NULL},
};

static const struct nmhal_usb_id link_usb_ids[] = {
	{.name = "NMHAL", .summary = "boards that speak nmlink"},
	{.summary = NULL},
};

extern const struct nmhal_link nm_link_usb;
const struct nmhal_link nm_link_usb = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "usb",
	.summary = "nmlink boards on the USB",
	.default_board = "nmlink",
	.keys = link_keys,
	.enumerate = link_enumerate,
	.open = link_open,
	.usb_ids = link_usb_ids,
};
