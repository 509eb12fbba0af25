/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "system.h"
#include "usb_board.h"

int usb_status(int error)
{
	switch (error) {
	case LIBUSB_ERROR_NO_DEVICE:
		return NMHAL_E_GONE;
	case LIBUSB_ERROR_TIMEOUT:
		return NMHAL_E_TIMEOUT;
	case LIBUSB_ERROR_NO_MEM:
		return NMHAL_E_NO_MEMORY;
	default:
		return NMHAL_E_IO;
	}
}

int usb_transfer_status(enum libusb_transfer_status status)
{
	switch (status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return NMHAL_OK;
	case LIBUSB_TRANSFER_CANCELLED:
		return NMHAL_E_CANCELED;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return NMHAL_E_GONE;
	case LIBUSB_TRANSFER_OVERFLOW:
		return NMHAL_E_PROTOCOL;
	case LIBUSB_TRANSFER_ERROR:
	case LIBUSB_TRANSFER_TIMED_OUT:
	case LIBUSB_TRANSFER_STALL:
	default:
		return NMHAL_E_IO;
	}
}

static void print_port(struct libusb_device *device, char text[USB_TEXT_SIZE])
{
	uint8_t ports[8];
	int count = libusb_get_port_numbers(device, ports, sizeof(ports)), used = 0;

	text[0] = '\0';
	for (int n = 0; n < count; n++)
		used += snprintf(text + used, USB_TEXT_SIZE - (size_t)used, "%s%u", n ? "." : "", ports[n]);
}

void usb_board_sysfs(struct libusb_device *device, int interface, const char *name, char text[USB_TEXT_SIZE])
{
	char path[256], board[USB_TEXT_SIZE + 8], port[USB_TEXT_SIZE];

	text[0] = '\0';
	print_port(device, port);
	if (!port[0])
		return;
	snprintf(board, sizeof(board), "%d-%s", libusb_get_bus_number(device), port);
	if (interface < 0)
		snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/%s", board, name);
	else /* of the first configuration, the only one that boards have */
		snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/%s:1.%d/%s", board, board, interface, name);
	system_read_line(path, text, USB_TEXT_SIZE);
}

static void read_string(struct libusb_device_handle *handle, uint8_t index, char text[USB_TEXT_SIZE])
{
	int length = index ? libusb_get_string_descriptor_ascii(handle, index, (unsigned char *)text,
		(int)USB_TEXT_SIZE - 1) : 0;

	text[length > 0 ? length : 0] = '\0';
}

void usb_board_describe(struct usb_board *board, struct libusb_device *device,
	const struct libusb_device_descriptor *descriptor)
{
	struct libusb_device_handle *handle;

	*board = (struct usb_board){.device = device, .bus = libusb_get_bus_number(device)};
	print_port(device, board->port);
	snprintf(board->node, sizeof(board->node), "/dev/bus/usb/%03d/%03d", libusb_get_bus_number(device),
		libusb_get_device_address(device));
	usb_board_sysfs(device, -1, "product", board->product);
	usb_board_sysfs(device, -1, "serial", board->serial);
	board->error = libusb_open(device, &handle);
	if (board->error)
		return;
	if (!board->product[0])
		read_string(handle, descriptor->iProduct, board->product);
	if (!board->serial[0])
		read_string(handle, descriptor->iSerialNumber, board->serial);
	libusb_close(handle);
}

int usb_board_access(const struct usb_board *board)
{
	char holder[SYSTEM_HOLDER_SIZE];

	if (board->error)
		return NMHAL_E_ACCESS;
	return system_holder(board->node, holder) ? NMHAL_E_BUSY : NMHAL_OK;
}

int usb_board_fail(struct nmhal_host *host, const struct usb_board *board, int error)
{
	char holder[SYSTEM_HOLDER_SIZE];

	switch (error) {
	case LIBUSB_ERROR_ACCESS:
		return nmhal_host_fail(host, NMHAL_E_ACCESS,
			"open: %s: permission denied; install 70-nmhal.rules and replug", board->node);
	case LIBUSB_ERROR_BUSY:
		if (system_holder(board->node, holder))
			return nmhal_host_fail(
				host, NMHAL_E_BUSY, "open: %s: held by %s; end it", board->node, holder);
		return nmhal_host_fail(host, NMHAL_E_BUSY,
			"open: %s: held by a process of another user, or by a kernel driver that does not give it up",
			board->node);
	default:
		return nmhal_host_fail(
			host, usb_status(error), "open: %s: %s", board->node, libusb_strerror(error));
	}
}
