/* SPDX-License-Identifier: MIT */
/* The keys of sim: what each does, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

static nmhal_context *ctx;

static void setup(void)
{
	ck_assert_int_eq(nmhal_context_new(NULL, &ctx), NMHAL_OK);
}

static void teardown(void)
{
	nmhal_context_unref(ctx);
}

static nmhal_device *open_uri(const char *uri)
{
	nmhal_device *dev;
	int status = nmhal_device_open(ctx, uri, NULL, &dev);

	ck_assert_msg(status == NMHAL_OK, "%s", nmhal_last_error());
	return dev;
}

static void refuse(const char *uri, int wanted, const char *words)
{
	nmhal_device *dev;
	int status = nmhal_device_open(ctx, uri, NULL, &dev);

	ck_assert_int_eq(status, wanted);
	ck_assert_ptr_null(dev);
	ck_assert_msg(strstr(nmhal_last_error(), words), "the sentence lacks '%s': %s", words, nmhal_last_error());
	ck_assert_msg(!strncmp(nmhal_last_error(), uri, strlen(uri)), "does not begin with the URI: %s",
		nmhal_last_error());
}

/* Outputs of one spike of row 0 on a chip nobody programmed. */
static uint64_t outputs(nmhal_device *dev)
{
	const struct nmhal_event in = {.kind = NMHAL_EVENT_SPIKE};
	struct nmhal_event out[300];
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &in, .in_count = 1, .out = out,
		.out_capacity = 300};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	ck_assert_msg(nmhal_run_spikes(dev, &op, &report) == NMHAL_OK, "%s", nmhal_last_error());
	return report.events_out;
}

START_TEST(init_says_what_the_memories_hold_at_power_up)
{
	static const struct {
		const char *uri;
		uint64_t outputs;
	} cases[] = {{"sim:tinyodin", 0}, {"sim:tinyodin,init=off", 0}, {"sim:tinyodin,init=zero", 256}};

	for (size_t n = 0; n < 3; n++) {
		nmhal_device *dev = open_uri(cases[n].uri);

		ck_assert_uint_eq(outputs(dev), cases[n].outputs);
		nmhal_device_unref(dev);
	}
	refuse("sim:tinyodin,init=full", NMHAL_E_INVALID, "init=full: not one of off, zero");
}
END_TEST

START_TEST(clk_hz_turns_cycles_into_time_and_changes_nothing_else)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_device *dev = open_uri("sim:tinyodin,clk_hz=1000000");

	ck_assert_int_eq(nmhal_device_caps(dev, &caps), NMHAL_OK);
	ck_assert_uint_eq(caps.clock_hz, 1000000);
	nmhal_device_unref(dev);
	refuse("sim:tinyodin,clk_hz=0", NMHAL_E_INVALID, "clk_hz");
	refuse("sim:tinyodin,clk_hz=1000000001", NMHAL_E_INVALID, "clk_hz");
	refuse("sim:tinyodin,clk_hz=fast", NMHAL_E_INVALID, "clk_hz");
}
END_TEST

START_TEST(simd_says_how_the_model_computes)
{
	nmhal_device *dev = open_uri("sim:tinyodin,simd=off,init=zero");

	ck_assert_uint_eq(outputs(dev), 256);
	nmhal_device_unref(dev);
	refuse("sim:tinyodin,simd=mmx", NMHAL_E_INVALID, "simd=mmx: not one of auto, off, avx2");
	setenv("NMHAL_SIMD", "mmx", 1);
	refuse("sim:tinyodin", NMHAL_E_UNSUPPORTED, "NMHAL_SIMD");
	setenv("NMHAL_SIMD", "off", 1);
	dev = open_uri("sim:tinyodin,init=zero");
	ck_assert_uint_eq(outputs(dev), 256);
	nmhal_device_unref(dev);
	unsetenv("NMHAL_SIMD");
}
END_TEST

START_TEST(boards_and_keys_that_are_not_there)
{
	refuse("sim:moth", NMHAL_E_NO_DEVICE, "tinyodin");
	refuse("sim:", NMHAL_E_INVALID, "board");
	refuse("sim:tinyodin,speed=7", NMHAL_E_INVALID, "speed");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sim");
	TCase *tcase = tcase_create("keys");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, init_says_what_the_memories_hold_at_power_up);
	tcase_add_test(tcase, clk_hz_turns_cycles_into_time_and_changes_nothing_else);
	tcase_add_test(tcase, simd_says_how_the_model_computes);
	tcase_add_test(tcase, boards_and_keys_that_are_not_there);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
