/* SPDX-License-Identifier: MIT */
/*
 * What drivers/usb and drivers/ftdi look for on the USB, with devices that say what the input says: this file is libusb
 * for them. An input is a list of devices, up to its end:
 *
 *   u8 kind: 0 any vendor, 1 an FT2232H, 2 an FT232H, 3 an FTDI chip of another release
 *   u8 failures: bit 0 the node cannot be opened, bit 1 no configuration, bit 2 no port numbers, bit 3 no descriptor
 *   u8 index of the strings: product, high half, and serial number, low half
 *   u8 count of ports, as many bytes
 *   u8 size of the configuration descriptor, its bytes with all that follows it
 *   u8 size, bytes of string 1, and so on to string 4
 */
#include <string.h>

#include "drivers/usb/usb.h"
#include "fuzz.h"
#include "host.h"

#define DEVICES    20u
#define INTERFACES 4u
#define SETTINGS   3u
#define ENDPOINTS  6u
#define STRINGS    4u
#define BUS        251 /* that no machine has: nothing comes from its sysfs */

unsigned fuzz_taken;
static struct fuzz_host fuzz;

struct piece {
	const uint8_t *bytes;
	size_t size;
};

struct libusb_device {
	uint8_t kind, failures, strings_of, number;
	struct piece ports, config, strings[STRINGS];
	int refs, open;
};

/* What libusb would make of a configuration. */
struct made {
	struct libusb_config_descriptor config;
	struct libusb_interface interfaces[INTERFACES];
	struct libusb_interface_descriptor settings[INTERFACES][SETTINGS];
	struct libusb_endpoint_descriptor endpoints[INTERFACES][SETTINGS][ENDPOINTS];
	struct libusb_interface_descriptor *setting; /* the last one, and its endpoints; NULL: none */
	struct libusb_endpoint_descriptor *room;
};

static struct libusb_device devices[DEVICES];
static size_t device_count;
static int configs; /* that were given out */

/* ---- the input --------------------------------------------------------------------------------------------------- */

static uint8_t take_byte(struct piece *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->bytes++;
}

static struct piece take_piece(struct piece *in)
{
	const size_t size = take_byte(in);
	const struct piece piece = { in->bytes, size < in->size ? size : in->size };

	in->bytes += piece.size;
	in->size -= piece.size;
	return piece;
}

static void take_device(struct piece *in, struct libusb_device *device, uint8_t number)
{
	*device = (struct libusb_device){ .number = number };
	device->kind = take_byte(in);
	device->failures = take_byte(in);
	device->strings_of = take_byte(in);
	device->ports = take_piece(in);
	device->config = take_piece(in);
	for (size_t n = 0; n < STRINGS; n++)
		device->strings[n] = take_piece(in);
}

/* ---- libusb ------------------------------------------------------------------------------------------------------ */

/* An interface, or one more setting of the last one; what there is no room for is left out. */
static void add_setting(struct made *made, const uint8_t p[9])
{
	uint8_t *count = &made->config.bNumInterfaces;
	struct libusb_interface *interface = *count ? &made->interfaces[*count - 1] : NULL;
	unsigned n;

	made->setting = NULL;
	if (!interface || interface->altsetting->bInterfaceNumber != p[2]) {
		if (*count == INTERFACES)
			return;
		interface = &made->interfaces[*count];
		interface->altsetting = made->settings[(*count)++];
	}
	if (interface->num_altsetting == (int)SETTINGS)
		return;
	n = (unsigned)interface->num_altsetting++;
	made->setting = &made->settings[*count - 1][n];
	made->room = made->endpoints[*count - 1][n];
	*made->setting = (struct libusb_interface_descriptor){ .bInterfaceNumber = p[2], .bAlternateSetting = p[3],
		.bInterfaceClass = p[5], .iInterface = p[8], .endpoint = made->room };
}

static void add_endpoint(struct made *made, const uint8_t p[7])
{
	if (!made->setting || made->setting->bNumEndpoints == ENDPOINTS)
		return;
	made->room[made->setting->bNumEndpoints++] = (struct libusb_endpoint_descriptor){ .bEndpointAddress = p[2],
		.bmAttributes = p[3], .wMaxPacketSize = (uint16_t)(p[4] | p[5] << 8), .bInterval = p[6] };
}

