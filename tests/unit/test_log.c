/* SPDX-License-Identifier: MIT */
/* Log levels, the sink, and the lines on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hal/hal.h"
#include "tests/unit/run.h"

struct seen {
	unsigned lines;
	enum nmhal_log_level level;
	char uri[64];
	char message[2048];
};

static void sink(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct seen *seen = user;

	seen->lines++;
	seen->level = level;
	snprintf(seen->uri, sizeof(seen->uri), "%s", uri);
	snprintf(seen->message, sizeof(seen->message), "%s", message);
}

static nmhal_context *context(uint32_t level, struct seen *seen)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx;

	params.log = seen ? sink : NULL;
	params.log_user = seen;
	params.log_level = level;
	params.drivers = "";
	assert_ok(nmhal_context_new(&params, &ctx));
	return ctx;
}

/* How many of the five levels get through. */
static unsigned count_lines(uint32_t level)
{
	struct seen seen = {0};
	nmhal_context *ctx = context(level, &seen);

	for (int i = NMHAL_LOG_ERROR; i <= NMHAL_LOG_WIRE; i++)
		nm_log(ctx, (enum nmhal_log_level)i, "", "line");
	nmhal_context_unref(ctx);
	return seen.lines;
}

START_TEST(level_of_params)
{
	for (uint32_t level = NMHAL_LOG_ERROR; level <= NMHAL_LOG_WIRE; level++)
		ck_assert_uint_eq(count_lines(level), level);
	ck_assert_uint_eq(count_lines(NMHAL_LOG_NONE), 0);
}
END_TEST

START_TEST(level_of_environment)
{
	static const struct {
		const char *text;
		unsigned lines;
	} rows[] = {{"error", 1}, {"WARN", 2}, {"info", 3}, {"4", 4}, {"wire", 5}, {"none", 0}, {"6", 0}, {"", 2}};

	unsetenv("NMHAL_LOG");
	ck_assert_uint_eq(count_lines(NMHAL_LOG_DEFAULT), 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		setenv("NMHAL_LOG", rows[i].text, 1);
		ck_assert_uint_eq(count_lines(NMHAL_LOG_DEFAULT), rows[i].lines);
		ck_assert_uint_eq(count_lines(NMHAL_LOG_ERROR), 1);
	}
	/* One line more: the complaint. */
	setenv("NMHAL_LOG", "loud", 1);
	ck_assert_uint_eq(count_lines(NMHAL_LOG_DEFAULT), 3);
	unsetenv("NMHAL_LOG");
}
END_TEST

START_TEST(sink_gets_one_line)
{
	struct seen seen = {0};
	nmhal_context *ctx = context(NMHAL_LOG_INFO, &seen);
	char text[3000];

	nm_log(ctx, NMHAL_LOG_INFO, "sim:x", "%d\nand more", 5);
	ck_assert_int_eq(seen.level, NMHAL_LOG_INFO);
	ck_assert_str_eq(seen.uri, "sim:x");
	ck_assert_str_eq(seen.message, "5?and more");
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	nm_log(ctx, NMHAL_LOG_INFO, "", "%s", text);
	ck_assert_uint_eq(strlen(seen.message), 1023);
	nmhal_context_unref(ctx);
}
END_TEST

/* What a context without sink writes to stderr, to be freed. */
static char *stderr_of(const char *uri, const char *message)
{
	nmhal_context *ctx = context(NMHAL_LOG_WARN, NULL);
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	char *text = calloc(1, 8192);

	ck_assert(file && text && saved >= 0);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	nm_log(ctx, NMHAL_LOG_WARN, uri, "%s", message);
	nm_log(ctx, NMHAL_LOG_INFO, uri, "%s", message);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	ck_assert_uint_gt(fread(text, 1, 8191, file), 0);
	fclose(file);
	nmhal_context_unref(ctx);
	return text;
}

START_TEST(stderr_lines)
{
	char message[3000], uri[3000];
	char *text = stderr_of("sim:x", "queue full");

	ck_assert_str_eq(text, "nmhal: warn: sim:x: queue full\n");
	free(text);
	text = stderr_of("", "queue full");
	ck_assert_str_eq(text, "nmhal: warn: queue full\n");
	free(text);
	memset(message, 'z', sizeof(message));
	message[sizeof(message) - 1] = '\0';
	memcpy(uri, message, sizeof(uri));
	text = stderr_of(uri, message);
	ck_assert_uint_lt(strlen(text), 1600);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
}
END_TEST

START_TEST(names_of_levels)
{
	ck_assert_int_eq(nm_log_level("warn"), NMHAL_LOG_WARN);
	ck_assert_int_eq(nm_log_level("Wire"), NMHAL_LOG_WIRE);
	ck_assert_int_eq(nm_log_level("1"), NMHAL_LOG_ERROR);
	ck_assert_int_eq(nm_log_level("0"), -1);
	ck_assert_int_eq(nm_log_level("7"), -1);
	ck_assert_int_eq(nm_log_level("default"), -1);
	ck_assert_int_eq(nm_log_level(""), -1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {level_of_params, level_of_environment, sink_gets_one_line, stderr_lines,
		names_of_levels};

	return run_tests("log", tests, sizeof(tests) / sizeof(*tests));
}
