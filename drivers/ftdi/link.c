/* SPDX-License-Identifier: MIT */
/* The link "ftdi": from a URI to one board on the USB. */
#include <stdio.h>
#include <string.h>

#include "drivers/common/system.h"
#include "stream.h"
#include "usb.h"

#define TIMEOUT_MS   10000
#define CLK_HZ       50000000u
#define CLK_MIN_HZ   2000u
#define CLK_MAX_HZ   1000000000u
#define SCK_MAX_HZ   30000000u
#define LATENCY_MS   2u
#define BAUD         115200u
#define BOARDS       16u
#define URI_SIZE     256u

static const char *board_of(const struct ftdi_find *find)
{
	return strncmp(find->usb.product, FTDI_NMLINK, strlen(FTDI_NMLINK)) ? "tinyodin" : "nmlink";
}

/* The URI that opens this board and no other, as far as its strings tell. */
static void print_uri(const struct ftdi_find *find, char uri[URI_SIZE])
{
	const char *key = find->usb.serial[0] ? "serial" : "product";
	char value[USB_TEXT_SIZE * 3] = "";

	system_print_value(value, sizeof(value), find->usb.serial[0] ? find->usb.serial : find->usb.product);
	snprintf(uri, URI_SIZE, "ftdi:%s,%s=%s%s", board_of(find), key, value,
		strstr(find->usb.product, FTDI_NMLINK " fifo") ? ",mode=fifo" : "");
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* "with serial=..., product=..." of a wish, for sentences. */
static void print_wish(const struct ftdi_wish *wish, char *text, size_t size)
{
	if (!wish->product && !wish->serial)
		snprintf(text, size, "whose product string begins with %s", wish->begin);
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
static int choose(struct nmhal_host *host, struct ftdi_context *ftdi, const struct ftdi_wish *wish, int channels,
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
	else if (channels > 1 && strcmp(finds[0].chip, "FT2232H") != 0)
		status = nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
			"open: %s: the board has an %s; an FT2232H with its two MPSSE channels is needed",
			finds[0].usb.node, finds[0].chip);
	else if (!strcmp(finds[0].chip, "FT2232D"))
		status = nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
			"open: %s: the board has an FT2232D; a high-speed chip is needed: FT2232H, FT4232H, FT232H",
			finds[0].usb.node);
	if (status == NMHAL_OK)
		*chosen = finds[0];
	else
		ftdi_find_free(finds, smaller(count, BOARDS));
	return status;
}

/* Keys of the chip's bus. */
static int read_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct ftdi_board *board)
{
	uint64_t clk_hz = 0, sck_hz = 0, strict = 0, latency = 0;
	int status = nmhal_uri_number(host, uri, "clk_hz", CLK_HZ, CLK_MIN_HZ, CLK_MAX_HZ, &clk_hz);

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
	return status;
}

/* Keys of a board's stream. */
static int read_stream(struct nmhal_host *host, const struct nmhal_uri *uri, struct ftdi_stream_params *params)
{
	const char *mode = nmhal_uri_value(uri, "mode");
	uint64_t baud = 0, latency = 0;
	int status = nmhal_uri_number(host, uri, "baud", BAUD, FTDI_BAUD_MIN, FTDI_BAUD_MAX, &baud);

	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "latency", LATENCY_MS, 1, 255, &latency);
	if (status == NMHAL_OK && mode && strcmp(mode, "fifo") != 0 && strcmp(mode, "uart") != 0)
		status = nmhal_host_fail(host, NMHAL_E_INVALID, "open: mode=%s; there are: uart, fifo", mode);
	*params = (struct ftdi_stream_params){
		.fifo = mode && !strcmp(mode, "fifo"), .baud = (uint32_t)baud, .latency_ms = (uint8_t)latency};
	return status;
}

static bool is_tinyodin(const struct nmhal_uri *uri)
{
	return !strcmp(nmhal_uri_board(uri), "tinyodin");
}

/* Opens the board of the wish as a port. */
static int open_port(struct nmhal_host *host, const struct nmhal_uri *uri, int channels, struct ftdi_find *find,
	struct ftdi_port *port)
{
	const struct ftdi_wish wish = {nmhal_uri_value(uri, "product"), nmhal_uri_value(uri, "serial"),
		channels > 1 ? "NMHAL" : FTDI_NMLINK};
	struct ftdi_context *ftdi = ftdi_new();
	int status;

