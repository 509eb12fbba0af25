/* SPDX-License-Identifier: MIT */
/*
 * A whole session, once for each of its allocations, which fails (and in a second round all after it as well): each
 * time the session ends with NO_MEMORY and a sentence, and nothing is left behind.
 */
#include <string.h>
#ifdef WITH_HDF5
#include <hdf5.h>
#endif

#include "hal/hal.h"
#include "tests/unit/folder.h"
#include "tests/unit/run.h"
#include "tests/unit/wrap.h"

#define MAX_ROWS 256u
#define MAX_COLS 256u

struct session {
	const char *uri;
	const char *path; /* of an image file, or NULL: none */
	nmhal_context *ctx;
	nmhal_device *dev;
	struct nmhal_device_caps caps;
};

static int16_t codes[MAX_ROWS * MAX_COLS];

static int list_devices(struct session *session)
{
	nmhal_device_list *list;
	int status = nmhal_enumerate(session->ctx, NULL, &list);

	nmhal_device_list_free(list);
	return status;
}

/* All ways weights are written: a region, a part of it that changed, cells out of order, deltas of both kinds. */
static int program(struct session *session)
{
	const struct nmhal_cell cells[] = {{0, 2, 1, 3}, {0, 0, 1, 2}, {0, 2, 1, 4}};
	struct nmhal_program region = {.struct_size = sizeof(region), .codes = codes, .code_type = NMHAL_CODE_I16,
		.flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program sparse = {.struct_size = sizeof(sparse), .cells = cells, .cell_count = 3,
		.flags = NMHAL_PROGRAM_VERIFY};
	int status;

	memset(codes, 0, sizeof(codes));
	status = nmhal_program_weights(session->dev, &region, NULL);
	codes[5] = 1;
	codes[9] = 2;
	region.flags |= NMHAL_PROGRAM_ONLY_CHANGED;
	if (!status)
		status = nmhal_program_weights(session->dev, &region, NULL);
	if (!status)
		status = nmhal_program_weights(session->dev, &sparse, NULL);
	region.flags = NMHAL_PROGRAM_VERIFY;
	if (!status)
		status = nmhal_update_weights(session->dev, &region, NULL);
	return status ? status : nmhal_update_weights(session->dev, &sparse, NULL);
}

static int run(struct session *session)
{
	const struct nmhal_event in[] = {{.step = 0, .address = 1}, {.step = 3, .address = 2}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 2};
	const struct nmhal_neuron neuron = {.threshold = 1, .enabled = 1};
	struct nmhal_event out[8];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 8};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	int status;

	if (!(session->caps.features & NMHAL_CAN_SPIKES))
		return nmhal_reset_state(session->dev, 0);
	status = nmhal_set_neurons(session->dev, 0, 1, 1, &neuron, 0);
	if (!status)
		status = nmhal_run_spikes(session->dev, &op, &report);
	if (!status && report.events_out)
		status = nmhal_read_spikes(session->dev, &rd, NMHAL_NO_WAIT);
	return status ? status : nmhal_reset_state(session->dev, 0);
}

static int image(struct session *session)
{
	nmhal_image *captured, *loaded = NULL;
	int status = nmhal_image_capture(session->dev, 0, &captured);

	if (!status && session->path) {
		status = nmhal_image_save(captured, session->path);
		if (!status)
			status = nmhal_image_load(session->path, &loaded);
	}
	if (!status)
		status = nmhal_image_program(session->dev, loaded ? loaded : captured, 0, 0, NULL);
	nmhal_image_free(loaded);
	nmhal_image_free(captured);
	return status;
}

static int work(struct session *session)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	int status = list_devices(session);

	params.spike_ring_events = 100;
	if (!status)
		status = nmhal_device_open(session->ctx, session->uri, &params, &session->dev);
	if (status)
		return status;
	session->caps.struct_size = sizeof(session->caps);
	status = nmhal_device_caps(session->dev, &session->caps);
	if (!status)
		status = program(session);
	if (!status)
		status = run(session);
	if (!status)
		status = image(session);
	return status ? status : nmhal_device_close(session->dev);
}

static int hold(struct session *session)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	int status;

	params.log_level = NMHAL_LOG_NONE;
	session->dev = NULL;
	status = nmhal_context_new(&params, &session->ctx);
	if (!status)
		status = work(session);
	nmhal_device_unref(session->dev);
	nmhal_context_unref(session->ctx);
	return status;
}

