/* SPDX-License-Identifier: MIT */
/* The link "ftdi": from a URI to one board on the USB. */
#include <stdio.h>
#include <string.h>

#include "drivers/common/usb_boards.h"
#include "stream.h"
#include "usb.h"

#define TIMEOUT_MS   10000
#define CLK_HZ       50000000u
#define CLK_MIN_HZ   2000u
#define CLK_MAX_HZ   1000000000u
#define SPI_MAX_HZ   30000000u
#define LATENCY_MS   2u
#define BAUD         115200u
#define VENDOR       0x0403u
#define OURS         "NMHAL" /* begin of the product string of a board that is found without being named */
#define OURS_NMLINK  "NMHAL nmlink"

/* ---- which board ------------------------------------------------------------------------------------------------- */

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

/* Of a board that is_mine(). */
static const char *chip_on(const struct usb_board *board)
{
	struct libusb_device_descriptor descriptor = {0};
	const char *chip;

	/* libusb keeps the descriptor: reading it does not fail. */
	(void)libusb_get_device_descriptor(board->device, &descriptor);
	chip = chip_of(&descriptor);
	return chip ? chip : "unknown chip";
}

static bool is_mine(struct libusb_device *device, const struct libusb_device_descriptor *descriptor)
{
	(void)device;
	return chip_of(descriptor);
}

static bool has_chip(const struct usb_board *board, const char *name)
{
	return !strcmp(chip_on(board), name);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static const char *name_of(const struct usb_board *board, const char **keys)
{
	if (!begins(board->product, OURS_NMLINK))
		return "tinyodin";
	if (begins(board->product, OURS_NMLINK " fifo"))
		*keys = ",mode=fifo";
	return "nmlink";
}

static bool is_listed(const struct usb_board *board)
{
	return begins(board->product, OURS_NMLINK) || has_chip(board, "FT2232H");
}

static const struct usb_family family = {
	.scheme = "ftdi",
	.name = "FTDI board",
	.remedy = "plug it in, or name a module with ftdi_eeprom (docs/ftdi.md)",
	.begin = OURS,
	.mine = is_mine,
	.name_of = name_of,
	.listed = is_listed,
};

/* Whether the chip of a board has the channels that are wanted. */
static int check_chip(struct nmhal_host *host, const struct usb_board *board, int channels)
{
	if (channels > 1 && !has_chip(board, "FT2232H"))
		return nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
			"open: %s: the board has an %s; an FT2232H with its two MPSSE channels is needed", board->node,
			chip_on(board));
	if (has_chip(board, "FT2232D"))
		return nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
			"open: %s: the board has an FT2232D; a high-speed chip is needed: FT2232H, FT4232H, FT232H",
			board->node);
	return NMHAL_OK;
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

/* Keys of the chip's bus. */
static int read_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct ftdi_board *board)
{
	uint64_t clk_hz = 0, spi_hz = 0, strict = 0, latency = 0;
	int status = nmhal_uri_number(host, uri, "clk_hz", CLK_HZ, CLK_MIN_HZ, CLK_MAX_HZ, &clk_hz);

	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "spi_hz", 0, CLK_MIN_HZ / 4, SPI_MAX_HZ, &spi_hz);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "strict", 0, 0, 1, &strict);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "latency", LATENCY_MS, 1, 255, &latency);
	*board = (struct ftdi_board){
		.clk_hz = clk_hz,
		.spi_hz = (uint32_t)spi_hz,
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

/* Opens the board that a URI means as a port. */
static int open_port(struct nmhal_host *host, const struct nmhal_uri *uri, int channels, struct usb_board *board,
	struct ftdi_port *port)
{
	struct ftdi_context *ftdi;
	struct usb_wish wish;
	int status = usb_wish_read(host, uri, &wish);

	if (status != NMHAL_OK)
		return status;
	ftdi = ftdi_new();
	if (!ftdi) {
		nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: libftdi or libusb could not start");
		return NMHAL_E_NO_MEMORY;
	}
	status = usb_boards_choose(host, ftdi->usb_ctx, &family, &wish, board);
	if (status == NMHAL_OK) {
		status = check_chip(host, board, channels);
		if (status == NMHAL_OK)
			status = ftdi_port_open(host, ftdi, board, channels, port);
		libusb_unref_device(board->device);
	}
	if (status != NMHAL_OK)
		ftdi_free(ftdi);
	return status;
}

static int open_bus(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus)
{
	struct usb_board found;
	struct ftdi_board board;
	struct ftdi_port port;
	int status = read_bus(host, uri, &board);

	if (status == NMHAL_OK)
		status = open_port(host, uri, FTDI_CHANNELS, &found, &port);
	if (status != NMHAL_OK)
		return status;
	snprintf(board.serial, sizeof(board.serial), "%.31s", found.serial);
	status = ftdi_bus_open(host, &port, &board, deadline_ns, bus);
	if (status != NMHAL_OK)
		port.ops->close(port.self);
	return status;
}

static int open_stream(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_stream *stream)
{
	struct ftdi_stream_params params;
	struct usb_board found;
	struct ftdi_port port;
	int status = read_stream(host, uri, &params);

	if (status == NMHAL_OK)
		status = open_port(host, uri, 1, &found, &port);
	if (status != NMHAL_OK)
		return status;
	snprintf(params.serial, sizeof(params.serial), "%.31s", found.serial);
	status = ftdi_stream_open(host, &port, &params, deadline_ns, stream);
	if (status != NMHAL_OK)
		port.ops->close(port.self);
	return status;
}

/* Whether the keys of the URI are those of its board: the core knows only that the link has them. */
static int check_keys(struct nmhal_host *host, const struct nmhal_uri *uri)
{
	static const char *const of_bus[] = {"clk_hz", "spi_hz", "strict", NULL};
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
	return usb_boards_enumerate(&family, found);
}

static const struct nmhal_key link_keys[] = {
	{"serial", "serial number of the board"},
	{"product", "product string of the board; with no key that names a board: one that begins with NMHAL"},
	{"bus", "number of the USB bus, 1 to 255"},
	{"port", "ports from the root hub to the board, 4.2"},
	{"clk_hz", "CLK of the chip, 2000 to 1000000000 (default 50000000)"},
	{"spi_hz", "SPI clock at most, up to a quarter of clk_hz (default)"},
	{"strict", "1: ADDR[9:8] are set up before REQ, 3 bytes more an event (default 0)"},
	{"latency", "latency timer in ms, 1 to 255 (default 2)"},
	{"mode", "of nmlink boards: uart (default) or fifo, as the EEPROM says"},
	{"baud", "of a UART: 732 to 12000000 (default 115200)"},
	{NULL, NULL},
};

/* Never a bare 0403:6010: thousands of gadgets have one. */
static const struct nmhal_usb_id link_usb_ids[] = {
	{.vendor = VENDOR, .product = 0x6010, .name = OURS, .summary = "FT2232H"},
	{.vendor = VENDOR, .product = 0x6011, .name = OURS, .summary = "FT4232H"},
	{.vendor = VENDOR, .product = 0x6014, .name = OURS, .summary = "FT232H"},
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
