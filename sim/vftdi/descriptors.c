/* SPDX-License-Identifier: MIT */
/* USB descriptors, EEPROM image and standard requests of the virtual FT2232H. */
#include <string.h>

#include "sim/vftdi/inside.h"

#define VENDOR_FTDI   0x0403u
#define PRODUCT_2232H 0x6010u
#define PRODUCT_232H  0x6014u
#define RELEASE_2232H 0x0700u
#define RELEASE_232H  0x0900u
#define STRING_MOST   60u

enum { DEVICE = 1, CONFIGURATION, STRING, QUALIFIER = 6 };
enum {
	GET_STATUS, CLEAR_FEATURE, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR, GET_CONFIGURATION = 8,
	SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE
};
enum { MANUFACTURER = 1, PRODUCT, SERIAL };

static unsigned low(unsigned number)
{
	return number & 0xFFu;
}

static const char *string_of(const struct vftdi *dev, unsigned index)
{
	const char *const strings[] = {NULL, dev->params.manufacturer, dev->params.product, dev->params.serial};

	return index < sizeof(strings) / sizeof(strings[0]) ? strings[index] : NULL;
}

static uint8_t index_of(const struct vftdi *dev, unsigned index)
{
	return string_of(dev, index) ? (uint8_t)index : 0;
}

