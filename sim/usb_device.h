/* SPDX-License-Identifier: MIT */
/* What all virtual USB devices share: tables of descriptors and the standard requests. */
#ifndef USB_DEVICE_H
#define USB_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#define USB_DEVICE_STALL (-1)
#define USB_STRING_MOST  60u /* characters of a string */
#define USB_STRINGS      4u

enum usb_descriptor {
	USB_DEVICE = 1, USB_CONFIGURATION, USB_STRING, USB_INTERFACE, USB_ENDPOINT, USB_QUALIFIER, USB_BOS = 15
};

struct usb_device {
	const uint8_t *descriptors;            /* device descriptor, then the only configuration */
	const uint8_t *bos;                    /* or NULL */
	size_t descriptors_size, bos_size;
	char strings[USB_STRINGS][USB_STRING_MOST + 1]; /* index 1 first; ASCII, "": none */
	uint8_t configuration;                 /* as SET_CONFIGURATION says */
};

/* Sets string `index` (1 and up); NULL: none. */
void usb_set_string(struct usb_device *usb, unsigned index, const char *text);
/* Text of string `index`; NULL when there is none. */
const char *usb_string(const struct usb_device *usb, unsigned index);
/* `index` for a descriptor, 0 when there is no such string. */
uint8_t usb_string_index(const struct usb_device *usb, unsigned index);
/* String descriptor of ASCII text; its size. */
size_t usb_put_string(const char *text, uint8_t *out);
/* IN data stage: as much of the bytes as the host wants; how many. */
int usb_give(const uint8_t *bytes, size_t size, uint8_t *data, size_t capacity);
/* A standard request: bytes moved or USB_DEVICE_STALL. */
int usb_standard(struct usb_device *usb, const uint8_t setup[8], uint8_t *data, size_t capacity);

#endif