/* The session with each of its allocations failing; returns how many it has. */
static unsigned fail_each(struct session *session, bool for_good)
{
	unsigned index = 0;
	int status;

	/* HDF5 and libc keep what they need from the first time on. */
	assert_ok(hold(session));
	do {
		unsigned tried;

		index++;
		nm_fail(NULL, NMHAL_OK, "nothing failed");
		wrap_begin(index, for_good);
		status = hold(session);
		tried = wrap_end();
		ck_assert_uint_ge(tried + !wrap_failed(), index);
		ck_assert_msg(wrap_live() == 0, "%s: allocation %u failed: %zu blocks left", session->uri, index,
			wrap_live());
		ck_assert_msg(!wrap_failed() || status == NMHAL_E_NO_MEMORY, "%s: allocation %u of %u failed: %d: %s",
			session->uri, index, tried, status, nmhal_last_error());
		ck_assert_msg(!wrap_failed() || strcmp(nmhal_last_error(), "nothing failed"),
			"allocation %u failed: no sentence", index);
	} while (wrap_failed());
	assert_ok(status);
	return index - 1;
}

START_TEST(null_board)
{
	struct session session = {.uri = "null:"};
	unsigned allocations = fail_each(&session, false);

	/* Context 3 or more, list 6, device 8, programming 6, image 4: were they not counted, there would be fewer. */
	ck_assert_uint_ge(allocations, 27);
	ck_assert_uint_eq(fail_each(&session, true), allocations);
}
END_TEST

START_TEST(emulated_chip)
{
	struct session session = {.uri = "sim:tinyodin"};
	unsigned allocations = fail_each(&session, false);

	ck_assert_uint_ge(allocations, 27);
	ck_assert_uint_eq(fail_each(&session, true), allocations);
}
END_TEST

#ifdef WITH_WRAPPERS
/* What is recorded up to a failure can be played; playing allocates too. */
START_TEST(recorded_and_played)
{
	char path[FOLDER_PATH], uri[FOLDER_PATH + 64];
	struct session session = {.uri = uri};
	struct folder folder;

	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
	snprintf(uri, sizeof(uri), "sim:tinyodin,fault=io@1000000,record=%s", path);
	ck_assert_uint_ge(fail_each(&session, false), 35);
	ck_assert_uint_eq(folder_count(&folder), 1);
	snprintf(uri, sizeof(uri), "replay:file=%s", path);
	ck_assert_uint_ge(fail_each(&session, false), 27);
	folder_remove(&folder);
}
END_TEST
#endif

#ifdef WITH_HDF5
START_TEST(image_and_state_files)
{
	char path[FOLDER_PATH], state[FOLDER_PATH], uri[FOLDER_PATH + 32];
	struct session session = {.uri = uri, .path = path};
	struct folder folder;
	nmhal_image *none;

	folder_make(&folder);
	folder_file(&folder, "i.h5", path);
	snprintf(uri, sizeof(uri), "null:null,state=%s", folder_file(&folder, "state.h5", state));
	ck_assert_uint_ge(fail_each(&session, false), 40);
	ck_assert_uint_ge(fail_each(&session, true), 40);
	/* Both files are whole, and nothing is beside them. */
	ck_assert_uint_eq(folder_count(&folder), 2);
	assert_ok(nmhal_image_load(state, &none));
	nmhal_image_free(none);
	folder_remove(&folder);
}
END_TEST
#endif

/* The counters count, and a leak would be seen. */
START_TEST(counters_count)
{
	/* The compiler must not know what becomes of them. */
	void *volatile first, *volatile second;
	char *volatile text;

	wrap_begin(4, false);
	first = malloc(10);
	second = calloc(2, 5);
	first = realloc(first, 20);
	text = strdup("x");
	wrap_end();
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_null(text);
	ck_assert(wrap_failed());
	ck_assert_uint_eq(wrap_live(), 2);
	free(second);
	ck_assert_uint_eq(wrap_live(), 1);
	free(first);
	ck_assert_uint_eq(wrap_live(), 0);
}
END_TEST

/* LeakSanitizer asks this: HDF5 1.10 loses memory when it gets none. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

int main(void)
{
	const TTest *const tests[] = {counters_count, null_board, emulated_chip,
#ifdef WITH_WRAPPERS
		recorded_and_played,
#endif
#ifdef WITH_HDF5
		image_and_state_files,
#endif
	};

#ifdef WITH_HDF5
	/* It complains of that at exit. */
	H5dont_atexit();
#endif
	return run_tests("alloc", tests, sizeof(tests) / sizeof(*tests));
}
