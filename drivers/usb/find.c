/* SPDX-License-Identifier: MIT */
/* Looks for nmlink boards: any vendor, any product, an interface of class FF whose string begins with NMHAL. */
#include <stdio.h>
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

/* The interfaces of an FTDI chip are called as the product is, but they carry no frames: that is the link ftdi. */
static bool is_ftdi(const struct libusb_device_descriptor *descriptor)
{
	return descriptor->idVendor == 0x0403;
}

static bool is_board(struct libusb_device *device, struct usb_find *find)
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

static void print_port(struct libusb_device *device, char text[USB_TEXT_SIZE])
{
	uint8_t ports[8];
	int count = libusb_get_port_numbers(device, ports, sizeof(ports)), used = 0;

	text[0] = '\0';
	for (int n = 0; n < count; n++)
		used += snprintf(text + used, USB_TEXT_SIZE - (size_t)used, "%s%u", n ? "." : "", ports[n]);
}

static bool matches(const struct usb_find *find, const struct usb_wish *wish)
{
	return (!wish->serial || !strcmp(find->usb.serial, wish->serial)) &&
		(!wish->bus || find->bus == wish->bus) && (!wish->port || !strcmp(find->port, wish->port));
}

int usb_find(struct libusb_context *usb, const struct usb_wish *wish, struct usb_find *finds, size_t capacity,
	size_t *count, size_t *others)
{
	struct libusb_device **list;
	ssize_t devices = libusb_get_device_list(usb, &list);

	*count = 0;
	*others = 0;
	for (ssize_t n = 0; n < devices; n++) {
		struct libusb_device_descriptor descriptor;
		struct usb_find find;

		if (libusb_get_device_descriptor(list[n], &descriptor) || is_ftdi(&descriptor) ||
			!is_board(list[n], &find))
			continue;
		usb_board_describe(&find.usb, list[n], &descriptor);
		find.bus = libusb_get_bus_number(list[n]);
		print_port(list[n], find.port);
		if (!matches(&find, wish)) {
			(*others)++;
		} else if ((*count)++ < capacity) {
			libusb_ref_device(list[n]);
			finds[*count - 1] = find;
		}
	}
	if (devices >= 0)
		libusb_free_device_list(list, 1);
	return devices < 0 ? (int)devices : 0;
}

void usb_find_free(struct usb_find *finds, size_t count)
{
	for (size_t n = 0; n < count; n++)
		libusb_unref_device(finds[n].usb.device);
}
