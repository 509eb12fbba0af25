/* SPDX-License-Identifier: MIT */
/* The link "ftdi": from a URI to one board on the USB. */
#include <stdio.h>
#include <string.h>

#include "drivers/common/system.h"
#include "usb.h"

#define TIMEOUT_MS   10000
#define CLK_HZ       50000000u
#define CLK_MIN_HZ   2000u
#define CLK_MAX_HZ   1000000000u
#define SCK_MAX_HZ   30000000u
#define LATENCY_MS   2u
#define BOARDS       16u
#define URI_SIZE     256u

/* The URI that opens this board and no other, as far as its strings tell. */
static void print_uri(const struct ftdi_find *find, char uri[URI_SIZE])
{
	const char *key = find->usb.serial[0] ? "serial" : "product";
	char value[USB_TEXT_SIZE * 3] = "";

	system_print_value(value, sizeof(value), find->usb.serial[0] ? find->usb.serial : find->usb.product);
	snprintf(uri, URI_SIZE, "ftdi:tinyodin,%s=%s", key, value);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* "with serial=..., product=..." of a wish, for sentences. */
static void print_wish(const struct ftdi_wish *wish, char *text, size_t size)
{
	if (!wish->product && !wish->serial)
		snprintf(text, size, "whose product string begins with NMHAL");
	else
		snprintf(text, size, "with %s%s%s%s%s", wish->serial ? "serial=" : "", wish->serial ? wish->serial : "",
			wish->serial && wish->product ? ", " : "", wish->product ? "product=" : "",
			wish->product ? wish->product : "");
}

static int fail_none(struct nmhal_host *host, const struct ftdi_wish *wish, size_t others,
	const struct ftdi_find *closed)
{
	char text[192];

	if (closed->usb.error == LIBUSB_ERROR_ACCESS)
		return nmhal_host_fail(host, NMHAL_E_ACCESS,
			"open: %s (%s, strings unknown): permission denied; install 70-nmhal.rules and replug",
			closed->usb.node, closed->chip);
	print_wish(wish, text, sizeof(text));
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE,
		"open: no FTDI board %s among %zu attached; plug it in, or name a module with ftdi_eeprom "
		"(docs/ftdi.md)",
		text, others);
}

static int fail_several(struct nmhal_host *host, const struct ftdi_find *finds, size_t count)
{
	char names[700] = "", uri[URI_SIZE];
	size_t used = 0;

	for (size_t n = 0; n < smaller(count, BOARDS) && used < sizeof(names); n++) {
		print_uri(&finds[n], uri);
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", uri);
	}
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: %zu boards match; name one of %s", count, names);
}

/* The one board of the wish, or a sentence. */
static int choose(struct nmhal_host *host, struct ftdi_context *ftdi, const struct ftdi_wish *wish,
	struct ftdi_find *chosen)
{
	struct ftdi_find finds[BOARDS], closed;
	size_t count, others;
	int error = ftdi_find(ftdi->usb_ctx, wish, finds, BOARDS, &count, &others, &closed), status = NMHAL_OK;

	if (error)
		status = nmhal_host_fail(host, NMHAL_E_IO, "open: list of USB devices: %s", libusb_strerror(error));
	else if (!count)
		status = fail_none(host, wish, others, &closed);
	else if (count > 1)
		status = fail_several(host, finds, count);
	else if (finds[0].usb.error)
		status = usb_board_fail(host, &finds[0].usb, finds[0].usb.error);
	else if (strcmp(finds[0].chip, "FT2232H"))
		status = nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
			"open: %s: the board has an %s; an FT2232H with its two MPSSE channels is needed",
			finds[0].usb.node, finds[0].chip);
	if (status == NMHAL_OK)
		*chosen = finds[0];
	else
		ftdi_find_free(finds, smaller(count, BOARDS));
	return status;
}

static int read_keys(struct nmhal_host *host, const struct nmhal_uri *uri, struct ftdi_board *board,
	struct ftdi_wish *wish)
{
	uint64_t clk_hz = 0, sck_hz = 0, strict = 0, latency = 0;
	int status;

