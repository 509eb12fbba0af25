/* SPDX-License-Identifier: MIT */
/* A driver made of a few functions on real numbers, as users of xbarax have them. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

struct functions {
	struct nmhal_driver driver; /* first: the way from a device to what follows */
	struct functions *self;	    /* to be freed through a pointer to const */
	struct nmhal_functions given;
	const char *boards[2];
	char name[];
};

struct board {
	struct nmhal_host *host;
	const struct nmhal_functions *given;
};

static const struct functions *functions_of(const struct nmhal_driver *driver)
{
	return (const struct functions *)(const void *)driver;
}

static void functions_close(void *self)
{
	free(self);
}

static int functions_caps(void *self, struct nmhal_device_caps *caps)
{
	const struct board *board = self;

	caps->cores = 1;
	caps->rows = board->given->max_in;
	caps->cols = board->given->max_out;
	return NMHAL_OK;
}

static int no_codes(const struct board *board, const char *what)
{
	return nmhal_host_fail(
		board->host, NMHAL_E_UNSUPPORTED, "%s: the device holds real numbers; use an array", what);
}

static int functions_write_weights(
	void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride, int64_t deadline_ns)
{
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return no_codes(self, "write weight codes");
}

static int functions_read_weights(
	void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns)
{
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return no_codes(self, "read weight codes");
}

static int tell(const struct board *board, int status, const char *what, uint32_t out, uint32_t in)
{
	const bool is_status = status <= 0 && status >= NMHAL_E_INTERNAL;
	const char *why = status && board->given->explain ? board->given->explain(board->given->user) : NULL;

	if (status == NMHAL_OK)
		return NMHAL_OK;
	if (!is_status)
		return nmhal_host_fail(board->host, NMHAL_E_INTERNAL, "%s %u x %u: the function returned %d, no status",
			what, out, in, status);
	return nmhal_host_fail(board->host, status, "%s %u x %u: the function returned %s%s%s", what, out, in,
		nmhal_status_name(status), why ? ": " : "", why ? why : "");
}

static int functions_write(void *self, uint32_t core, float *w, uint32_t out, uint32_t in, int64_t deadline_ns)
{
	const struct board *board = self;

	(void)core;
	(void)deadline_ns;
	if (board->given->try_multiply)
		return tell(board, board->given->try_write(board->given->user, w, out, in), "write", out, in);
	board->given->write(w, out, in);
	return NMHAL_OK;
}

static int functions_multiply(void *self, uint32_t core, const float *w, const float *x, float *y, uint32_t out,
	uint32_t in, int64_t deadline_ns)
{
	const struct board *board = self;

	(void)core;
	(void)deadline_ns;
	if (board->given->try_multiply)
		return tell(
			board, board->given->try_multiply(board->given->user, w, x, y, out, in), "multiply", out, in);
	board->given->multiply(w, x, y, out, in);
	return NMHAL_OK;
}

static int functions_add(void *self, uint32_t core, const float *w, const float *dw, float *w_new, uint32_t out,
	uint32_t in, int64_t deadline_ns)
{
	const struct board *board = self;

	(void)core;
	(void)deadline_ns;
	if (board->given->try_multiply)
		return tell(board, board->given->try_add(board->given->user, w, dw, w_new, out * in), "add", out, in);
	board->given->add(w, dw, w_new, out * in);
	return NMHAL_OK;
}

#define FUNCTIONS_OPS                                                                                                  \
	.struct_size = sizeof(struct nmhal_device_ops), .close = functions_close, .caps = functions_caps,              \
	.write_weights = functions_write_weights, .read_weights = functions_read_weights,                              \
	.write_f32 = functions_write, .mul_f32 = functions_multiply
static const struct nmhal_device_ops adding_ops = {FUNCTIONS_OPS, .add_f32 = functions_add};
static const struct nmhal_device_ops plain_ops = {FUNCTIONS_OPS};

static int functions_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	const struct functions *functions = functions_of(host->dev->driver);
	struct board *board = calloc(1, sizeof(*board));

	(void)uri;
	(void)bus;
	(void)stream;
	(void)deadline_ns;
	if (!board)
		return nm_no_memory(host->dev->uri, "open");
	*board = (struct board){host, &functions->given};
	*ops = functions->given.add || functions->given.try_add ? &adding_ops : &plain_ops;
	*self = board;
	return NMHAL_OK;
}

static int check_functions(const struct nmhal_functions *given)
{
	const char *fault = NULL;

	if (!given->board || !*given->board || given->board[strcspn(given->board, ":,=")])
		fault = "board must be a name without ':', ',' and '='";
	else if (!given->max_out || !given->max_in)
		fault = "max_out and max_in must be at least 1";
	else if (!given->multiply == !given->try_multiply)
		fault = "either multiply or try_multiply must be there";
	else if (given->multiply && (!given->write || given->try_write || given->try_add))
		fault = "multiply goes with write and add";
	else if (given->try_multiply && (!given->try_write || given->write || given->add))
		fault = "try_multiply goes with try_write and try_add";
	if (fault)
		return nm_fail(NULL, NMHAL_E_INVALID, "driver from functions '%s': %s",
			given->board ? given->board : "", fault);
	return NMHAL_OK;
}

int nmhal_driver_from_functions(const struct nmhal_functions *functions, const struct nmhal_driver **out)
{
	struct nmhal_functions given;
	struct functions *made;
	size_t length;
	int status;

	if (!out)
		return nm_fail(NULL, NMHAL_E_INVALID, "driver from functions: out is NULL");
	*out = NULL;
	status = nm_copy_in(&given, sizeof(given), sizeof(given), functions, "struct nmhal_functions");
	if (!status)
		status = check_functions(&given);
	if (status)
		return status;
	length = strlen(given.board) + 1;
	made = calloc(1, sizeof(*made) + length);
	if (!made)
		return nm_no_memory(NULL, "driver from functions");
	memcpy(made->name, given.board, length);
	made->self = made;
	made->given = given;
	made->given.board = made->name;
	made->boards[0] = made->name;
	made->driver = (struct nmhal_driver){
		.abi = NMHAL_DRIVER_ABI,
		.needs = NMHAL_NEEDS_NOTHING,
		.struct_size = sizeof(struct nmhal_driver),
		.name = made->name,
		.summary = "a device made of functions on real numbers",
		.boards = made->boards,
		.scheme = made->name,
		.open = functions_open,
	};
	*out = &made->driver;
	return NMHAL_OK;
}

void nmhal_driver_free_functions(const struct nmhal_driver *driver)
{
	if (driver)
		free(functions_of(driver)->self);
}