/* Devices are in the order of the list. */
ssize_t libusb_get_device_list(libusb_context *ctx, libusb_device ***list)
{
	(void)ctx;
	*list = calloc(DEVICES + 1, sizeof(**list));
	MUST(*list);
	for (size_t n = 0; n < device_count; n++) {
		devices[n].refs++;
		(*list)[n] = &devices[n];
	}
	return (ssize_t)device_count;
}

void libusb_free_device_list(libusb_device **list, int unref)
{
	for (size_t n = 0; n < device_count && unref; n++)
		libusb_unref_device(list[n]);
	free(list);
}

libusb_device *libusb_ref_device(libusb_device *device)
{
	device->refs++;
	return device;
}

void libusb_unref_device(libusb_device *device)
{
	MUST(device->refs-- > 0);
}

int libusb_get_device_descriptor(libusb_device *device, struct libusb_device_descriptor *descriptor)
{
	static const struct {
		uint16_t vendor, product, release;
	} kinds[] = { { 0x1209, 0x0001, 0x0100 }, { 0x0403, 0x6010, 0x0700 }, { 0x0403, 0x6014, 0x0900 },
		{ 0x0403, 0x6001, 0x0600 } };
	const unsigned kind = device->kind % 4;

	if (device->failures & 8)
		return LIBUSB_ERROR_IO;
	*descriptor = (struct libusb_device_descriptor){ .idVendor = kinds[kind].vendor,
		.idProduct = kinds[kind].product, .bcdDevice = kinds[kind].release,
		.iProduct = device->strings_of >> 4, .iSerialNumber = device->strings_of & 15 };
	return 0;
}

int libusb_get_active_config_descriptor(libusb_device *device, struct libusb_config_descriptor **config)
{
	struct piece in = device->config;
	struct made *made;

	if (device->failures & 2)
		return LIBUSB_ERROR_NOT_FOUND;
	made = calloc(1, sizeof(*made));
	MUST(made);
	made->config.interface = made->interfaces;
	while (in.size >= 2 && in.bytes[0] >= 2 && in.bytes[0] <= in.size) {
		const size_t size = in.bytes[0];

		if (in.bytes[1] == LIBUSB_DT_INTERFACE && size >= 9)
			add_setting(made, in.bytes);
		else if (in.bytes[1] == LIBUSB_DT_ENDPOINT && size >= 7)
			add_endpoint(made, in.bytes);
		in.bytes += size;
		in.size -= size;
	}
	configs++;
	*config = &made->config;
	return 0;
}

void libusb_free_config_descriptor(struct libusb_config_descriptor *config)
{
	configs--;
	free(config);
}

int libusb_open(libusb_device *device, libusb_device_handle **handle)
{
	if (device->failures & 1)
		return LIBUSB_ERROR_ACCESS;
	device->open++;
	*handle = (libusb_device_handle *)device;
	return 0;
}

void libusb_close(libusb_device_handle *handle)
{
	((struct libusb_device *)handle)->open--;
}

/* Any bytes, where libusb makes what is not ASCII a question mark; as it, ended by NUL. */
int libusb_get_string_descriptor_ascii(libusb_device_handle *handle, uint8_t index, unsigned char *data, int size)
{
	const struct libusb_device *device = (const struct libusb_device *)handle;
	const struct piece *string = &device->strings[(index - 1u) % STRINGS];
	size_t length = string->size;

	MUST(index && size > 0 && device->open);
	if (index > STRINGS)
		return LIBUSB_ERROR_PIPE;
	if (length > (size_t)size - 1)
		length = (size_t)size - 1;
	memcpy(data, string->bytes, length);
	data[length] = '\0';
	return (int)length;
}

int libusb_get_port_numbers(libusb_device *device, uint8_t *ports, int count)
{
	if (device->failures & 4 || device->ports.size > (size_t)count)
		return LIBUSB_ERROR_OVERFLOW;
	memcpy(ports, device->ports.bytes, device->ports.size);
	return (int)device->ports.size;
}

uint8_t libusb_get_bus_number(libusb_device *device)
{
	(void)device;
	return BUS;
}

uint8_t libusb_get_device_address(libusb_device *device)
{
	return device->number;
}

/* Nothing is opened for transfers: a context of libusb is needed only as a word. */
int libusb_init(libusb_context **ctx)
{
	*ctx = NULL;
	return 0;
}

void libusb_exit(libusb_context *ctx)
{
	(void)ctx;
}

/* ---- what was found ---------------------------------------------------------------------------------------------- */

