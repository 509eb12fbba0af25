/* SPDX-License-Identifier: MIT */
#include "bed.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "describe.h"
#include "mockdev.h"
#include "vusb.h"
#include "vusbd.h"

#define BUS    1u
#define FIRST  2u
#define BOARDS 4u

struct bed {
	UMockdevTestbed *sysfs;
	char directory[32];
	unsigned count;
	struct vusbd *servers[BOARDS];
	char described[BOARDS][DESCRIBE_SIZE];
	char file[64];
	char answer[1024];
};

void bed_or_skip(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload && strstr(preload, "libumockdev-preload"))
		return;
	puts("skipped: libumockdev-preload.so.0 is not preloaded (package umockdev)");
	exit(77);
}

struct bed *bed_new(void)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	ck_assert_ptr_nonnull(bed);
	snprintf(bed->directory, sizeof(bed->directory), "/tmp/nmhal-vusb-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(bed->directory));
	ck_assert_int_eq(setenv(VUSB_ENV, bed->directory, 1), 0);
	bed->sysfs = umockdev_testbed_new();
	ck_assert_ptr_nonnull(bed->sysfs);
	return bed;
}

void bed_free(struct bed *bed)
{
	for (unsigned n = 0; n < bed->count; n++)
		vusbd_stop(bed->servers[n]);
	unlink(bed_file(bed, "memory"));
	rmdir(bed->directory);
	g_object_unref(bed->sysfs);
	free(bed);
}

const char *bed_file(struct bed *bed, const char *name)
{
	snprintf(bed->file, sizeof(bed->file), "%s/%s", bed->directory, name);
	return bed->file;
}

static void add(struct bed *bed, unsigned board)
{
	GError *error = NULL;

	ck_assert_msg(umockdev_testbed_add_from_string(bed->sysfs, bed->described[board - FIRST], &error), "%s",
		error ? error->message : "");
}

unsigned bed_next(const struct bed *bed)
{
	return FIRST + bed->count;
}

unsigned bed_plug_model(struct bed *bed, struct model model)
{
	const unsigned n = bed->count++, board = FIRST + n;
	char path[32];

	ck_assert_uint_lt(n, BOARDS);
	ck_assert(describe_device(&model, BUS, board, bed->described[n]));
	bed->servers[n] = vusbd_start(bed->directory, BUS, board, model);
	ck_assert_ptr_nonnull(bed->servers[n]);
	snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", BUS, board);
	if (mockdev_attach)
		mockdev_attach(bed->sysfs, path);
	add(bed, board);
	return board;
}

unsigned bed_plug(struct bed *bed, const struct vftdi_params *params)
{
	struct vftdi_params own = params ? *params : (struct vftdi_params){0};
	struct model model;
	char serial[16];

	snprintf(serial, sizeof(serial), "NM%06u", bed_next(bed));
	own.manufacturer = own.manufacturer ? own.manufacturer : "libnmhal";
	own.product = own.product ? own.product : "NMHAL tinyODIN";
	own.serial = own.serial ? own.serial : serial;
	ck_assert(model_ftdi_new(&own, &model));
	return bed_plug_model(bed, model);
}

void bed_unplug(struct bed *bed, unsigned board)
{
	char path[64], sys[72];

	describe_path(BUS, board, path, sizeof(path));
	snprintf(sys, sizeof(sys), "/sys%s", path);
	bed_tell(bed, board, "unplug");
	umockdev_testbed_uevent(bed->sysfs, sys, "remove");
	umockdev_testbed_remove_device(bed->sysfs, sys);
}

void bed_replug(struct bed *bed, unsigned board)
{
	bed_tell(bed, board, "plug");
	add(bed, board);
}

const char *bed_tell(struct bed *bed, unsigned board, const char *format, ...)
{
	char text[256];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	status = vusbd_tell(bed->directory, BUS, board, text, bed->answer, sizeof(bed->answer));
	ck_assert_msg(status == 0, "vusbd %u: %s: %s", board, text, strerror(-status));
	return bed->answer;
}

unsigned long long bed_counter(struct bed *bed, unsigned board, const char *name)
{
	const char *at = bed_tell(bed, board, "counters");
	const size_t length = strlen(name);

	while (at && (strncmp(at, name, length) || at[length] != ' ')) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	ck_assert_msg(at, "no counter %s", name);
	return strtoull(at + length, NULL, 10);
}
