/* SPDX-License-Identifier: MIT */
/* Looks for boards on the USB. Reads strings, changes nothing. */
#include <string.h>

#include "usb.h"

#define VENDOR 0x0403u

/* Chips with an MPSSE, by product id and release (bcdDevice); a module keeps the ids of its chip. */
static const struct {
	uint16_t product, release;
	const char *chip;
} chips[] = {
	{0x6010, 0x0500, "FT2232D"},
	{0x6010, 0x0700, "FT2232H"},
	{0x6011, 0x0800, "FT4232H"},
	{0x6014, 0x0900, "FT232H"},
};

static const char *chip_of(const struct libusb_device_descriptor *descriptor)
{
	for (size_t n = 0; n < sizeof(chips) / sizeof(*chips); n++)
		if (descriptor->idVendor == VENDOR && descriptor->idProduct == chips[n].product &&
			descriptor->bcdDevice == chips[n].release)
			return chips[n].chip;
	return NULL;
}

static bool matches(const struct ftdi_find *find, const struct ftdi_wish *wish)
{
	if (!wish->product && !wish->serial)
		return !strncmp(find->usb.product, wish->begin, strlen(wish->begin));
	return (!wish->product || !strcmp(find->usb.product, wish->product)) &&
		(!wish->serial || !strcmp(find->usb.serial, wish->serial));
}

int ftdi_find(struct libusb_context *usb, const struct ftdi_wish *wish, struct ftdi_find *finds, size_t capacity,
	size_t *count, size_t *others, struct ftdi_find *closed)
{
	struct libusb_device **list;
	ssize_t devices = libusb_get_device_list(usb, &list);

	*count = 0;
	*others = 0;
	*closed = (struct ftdi_find){0};
	for (ssize_t n = 0; n < devices; n++) {
		struct libusb_device_descriptor descriptor;
		struct ftdi_find find;

		if (libusb_get_device_descriptor(list[n], &descriptor))
			continue;
		find.chip = chip_of(&descriptor);
		if (!find.chip)
			continue;
		usb_board_describe(&find.usb, list[n], &descriptor);
		if (!matches(&find, wish)) {
			(*others)++;
			if (find.usb.error && !find.usb.product[0])
				*closed = find;
		} else if ((*count)++ < capacity) {
			libusb_ref_device(list[n]);
			finds[*count - 1] = find;
		}
	}
	if (devices >= 0)
		libusb_free_device_list(list, 1);
	closed->usb.device = NULL;
	return devices < 0 ? (int)devices : 0;
}

void ftdi_find_free(struct ftdi_find *finds, size_t count)
{
	for (size_t n = 0; n < count; n++)
		libusb_unref_device(finds[n].usb.device);
}
