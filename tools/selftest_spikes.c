/* SPDX-License-Identifier: MIT */
/*
 * Known-answer spike test. The answer is computed here from the definition of a linear leaky integrate-and-fire neuron
 * with reset to zero, by nothing that the library or its emulators contain.
 */
#include "selftest.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS 192u

struct spike_test {
	struct probe *p;
	uint32_t core, rows, cols;
	uint32_t seed;
	int16_t *weights;
	struct nmhal_neuron *neurons, *read;
	struct nmhal_event in[EVENTS];
	struct nmhal_event *wanted, *got;
	size_t wanted_count;
};

/* Numerical Recipes' linear congruential generator, upper bits. */
static int32_t draw(struct spike_test *test, int32_t min, int32_t max)
{
	test->seed = test->seed * 1664525u + 1013904223u;
	uint32_t span = (uint32_t)(max - min) + 1;
	return min + (int32_t)((test->seed >> 8) % span);
}

static int32_t clamp(int32_t value, int32_t min, int32_t max)
{
	return value < min ? min : value > max ? max : value;
}

static void draw_neurons(struct spike_test *test)
{
	const struct nmhal_device_caps *caps = &test->p->caps;

	for (uint32_t i = 0; i < test->cols; i++) {
		struct nmhal_neuron *neuron = &test->neurons[i];
		neuron->threshold = clamp(draw(test, 0, 30), caps->threshold_min, caps->threshold_max);
		neuron->leak = clamp(draw(test, 0, 9), caps->leak_min, caps->leak_max);
		neuron->potential = clamp(draw(test, -80, 20), caps->potential_min, caps->potential_max);
		neuron->enabled = i % 16 != 5;
		if (i % 16 == 9) { /* saturates from above, never fires */
			neuron->threshold = caps->threshold_max;
			neuron->potential = caps->potential_max - 9;
		} else if (i % 16 == 11) { /* saturates from below */
			neuron->potential = caps->potential_min + 9;
		}
	}
}

static void draw_event(struct spike_test *test, uint32_t index)
{
	const struct nmhal_device_caps *caps = &test->p->caps;
	struct nmhal_event *event = &test->in[index];
	int32_t choice = draw(test, 0, 11);

	*event = (struct nmhal_event){.step = index, .core = (uint16_t)test->core, .kind = NMHAL_EVENT_SPIKE};
	event->address = (uint32_t)draw(test, 0, (int32_t)test->rows - 1);
	if (choice == 0 && caps->features & NMHAL_CAN_LEAK_EVENTS) {
		event->kind = NMHAL_EVENT_LEAK_ALL;
		event->address = 0;
	} else if (choice == 1 && caps->features & NMHAL_CAN_LEAK_EVENTS) {
		event->kind = NMHAL_EVENT_LEAK_ONE;
		event->address = (uint32_t)draw(test, 0, (int32_t)caps->leak_one_address_max);
	} else if (choice == 2 && caps->features & NMHAL_CAN_VIRTUAL_EVENTS) {
		event->kind = NMHAL_EVENT_VIRTUAL;
		event->address = (uint32_t)draw(test, 0, (int32_t)caps->virtual_address_max);
		event->value = (int8_t)draw(test, 1, caps->virtual_max);
	}
}

static int32_t leaked(int32_t potential, int32_t leak)
{
	if (potential >= 0)
		return potential > leak ? potential - leak : 0;
	return potential < -leak ? potential + leak : 0;
}

/* One neuron takes one event: new potential, reset to 0 when it reaches the threshold. */
static void expect_update(struct spike_test *test, const struct nmhal_event *event, uint32_t neuron)
{
	const struct nmhal_device_caps *caps = &test->p->caps;
	struct nmhal_neuron *n = &test->neurons[neuron];
	int32_t potential = n->potential;

	if (event->kind == NMHAL_EVENT_SPIKE)
		potential += test->weights[(size_t)event->address * test->cols + neuron];
	else if (event->kind == NMHAL_EVENT_VIRTUAL)
		potential += event->value;
	else
		potential = leaked(potential, n->leak);
	potential = clamp(potential, caps->potential_min, caps->potential_max);
	bool fires = potential >= 0 && potential >= n->threshold;
	n->potential = fires ? 0 : potential;
	if (fires && n->enabled)
		test->wanted[test->wanted_count++] = (struct nmhal_event){.step = event->step, .address = neuron,
			.core = event->core, .kind = NMHAL_EVENT_SPIKE};
}

static void expect(struct spike_test *test)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		const struct nmhal_event *event = &test->in[i];
		if (event->kind == NMHAL_EVENT_VIRTUAL || event->kind == NMHAL_EVENT_LEAK_ONE) {
			expect_update(test, event, event->address);
			continue;
		}
		for (uint32_t neuron = 0; neuron < test->cols; neuron++)
			expect_update(test, event, neuron);
	}
}

/* Spikes must not come back as input, every neuron takes part, and outputs are spikes. */
static int set_attributes(struct probe *p)
{
	const struct { const char *key; int64_t value; } wanted[] = {
		{"open_loop", 1}, {"output_source", 0}, {"max_neuron", (int64_t)p->caps.cols - 1},
	};
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	int status = NMHAL_OK;

	for (size_t i = 0; i < nmhal_attr_count(p->dev) && status == NMHAL_OK; i++) {
		status = nmhal_attr_list(p->dev, i, &info);
		for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]) && status == NMHAL_OK; k++)
			if (strcmp(info.key, wanted[k].key) == 0)
				status = nmhal_attr_set_int(p->dev, info.key, wanted[k].value);
	}
	return status;
}

