/* SPDX-License-Identifier: MIT */
/* The event side of the tinyODIN model: queue, updates, outputs, counters (datasheet sections 6 to 11 and 17). */
#include <stdlib.h>
#include <string.h>

#include "sim/tinyodin_core.h"
#include "sim/tinyodin_rules.h"

#define EVENT_LEAK 0x100u
#define EVENT_VIRTUAL 0x200u

/* CLK cycles with the ideal host of section 17; with m = MAX_NEUR + 1 neurons. */
#define CYCLES_QUEUED 7u
#define CYCLES_LEAK_ONE 8u
#define CYCLES_LEAK_ALL(m) (2u * (m) + 6u)
#define CYCLES_SPIKE(m) (2u * (m) + 2u)
#define CYCLES_VIRTUAL 3u
#define CYCLES_OUTPUT 6u
#define CYCLES_LEAK_OUTPUT_OVERLAP 3u

static const struct tinyodin_kernel *choose_kernel(enum tinyodin_simd simd)
{
	const char *wanted = getenv("NMHAL_SIMD");

	if (simd == TINYODIN_SIMD_AUTO && wanted && *wanted) {
		if (strcmp(wanted, "off") == 0)
			simd = TINYODIN_SIMD_OFF;
		else if (strcmp(wanted, "avx2") == 0)
			simd = TINYODIN_SIMD_AVX2;
		else
			return NULL;
	}
	if (simd == TINYODIN_SIMD_AUTO)
		return tinyodin_avx2() ? tinyodin_avx2() : &tinyodin_plain;
	return simd == TINYODIN_SIMD_AVX2 ? tinyodin_avx2() : &tinyodin_plain;
}

static void power_up(struct tinyodin *chip, const struct tinyodin_kernel *kernel, bool raw_zero)
{
	memset(chip, 0, sizeof(*chip));
	chip->kernel = kernel;
	chip->raw_zero = raw_zero;
	for (unsigned n = 0; n < TINYODIN_NEURONS; n++)
		tinyodin_set_neuron_word(chip, n, raw_zero ? 0 : 1u << 31);
	tinyodin_set_max_neuron(chip, 0);
}

struct tinyodin *tinyodin_new(enum tinyodin_simd simd, bool raw_zero)
{
	const struct tinyodin_kernel *kernel = choose_kernel(simd);
	struct tinyodin *chip;

	if (!kernel)
		return NULL;
	chip = aligned_alloc(_Alignof(struct tinyodin), sizeof(*chip));
	if (chip)
		power_up(chip, kernel, raw_zero);
	return chip;
}

void tinyodin_power_cut(struct tinyodin *chip)
{
	power_up(chip, chip->kernel, chip->raw_zero);
}

void tinyodin_free(struct tinyodin *chip)
{
	free(chip);
}

const char *tinyodin_kernel(const struct tinyodin *chip)
{
	return chip->kernel->name;
}

void tinyodin_reset(struct tinyodin *chip)
{
	chip->queue.count = 0;
	chip->waiting_count = 0;
}

bool tinyodin_gated(const struct tinyodin *chip)
{
	return chip->gate;
}

void tinyodin_counters(const struct tinyodin *chip, struct tinyodin_counters *counters)
{
	*counters = chip->counters;
}