static void check_board(const struct usb_board *board)
{
	MUST(board->device && board->device->refs > 0);
	MUST(memchr(board->product, 0, sizeof(board->product)) && memchr(board->serial, 0, sizeof(board->serial)));
	MUST(!strncmp(board->node, "/dev/bus/usb/251/", 17));
	MUST(!board->error == !(board->device->failures & 1));
	MUST(board->bus == BUS && memchr(board->port, 0, sizeof(board->port)));
}

/* Whether the descriptors have an interface of that number, class FF and a string that begins with NMHAL. */
static bool has_interface(const struct libusb_device *device, uint8_t number)
{
	const uint8_t *p = device->config.bytes;

	for (size_t left = device->config.size; left >= 9 && p[0] >= 2 && p[0] <= left; left -= p[0], p += p[0]) {
		const struct piece *name = p[8] >= 1 && p[8] <= STRINGS ? &device->strings[p[8] - 1] : NULL;

		if (p[1] == LIBUSB_DT_INTERFACE && p[2] == number && p[5] == LIBUSB_CLASS_VENDOR_SPEC && name &&
			name->size >= 5 && !memcmp(name->bytes, "NMHAL", 5))
			return true;
	}
	return false;
}

static bool is_mine(struct libusb_device *device, const struct libusb_device_descriptor *descriptor)
{
	struct usb_find find;

	(void)descriptor;
	if (!usb_find_interface(device, &find))
		return false;
	MUST(find.out && !(find.out & LIBUSB_ENDPOINT_IN) && find.in & LIBUSB_ENDPOINT_IN && find.out_packet);
	MUST(!find.events || find.events & LIBUSB_ENDPOINT_IN);
	MUST(has_interface(device, find.interface));
	return true;
}

static const char *name_of(const struct usb_board *board, const char **keys)
{
	(void)keys;
	check_board(board);
	return "nmlink";
}

/* A listed URI is one, and what it means is found again, unless it is one of several that say the same. */
static void check_uri(const char *text)
{
	static const struct usb_family family = { .scheme = "usb", .name = "board", .remedy = "", .begin = "",
		.mine = is_mine, .name_of = name_of };
	struct usb_board board;
	struct usb_wish wish;
	struct nmhal_uri *uri;
	int status;

	MUST(nm_uri_parse(text, &uri) == NMHAL_OK);
	MUST(usb_wish_read(fuzz_host(&fuzz), uri, &wish) == NMHAL_OK);
	MUST(wish.serial || (wish.bus == BUS && wish.port));
	wish.name = NULL;
	status = usb_boards_choose(fuzz_host(&fuzz), NULL, &family, &wish, &board);
	MUST(status == NMHAL_OK || status == NMHAL_E_NO_DEVICE || status == NMHAL_E_ACCESS);
	if (status == NMHAL_OK) {
		check_board(&board);
		libusb_unref_device(board.device);
	}
	nm_uri_free(uri);
}

/* The boards of a link, as a program sees them. */
static size_t look_for(const char *scheme, nmhal_context *ctx)
{
	struct nmhal_device_info info = { .struct_size = sizeof(info) };
	nmhal_device_list *list;
	size_t count;

	MUST(nmhal_enumerate(ctx, scheme, &list) == NMHAL_OK);
	count = nmhal_device_list_count(list);
	MUST(count <= device_count);
	for (size_t n = 0; n < count; n++) {
		MUST(nmhal_device_list_get(list, n, &info) == NMHAL_OK);
		MUST(!strncmp(info.uri, scheme, strlen(scheme)) && info.uri[strlen(scheme)] == ':');
		MUST(strlen(info.serial) < USB_TEXT_SIZE && !info.emulated);
		if (!strcmp(scheme, "usb"))
			check_uri(info.uri);
	}
	nmhal_device_list_free(list);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct piece in = { data, size };
	nmhal_context *ctx;
	size_t boards, chips;

	for (device_count = 0; in.size && device_count < DEVICES; device_count++)
		take_device(&in, &devices[device_count], (uint8_t)(device_count + 1));
	MUST(nmhal_context_new(NULL, &ctx) == NMHAL_OK);
	boards = look_for("usb", ctx);
	chips = look_for("ftdi", ctx);
	fuzz_taken += boards && chips;
	nmhal_context_unref(ctx);
	/* All that was taken was given back. */
	MUST(!configs);
	for (size_t n = 0; n < device_count; n++)
		MUST(!devices[n].refs && !devices[n].open);
	return 0;
}
