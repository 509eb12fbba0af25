/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "system.h"
#include "usb_boards.h"

#define BOARDS   16u
#define URI_SIZE 320u
#define BUS_MAX  255u

/* What a look at the USB finds. */
struct boards {
	struct usb_board board[BOARDS]; /* that match, with a reference of each device */
	size_t count;                   /* of these, as many as there is room for */
	size_t all;                     /* that match */
	size_t others;                  /* boards of the family that do not match, or whose strings nobody may read */
	struct usb_board closed;        /* one of the latter, or empty */
};

int usb_wish_read(struct nmhal_host *host, const struct nmhal_uri *uri, struct usb_wish *wish)
{
	uint64_t bus = 0;
	int status = nmhal_uri_number(host, uri, "bus", 0, 1, BUS_MAX, &bus);

	*wish = (struct usb_wish){
		.name = nmhal_uri_board(uri),
		.serial = nmhal_uri_value(uri, "serial"),
		.product = nmhal_uri_value(uri, "product"),
		.port = nmhal_uri_value(uri, "port"),
		.bus = (unsigned)bus,
	};
	return status;
}

static bool names_one(const struct usb_wish *wish)
{
	return wish->serial || wish->product || wish->port || wish->bus;
}

static bool matches(const struct usb_board *board, const struct usb_family *family, const struct usb_wish *wish)
{
	if (!names_one(wish))
		return !strncmp(board->product, family->begin, strlen(family->begin)) &&
			(!wish->name || !strcmp(family->name_of(board, &(const char *){NULL}), wish->name));
	return (!wish->serial || !strcmp(board->serial, wish->serial)) &&
		(!wish->product || !strcmp(board->product, wish->product)) && (!wish->bus || board->bus == wish->bus) &&
		(!wish->port || !strcmp(board->port, wish->port));
}

static void add(struct boards *boards, const struct usb_board *board)
{
	if (boards->all++ >= BOARDS)
		return;
	libusb_ref_device(board->device);
	boards->board[boards->count++] = *board;
}

/* An error of libusb. */
static int look(struct libusb_context *usb, const struct usb_family *family, const struct usb_wish *wish,
	struct boards *boards)
{
	struct libusb_device **list;
	ssize_t devices = libusb_get_device_list(usb, &list);

	*boards = (struct boards){0};
	for (ssize_t n = 0; n < devices; n++) {
		struct libusb_device_descriptor descriptor;
		struct usb_board board;

		if (libusb_get_device_descriptor(list[n], &descriptor) || !family->mine(list[n], &descriptor))
			continue;
		usb_board_describe(&board, list[n], &descriptor);
		if (matches(&board, family, wish)) {
			add(boards, &board);
			continue;
		}
		boards->others++;
		if (board.error && !board.product[0])
			boards->closed = board;
	}
	if (devices >= 0)
		libusb_free_device_list(list, 1);
	boards->closed.device = NULL;
	return devices < 0 ? (int)devices : 0;
}

static void forget(struct boards *boards)
{
	for (size_t n = 0; n < boards->count; n++)
		libusb_unref_device(boards->board[n].device);
}

/* Whether the serial number of a board tells it from the others. */
static bool has_own_serial(const struct boards *boards, const struct usb_board *board)
{
	size_t same = 0;

	for (size_t n = 0; n < boards->count; n++)
		same += !strcmp(boards->board[n].serial, board->serial);
	return board->serial[0] && same == 1;
}

/* The URI that opens this board and no other: its serial number, or where it is plugged in. */
static void print_uri(const struct usb_family *family, const struct boards *boards, const struct usb_board *board,
	char uri[URI_SIZE])
{
	const char *keys = "", *name = family->name_of(board, &keys);
	char value[USB_TEXT_SIZE * 3] = "";

	system_print_value(value, sizeof(value), board->serial);
	if (has_own_serial(boards, board))
		snprintf(uri, URI_SIZE, "%s:%s,serial=%s%s", family->scheme, name, value, keys);
	else
		snprintf(uri, URI_SIZE, "%s:%s,bus=%u,port=%s%s", family->scheme, name, board->bus, board->port, keys);
}