void tinyodin_push(struct tinyodin *chip, unsigned code, uint32_t index)
{
	struct tinyodin_queue *queue = &chip->queue;
	struct tinyodin_entry *entry = &queue->entry[(uint8_t)(queue->head + queue->count)];

	if (!rule_has_room(queue->count)) {
		chip->counters.queue_dropped++;
		return;
	}
	*entry = (struct tinyodin_entry){.index = index, .code = (uint16_t)code};
	queue->count++;
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static void put(struct tinyodin_out *out, unsigned address, uint32_t index)
{
	*out = (struct tinyodin_out){.index = index, .address = (uint16_t)address};
}

/* The enabled ones of the neurons that fired, in ascending order (section 11): to the queue and to the output. */
static size_t emit(struct tinyodin *chip, const uint64_t *fired, uint32_t index, struct tinyodin_out *out)
{
	bool queues = rule_queues_spikes(chip->open_loop), reports = !chip->source;
	size_t count = 0;

	for (unsigned group = 0; group < TINYODIN_GROUPS; group++) {
		uint64_t bits = fired[group] & chip->neurons.enabled[group];

		for (; bits; bits &= bits - 1) {
			unsigned n = 64 * group + (unsigned)__builtin_ctzll(bits);

			if (queues)
				tinyodin_push(chip, n, index);
			if (reports)
				put(&out[count++], n, index);
		}
	}
	chip->counters.cycles += CYCLES_OUTPUT * count;
	return count;
}

/* ---- updates ----------------------------------------------------------------------------------------------------- */

/* One neuron, whose potential comes to t. */
static size_t update(struct tinyodin *chip, unsigned n, int t, uint32_t index, struct tinyodin_out *out)
{
	struct tinyodin_neurons *neurons = &chip->neurons;
	uint64_t fired[TINYODIN_GROUPS] = {0};

	fired[n / 64] = (uint64_t)(t > neurons->fires_above[n]) << n % 64;
	chip->qn = tinyodin_word_of(neurons, n);
	neurons->v[n] = (int16_t)rule_settle(t, neurons->fires_above[n]);
	return fired[n / 64] ? emit(chip, fired, index, out) : 0;
}

static size_t leak_one(struct tinyodin *chip, unsigned n, uint32_t index, struct tinyodin_out *out)
{
	size_t count = 0;

	chip->counters.cycles += CYCLES_LEAK_ONE;
	if (rule_leak_one_reaches(n, chip->max_neuron))
		count = update(chip, n, rule_leak(chip->neurons.v[n], chip->neurons.leak[n]), index, out);
	if (count)
		chip->counters.cycles -= CYCLES_LEAK_OUTPUT_OVERLAP;
	return count;
}

static size_t leak_all(struct tinyodin *chip, uint32_t index, struct tinyodin_out *out)
{
	uint64_t fired[TINYODIN_GROUPS];
	size_t count = 0;

	chip->counters.cycles += CYCLES_LEAK_ALL(chip->max_neuron + 1);
	chip->qn = tinyodin_word_of(&chip->neurons, chip->max_neuron);
	if (chip->kernel->leak(&chip->neurons, chip->max_neuron, fired))
		count = emit(chip, fired, index, out);
	if (count && out[count - 1].address == chip->max_neuron)
		chip->counters.cycles -= CYCLES_LEAK_OUTPUT_OVERLAP;
	return count;
}

static size_t leak(struct tinyodin *chip, unsigned address, uint32_t index, struct tinyodin_out *out)
{
	return rule_leaks_all(address) ? leak_all(chip, index, out) : leak_one(chip, address & 0xFFu, index, out);
}

static size_t virtual_event(struct tinyodin *chip, const struct tinyodin_entry *entry, struct tinyodin_out *out)
{
	unsigned n = entry->code & 0xFFu;

	chip->counters.cycles += CYCLES_VIRTUAL;
	chip->counters.sops++;
	if (!rule_virtual_reaches(n, chip->max_neuron))
		return 0;
	return update(chip, n, rule_saturate(chip->neurons.v[n] + rule_weight(entry->code >> 8)), entry->index, out);
}

static size_t neuron_event(struct tinyodin *chip, const struct tinyodin_entry *entry, struct tinyodin_out *out)
{
	uint64_t fired[TINYODIN_GROUPS];
	unsigned max = chip->max_neuron;
	size_t count = 0;

	chip->counters.cycles += CYCLES_SPIKE(max + 1);
	chip->counters.sops += max + 1;
	chip->qn = tinyodin_word_of(&chip->neurons, max);
	chip->qs_word = (uint32_t)entry->code << 5 | max >> 3;
	if (chip->kernel->spike(&chip->neurons, chip->weight[entry->code], max, fired))
		count = emit(chip, fired, entry->index, out);
	if (chip->source) {
		put(&out[count++], entry->code, entry->index);
		chip->counters.cycles += CYCLES_OUTPUT;
	}
	return count;
}

/* The entry stays in the queue while it is processed (section 8). */
static size_t process_head(struct tinyodin *chip, struct tinyodin_out *out)
{
	struct tinyodin_queue *queue = &chip->queue;
	const struct tinyodin_entry *entry = &queue->entry[queue->head];
	size_t count = entry->code >> 8 ? virtual_event(chip, entry, out) : neuron_event(chip, entry, out);

	queue->head++;
	queue->count--;
	return count;
}

/* ---- host side --------------------------------------------------------------------------------------------------- */

static size_t accept(struct tinyodin *chip, unsigned address, uint32_t index, struct tinyodin_out *out)
{
	size_t count = rule_head_before_input(chip->queue.count) ? process_head(chip, out) : 0;

	if (address & EVENT_LEAK)
		return count + leak(chip, address, index, out + count);
	chip->counters.cycles += CYCLES_QUEUED;
	tinyodin_push(chip, address & EVENT_VIRTUAL ? rule_virtual_entry(address) : address & 0xFFu, index);
	return count;
}

/* Hands over the oldest waiting outputs. */
static size_t take_waiting(struct tinyodin *chip, struct tinyodin_out *out, size_t most)
{
	size_t count = chip->waiting_count < most ? chip->waiting_count : most;

	memcpy(out, chip->waiting, count * sizeof(*out));
	chip->waiting_count -= count;
	memmove(chip->waiting, chip->waiting + count, chip->waiting_count * sizeof(*out));
	return count;
}

/* Outputs wait: those of this event come after them. */
static size_t accept_last(struct tinyodin *chip, unsigned address, uint32_t index, struct tinyodin_out *out)
{
	chip->waiting_count += accept(chip, address, index, chip->waiting + chip->waiting_count);
	return take_waiting(chip, out, 2 * TINYODIN_MAX_OUT);
}

size_t tinyodin_input(struct tinyodin *chip, uint16_t address, uint32_t index, struct tinyodin_out *out)
{
	if (chip->gate)
		return 0;
	return chip->waiting_count ? accept_last(chip, address, index, out) : accept(chip, address, index, out);
}

bool tinyodin_idle(const struct tinyodin *chip)
{
	return !chip->waiting_count && (chip->gate || !chip->queue.count);
}

size_t tinyodin_step(struct tinyodin *chip, struct tinyodin_out *out)
{
	if (chip->waiting_count)
		return take_waiting(chip, out, TINYODIN_MAX_OUT);
	return chip->gate || !chip->queue.count ? 0 : process_head(chip, out);
}

void tinyodin_run_waiting(struct tinyodin *chip)
{
	while (!chip->gate && chip->queue.count && chip->waiting_count <= TINYODIN_WAITING_MAX - TINYODIN_MAX_OUT)
		chip->waiting_count += process_head(chip, chip->waiting + chip->waiting_count);
}
