/* SPDX-License-Identifier: MIT */
/* The wrapper "fault" before a stream that writes down what reaches it. */
#include <stdio.h>
#include <string.h>

#include "tests/fault/scribe.h"
#include "tests/unit/run.h"

#define SEEDS 40u

static struct scribe scribe;

START_TEST(chunks_on_the_way_out)
{
	char text[64];

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		unsigned first, second;

		scribe_open_with(&scribe, "bytes", "drop@1+dup@2+flip@3+short@4+io@5", seed);
		assert_ok(scribe_send(&scribe, "ab"));
		scribe_expect(&scribe, "");
		assert_ok(scribe_send(&scribe, "ab"));
		scribe_expect(&scribe, "s6162 s6162");
		assert_ok(scribe_send(&scribe, "ab"));
		ck_assert_int_eq(sscanf(scribe.story, "s%2x%2x", &first, &second), 2);
		ck_assert_uint_eq(scribe_bits((first ^ 0x61) << 8 | (second ^ 0x62)), 1);
		scribe.story[0] = '\0';
		assert_ok(scribe_send(&scribe, "ab"));
		ck_assert(strcmp(scribe.story, "") == 0 || strcmp(scribe.story, "s61") == 0);
		scribe.story[0] = '\0';
		assert_fails(NMHAL_E_IO, "send of 2 bytes: injected fault: io at operation 5",
			scribe_send(&scribe, "ab"));
		ck_assert_uint_le(strlen(scribe.story), 5);
		assert_fails(NMHAL_E_TIMEOUT, "nothing by", scribe_recv(&scribe, text, sizeof(text), 1000));
		scribe_close(&scribe);
		ck_assert_uint_eq(scribe_lines(&scribe, "injected fault"), 5);
	}
}
END_TEST

START_TEST(chunks_on_the_way_in)
{
	const char *const chunks[] = {"lost", "after", "twice", "flip", "shorten", "split", "last", NULL};
	char text[64], more[64];

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		unsigned changed = 0;

		scribe_open_with(&scribe, "bytes", "drop@1+dup@2+flip@4+short@5+split@6+io@8", seed);
		scribe.chunks = chunks;
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
		ck_assert_str_eq(text, "after");
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
		ck_assert_str_eq(text, "twice");
		assert_ok(scribe_recv(&scribe, text, 3, 1000)); /* the copy, as much as there is room for */
		ck_assert_str_eq(text, "tw");
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000)); /* what was changed once stays as it is */
		ck_assert_str_eq(text, "ice");
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000)); /* short@5 */
		ck_assert_uint_lt(strlen(text), 4);
		ck_assert_int_eq(strncmp(text, "flip", strlen(text)), 0);
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000)); /* split@6 */
		assert_ok(scribe_recv(&scribe, more, sizeof(more), 1000));
		ck_assert_uint_gt(strlen(more), 0);
		strcat(text, more);
		ck_assert_str_eq(text, "shorten");
		assert_fails(NMHAL_E_IO, "receive of 63 bytes: injected fault: io at operation 8",
			scribe_recv(&scribe, text, sizeof(text), 1000));
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
		ck_assert_str_eq(text, "split");
		scribe_close(&scribe);
		scribe_open_with(&scribe, "bytes", "flip@1", seed);
		scribe.chunks = chunks;
		assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
		for (size_t n = 0; n < 4; n++)
			changed += scribe_bits((unsigned char)(text[n] ^ "lost"[n]));
		ck_assert_uint_eq(changed, 1);
		scribe_close(&scribe);
	}
}
END_TEST

START_TEST(packets_change_places)
{
	char text[64];

	scribe_open_with(&scribe, "packets", "reorder@1+reorder@3+reorder@6+reorder@7+reorder@8", 1);
	assert_ok(scribe_send(&scribe, "A"));
	scribe_expect(&scribe, "");
	assert_ok(scribe_send(&scribe, "B"));
	scribe_expect(&scribe, "s42 s41");
	/* Whoever waits for an answer must have asked. */
	assert_ok(scribe_send(&scribe, "C"));
	scribe.chunks = (const char *const[]){"1", "2", "3", NULL};
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "1");
	scribe_expect(&scribe, "s43 r");
	assert_ok(scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "3");
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "2");
	/* Nothing overtakes the last one; it is not lost. */
	scribe.chunks = (const char *const[]){"4", NULL};
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "4");
	scribe_close(&scribe);
}
END_TEST

/* A flush drops what the wrapper holds as well, and sends what it kept back. */
START_TEST(flush_forgets)
{
	char text[64];

	scribe_open_with(&scribe, "packets", "dup@1+reorder@2+io@4", 1);
	scribe.chunks = (const char *const[]){"1", "2", NULL};
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	assert_ok(scribe_send(&scribe, "A"));
	assert_ok(scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	scribe_expect(&scribe, "r s41 f");
	assert_fails(NMHAL_E_IO, "flush: injected fault: io at operation 4",
		scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "2");
	scribe_close(&scribe);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		chunks_on_the_way_out, chunks_on_the_way_in, packets_change_places, flush_forgets};

	return run_tests("fault stream", tests, sizeof(tests) / sizeof(*tests));
}