/* ---- the one that is meant --------------------------------------------------------------------------------------- */

/* " with serial=..., bus=...", for sentences. */
static void print_wish(const struct usb_family *family, const struct usb_wish *wish, char *text, size_t size)
{
	char bus[8] = "";
	const struct {
		const char *key, *value;
	} keys[] = {{"serial", wish->serial}, {"product", wish->product}, {"bus", wish->bus ? bus : NULL},
		{"port", wish->port}};
	const char *before = " with ";

	text[0] = '\0';
	snprintf(bus, sizeof(bus), "%u", wish->bus);
	if (!names_one(wish) && family->begin[0])
		snprintf(text, size, " whose product string begins with %s", family->begin);
	for (size_t n = 0, used = 0; n < sizeof(keys) / sizeof(*keys) && used < size; n++)
		if (keys[n].value) {
			used += (size_t)snprintf(
				text + used, size - used, "%s%s=%s", before, keys[n].key, keys[n].value);
			before = ", ";
		}
}

static int fail_none(struct nmhal_host *host, const struct usb_family *family, const struct usb_wish *wish,
	const struct boards *boards)
{
	char text[192];

	if (boards->closed.error == LIBUSB_ERROR_ACCESS)
		return usb_board_fail(host, &boards->closed, LIBUSB_ERROR_ACCESS);
	print_wish(family, wish, text, sizeof(text));
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: no %s%s on the USB (%zu others); %s", family->name, text,
		boards->others, family->remedy);
}

static int fail_several(struct nmhal_host *host, const struct usb_family *family, const struct boards *boards)
{
	char names[700] = "", uri[URI_SIZE];
	size_t used = 0;

	for (size_t n = 0; n < boards->count && used < sizeof(names); n++) {
		print_uri(family, boards, &boards->board[n], uri);
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", uri);
	}
	return nmhal_host_fail(
		host, NMHAL_E_NO_DEVICE, "open: %zu boards match; name one of %s", boards->all, names);
}

int usb_boards_choose(struct nmhal_host *host, struct libusb_context *usb, const struct usb_family *family,
	const struct usb_wish *wish, struct usb_board *chosen)
{
	struct boards boards;
	int error = look(usb, family, wish, &boards), status = NMHAL_OK;

	if (error)
		status = nmhal_host_fail(host, NMHAL_E_IO, "open: list of USB devices: %s", libusb_strerror(error));
	else if (!boards.all)
		status = fail_none(host, family, wish, &boards);
	else if (boards.all > 1)
		status = fail_several(host, family, &boards);
	else if (boards.board[0].error)
		status = usb_board_fail(host, &boards.board[0], boards.board[0].error);
	if (status == NMHAL_OK)
		*chosen = boards.board[0];
	else
		forget(&boards);
	return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

int usb_boards_enumerate(const struct usb_family *family, struct nmhal_found *found)
{
	struct libusb_context *usb;
	struct boards boards;
	int status = NMHAL_OK;

	/* A machine without USB has no boards. */
	if (libusb_init(&usb))
		return NMHAL_OK;
	(void)look(usb, family, &(const struct usb_wish){0}, &boards);
	for (size_t n = 0; n < boards.count && status == NMHAL_OK; n++) {
		const struct usb_board *board = &boards.board[n];
		char uri[URI_SIZE];

		if (family->listed && !family->listed(board))
			continue;
		print_uri(family, &boards, board, uri);
		status = nmhal_found_add(found, uri, family->name_of(board, &(const char *){NULL}), board->serial,
			usb_board_access(board));
	}
	forget(&boards);
	libusb_exit(usb);
	return status;
}
