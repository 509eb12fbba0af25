/* SPDX-License-Identifier: MIT */
/* What the core believes the device holds. */
#include "tests/unit/board.h"

static void init(struct nm_shadow *shadow)
{
	const struct nmhal_device_caps caps = {.cores = 2, .rows = 3, .cols = 4};

	assert_ok(nm_shadow_init(shadow, &caps));
}

START_TEST(knows_nothing_at_first)
{
	struct nm_shadow shadow;

	init(&shadow);
	for (uint32_t core = 0; core < 2; core++)
		for (uint32_t row = 0; row < 3; row++)
			ck_assert(!nm_shadow_knows(&shadow, core, row));
	nm_shadow_free(&shadow);
	ck_assert_ptr_null(shadow.codes);
	ck_assert_ptr_null(shadow.known);
}
END_TEST

START_TEST(rows_lie_one_after_another)
{
	struct nm_shadow shadow;

	init(&shadow);
	ck_assert_ptr_eq(nm_shadow_row(&shadow, 0, 0), shadow.codes);
	ck_assert_ptr_eq(nm_shadow_row(&shadow, 0, 2), shadow.codes + 8);
	ck_assert_ptr_eq(nm_shadow_row(&shadow, 1, 0), shadow.codes + 12);
	nm_shadow_free(&shadow);
}
END_TEST

START_TEST(whole_rows_become_known)
{
	const int16_t codes[2][5] = {{1, 2, 3, 4, 99}, {5, 6, 7, 8, 99}};
	const struct nmhal_region region = {1, 1, 0, 2, 4, 0};
	struct nm_shadow shadow;

	init(&shadow);
	nm_shadow_store(&shadow, &region, &codes[0][0], 5);
	ck_assert(!nm_shadow_knows(&shadow, 0, 1));
	ck_assert(!nm_shadow_knows(&shadow, 1, 0));
	ck_assert(nm_shadow_knows(&shadow, 1, 1));
	ck_assert(nm_shadow_knows(&shadow, 1, 2));
	ck_assert_mem_eq(nm_shadow_row(&shadow, 1, 1), codes[0], 8);
	ck_assert_mem_eq(nm_shadow_row(&shadow, 1, 2), codes[1], 8);
	nm_shadow_forget(&shadow, 1, 2, 1);
	ck_assert(nm_shadow_knows(&shadow, 1, 1));
	ck_assert(!nm_shadow_knows(&shadow, 1, 2));
	nm_shadow_free(&shadow);
}
END_TEST

START_TEST(part_of_a_row_keeps_what_is_known)
{
	const int16_t whole[4] = {1, 2, 3, 4};
	const int16_t part[2] = {-1, -2};
	const struct nmhal_region row = {0, 0, 0, 1, 4, 0};
	const struct nmhal_region known_part = {0, 0, 1, 1, 2, 0};
	const struct nmhal_region unknown_part = {0, 1, 1, 1, 2, 0};
	const int16_t expected[4] = {1, -1, -2, 4};
	struct nm_shadow shadow;

	init(&shadow);
	nm_shadow_store(&shadow, &row, whole, 4);
	nm_shadow_store(&shadow, &known_part, part, 2);
	nm_shadow_store(&shadow, &unknown_part, part, 2);
	ck_assert(nm_shadow_knows(&shadow, 0, 0));
	ck_assert(!nm_shadow_knows(&shadow, 0, 1));
	ck_assert_mem_eq(nm_shadow_row(&shadow, 0, 0), expected, sizeof(expected));
	nm_shadow_free(&shadow);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {knows_nothing_at_first, rows_lie_one_after_another, whole_rows_become_known,
		part_of_a_row_keeps_what_is_known};

	return run_tests("shadow", tests, sizeof(tests) / sizeof(*tests));
}
