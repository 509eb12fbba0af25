/* SPDX-License-Identifier: MIT */
/* A build without HDF5: images stay objects, files and state= are refused by name. */
#include <stdio.h>

#include "tests/unit/board.h"

START_TEST(files_are_refused)
{
	static const char *const no_hdf5 = "i.h5: chip image files: this library was built without HDF5";
	nmhal_image *image = NULL, *back = (nmhal_image *)8;
	char uri[FAKE_URI_SIZE];
	struct board board;
	nmhal_device *dev;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_image_capture(board.dev, 0, &image));
	assert_ok(nmhal_image_program(board.dev, image, 0, 0, NULL));
	assert_fails(NMHAL_E_UNSUPPORTED, no_hdf5, nmhal_image_save(image, "i.h5"));
	assert_fails(NMHAL_E_UNSUPPORTED, no_hdf5, nmhal_image_load("i.h5", &back));
	ck_assert_ptr_null(back);
	nmhal_image_free(image);
	assert_ok(nmhal_device_close(board.dev));
	assert_fails(NMHAL_E_UNSUPPORTED, no_hdf5,
		nmhal_device_open(board.ctx, fake_uri(&board.fake, ",state=i.h5", uri), NULL, &dev));
	ck_assert(!board.fake.is_open);
	board_close(&board);
}
END_TEST

START_TEST(bytes_are_refused)
{
	void *bytes = (void *)8;
	nmhal_image *back = (nmhal_image *)8;
	size_t size = 8;

	assert_fails(NMHAL_E_UNSUPPORTED, "without HDF5", nm_image_encode("f", NULL, &bytes, &size));
	ck_assert_ptr_null(bytes);
	ck_assert_uint_eq(size, 0);
	assert_fails(NMHAL_E_UNSUPPORTED, "without HDF5", nm_image_decode("f", NULL, 0, &back));
	ck_assert_ptr_null(back);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {files_are_refused, bytes_are_refused};

	return run_tests("image_none", tests, sizeof(tests) / sizeof(*tests));
}
