/* SPDX-License-Identifier: MIT */
#include "describe.h"

#include <stdio.h>

/* libusb takes bus and ports from the shape of the path. */
void describe_path(unsigned bus, unsigned number, char *path, size_t size)
{
	snprintf(path, size, "/devices/pci0000:00/usb%u/%u-%u", bus, bus, number - 1);
}

bool describe_board(const struct vftdi_params *params, unsigned bus, unsigned number, char *text, size_t size)
{
	struct vftdi *device = vftdi_new(params);
	char path[64], hex[512] = "";
	const uint8_t *bytes;
	size_t count = 0, at = 0;
	int n;

	if (!device)
		return false;
	bytes = vftdi_descriptors(device, &count);
	for (size_t i = 0; i < count && at + 3 < sizeof(hex); i++)
		at += (size_t)snprintf(hex + at, sizeof(hex) - at, "%02X", bytes[i]);
	describe_path(bus, number, path, sizeof(path));
	n = snprintf(text, size,
		"P: %s\nN: bus/usb/%03u/%03u\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: DEVTYPE=usb_device\nE: BUSNUM=%03u\n"
		"E: DEVNUM=%03u\nE: DEVNAME=/dev/bus/usb/%03u/%03u\nE: PRODUCT=403/%02x%02x/700\nA: busnum=%u\\n\n"
		"A: devnum=%u\\n\nA: bConfigurationValue=1\\n\nA: speed=480\\n\n"
		"A: idVendor=%02x%02x\\n\nA: idProduct=%02x%02x\\n\n"
		"A: manufacturer=%s\\n\nA: product=%s\\n\nA: serial=%s\\n\nH: descriptors=%s\n",
		path, bus, number, bus, number, bus, number, bytes[11], bytes[10], bus, number, bytes[9], bytes[8],
		bytes[11], bytes[10], params->manufacturer ? params->manufacturer : "",
		params->product ? params->product : "", params->serial ? params->serial : "", hex);
	vftdi_free(device);
	return n > 0 && (size_t)n < size;
}
