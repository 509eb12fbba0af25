/* SPDX-License-Identifier: MIT */
/* USB descriptors and EEPROM image of the virtual FT2232H. */
#include <string.h>

#include "sim/vftdi/inside.h"

#define VENDOR_FTDI   0x0403u
#define PRODUCT_2232H 0x6010u
#define PRODUCT_232H  0x6014u
#define RELEASE_2232H 0x0700u
#define RELEASE_232H  0x0900u

enum { MANUFACTURER = 1, PRODUCT, SERIAL };

static unsigned low(unsigned number)
{
	return number & 0xFFu;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static uint8_t *append(uint8_t *out, const uint8_t *bytes, size_t size)
{
	memcpy(out, bytes, size);
	return out + size;
}

static void make_descriptors(struct vftdi *dev)
{
	const struct usb_device *usb = &dev->usb;
	bool one = dev->params.ft232h;
	uint8_t interfaces = one ? 1 : 2, *out = dev->descriptors;
	unsigned product = one ? PRODUCT_232H : PRODUCT_2232H, release = one ? RELEASE_232H : RELEASE_2232H;
	const uint8_t device[] = {18, USB_DEVICE, 0x00, 0x02, 0, 0, 0, 64, VENDOR_FTDI & 0xFFu, VENDOR_FTDI >> 8,
				  (uint8_t)low(product), (uint8_t)(product >> 8), (uint8_t)low(release),
				  (uint8_t)(release >> 8), usb_string_index(usb, MANUFACTURER),
				  usb_string_index(usb, PRODUCT), usb_string_index(usb, SERIAL), 1};
	/* Bus powered, 100 mA. */
	const uint8_t configuration[] = {9, USB_CONFIGURATION, (uint8_t)(9 + 23 * interfaces), 0, interfaces, 1, 0,
					 0x80, 50};

	out = append(out, device, sizeof(device));
	out = append(out, configuration, sizeof(configuration));
	for (uint8_t i = 0; i < interfaces; i++) {
		const uint8_t interface[] = {9, 4, i, 0, 2, 0xFF, 0xFF, 0xFF, usb_string_index(usb, PRODUCT),
					     7, 5, (uint8_t)(VFTDI_A_IN + 2 * i), 2, VFTDI_PACKET & 0xFFu,
					     VFTDI_PACKET >> 8, 0,
					     7, 5, (uint8_t)(VFTDI_A_OUT + 2 * i), 2, VFTDI_PACKET & 0xFFu,
					     VFTDI_PACKET >> 8, 0};

		out = append(out, interface, sizeof(interface));
	}
	dev->usb.descriptors = dev->descriptors;
	dev->usb.descriptors_size = (size_t)(out - dev->descriptors);
}

/* The words' rotating sum that FTDI keeps in the last word. */
static unsigned checksum(const uint8_t *eeprom)
{
	unsigned sum = 0xAAAAu;

	for (unsigned i = 0; i < 254; i += 2) {
		sum ^= eeprom[i] | (unsigned)eeprom[i + 1] << 8;
		sum = (sum << 1 | sum >> 15) & 0xFFFFu;
	}
	return sum;
}

/* A blank one, or what the descriptors say with the strings that have room. */
static void make_eeprom(struct vftdi *dev)
{
	const struct usb_device *usb = &dev->usb;
	const uint8_t *device = dev->descriptors;
	uint8_t *eeprom = dev->eeprom;
	unsigned at = 0x9A, sum;

	memset(eeprom, 0xFF, sizeof(dev->eeprom));
	if (!usb_string(usb, MANUFACTURER) && !usb_string(usb, PRODUCT) && !usb_string(usb, SERIAL))
		return;
	memset(eeprom, 0, sizeof(dev->eeprom));
	memcpy(eeprom + 2, device + 8, 6); /* vendor, product, release */
	eeprom[8] = 0x80;
	eeprom[9] = 50;
	eeprom[10] = usb_string(usb, SERIAL) ? 0x08 : 0; /* serial number in use */
	eeprom[0x18] = 0x56;                                 /* 93C56 */
	for (unsigned i = MANUFACTURER; i <= SERIAL; i++) {
		const char *text = usb_string(usb, i);

		if (!text || at + 2 + 2 * strlen(text) > 254)
			continue;
		eeprom[0x0E + 2 * (i - 1)] = (uint8_t)at;
		eeprom[0x0F + 2 * (i - 1)] = (uint8_t)(2 + 2 * strlen(text));
		at += (unsigned)usb_put_string(text, eeprom + at);
	}
	sum = checksum(eeprom);
	eeprom[254] = (uint8_t)low(sum);
	eeprom[255] = (uint8_t)(sum >> 8);
}

void vftdi_make_tables(struct vftdi *dev)
{
	usb_set_string(&dev->usb, MANUFACTURER, dev->params.manufacturer);
	usb_set_string(&dev->usb, PRODUCT, dev->params.product);
	usb_set_string(&dev->usb, SERIAL, dev->params.serial);
	make_descriptors(dev);
	make_eeprom(dev);
}
