/* SPDX-License-Identifier: MIT */
/* struct_size, both ways: old caller with new library, new caller with old library. */
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/run.h"

struct old {
	size_t struct_size;
	uint64_t a;
};
struct now {
	size_t struct_size;
	uint64_t a;
	uint64_t b;
};
struct newer {
	size_t struct_size;
	uint64_t a;
	uint64_t b;
	uint64_t c;
};

static int copy_in(struct now *dst, const void *src)
{
	return nm_copy_in(dst, sizeof(*dst), sizeof(struct old), src, "struct now");
}

static int copy_out(void *dst, const struct now *src)
{
	return nm_copy_out(dst, sizeof(*src), sizeof(struct old), src, "struct now");
}

START_TEST(in_same_age)
{
	const struct now theirs = {sizeof(theirs), 1, 2};
	struct now ours;

	assert_ok(copy_in(&ours, &theirs));
	ck_assert_uint_eq(ours.a, 1);
	ck_assert_uint_eq(ours.b, 2);
}
END_TEST

START_TEST(in_older_caller)
{
	const struct old theirs = {sizeof(theirs), 1};
	struct now ours = {0, 77, 77};

	assert_ok(copy_in(&ours, &theirs));
	ck_assert_uint_eq(ours.a, 1);
	ck_assert_uint_eq(ours.b, 0);
}
END_TEST

START_TEST(in_newer_caller)
{
	struct newer theirs = {sizeof(theirs), 1, 2, 0};
	struct now ours;

	assert_ok(copy_in(&ours, &theirs));
	ck_assert_uint_eq(ours.b, 2);
	theirs.c = 1;
	assert_fails(
		NMHAL_E_VERSION, "struct now: byte 24 is set, this library knows 24 bytes", copy_in(&ours, &theirs));
}
END_TEST

START_TEST(in_refuses_nonsense)
{
	struct now theirs = {0, 1, 2};
	struct now ours;

	assert_fails(NMHAL_E_INVALID, "struct now: is NULL", copy_in(&ours, NULL));
	assert_fails(
		NMHAL_E_INVALID, "struct_size is 0, must be at least 16; set it to sizeof", copy_in(&ours, &theirs));
	theirs.struct_size = sizeof(struct old) - 1;
	assert_fails(NMHAL_E_INVALID, "struct_size is 15", copy_in(&ours, &theirs));
	/* Read beyond the struct this would crash under a sanitizer: it is refused unread. */
	theirs.struct_size = SIZE_MAX;
	assert_fails(NMHAL_E_INVALID, "expected 24", copy_in(&ours, &theirs));
}
END_TEST

START_TEST(out_same_age)
{
	const struct now ours = {1234, 1, 2};
	struct now theirs = {sizeof(theirs), 0, 0};

	assert_ok(copy_out(&theirs, &ours));
	ck_assert_uint_eq(theirs.struct_size, sizeof(theirs));
	ck_assert_uint_eq(theirs.a, 1);
	ck_assert_uint_eq(theirs.b, 2);
}
END_TEST

START_TEST(out_older_caller)
{
	const struct now ours = {sizeof(ours), 1, 2};
	struct {
		struct old theirs;
		uint64_t beyond;
	} memory = {{sizeof(memory.theirs), 0}, 77};

	assert_ok(copy_out(&memory.theirs, &ours));
	ck_assert_uint_eq(memory.theirs.struct_size, sizeof(struct old));
	ck_assert_uint_eq(memory.theirs.a, 1);
	ck_assert_uint_eq(memory.beyond, 77);
}
END_TEST

START_TEST(out_newer_caller)
{
	const struct now ours = {sizeof(ours), 1, 2};
	struct newer theirs = {sizeof(theirs), 9, 9, 9};

	assert_ok(copy_out(&theirs, &ours));
	ck_assert_uint_eq(theirs.struct_size, sizeof(theirs));
	ck_assert_uint_eq(theirs.b, 2);
	ck_assert_uint_eq(theirs.c, 0);
}
END_TEST

START_TEST(out_refuses_nonsense)
{
	const struct now ours = {sizeof(ours), 1, 2};
	struct now theirs = {8, 5, 5};

	assert_fails(NMHAL_E_INVALID, "struct now: is NULL", copy_out(NULL, &ours));
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", copy_out(&theirs, &ours));
	theirs.struct_size = SIZE_MAX / 2;
	assert_fails(NMHAL_E_INVALID, "expected 24", copy_out(&theirs, &ours));
	ck_assert_uint_eq(theirs.a, 5);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {in_same_age, in_older_caller, in_newer_caller, in_refuses_nonsense, out_same_age,
		out_older_caller, out_newer_caller, out_refuses_nonsense};

	return run_tests("structs", tests, sizeof(tests) / sizeof(*tests));
}
