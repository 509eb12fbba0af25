/* SPDX-License-Identifier: MIT */
/* The map of an array as CSV. */
#include "tests/unit/array_board.h"
#include "tests/unit/folder.h"

/* 2 outputs, 9 inputs: the last input is on a tile of its own. */
static const float w[2][9] = {{7, 1, 2, 3, 4, 5, 6, 7, -3}, {1, 0, 0, 0, 0, 0, 0, 0, 7}};

struct bed {
	struct board board;
	struct folder folder;
	nmhal_array *array;
	char path[FOLDER_PATH];
};

static void bed_open(struct bed *bed, bool cells, uint32_t encoding, uint32_t flags)
{
	fake_init(&bed->board.fake, 2, 8, 8);
	bed->board.fake.caps.output_lsb = 1;
	if (!cells) {
		bed->board.fake.ops.cell_pulse = NULL;
		bed->board.fake.ops.cell_ramp = NULL;
		bed->board.fake.ops.cell_sweep = NULL;
		bed->board.fake.ops.read_conductance = NULL;
	}
	board_open(&bed->board);
	bed->array = new_array(&bed->board, 2, 9, encoding, flags);
	folder_make(&bed->folder);
	folder_file(&bed->folder, "map.csv", bed->path);
}

static void bed_close(struct bed *bed)
{
	folder_remove(&bed->folder);
	nmhal_array_free(bed->array);
	board_close(&bed->board);
}

/* The line of the file with that number, 0 is the title, without its end; NULL: there is none. */
static const char *line_of(const struct bed *bed, unsigned number, char *line, int size)
{
	FILE *file = fopen(bed->path, "r");
	const char *got = line;

	ck_assert_ptr_nonnull(file);
	for (unsigned i = 0; got && i <= number; i++)
		got = fgets(line, size, file);
	fclose(file);
	if (got)
		line[strcspn(line, "\n")] = 0;
	return got;
}

static void expect_line(const struct bed *bed, unsigned number, const char *before, const char *after)
{
	char line[512], expected[512];

	snprintf(expected, sizeof(expected), "%s\"%s\"%s", before, nmhal_device_uri(bed->board.dev), after);
	ck_assert_ptr_nonnull(line_of(bed, number, line, sizeof(line)));
	ck_assert_str_eq(line, expected);
}

START_TEST(each_weight_with_its_cells)
{
	struct bed bed;
	char line[512];

	bed_open(&bed, true, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_STATE, "array map: core 0 does not hold", nmhal_array_export_csv(bed.array, bed.path, 0));
	ck_assert_uint_eq(folder_count(&bed.folder), 0);
	assert_ok(nmhal_array_program(bed.array, &w[0][0], 0, 0, 0));
	assert_ok(nmhal_array_export_csv(bed.array, bed.path, 0));
	ck_assert_str_eq(
		line_of(&bed, 0, line, sizeof(line)), "out,in,slice,device,core,row,col,code,plus_ps,minus_ps");
	/* Row by row of a tile; the fake conducts 1000 row + 10 column + side. */
	expect_line(&bed, 1, "0,0,0,", ",0,0,0,7,0,1");
	expect_line(&bed, 2, "1,0,0,", ",0,0,1,1,10,11");
	expect_line(&bed, 16, "1,7,0,", ",0,7,1,0,7010,7011");
	expect_line(&bed, 17, "0,8,0,", ",1,0,0,-3,0,1");
	expect_line(&bed, 18, "1,8,0,", ",1,0,1,7,10,11");
	ck_assert_ptr_null(line_of(&bed, 19, line, sizeof(line)));
	ck_assert_uint_eq(bed.board.fake.conductance_read.averages, 1);
	bed_close(&bed);
}
END_TEST

START_TEST(slices_without_cells_in_turn)
{
	struct bed bed;
	char line[512];

	bed_open(&bed, false, NMHAL_ARRAY_TWO_SLICES, NMHAL_ARRAY_PASSES);
	assert_ok(nmhal_array_program(bed.array, &w[0][0], 0, 0, 0));
	assert_ok(nmhal_array_export_csv(bed.array, bed.path, 0));
	expect_line(&bed, 1, "0,0,0,", ",0,0,0,7,,"); /* 7 is the largest: 112 of 112 */
	expect_line(&bed, 17, "0,0,1,", ",1,0,0,7,,");
	expect_line(&bed, 33, "0,8,0,", ",0,0,0,-3,,"); /* -48 = -3 * 15 - 3 */
	expect_line(&bed, 35, "0,8,1,", ",1,0,0,-3,,");
	ck_assert_ptr_null(line_of(&bed, 37, line, sizeof(line)));
	bed_close(&bed);
}
END_TEST

START_TEST(what_goes_wrong)
{
	struct bed bed;

	bed_open(&bed, true, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_INVALID, "array is NULL", nmhal_array_export_csv(NULL, bed.path, 0));
	assert_fails(NMHAL_E_INVALID, "name of the file is NULL", nmhal_array_export_csv(bed.array, NULL, 0));
	assert_ok(nmhal_array_program(bed.array, &w[0][0], 0, 0, 0));
	assert_fails(NMHAL_E_IO, "/nowhere/map.csv", nmhal_array_export_csv(bed.array, "/nowhere/map.csv", 0));
	fake_fail_next(&bed.board.fake, FAKE_READ_CONDUCTANCE, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "", nmhal_array_export_csv(bed.array, bed.path, 0));
	ck_assert_uint_eq(folder_count(&bed.folder), 0);
	bed_close(&bed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {each_weight_with_its_cells, slices_without_cells_in_turn, what_goes_wrong};

	return run_tests("array_map", tests, sizeof(tests) / sizeof(*tests));
}
