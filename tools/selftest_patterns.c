/* SPDX-License-Identifier: MIT */
/* Pattern write and read of every weight bit and every neuron bit. */
#include "selftest.h"

#include <stdlib.h>

static unsigned bits_of(uint32_t highest)
{
	unsigned bits = 1;

	while (bits < 32 && highest >> bits != 0)
		bits++;
	return bits;
}

unsigned range_bits(int32_t min, int32_t max)
{
	if (min >= 0)
		return bits_of((uint32_t)max);
	uint32_t below = (uint32_t)(-(min + 1)), above = max > 0 ? (uint32_t)max : 0;
	unsigned bits = bits_of(below > above ? below : above);
	return (below | above) == 0 ? 1 : bits + 1;
}

int32_t range_value(uint32_t pattern, unsigned bits, int32_t min, int32_t max)
{
	int64_t value = pattern & (uint32_t)((UINT64_C(1) << bits) - 1);

	if (min < 0 && (value >> (bits - 1) & 1) != 0)
		value -= INT64_C(1) << bits;
	return (int32_t)(value < min ? min : value > max ? max : value);
}

unsigned pattern_count(unsigned bits, unsigned address_bits)
{
	return 4 + bits + 2 * ((address_bits + bits - 1) / bits);
}

uint32_t pattern_bits(unsigned pattern, unsigned bits, uint32_t address, bool odd)
{
	if (pattern == 0)
		return 0;
	if (pattern == 1)
		return UINT32_MAX;
	if (pattern < 4)
		return (pattern == 2) == odd ? 0x55555555u : 0xaaaaaaaau;
	if (pattern < 4 + bits)
		return UINT32_C(1) << (pattern - 4);
	unsigned slice = (pattern - 4 - bits) / 2;
	uint32_t part = (uint32_t)((uint64_t)address >> (slice * bits));
	return (pattern - 4 - bits) % 2 == 0 ? part : ~part;
}

static void name_bits(char *text, size_t size, uint32_t wrong)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned bit = 0; bit < 32 && used < size; bit++)
		if (wrong >> bit & 1)
			used += (size_t)snprintf(text + used, size - used, "%s%u", used > 0 ? "," : "", bit);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

struct weight_test {
	struct probe *p;
	unsigned bits, address_bits;
	int16_t *wrote, *read;
};

static void weight_pattern(const struct weight_test *test, uint32_t core, unsigned pattern)
{
	const struct nmhal_device_caps *caps = &test->p->caps;

	for (uint32_t row = 0; row < caps->rows; row++) {
		for (uint32_t col = 0; col < caps->cols; col++) {
			uint32_t address = (core * caps->rows + row) * caps->cols + col;
			uint32_t bits = pattern_bits(pattern, test->bits, address, ((row + col) & 1) != 0);
			test->wrote[(size_t)row * caps->cols + col] =
				(int16_t)range_value(bits, test->bits, caps->weight_min, caps->weight_max);
		}
	}
}

static int weight_compare(const struct weight_test *test, uint32_t core, unsigned pattern, struct part_result *result)
{
	uint32_t cols = test->p->caps.cols;
	size_t cells = (size_t)test->p->caps.rows * cols, wrong = 0, first = 0;
	char names[100];

	for (size_t i = cells; i-- > 0;) {
		if (test->wrote[i] != test->read[i]) {
			first = i;
			wrong++;
		}
	}
	result->compared += cells;
	if (wrong == 0)
		return PROBE_OK;
	uint32_t mask = (uint32_t)((UINT64_C(1) << test->bits) - 1);
	uint32_t bits = ((uint32_t)test->wrote[first] ^ (uint32_t)test->read[first]) & mask;
	name_bits(names, sizeof(names), bits);
	snprintf(result->fault, sizeof(result->fault), "core %u, row %zu, column %zu, bit %s: wrote %d, read %d;"
		" %zu of %zu cells wrong in pattern %u", core, first / cols, first % cols, names, test->wrote[first],
		test->read[first], wrong, cells, pattern);
	result->place = json_pack("{sI sI sI sI si si sI si}", "core", (json_int_t)core,
		"row", (json_int_t)(first / cols), "col", (json_int_t)(first % cols), "bits", (json_int_t)bits,
		"wrote", (int)test->wrote[first], "read", (int)test->read[first],
		"cells_wrong", (json_int_t)wrong, "pattern", (int)pattern);
	return PROBE_DIFFERENT;
}

static int weight_round(const struct weight_test *test, uint32_t core, unsigned pattern, struct part_result *result)
{
	struct probe *p = test->p;
	struct nmhal_region all = {.core = core};
	struct nmhal_program op = {.struct_size = sizeof(op), .region = all, .codes = test->wrote,
		.code_type = NMHAL_CODE_I16, .timeout_ms = p->timeout_ms};

	weight_pattern(test, core, pattern);
	int status = nmhal_program_weights(p->dev, &op, NULL);
	if (status == NMHAL_OK)
		status = nmhal_read_weights(p->dev, &all, test->read, 0, NMHAL_CODE_I16, p->timeout_ms);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	return weight_compare(test, core, pattern, result);
}

