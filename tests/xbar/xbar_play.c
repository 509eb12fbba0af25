/* SPDX-License-Identifier: MIT */
/*
 * Plays calls on the crossbar model, one a line, from standard input, and prints a line for each: what test_reference.py
 * compares. Numbers are decimal; codes are two hexadecimal digits each, without blanks between.
 *
 * new PROFILE SEED NOISE FULL          custom TILES ROWS COLS MAX QUANTA ADC LSB SEED NOISE FULL
 * write TILE ROW COL ROWS COLS CODES   read TILE ROW COL ROWS COLS USE   add TILE ROW COL DELTA
 * time SECONDS                         infer TILE ROW COL ROWS COLS TRANSPOSED SERIAL BATCH FIRST CODES
 * pulse TILE ROW COL SIDE UV NS COUNT  sense TILE ROW COL SIDE USE AVERAGES
 * sweep TILE ROW COL SIDE UV NS USE
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/xbar.h"

struct player {
	struct xbar *xbar;
	struct xbar_profile custom;
	struct xbar_options options;
};

static void die(const char *what)
{
	fprintf(stderr, "xbar_play: %s\n", what);
	exit(2);
}

static char *word(void)
{
	char *text = strtok(NULL, " \n");

	if (!text)
		die("a line is too short");
	return text;
}

static int64_t number(void)
{
	return strtoll(word(), NULL, 10);
}

static int8_t *codes(size_t count)
{
	const char *text = word();
	int8_t *values = malloc(count + 1);

	if (!values || strlen(text) != 2 * count)
		die("wrong number of codes");
	for (size_t i = 0; i < count; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

		values[i] = (int8_t)strtoul(digits, NULL, 16);
	}
	return values;
}

static void print_bytes(const void *bytes, size_t count)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < count; i++)
		printf("%02x", byte[i]);
}

static struct xbar_region region(void)
{
	struct xbar_region at = {.tile = (unsigned)number()};

	at.row = (unsigned)number();
	at.col = (unsigned)number();
	at.rows = (unsigned)number();
	at.cols = (unsigned)number();
	return at;
}

static struct xbar_cell cell(void)
{
	struct xbar_cell at = {.tile = (unsigned)number()};

	at.row = (unsigned)number();
	at.col = (unsigned)number();
	at.side = (unsigned)number();
	return at;
}

static void renew(struct player *player, const struct xbar_profile *profile)
{
	struct xbar_options options = player->options;
	char error[XBAR_NOISE_ERROR_SIZE];

	options.seed = strtoull(word(), NULL, 10);
	if (!xbar_options_parse(word(), &options, error))
		die(error);
	options.full_inputs = number() != 0;
	xbar_free(player->xbar);
	player->xbar = xbar_new(profile, &options);
	if (!player->xbar)
		die("no model");
	printf("%s %d %d %d\n", xbar_kernel(player->xbar), xbar_input_max(player->xbar), xbar_output_min(player->xbar),
		xbar_output_max(player->xbar));
}

static void play_new(struct player *player)
{
	const struct xbar_profile *profile = xbar_profile_find(word());

	if (!profile)
		die("no such profile");
	renew(player, profile);
}

static void play_custom(struct player *player)
{
	struct xbar_profile *profile = &player->custom;

	xbar_free(player->xbar);
	player->xbar = NULL;
	profile->name = "custom";
	profile->tiles = (unsigned)number();
	profile->rows = (unsigned)number();
	profile->cols = (unsigned)number();
	profile->weight_max = (int)number();
	profile->quanta = (int)number();
	profile->adc_bits = (unsigned)number();
	profile->lsb_shift = (unsigned)number();
	renew(player, profile);
}

static void play_write(struct player *player)
{
	struct xbar_region at = region();
	int8_t *values = codes((size_t)at.rows * at.cols);

	printf("%d\n", xbar_write(player->xbar, &at, values));
	free(values);
}

static void play_read(struct player *player)
{
	struct xbar_region at = region();
	int8_t *values = malloc((size_t)at.rows * at.cols);

	if (!values)
		die("out of memory");
	xbar_read(player->xbar, &at, strtoull(word(), NULL, 10), values);
	print_bytes(values, (size_t)at.rows * at.cols);
	printf("\n");
	free(values);
}

static void play_add(struct player *player)
{
	unsigned tile = (unsigned)number(), row = (unsigned)number(), col = (unsigned)number();

	printf("%d\n", xbar_add(player->xbar, tile, row, col, (int)number()));
}

static void play_time(struct player *player)
{
	printf("%d\n", xbar_set_time(player->xbar, (uint32_t)number()));
}

static void play_infer(struct player *player)
{
	struct xbar_inference inference = {.region = region(), .transposed = number() != 0};
	size_t inputs = inference.transposed ? inference.region.cols : inference.region.rows;
	size_t outputs = inference.transposed ? inference.region.rows : inference.region.cols;
	size_t bits = (outputs + 7) / 8, bytes = xbar_output_bytes(player->xbar) * outputs;
	int8_t *values;

	inference.bit_serial = number() != 0;
	inference.batch = (size_t)number();
	inference.first_vector = strtoull(word(), NULL, 10);
	inference.inputs = values = codes(inference.batch * inputs);
	inference.outputs = malloc(inference.batch * bytes);
	inference.clipped = malloc(inference.batch * bits);
	if (!inference.outputs || !inference.clipped)
		die("out of memory");
	if (xbar_infer(player->xbar, &inference)) {
		print_bytes(inference.outputs, inference.batch * bytes);
		printf(" ");
		print_bytes(inference.clipped, inference.batch * bits);
		printf("\n");
	} else {
		printf("range\n");
	}
	free(values);
	free(inference.outputs);
	free(inference.clipped);
}

static void play_pulse(struct player *player)
{
	struct xbar_cell at = cell();
	int32_t voltage_uv = (int32_t)number();
	uint32_t width_ns = (uint32_t)number();

	xbar_pulse(player->xbar, &at, voltage_uv, width_ns, (uint32_t)number());
	printf("%d %" PRIu32 "\n", xbar_formed(player->xbar, &at), xbar_cell_pulses(player->xbar, &at));
}

static void play_sense(struct player *player)
{
	struct xbar_cell at = cell();
	uint64_t use = strtoull(word(), NULL, 10);

	printf("%" PRIu32 "\n", xbar_conductance(player->xbar, &at, use, (unsigned)number()));
}

static void play_sweep(struct player *player)
{
	struct xbar_cell at = cell();
	int32_t voltage_uv = (int32_t)number();
	uint32_t width_ns = (uint32_t)number();

	printf("%" PRId32 "\n", xbar_current(player->xbar, &at, voltage_uv, width_ns, strtoull(word(), NULL, 10)));
}

static const struct {
	const char *name;
	void (*play)(struct player *player);
} commands[] = {
	{"new", play_new}, {"custom", play_custom}, {"write", play_write}, {"read", play_read}, {"add", play_add},
	{"time", play_time}, {"infer", play_infer}, {"pulse", play_pulse}, {"sense", play_sense}, {"sweep", play_sweep},
};

static void play(struct player *player, const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].play(player);
			return;
		}
	}
	die("no such command");
}

int main(int argc, char **argv)
{
	struct player player = {.xbar = NULL};
	char *line = NULL;
	size_t room = 0;

	if (argc != 2)
		die("usage: xbar_play off|avx2");
	player.options.simd = strcmp(argv[1], "off") == 0 ? XBAR_SIMD_OFF : XBAR_SIMD_AVX2;
	while (getline(&line, &room, stdin) > 0) {
		const char *name = strtok(line, " \n");

		if (name)
			play(&player, name);
	}
	free(line);
	xbar_free(player.xbar);
	return 0;
}
