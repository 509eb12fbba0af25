/* SPDX-License-Identifier: MIT */
/* What makes a device an nmlink board, of any vendor: an interface of class FF whose string begins with NMHAL. */
#include <string.h>

#include "usb.h"

static bool says_nmhal(const char *text)
{
	return !strncmp(text, "NMHAL", 5);
}

/* The string of an interface. The kernel's copy first: a device that is not ours is best not opened. */
static void read_name(struct libusb_device *device, const struct libusb_interface_descriptor *of,
	char text[USB_TEXT_SIZE])
{
	struct libusb_device_handle *handle;
	int length;

	usb_board_sysfs(device, of->bInterfaceNumber, "interface", text);
	if (text[0] || libusb_open(device, &handle))
		return;
	length = libusb_get_string_descriptor_ascii(handle, of->iInterface, (unsigned char *)text, USB_TEXT_SIZE - 1);
	text[length > 0 ? length : 0] = '\0';
	libusb_close(handle);
}

/* Bulk endpoints in their order: OUT, IN, and if there is one more IN, that of events. */
static bool take_endpoints(const struct libusb_interface_descriptor *of, struct usb_find *find)
{
	find->out = find->in = find->events = 0;
	for (unsigned n = 0; n < of->bNumEndpoints; n++) {
		const struct libusb_endpoint_descriptor *endpoint = &of->endpoint[n];
		uint8_t address = endpoint->bEndpointAddress;

		if ((endpoint->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK)
			continue;
		if (!(address & LIBUSB_ENDPOINT_IN) && !find->out) {
			find->out = address;
			find->out_packet = endpoint->wMaxPacketSize;
		} else if (address & LIBUSB_ENDPOINT_IN && !find->in) {
			find->in = address;
		} else if (address & LIBUSB_ENDPOINT_IN && !find->events) {
			find->events = address;
		}
	}
	return find->out && find->in && find->out_packet;
}

bool usb_find_interface(struct libusb_device *device, struct usb_find *find)
{
	struct libusb_config_descriptor *config;
	bool found = false;

	if (libusb_get_active_config_descriptor(device, &config))
		return false;
	for (unsigned n = 0; n < config->bNumInterfaces && !found; n++) {
		const struct libusb_interface_descriptor *of = config->interface[n].altsetting;
		char name[USB_TEXT_SIZE];

		if (!config->interface[n].num_altsetting || of->bInterfaceClass != LIBUSB_CLASS_VENDOR_SPEC ||
			!of->iInterface || !take_endpoints(of, find))
			continue;
		read_name(device, of, name);
		find->interface = of->bInterfaceNumber;
		found = says_nmhal(name);
	}
	libusb_free_config_descriptor(config);
	return found;
}
