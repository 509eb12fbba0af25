/* SPDX-License-Identifier: MIT */
/* Looks for boards on the USB, and for who holds one. Reads strings, changes nothing. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* A text file of one line; "" if it cannot be read. */
static void read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* The kernel's copy of a string, which everybody may read. */
static void read_sysfs(struct libusb_device *device, const char *name, char text[FTDI_TEXT_SIZE])
{
	uint8_t ports[8];
	char path[128];
	int count = libusb_get_port_numbers(device, ports, sizeof(ports)), used;

	text[0] = '\0';
	if (count < 1)
		return;
	used = snprintf(path, sizeof(path), "/sys/bus/usb/devices/%d-%d", libusb_get_bus_number(device), ports[0]);
	for (int n = 1; n < count; n++)
		used += snprintf(path + used, sizeof(path) - (size_t)used, ".%d", ports[n]);
	snprintf(path + used, sizeof(path) - (size_t)used, "/%s", name);
	read_line(path, text, FTDI_TEXT_SIZE);
}

static void read_string(struct libusb_device_handle *handle, uint8_t index, char text[FTDI_TEXT_SIZE])
{
	int length = index ? libusb_get_string_descriptor_ascii(handle, index, (unsigned char *)text,
		(int)FTDI_TEXT_SIZE - 1) : 0;

	text[length > 0 ? length : 0] = '\0';
}

static void describe(struct libusb_device *device, const struct libusb_device_descriptor *descriptor,
	struct ftdi_find *find)
{
	struct libusb_device_handle *handle;

	snprintf(find->node, sizeof(find->node), "/dev/bus/usb/%03d/%03d", libusb_get_bus_number(device),
		libusb_get_device_address(device));
	find->error = libusb_open(device, &handle);
	if (find->error) {
		read_sysfs(device, "product", find->product);
		read_sysfs(device, "serial", find->serial);
		return;
	}
	read_string(handle, descriptor->iProduct, find->product);
	read_string(handle, descriptor->iSerialNumber, find->serial);
	libusb_close(handle);
}

static bool matches(const struct ftdi_find *find, const struct ftdi_wish *wish)
{
	if (!wish->product && !wish->serial)
		return !strncmp(find->product, "NMHAL", 5);
	return (!wish->product || !strcmp(find->product, wish->product)) &&
		(!wish->serial || !strcmp(find->serial, wish->serial));
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
		struct ftdi_find find = {.device = list[n]};

		if (libusb_get_device_descriptor(list[n], &descriptor))
			continue;
		find.chip = chip_of(&descriptor);
		if (!find.chip)
			continue;
		describe(list[n], &descriptor, &find);
		if (!matches(&find, wish)) {
			(*others)++;
			if (find.error && !find.product[0])
				*closed = find;
		} else if ((*count)++ < capacity) {
			libusb_ref_device(list[n]);
			finds[*count - 1] = find;
		}
	}
	if (devices >= 0)
		libusb_free_device_list(list, 1);
	closed->device = NULL;
	return devices < 0 ? (int)devices : 0;
}

void ftdi_find_free(struct ftdi_find *finds, size_t count)
{
	for (size_t n = 0; n < count; n++)
		libusb_unref_device(finds[n].device);
}

/* Whether a process has the node among its files. */
static bool has_open(const char *process, const char *node)
{
	char path[320], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%s/fd", process);
	files = opendir(path);
	while (files && !found && (entry = readdir(files))) {
		ssize_t length = readlinkat(dirfd(files), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		found = !strcmp(target, node);
	}
	if (files)
		closedir(files);
	return found;
}

bool ftdi_find_holder(const char *node, char text[FTDI_HOLDER_SIZE])
{
	char path[320], command[32];
	struct dirent *entry;
	bool found = false;
	DIR *processes = opendir("/proc");

	while (processes && !found && (entry = readdir(processes))) {
		found = isdigit((unsigned char)entry->d_name[0]) && has_open(entry->d_name, node);
		if (!found)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		read_line(path, command, sizeof(command));
		snprintf(text, FTDI_HOLDER_SIZE, "process %.16s (%s)", entry->d_name, command);
	}
	if (processes)
		closedir(processes);
	return found;
}
