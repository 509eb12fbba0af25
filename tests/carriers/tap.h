/* SPDX-License-Identifier: MIT */
/* A driver for the board "echo" that hands its stream to the test, so that links are tested as the core opens them. */
#ifndef TAP_H
#define TAP_H

#include <check.h>
#include <stddef.h>

#include <nmhal/driver.h>

struct tap {
	nmhal_device *dev;
	struct nmhal_stream stream; /* of the open device */
};

/* A context with the driver, that logs nothing. */
nmhal_context *tap_context(void);
/* Opens, and fails the test when that fails. */
void tap_open(nmhal_context *ctx, const char *uri, struct tap *tap);
/* The status of open; the device is closed again. */
int tap_try(nmhal_context *ctx, const char *uri);
void tap_close(struct tap *tap);
/* Open descriptors of this process, and of them those that a program it starts would have too. */
size_t tap_descriptors(void);
size_t tap_inherited(void);

/* Checks a status; shows the sentence. */
#define tap_is(call, wanted)                                                                                           \
	do {                                                                                                           \
		int got_ = (call);                                                                                     \
		ck_assert_msg(got_ == (wanted), "%s: %s, not %s: %s", #call, nmhal_status_name(got_),                  \
			nmhal_status_name(wanted), nmhal_last_error());                                                \
	} while (0)

#endif
