/* SPDX-License-Identifier: MIT */
/* The link "usb": from a URI to one nmlink board on the USB. */
#include "usb.h"

#define FTDI_VENDOR 0x0403u

/* The interfaces of an FTDI chip are called as the product is, but they carry no frames: that is the link ftdi. */
static bool is_mine(struct libusb_device *device, const struct libusb_device_descriptor *descriptor)
{
	struct usb_find find;

	return descriptor->idVendor != FTDI_VENDOR && usb_find_interface(device, &find);
}

static const char *name_of(const struct usb_board *board, const char **keys)
{
	(void)board;
	(void)keys;
	return "nmlink";
}

static const struct usb_family family = {
	.scheme = "usb",
	.name = "nmlink board",
	.remedy = "is it plugged in, and its firmware running?",
	.begin = "",
	.mine = is_mine,
	.name_of = name_of,
};

static int open_wish(struct nmhal_host *host, struct libusb_context *usb, const struct usb_wish *wish,
	int64_t deadline_ns, struct nmhal_stream *stream)
{
	struct usb_find find;
	int status = usb_boards_choose(host, usb, &family, wish, &find.usb);

	if (status != NMHAL_OK)
		return status;
	if (usb_find_interface(find.usb.device, &find))
		status = usb_stream_open(host, usb, &find, deadline_ns, stream);
	else
		status = usb_board_fail(host, &find.usb, LIBUSB_ERROR_NO_DEVICE);
	libusb_unref_device(find.usb.device);
	return status;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct libusb_context *usb;
	struct usb_wish wish;
	int status = usb_wish_read(host, uri, &wish);

	(void)bus;
	if (status != NMHAL_OK)
		return status;
	wish.name = NULL; /* any board that speaks nmlink */
	if (libusb_init(&usb))
		return nmhal_host_fail(host, NMHAL_E_IO, "open: libusb could not start: this machine has no USB");
	status = open_wish(host, usb, &wish, deadline_ns, stream);
	if (status != NMHAL_OK)
		libusb_exit(usb);
	return status;
}

static int link_enumerate(struct nmhal_found *found)
{
	return usb_boards_enumerate(&family, found);
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
