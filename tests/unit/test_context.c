/* SPDX-License-Identifier: MIT */
/* Contexts: parameters, references, independence. */
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

START_TEST(defaults)
{
	nmhal_context *ctx = NULL;

	assert_ok(nmhal_context_new(NULL, &ctx));
	ck_assert_ptr_nonnull(ctx);
	ck_assert_uint_ge(ctx->driver_count, 1);
	nmhal_context_unref(ctx);
	nmhal_context_unref(NULL);
	ck_assert_ptr_null(nmhal_context_ref(NULL));
}
END_TEST

START_TEST(references)
{
	nmhal_context *ctx = fake_context();

	ck_assert_ptr_eq(nmhal_context_ref(ctx), ctx);
	nmhal_context_unref(ctx);
	ck_assert_uint_eq(ctx->refs, 1);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(device_holds_its_context)
{
	struct fake fake;
	nmhal_context *ctx = fake_context();
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	dev = fake_open(ctx, &fake);
	nmhal_context_unref(ctx);
	assert_ok(nmhal_device_reset(dev, 0));
	nmhal_device_unref(dev);
	ck_assert(!fake.is_open);
}
END_TEST

START_TEST(bad_parameters)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx = (nmhal_context *)8;

	assert_fails(NMHAL_E_INVALID, "out is NULL", nmhal_context_new(NULL, NULL));
	params.struct_size = 0;
	assert_fails(NMHAL_E_INVALID, "nmhal_context_params: struct_size is 0", nmhal_context_new(&params, &ctx));
	ck_assert_ptr_null(ctx);
	params.struct_size = sizeof(params);
	params.reserved = 5;
	assert_fails(NMHAL_E_INVALID, "reserved is 5, must be 0", nmhal_context_new(&params, &ctx));
	params.reserved = 0;
	params.log_level = 7;
	assert_fails(NMHAL_E_INVALID, "log_level is 7, must be 0..6", nmhal_context_new(&params, &ctx));
}
END_TEST

START_TEST(larger_parameters)
{
	struct {
		struct nmhal_context_params params;
		uint64_t unknown;
	} newer = {NMHAL_CONTEXT_PARAMS_INIT, 0};
	nmhal_context *ctx;

	newer.params.struct_size = sizeof(newer);
	assert_ok(nmhal_context_new(&newer.params, &ctx));
	nmhal_context_unref(ctx);
	newer.unknown = 1;
	assert_fails(NMHAL_E_VERSION, "nmhal_context_params", nmhal_context_new(&newer.params, &ctx));
}
END_TEST

START_TEST(choice_of_drivers)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx;

	params.drivers = "";
	assert_ok(nmhal_context_new(&params, &ctx));
	ck_assert_uint_eq(ctx->driver_count + ctx->link_count, 0);
	nmhal_context_unref(ctx);
	params.drivers = "null";
	assert_ok(nmhal_context_new(&params, &ctx));
	ck_assert_uint_eq(ctx->driver_count, 1);
	ck_assert_uint_eq(ctx->link_count, 0);
	ck_assert_str_eq(ctx->drivers[0]->name, "null");
	nmhal_context_unref(ctx);
	params.drivers = "null,nul";
	assert_fails(NMHAL_E_INVALID, "no driver, link or wrapper 'nul' was built; there are: ",
		nmhal_context_new(&params, &ctx));
	params.drivers = "null,,null";
	assert_fails(NMHAL_E_INVALID, "no driver, link or wrapper ''", nmhal_context_new(&params, &ctx));
}
END_TEST

START_TEST(contexts_share_nothing)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *with = fake_context();
	nmhal_device *dev;
	nmhal_context *without;
	struct fake fake;
	char uri[FAKE_URI_SIZE];

	params.drivers = "";
	assert_ok(nmhal_context_new(&params, &without));
	fake_init(&fake, 1, 2, 3);
	fake_uri(&fake, "", uri);
	assert_fails(
		NMHAL_E_NO_DEVICE, "unknown scheme 'fake'; known: none", nmhal_device_open(without, uri, NULL, &dev));
	assert_ok(nmhal_device_open(with, uri, NULL, &dev));
	nmhal_context_unref(without);
	nmhal_device_unref(dev);
	nmhal_context_unref(with);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {defaults, references, device_holds_its_context, bad_parameters, larger_parameters,
		choice_of_drivers, contexts_share_nothing};

	return run_tests("context", tests, sizeof(tests) / sizeof(*tests));
}
