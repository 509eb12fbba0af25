/* SPDX-License-Identifier: MIT */
#include "describe.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE   128u
#define DEVICE_SIZE 18u

/* libusb takes bus and ports from the shape of the path. */
void describe_path(unsigned bus, unsigned number, char *path, size_t size)
{
	snprintf(path, size, "/devices/pci0000:00/usb%u/%u-%u", bus, bus, number - 1);
}

/* Appends; false when it does not fit. */
__attribute__((format(printf, 3, 4)))
static bool append(char text[DESCRIBE_SIZE], size_t *used, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + *used, DESCRIBE_SIZE - *used, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= DESCRIBE_SIZE - *used)
		return false;
	*used += (size_t)n;
	return true;
}

/* A string descriptor as ASCII; "" if there is none. */
static const char *string_of(const struct model *model, uint8_t index, char text[TEXT_SIZE])
{
	const uint8_t setup[8] = {0x80, 6, index, 3, 0x09, 0x04, 0xff, 0};
	uint8_t data[255];
	int size = index ? model->ops->control(model->self, setup, data, sizeof(data)) : 0;
	size_t used = 0;

	for (int n = 2; n + 1 < size && used + 1 < TEXT_SIZE; n += 2)
		text[used++] = (char)data[n];
	text[used] = '\0';
	return text;
}

/* Interfaces are folders in that of the device. */
static bool describe_interfaces(const struct model *model, unsigned bus, unsigned number, char *text, size_t *used)
{
	char name[TEXT_SIZE];
	const uint8_t *bytes;
	size_t size;
	bool good = true;

	bytes = model->ops->descriptors(model->self, &size);
	for (size_t at = DEVICE_SIZE; at + 8 < size && good; at += bytes[at])
		if (bytes[at + 1] == 4)
			good = append(text, used, "A: %u-%u:1.%u/interface=%s\\n\n", bus, number - 1, bytes[at + 2],
				string_of(model, bytes[at + 8], name));
	return good;
}

bool describe_device(const struct model *model, unsigned bus, unsigned number, char text[DESCRIBE_SIZE])
{
	char path[64], strings[3][TEXT_SIZE];
	const uint8_t *d;
	size_t size, used = 0;
	bool good;

	d = model->ops->descriptors(model->self, &size);
	describe_path(bus, number, path, sizeof(path));
	good = append(text, &used,
		"P: %s\nN: bus/usb/%03u/%03u\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: DEVTYPE=usb_device\nE: BUSNUM=%03u\n"
		"E: DEVNUM=%03u\nE: DEVNAME=/dev/bus/usb/%03u/%03u\nE: PRODUCT=%x/%x/%x\nA: busnum=%u\\n\n"
		"A: devnum=%u\\n\nA: bConfigurationValue=1\\n\nA: speed=480\\n\n"
		"A: idVendor=%02x%02x\\n\nA: idProduct=%02x%02x\\n\n"
		"A: manufacturer=%s\\n\nA: product=%s\\n\nA: serial=%s\\n\n",
		path, bus, number, bus, number, bus, number, d[8] | (unsigned)d[9] << 8, d[10] | (unsigned)d[11] << 8,
		d[12] | (unsigned)d[13] << 8, bus, number, d[9], d[8], d[11], d[10],
		string_of(model, d[14], strings[0]), string_of(model, d[15], strings[1]),
		string_of(model, d[16], strings[2]));
	good = good && describe_interfaces(model, bus, number, text, &used) && append(text, &used, "H: descriptors=");
	for (size_t n = 0; n < size && good; n++)
		good = append(text, &used, "%02X", d[n]);
	return good && append(text, &used, "\n");
}