	if (strcmp(nmhal_uri_board(uri), "tinyodin"))
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE,
			"open: no board %s behind an FT2232H; there is: tinyodin", nmhal_uri_board(uri));
	status = nmhal_uri_number(host, uri, "clk_hz", CLK_HZ, CLK_MIN_HZ, CLK_MAX_HZ, &clk_hz);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "sck_hz", 0, CLK_MIN_HZ / 4, SCK_MAX_HZ, &sck_hz);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "strict", 0, 0, 1, &strict);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "latency", LATENCY_MS, 1, 255, &latency);
	*board = (struct ftdi_board){
		.clk_hz = clk_hz,
		.sck_hz = (uint32_t)sck_hz,
		.strict = strict,
		.latency_ms = (uint8_t)latency,
		.default_timeout_ms = TIMEOUT_MS,
	};
	*wish = (struct ftdi_wish){nmhal_uri_value(uri, "product"), nmhal_uri_value(uri, "serial")};
	return status;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct ftdi_context *ftdi;
	struct ftdi_board board;
	struct ftdi_find find = {0};
	struct ftdi_wish wish = {0};
	struct ftdi_port port;
	int status = read_keys(host, uri, &board, &wish);

	(void)stream;
	if (status != NMHAL_OK)
		return status;
	ftdi = ftdi_new();
	if (!ftdi)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: libftdi or libusb could not start");
	status = choose(host, ftdi, &wish, &find);
	if (status != NMHAL_OK) {
		ftdi_free(ftdi);
		return status;
	}
	snprintf(board.serial, sizeof(board.serial), "%.31s", find.usb.serial);
	status = ftdi_port_open(host, ftdi, &find, &port);
	ftdi_find_free(&find, 1);
	if (status != NMHAL_OK) {
		ftdi_free(ftdi);
		return status;
	}
	status = ftdi_bus_open(host, &port, &board, deadline_ns, bus);
	if (status != NMHAL_OK)
		port.ops->close(port.self);
	return status;
}

static int link_enumerate(struct nmhal_found *found)
{
	const struct ftdi_wish wish = {NULL, NULL};
	struct ftdi_find finds[BOARDS], closed;
	size_t count = 0, others;
	struct libusb_context *usb;
	char uri[URI_SIZE];
	int status = NMHAL_OK;

	/* A machine without USB has no boards. */
	if (libusb_init(&usb))
		return NMHAL_OK;
	if (ftdi_find(usb, &wish, finds, BOARDS, &count, &others, &closed))
		count = 0;
	count = smaller(count, BOARDS);
	for (size_t n = 0; n < count && status == NMHAL_OK; n++) {
		if (strcmp(finds[n].chip, "FT2232H"))
			continue;
		print_uri(&finds[n], uri);
		status = nmhal_found_add(found, uri, "tinyodin", finds[n].usb.serial,
			usb_board_access(&finds[n].usb));
	}
	ftdi_find_free(finds, count);
	libusb_exit(usb);
	return status;
}

static const struct nmhal_key link_keys[] = {
	{"serial", "serial number of the board"},
	{"product", "product string of the board; without it and serial: one that begins with NMHAL"},
	{"clk_hz", "CLK of the chip, 2000 to 1000000000 (default 50000000)"},
	{"sck_hz", "SPI clock at most, up to a quarter of clk_hz (default)"},
	{"strict", "1: ADDR[9:8] are set up before REQ, 3 bytes more an event (default 0)"},
	{"latency", "latency timer in ms, 1 to 255 (default 2)"},
	{NULL, NULL},
};

/* Never a bare 0403:6010: thousands of gadgets have one. */
static const struct nmhal_usb_id link_usb_ids[] = {
	{.vendor = 0x0403, .product = 0x6010, .name = "NMHAL", .summary = "FT2232H"},
	{.summary = NULL},
};

extern const struct nmhal_link nm_link_ftdi;
const struct nmhal_link nm_link_ftdi = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "ftdi",
	.summary = "chips on the two MPSSE channels of an FT2232H",
	.default_board = "tinyodin",
	.keys = link_keys,
	.enumerate = link_enumerate,
	.open = link_open,
	.usb_ids = link_usb_ids,
};
