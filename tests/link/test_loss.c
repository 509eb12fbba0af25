/* SPDX-License-Identifier: MIT */
/*
 * Damage on the wire that must not be seen: at every frame of an episode, each kind of it, both ways; and at random.
 * Results are those of a quiet wire, and nothing is done twice.
 */
#include <stdlib.h>

#include "episode.h"
#include "far_suite.h"

static struct far far;
static nmhal_context *ctx;
static struct episode quiet;
static unsigned quiet_requests, quiet_replies, quiet_executed[256];
static uint64_t quiet_pulses;

enum damage { DROP, TWICE, LATE, FLIP, CUT, GROW, DAMAGES };

static struct {
	bool reply;
	unsigned count; /* frame */
	enum damage damage;
	unsigned where; /* bit to flip, bytes to cut */
	unsigned done;
} plan;

static enum far_fate damage_frame(enum damage damage, unsigned where, uint8_t *frame, size_t *size)
{
	switch (damage) {
	case DROP:
		return FAR_DROP;
	case TWICE:
		return FAR_TWICE;
	case LATE:
		return FAR_LATE;
	case FLIP:
		frame[where / 8 % *size] ^= (uint8_t)(1 << where % 8);
		return FAR_PASS;
	case CUT:
		*size = where % *size;
		return FAR_PASS;
	default:
		for (unsigned n = 0; n < where % 9 + 1 && *size < FAR_FRAME; n++)
			frame[(*size)++] = (uint8_t)where;
		return FAR_PASS;
	}
}

static enum far_fate as_planned(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	if (reply != plan.reply || count != plan.count)
		return FAR_PASS;
	plan.done++;
	return damage_frame(plan.damage, plan.where, frame, size);
}

static void begin(bool bytes)
{
	far_init(&far);
	far.bytes = bytes;
	far.max_frame = NMLINK_MIN_FRAME;
	far.window = 4;
}

static void run_quiet(bool bytes)
{
	nmhal_device *dev;

	ctx = far_context();
	begin(bytes);
	dev = far_open(ctx, &far);
	episode_run(dev, &quiet);
	ck_assert_msg(!quiet.failed, "%s", nmhal_last_error());
	ck_assert_uint_eq(quiet.event_count, 8 + 4 + 30 + 5 * FAR_TILES);
	ck_assert_uint_eq(quiet.applied, 3);
	ck_assert_int_eq(quiet.gain, 7);
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
	quiet_requests = far.requests;
	quiet_replies = far.replies;
	quiet_pulses = far.pulses;
	memcpy(quiet_executed, far.executed, sizeof(quiet_executed));
	nmhal_device_unref(dev);
}

static void setup_packets(void)
{
	run_quiet(false);
}

static void setup_bytes(void)
{
	run_quiet(true);
}

static void teardown(void)
{
	nmhal_context_unref(ctx);
}

/* Requests that change the board are executed as often as on a quiet wire. */
static void check_executed(void)
{
	static const uint16_t once[] = {NMLINK_OP_WRITE, NMLINK_OP_ADD_CELLS, NMLINK_OP_WRITE_NEURONS,
		NMLINK_OP_RESET_STATE, NMLINK_OP_SPIKES_START, NMLINK_OP_SPIKES_STOP, NMLINK_OP_SET_ATTR,
		NMLINK_OP_PULSE_CELL};

	for (size_t n = 0; n < sizeof(once) / sizeof(once[0]); n++)
		ck_assert_uint_eq(far.executed[once[n]], quiet_executed[once[n]]);
	ck_assert_uint_eq(far.pulses, quiet_pulses);
}

static void check_episode(nmhal_device *dev)
{
	struct episode result;

	episode_run(dev, &result);
	ck_assert_msg(!result.failed, "frame %u, damage %d at %u: %s", plan.count, plan.damage, plan.where,
		nmhal_last_error());
	ck_assert_mem_eq(&result, &quiet, sizeof(result));
	check_executed();
}

static void check_damage(enum damage damage, unsigned where)
{
	nmhal_device *dev;

	begin(far.bytes);
	far.hook = as_planned;
	plan.damage = damage;
	plan.where = where;
	plan.done = 0;
	/* What the link gets over is no failure of a call. */
	ck_refused(nmhal_device_close(NULL), NMHAL_E_INVALID, "dev is NULL");
	dev = far_open(ctx, &far);
	check_episode(dev);
	nmhal_device_unref(dev);
	ck_assert_str_eq(nmhal_last_error(), "close: dev is NULL");
	ck_assert_uint_eq(plan.done, 1);
}

START_TEST(any_frame_may_be_damaged_in_any_way)
{
	for (int reply = 0; reply < 2; reply++) {
		for (unsigned count = 0; count < (reply ? quiet_replies : quiet_requests); count++) {
			plan.reply = reply;
			plan.count = count;
			for (enum damage damage = DROP; damage < DAMAGES; damage++)
				check_damage(damage, count * 37 + 5);
		}
	}
}
END_TEST

/* Frame 3 carries weights; its answer has no payload. Frame 2 of the answers has capability records. */
static void damage_all(enum damage damage, unsigned positions)
{
	for (int reply = 0; reply < 2; reply++) {
		plan.reply = reply;
		plan.count = reply ? 2 : 3;
		for (unsigned where = 0; where < positions; where++)
			check_damage(damage, where);
	}
}

START_TEST(any_bit_may_be_flipped)
{
	damage_all(FLIP, 8 * NMLINK_MIN_FRAME);
}
END_TEST

START_TEST(any_length_may_be_left)
{
	damage_all(CUT, NMLINK_MIN_FRAME);
}
END_TEST

static uint64_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33);
}

static enum far_fate at_random(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	const uint32_t dice = next_random() % 12;

	(void)board;
	(void)reply;
	(void)count;
	return dice < DAMAGES ? damage_frame((enum damage)dice, next_random(), frame, size) : FAR_PASS;
}

START_TEST(a_wire_that_loses_much_gives_the_same_results)
{
	unsigned episodes = 0;

	for (unsigned seed = 1; seed <= 60; seed++) {
		struct episode result;
		nmhal_device *dev;

		begin(far.bytes);
		random_state = seed;
		far.hook = at_random;
		/* Half of all frames are damaged: now and then nine times in a row, and then a call says so. */
		if (far_try_open(ctx, &far, &dev) != NMHAL_OK) {
			ck_assert_msg(strstr(nmhal_last_error(), " times"), "%s", nmhal_last_error());
			continue;
		}
		episode_run(dev, &result);
		if (result.failed) {
			ck_assert_int_eq(result.status, NMHAL_E_TIMEOUT);
		} else {
			ck_assert_mem_eq(&result, &quiet, sizeof(result));
			check_executed();
			ck_assert_uint_gt(far_counter(dev, "retransmitted"), 0);
			episodes++;
		}
		nmhal_device_unref(dev);
	}
	ck_assert_uint_ge(episodes, 40);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, any_frame_may_be_damaged_in_any_way);
	tcase_add_test(tcase, any_bit_may_be_flipped);
	tcase_add_test(tcase, any_length_may_be_left);
	tcase_add_test(tcase, a_wire_that_loses_much_gives_the_same_results);
}

int main(void)
{
	Suite *suite = suite_create("link loss");

	add_tests(far_case(suite, "packets", setup_packets, teardown));
	add_tests(far_case(suite, "bytes", setup_bytes, teardown));
	return far_run(suite);
}
