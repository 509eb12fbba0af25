/* SPDX-License-Identifier: MIT */
/*
 * model_run plain|avx2: does the commands of stdin on the chip model, a line of answer for a line of command. Numbers
 * of commands are hexadecimal. tinyodin_ref.py gives the same answers.
 *
 *	spi FRAME...             miso BITS...               frames in one call
 *	in ADDRESS INDEX         out INDEX:ADDRESS...       one input
 *	steps MOST               idle|busy INDEX:ADDRESS... queue entries until idle, at most so many
 *	event ADDRESS INDEX MOST CYCLES|busy INDEX:ADDRESS... both, and the clock cycles of it
 *	reset                    reset
 *	words                    words WORD...              256 neuron words, 8,192 synapse words
 *	counters                 counters SOPS DROPPED FRAMES
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/tinyodin.h"

#define OUT_MAX 65536u
#define NUMBERS_MAX 65536u

struct run {
	struct tinyodin *chip;
	uint64_t number[NUMBERS_MAX];
	size_t count;
	struct tinyodin_out out[OUT_MAX + 2 * TINYODIN_MAX_OUT];
	size_t outs;
};

static void print_outputs(const struct run *run, const char *what)
{
	fputs(what, stdout);
	for (size_t i = 0; i < run->outs; i++)
		printf(" %" PRIu32 ":%u", run->out[i].index, run->out[i].address);
	putchar('\n');
}

static void input(struct run *run, uint64_t address, uint64_t index)
{
	run->outs += tinyodin_input(run->chip, (uint16_t)address, (uint32_t)index, run->out + run->outs);
}

static const char *steps(struct run *run, uint64_t most)
{
	for (; most && !tinyodin_idle(run->chip) && run->outs < OUT_MAX; most--)
		run->outs += tinyodin_step(run->chip, run->out + run->outs);
	return tinyodin_idle(run->chip) ? "idle" : "busy";
}

static void event(struct run *run)
{
	struct tinyodin_counters before, after;
	char cycles[32];

	tinyodin_counters(run->chip, &before);
	input(run, run->number[0], run->number[1]);
	if (strcmp(steps(run, run->number[2]), "busy") == 0) {
		print_outputs(run, "busy");
		return;
	}
	tinyodin_counters(run->chip, &after);
	snprintf(cycles, sizeof(cycles), "%" PRIu64, after.cycles - before.cycles);
	print_outputs(run, cycles);
}

static void spi(const struct run *run)
{
	uint32_t *replies = calloc(run->count + 1, sizeof(*replies));

	if (!replies)
		abort();
	tinyodin_spi(run->chip, run->number, run->count, replies);
	fputs("miso", stdout);
	for (size_t i = 0; i < run->count; i++)
		printf(" %" PRIx32, replies[i]);
	putchar('\n');
	free(replies);
}

static void words(const struct run *run)
{
	fputs("words", stdout);
	for (unsigned n = 0; n < 256; n++)
		printf(" %" PRIx32, tinyodin_neuron_word(run->chip, n));
	for (unsigned n = 0; n < 8192; n++)
		printf(" %" PRIx32, tinyodin_synapse_word(run->chip, n));
	putchar('\n');
}

static void counters(const struct run *run)
{
	struct tinyodin_counters now;

	tinyodin_counters(run->chip, &now);
	printf("counters %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now.sops, now.queue_dropped, now.spi_frames);
}

/* False for an unknown command or a wrong count of numbers. */
static bool obey(struct run *run, const char *command)
{
	if (strcmp(command, "spi") == 0) {
		spi(run);
	} else if (strcmp(command, "in") == 0 && run->count == 2) {
		input(run, run->number[0], run->number[1]);
		print_outputs(run, "out");
	} else if (strcmp(command, "steps") == 0 && run->count == 1) {
		const char *state = steps(run, run->number[0]);

		print_outputs(run, state);
	} else if (strcmp(command, "event") == 0 && run->count == 3) {
		event(run);
	} else if (strcmp(command, "reset") == 0 && run->count == 0) {
		tinyodin_reset(run->chip);
		puts("reset");
	} else if (strcmp(command, "words") == 0 && run->count == 0) {
		words(run);
	} else if (strcmp(command, "counters") == 0 && run->count == 0) {
		counters(run);
	} else {
		return false;
	}
	return true;
}

static bool obey_line(struct run *run, char *line)
{
	char *rest, *command = strtok_r(line, " \n", &rest), *word;

	run->count = run->outs = 0;
	while (command && (word = strtok_r(NULL, " \n", &rest)) && run->count < NUMBERS_MAX)
		run->number[run->count++] = strtoull(word, NULL, 16);
	return command && obey(run, command);
}

int main(int argc, char **argv)
{
	bool avx2 = argc == 2 && strcmp(argv[1], "avx2") == 0, good = true;
	static struct run run;
	char *line = NULL;
	size_t size = 0;

	if (argc != 2)
		return 2;
	run.chip = tinyodin_new(avx2 ? TINYODIN_SIMD_AVX2 : TINYODIN_SIMD_OFF, true);
	if (!run.chip) {
		puts("no such kernel on this machine");
		return 77;
	}
	while (good && getline(&line, &size, stdin) > 0)
		good = obey_line(&run, line);
	if (!good)
		fputs("bad command\n", stderr);
	free(line);
	tinyodin_free(run.chip);
	return good ? 0 : 2;
}