static int run_events(struct spike_test *test, size_t *count)
{
	struct probe *p = test->p;
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_program program = {.struct_size = sizeof(program), .region = {.core = test->core},
		.codes = test->weights, .code_type = NMHAL_CODE_I16, .timeout_ms = p->timeout_ms};
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = test->in, .in_count = EVENTS, .steps = EVENTS,
		.out = test->got, .out_capacity = (size_t)EVENTS * test->cols, .timeout_ms = p->timeout_ms};

	int status = set_attributes(p);
	if (status == NMHAL_OK)
		status = nmhal_program_weights(p->dev, &program, NULL);
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(p->dev, test->core, 0, test->cols, test->neurons, p->timeout_ms);
	if (status == NMHAL_OK)
		status = nmhal_run_spikes(p->dev, &op, &report);
	if (status == NMHAL_OK)
		status = nmhal_get_neurons(p->dev, test->core, 0, test->cols, test->read, p->timeout_ms);
	*count = (size_t)(report.events_out - report.events_lost);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

static bool same_event(const struct nmhal_event *a, const struct nmhal_event *b)
{
	return a->step == b->step && a->address == b->address && a->core == b->core && a->kind == b->kind;
}

static void name_spike(char *text, size_t size, const struct nmhal_event *event)
{
	if (event == NULL)
		snprintf(text, size, "no more spikes");
	else
		snprintf(text, size, "neuron %u after event %" PRIu64, event->address, event->step);
}

static int compare(struct spike_test *test, size_t count, struct part_result *result)
{
	size_t longer = count > test->wanted_count ? count : test->wanted_count;
	char wanted[64], got[64];

	for (size_t i = 0; i < longer; i++) {
		const struct nmhal_event *a = i < test->wanted_count ? &test->wanted[i] : NULL;
		const struct nmhal_event *b = i < count ? &test->got[i] : NULL;
		result->compared++;
		if (a != NULL && b != NULL && same_event(a, b))
			continue;
		name_spike(wanted, sizeof(wanted), a);
		name_spike(got, sizeof(got), b);
		snprintf(result->fault, sizeof(result->fault), "core %u, spike %zu: expected %s, got %s", test->core, i,
			wanted, got);
		result->place = json_pack("{sI sI ss ss}", "core", (json_int_t)test->core, "spike", (json_int_t)i,
			"expected", wanted, "got", got);
		return PROBE_DIFFERENT;
	}
	for (uint32_t i = 0; i < test->cols; i++) {
		if (test->read[i].potential == test->neurons[i].potential)
			continue;
		snprintf(result->fault, sizeof(result->fault),
			"core %u, neuron %u: potential %d expected after the run, got %d", test->core, i,
			test->neurons[i].potential, test->read[i].potential);
		result->place = json_pack("{sI sI si si}", "core", (json_int_t)test->core, "neuron", (json_int_t)i,
			"expected", (int)test->neurons[i].potential, "got", (int)test->read[i].potential);
		return PROBE_DIFFERENT;
	}
	return PROBE_OK;
}

static int test_core(struct spike_test *test, struct part_result *result)
{
	const struct nmhal_device_caps *caps = &test->p->caps;
	size_t count;

	for (size_t i = 0; i < (size_t)test->rows * test->cols; i++)
		test->weights[i] = (int16_t)draw(test, caps->weight_min, caps->weight_max);
	draw_neurons(test);
	for (uint32_t i = 0; i < EVENTS; i++)
		draw_event(test, i);
	test->wanted_count = 0;
	int code = run_events(test, &count);
	if (code != PROBE_OK)
		return code;
	expect(test);
	return compare(test, count, result);
}

static const char *why_skipped(const struct nmhal_device_caps *caps)
{
	const uint64_t exact = NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER;

	if (!(caps->features & NMHAL_CAN_NEURONS))
		return "no neurons";
	if (!(caps->features & NMHAL_CAN_SPIKES))
		return "no spikes";
	if (caps->neuron_model != NMHAL_NEURON_LIF_RESET_ZERO)
		return "the neuron model is not known";
	return (caps->features & exact) == exact ? NULL : "spikes come without step or order";
}

int selftest_spikes(struct probe *p, struct part_result *result)
{
	struct spike_test *test = calloc(1, sizeof(*test));
	uint32_t cols = p->caps.cols;
	int code = PROBE_OK;

	result->skipped = why_skipped(&p->caps);
	if (test == NULL || result->skipped != NULL) {
		free(test);
		return result->skipped != NULL ? PROBE_OK : probe_no_memory(p);
	}
	*test = (struct spike_test){.p = p, .rows = p->caps.rows, .cols = cols, .seed = 1};
	test->weights = calloc((size_t)p->caps.rows * cols, sizeof(*test->weights));
	test->neurons = calloc(cols, sizeof(*test->neurons));
	test->read = calloc(cols, sizeof(*test->read));
	test->wanted = calloc((size_t)EVENTS * cols, sizeof(*test->wanted));
	test->got = calloc((size_t)EVENTS * cols, sizeof(*test->got));
	if (test->weights == NULL || test->neurons == NULL || test->read == NULL || test->wanted == NULL ||
		test->got == NULL)
		code = probe_no_memory(p);
	for (; test->core < p->caps.cores && code == PROBE_OK; test->core++)
		code = test_core(test, result);
	free(test->weights);
	free(test->neurons);
	free(test->read);
	free(test->wanted);
	free(test->got);
	free(test);
	return code;
}