	if (!ftdi) {
		nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: libftdi or libusb could not start");
		return NMHAL_E_NO_MEMORY;
	}
	status = choose(host, ftdi, &wish, channels, find);
	if (status == NMHAL_OK) {
		status = ftdi_port_open(host, ftdi, find, channels, port);
		ftdi_find_free(find, 1);
	}
	if (status != NMHAL_OK)
		ftdi_free(ftdi);
	return status;
}

static int open_bus(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus)
{
	struct ftdi_find find = {0};
	struct ftdi_board board;
	struct ftdi_port port;
	int status = read_bus(host, uri, &board);

	if (status == NMHAL_OK)
		status = open_port(host, uri, FTDI_CHANNELS, &find, &port);
	if (status != NMHAL_OK)
		return status;
	snprintf(board.serial, sizeof(board.serial), "%.31s", find.usb.serial);
	status = ftdi_bus_open(host, &port, &board, deadline_ns, bus);
	if (status != NMHAL_OK)
		port.ops->close(port.self);
	return status;
}

static int open_stream(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_stream *stream)
{
	struct ftdi_stream_params params;
	struct ftdi_find find = {0};
	struct ftdi_port port;
	int status = read_stream(host, uri, &params);

	if (status == NMHAL_OK)
		status = open_port(host, uri, 1, &find, &port);
	if (status != NMHAL_OK)
		return status;
	snprintf(params.serial, sizeof(params.serial), "%.31s", find.usb.serial);
	status = ftdi_stream_open(host, &port, &params, deadline_ns, stream);
	if (status != NMHAL_OK)
		port.ops->close(port.self);
	return status;
}

/* Whether the keys of the URI are those of its board: the core knows only that the link has them. */
static int check_keys(struct nmhal_host *host, const struct nmhal_uri *uri)
{
	static const char *const of_bus[] = {"clk_hz", "sck_hz", "strict", NULL};
	static const char *const of_stream[] = {"mode", "baud", NULL};

	for (const char *const *key = is_tinyodin(uri) ? of_stream : of_bus; *key; key++)
		if (nmhal_uri_value(uri, *key))
			return nmhal_host_fail(host, NMHAL_E_INVALID, "open: key '%s' is not one of board %s", *key,
				nmhal_uri_board(uri));
	return NMHAL_OK;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	int status = check_keys(host, uri);

	if (status != NMHAL_OK)
		return status;
	return is_tinyodin(uri) ? open_bus(host, uri, deadline_ns, bus) : open_stream(host, uri, deadline_ns, stream);
}

static int link_enumerate(struct nmhal_found *found)
{
	const struct ftdi_wish wish = {NULL, NULL, "NMHAL"};
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
		if (strcmp(finds[n].chip, "FT2232H") != 0 && !strcmp(board_of(&finds[n]), "tinyodin"))
			continue;
		print_uri(&finds[n], uri);
		status = nmhal_found_add(found, uri, board_of(&finds[n]), finds[n].usb.serial,
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
	{"mode", "of nmlink boards: uart (default) or fifo, as the EEPROM says"},
	{"baud", "of a UART: 732 to 12000000 (default 115200)"},
	{NULL, NULL},
};

/* Never a bare 0403:6010: thousands of gadgets have one. */
static const struct nmhal_usb_id link_usb_ids[] = {
	{.vendor = 0x0403, .product = 0x6010, .name = "NMHAL", .summary = "FT2232H"},
	{.vendor = 0x0403, .product = 0x6014, .name = "NMHAL", .summary = "FT232H"},
	{.summary = NULL},
};

extern const struct nmhal_link nm_link_ftdi;
const struct nmhal_link nm_link_ftdi = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "ftdi",
	.summary = "tinyODIN chips and nmlink boards behind an FTDI chip",
	.default_board = "tinyodin",
	.keys = link_keys,
	.enumerate = link_enumerate,
	.open = link_open,
	.usb_ids = link_usb_ids,
};
