/* SPDX-License-Identifier: MIT */
#include "sim/usb_device.h"

#include <string.h>

#define DEVICE_SIZE 18u

enum {
	GET_STATUS, CLEAR_FEATURE, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR, GET_CONFIGURATION = 8,
	SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE
};

void usb_set_string(struct usb_device *usb, unsigned index, const char *text)
{
	char *string = usb->strings[index - 1];

	memset(string, 0, USB_STRING_MOST + 1);
	if (text)
		memcpy(string, text, strnlen(text, USB_STRING_MOST));
}

const char *usb_string(const struct usb_device *usb, unsigned index)
{
	return index >= 1 && index <= USB_STRINGS && usb->strings[index - 1][0] ? usb->strings[index - 1] : NULL;
}

uint8_t usb_string_index(const struct usb_device *usb, unsigned index)
{
	return usb_string(usb, index) ? (uint8_t)index : 0;
}

size_t usb_put_string(const char *text, uint8_t *out)
{
	size_t length = strlen(text);

	out[0] = (uint8_t)(2 + 2 * length);
	out[1] = USB_STRING;
	for (size_t i = 0; i < length; i++) {
		out[2 + 2 * i] = (uint8_t)text[i];
		out[3 + 2 * i] = 0;
	}
	return out[0];
}

int usb_give(const uint8_t *bytes, size_t size, uint8_t *data, size_t capacity)
{
	size_t moved = size < capacity ? size : capacity;

	memcpy(data, bytes, moved);
	return (int)moved;
}

static int get_string(const struct usb_device *usb, unsigned index, uint8_t *data, size_t capacity)
{
	static const uint8_t languages[] = {4, USB_STRING, 0x09, 0x04}; /* English (US) */
	uint8_t string[2 + 2 * USB_STRING_MOST];

	if (index == 0)
		return usb_give(languages, sizeof(languages), data, capacity);
	if (!usb_string(usb, index))
		return USB_DEVICE_STALL;
	return usb_give(string, usb_put_string(usb_string(usb, index), string), data, capacity);
}

static int get_descriptor(const struct usb_device *usb, unsigned value, uint8_t *data, size_t capacity)
{
	const uint8_t *device = usb->descriptors;
	/* The other speed has the same classes and as many configurations. */
	const uint8_t qualifier[] = {10, USB_QUALIFIER, device[2], device[3], 0, 0, 0, 64, 1, 0};

	switch (value >> 8) {
	case USB_DEVICE:
		return usb_give(device, DEVICE_SIZE, data, capacity);
	case USB_CONFIGURATION:
		return usb_give(device + DEVICE_SIZE, usb->descriptors_size - DEVICE_SIZE, data, capacity);
	case USB_STRING:
		return get_string(usb, value & 0xFFu, data, capacity);
	case USB_QUALIFIER:
		return usb_give(qualifier, sizeof(qualifier), data, capacity);
	case USB_BOS:
		return usb->bos ? usb_give(usb->bos, usb->bos_size, data, capacity) : USB_DEVICE_STALL;
	default:
		return USB_DEVICE_STALL;
	}
}

int usb_standard(struct usb_device *usb, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	static const uint8_t zero[2];
	unsigned value = setup[2] | (unsigned)setup[3] << 8;

	switch (setup[1]) {
	case GET_STATUS:
		return usb_give(zero, 2, data, capacity);
	case CLEAR_FEATURE:
	case SET_FEATURE:
	case SET_ADDRESS:
		return 0;
	case GET_DESCRIPTOR:
		return get_descriptor(usb, value, data, capacity);
	case GET_CONFIGURATION:
		return usb_give(&usb->configuration, 1, data, capacity);
	case SET_CONFIGURATION:
		if (value > 1)
			return USB_DEVICE_STALL;
		usb->configuration = (uint8_t)value;
		return 0;
	case GET_INTERFACE:
		return usb_give(zero, 1, data, capacity);
	case SET_INTERFACE:
		return value ? USB_DEVICE_STALL : 0;
	default:
		return USB_DEVICE_STALL;
	}
}