/* String descriptor of ASCII text; its size. */
static size_t put_string(const char *text, uint8_t *out)
{
	size_t length = strlen(text);

	out[0] = (uint8_t)(2 + 2 * length);
	out[1] = STRING;
	for (size_t i = 0; i < length; i++) {
		out[2 + 2 * i] = (uint8_t)text[i];
		out[3 + 2 * i] = 0;
	}
	return out[0];
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static uint8_t *append(uint8_t *out, const uint8_t *bytes, size_t size)
{
	memcpy(out, bytes, size);
	return out + size;
}

static void make_descriptors(struct vftdi *dev)
{
	bool one = dev->params.ft232h;
	uint8_t interfaces = one ? 1 : 2, *out = dev->descriptors;
	unsigned product = one ? PRODUCT_232H : PRODUCT_2232H, release = one ? RELEASE_232H : RELEASE_2232H;
	const uint8_t device[] = {18, DEVICE, 0x00, 0x02, 0, 0, 0, 64, VENDOR_FTDI & 0xFFu, VENDOR_FTDI >> 8,
				  (uint8_t)low(product), (uint8_t)(product >> 8), (uint8_t)low(release),
				  (uint8_t)(release >> 8), index_of(dev, MANUFACTURER), index_of(dev, PRODUCT),
				  index_of(dev, SERIAL), 1};
	/* Bus powered, 100 mA. */
	const uint8_t configuration[] = {9, CONFIGURATION, (uint8_t)(9 + 23 * interfaces), 0, interfaces, 1, 0, 0x80,
					 50};

	out = append(out, device, sizeof(device));
	out = append(out, configuration, sizeof(configuration));
	for (uint8_t i = 0; i < interfaces; i++) {
		const uint8_t interface[] = {9, 4, i, 0, 2, 0xFF, 0xFF, 0xFF, index_of(dev, PRODUCT),
					     7, 5, (uint8_t)(VFTDI_A_IN + 2 * i), 2, VFTDI_PACKET & 0xFFu,
					     VFTDI_PACKET >> 8, 0,
					     7, 5, (uint8_t)(VFTDI_A_OUT + 2 * i), 2, VFTDI_PACKET & 0xFFu,
					     VFTDI_PACKET >> 8, 0};

		out = append(out, interface, sizeof(interface));
	}
	dev->descriptors_size = (size_t)(out - dev->descriptors);
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
	const uint8_t *device = dev->descriptors;
	uint8_t *eeprom = dev->eeprom;
	unsigned at = 0x9A, sum;

	memset(eeprom, 0xFF, sizeof(dev->eeprom));
	if (!string_of(dev, MANUFACTURER) && !string_of(dev, PRODUCT) && !string_of(dev, SERIAL))
		return;
	memset(eeprom, 0, sizeof(dev->eeprom));
	memcpy(eeprom + 2, device + 8, 6); /* vendor, product, release */
	eeprom[8] = 0x80;
	eeprom[9] = 50;
	eeprom[10] = string_of(dev, SERIAL) ? 0x08 : 0; /* serial number in use */
	eeprom[0x18] = 0x56;                            /* 93C56 */
	for (unsigned i = MANUFACTURER; i <= SERIAL; i++) {
		const char *text = string_of(dev, i);

		if (!text || at + 2 + 2 * strlen(text) > 254)
			continue;
		eeprom[0x0E + 2 * (i - 1)] = (uint8_t)at;
		eeprom[0x0F + 2 * (i - 1)] = (uint8_t)(2 + 2 * strlen(text));
		at += (unsigned)put_string(text, eeprom + at);
	}
	sum = checksum(eeprom);
	eeprom[254] = (uint8_t)low(sum);
	eeprom[255] = (uint8_t)(sum >> 8);
}

static const char *keep(char *to, const char *text)
{
	if (text)
		strncpy(to, text, STRING_MOST);
	return text ? to : NULL;
}

void vftdi_make_tables(struct vftdi *dev)
{
	dev->params.manufacturer = keep(dev->manufacturer, dev->params.manufacturer);
	dev->params.product = keep(dev->product, dev->params.product);
	dev->params.serial = keep(dev->serial, dev->params.serial);
	make_descriptors(dev);
	make_eeprom(dev);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static int give(const uint8_t *bytes, size_t size, uint8_t *data, size_t capacity)
{
	size_t moved = size < capacity ? size : capacity;

	memcpy(data, bytes, moved);
	return (int)moved;
}

static int get_string(const struct vftdi *dev, unsigned index, uint8_t *data, size_t capacity)
{
	static const uint8_t languages[] = {4, STRING, 0x09, 0x04}; /* English (US) */
	uint8_t string[2 + 2 * STRING_MOST];

	if (index == 0)
		return give(languages, sizeof(languages), data, capacity);
	if (!string_of(dev, index))
		return VFTDI_STALL;
	return give(string, put_string(string_of(dev, index), string), data, capacity);
}

static int get_descriptor(const struct vftdi *dev, unsigned value, uint8_t *data, size_t capacity)
{
	static const uint8_t qualifier[] = {10, QUALIFIER, 0x00, 0x02, 0, 0, 0, 64, 1, 0};

	switch (value >> 8) {
	case DEVICE:
		return give(dev->descriptors, 18, data, capacity);
	case CONFIGURATION:
		return give(dev->descriptors + 18, dev->descriptors_size - 18, data, capacity);
	case STRING:
		return get_string(dev, value & 0xFFu, data, capacity);
	case QUALIFIER:
		return give(qualifier, sizeof(qualifier), data, capacity);
	default:
		return VFTDI_STALL;
	}
}

int vftdi_standard(struct vftdi *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	static const uint8_t zero[2];
	unsigned value = setup[2] | (unsigned)setup[3] << 8;

	switch (setup[1]) {
	case GET_STATUS:
		return give(zero, 2, data, capacity);
	case CLEAR_FEATURE:
	case SET_FEATURE:
	case SET_ADDRESS:
		return 0;
	case GET_DESCRIPTOR:
		return get_descriptor(dev, value, data, capacity);
	case GET_CONFIGURATION:
		return give(&dev->configuration, 1, data, capacity);
	case SET_CONFIGURATION:
		if (value > 1)
			return VFTDI_STALL;
		dev->configuration = (uint8_t)value;
		return 0;
	case GET_INTERFACE:
		return give(zero, 1, data, capacity);
	case SET_INTERFACE:
		return value ? VFTDI_STALL : 0;
	default:
		return VFTDI_STALL;
	}
}