int selftest_weights(struct probe *p, struct part_result *result)
{
	size_t cells = (size_t)p->caps.rows * p->caps.cols;
	struct weight_test test = {.p = p, .bits = range_bits(p->caps.weight_min, p->caps.weight_max)};
	struct progress bar;
	int code = PROBE_OK;

	if (!(p->caps.features & NMHAL_CAN_READ_WEIGHTS)) {
		result->skipped = "weights cannot be read back";
		return PROBE_OK;
	}
	test.address_bits = bits_of(p->caps.cores * p->caps.rows * p->caps.cols - 1);
	test.wrote = calloc(cells, sizeof(*test.wrote));
	test.read = calloc(cells, sizeof(*test.read));
	if (test.wrote == NULL || test.read == NULL)
		code = probe_no_memory(p);
	unsigned patterns = pattern_count(test.bits, test.address_bits);
	progress_start(p, &bar, "weights", (uint64_t)patterns * p->caps.cores);
	for (uint32_t core = 0; core < p->caps.cores && code == PROBE_OK; core++) {
		for (unsigned pattern = 0; pattern < patterns && code == PROBE_OK; pattern++) {
			progress_at(&bar, (uint64_t)core * patterns + pattern);
			code = weight_round(&test, core, pattern, result);
		}
	}
	progress_end(&bar);
	free(test.wrote);
	free(test.read);
	return code;
}

/* ---- neurons ----------------------------------------------------------------------------------------------------- */

#define FIELDS 4

struct field {
	const char *name;
	int32_t min, max;
};

static int32_t get_field(const struct nmhal_neuron *neuron, unsigned field)
{
	const int32_t values[FIELDS] = {neuron->threshold, neuron->leak, neuron->potential, (int32_t)neuron->enabled};

	return values[field];
}

static struct nmhal_neuron neuron_pattern(const struct field fields[FIELDS], unsigned pattern, uint32_t neuron,
	unsigned address_bits)
{
	int32_t values[FIELDS];

	for (unsigned i = 0; i < FIELDS; i++) {
		unsigned bits = range_bits(fields[i].min, fields[i].max);
		uint32_t word =
			pattern_bits(pattern % pattern_count(bits, address_bits), bits, neuron, (neuron & 1) != 0);
		values[i] = range_value(word, bits, fields[i].min, fields[i].max);
	}
	return (struct nmhal_neuron){.threshold = values[0], .leak = values[1], .potential = values[2],
		.enabled = (uint32_t)values[3]};
}

static int neuron_compare(const struct field fields[FIELDS], uint32_t core, uint32_t count,
	const struct nmhal_neuron *wrote, const struct nmhal_neuron *read, struct part_result *result)
{
	char names[100];

	for (uint32_t i = 0; i < count; i++) {
		for (unsigned f = 0; f < FIELDS; f++) {
			int32_t a = get_field(&wrote[i], f), b = get_field(&read[i], f);
			result->compared++;
			if (a == b)
				continue;
			uint32_t mask = (uint32_t)((UINT64_C(1) << range_bits(fields[f].min, fields[f].max)) - 1);
			uint32_t bits = ((uint32_t)a ^ (uint32_t)b) & mask;
			name_bits(names, sizeof(names), bits);
			snprintf(result->fault, sizeof(result->fault),
				"core %u, neuron %u, %s, bit %s: wrote %d, read %d", core, i, fields[f].name, names,
				a, b);
			result->place = json_pack("{sI sI ss sI si si}", "core", (json_int_t)core,
				"neuron", (json_int_t)i, "field", fields[f].name, "bits", (json_int_t)bits,
				"wrote", (int)a, "read", (int)b);
			return PROBE_DIFFERENT;
		}
	}
	return PROBE_OK;
}

static int neuron_rounds(struct probe *p, const struct field fields[FIELDS], struct nmhal_neuron *wrote,
	struct nmhal_neuron *read, struct part_result *result)
{
	uint32_t cols = p->caps.cols;
	unsigned address_bits = bits_of(cols - 1), patterns = 0;

	for (unsigned f = 0; f < FIELDS; f++) {
		unsigned own = pattern_count(range_bits(fields[f].min, fields[f].max), address_bits);
		patterns = own > patterns ? own : patterns;
	}
	for (uint32_t core = 0; core < p->caps.cores; core++) {
		for (unsigned pattern = 0; pattern < patterns; pattern++) {
			for (uint32_t i = 0; i < cols; i++)
				wrote[i] = neuron_pattern(fields, pattern, i, address_bits);
			int status = nmhal_set_neurons(p->dev, core, 0, cols, wrote, p->timeout_ms);
			if (status == NMHAL_OK)
				status = nmhal_get_neurons(p->dev, core, 0, cols, read, p->timeout_ms);
			if (status != NMHAL_OK)
				return probe_fail_last(p, status);
			int code = neuron_compare(fields, core, cols, wrote, read, result);
			if (code != PROBE_OK)
				return code;
		}
	}
	return PROBE_OK;
}

int selftest_neurons(struct probe *p, struct part_result *result)
{
	const struct nmhal_device_caps *caps = &p->caps;
	const struct field fields[FIELDS] = {
		{"threshold", caps->threshold_min, caps->threshold_max}, {"leak", caps->leak_min, caps->leak_max},
		{"potential", caps->potential_min, caps->potential_max}, {"enabled", 0, 1},
	};

	if (!(caps->features & NMHAL_CAN_NEURONS)) {
		result->skipped = "no neurons";
		return PROBE_OK;
	}
	struct nmhal_neuron *wrote = calloc(caps->cols, sizeof(*wrote)), *read = calloc(caps->cols, sizeof(*read));
	int code = wrote != NULL && read != NULL ? neuron_rounds(p, fields, wrote, read, result) : probe_no_memory(p);
	free(wrote);
	free(read);
	return code;
}
