/* SPDX-License-Identifier: MIT */
/* Parameters and state of neurons. */
#include <string.h>

#include "hal/hal.h"

/* Neurons per call in the fallback of reset_state: they live on the stack. */
#define RESET_CHUNK 64u

static int check_range(struct nmhal_device *dev, const char *what, uint32_t core, uint32_t first, uint32_t count)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	if (core >= caps->cores)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: core %u: the device has cores 0..%u", what, core,
			caps->cores - 1);
	if (first <= caps->cols && count <= caps->cols - first)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: neurons %u..%llu of core %u: it has neurons 0..%u", what, first,
		(unsigned long long)first + (count ? count - 1 : 0), core, caps->cols - 1);
}

static int out_of_range(struct nmhal_device *dev, const char *field, int32_t value, uint32_t core, uint32_t neuron,
	int32_t min, int32_t max)
{
	return nm_fail(dev->uri, NMHAL_E_INVALID, "%s %d of neuron %u of core %u: outside %d..%d", field, value, neuron,
		core, min, max);
}

static int check_neuron(struct nmhal_device *dev, uint32_t core, uint32_t index, const struct nmhal_neuron *neuron)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	if (neuron->threshold < caps->threshold_min || neuron->threshold > caps->threshold_max)
		return out_of_range(
			dev, "threshold", neuron->threshold, core, index, caps->threshold_min, caps->threshold_max);
	if (neuron->leak < caps->leak_min || neuron->leak > caps->leak_max)
		return out_of_range(dev, "leak", neuron->leak, core, index, caps->leak_min, caps->leak_max);
	if (neuron->potential < caps->potential_min || neuron->potential > caps->potential_max)
		return out_of_range(
			dev, "potential", neuron->potential, core, index, caps->potential_min, caps->potential_max);
	if (neuron->enabled > 1)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "enabled %u of neuron %u of core %u: outside 0..1",
			neuron->enabled, index, core);
	if (neuron->reserved[0] | neuron->reserved[1] | neuron->reserved[2] | neuron->reserved[3])
		return nm_fail(
			dev->uri, NMHAL_E_INVALID, "reserved of neuron %u of core %u: it must be 0", index, core);
	return NMHAL_OK;
}

int nm_neurons_check(
	struct nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons)
{
	int status = check_range(dev, "set neurons", core, first, count);

	for (uint32_t i = 0; !status && i < count; i++)
		status = check_neuron(dev, core, first + i, &neurons[i]);
	return status;
}

int nm_set_neurons_locked(struct nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count,
	const struct nmhal_neuron *neurons, int64_t deadline_ns)
{
	int status;

	if (!dev->ops.set_neurons)
		return nm_unsupported(dev, "set neurons", "neurons to set");
	if (!neurons)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "set neurons: neurons is NULL");
	status = nm_neurons_check(dev, core, first, count, neurons);
	if (status || !count)
		return status;
	return dev->ops.set_neurons(dev->self, core, first, count, neurons, deadline_ns);
}

int nmhal_set_neurons(nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count,
	const struct nmhal_neuron *neurons, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "set neurons", &deadline_ns);

	if (status)
		return status;
	return nm_device_leave(dev, nm_set_neurons_locked(dev, core, first, count, neurons, deadline_ns));
}

static int get_neurons(struct nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count,
	struct nmhal_neuron *neurons, int64_t deadline_ns)
{
	int status;

	if (!dev->ops.get_neurons)
		return nm_unsupported(dev, "get neurons", "neurons to get");
	if (!neurons)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "get neurons: neurons is NULL");
	status = check_range(dev, "get neurons", core, first, count);
	if (status || !count)
		return status;
	memset(neurons, 0, count * sizeof(*neurons));
	return dev->ops.get_neurons(dev->self, core, first, count, neurons, deadline_ns);
}

int nmhal_get_neurons(nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons,
	int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "get neurons", &deadline_ns);

	if (status)
		return status;
	return nm_device_leave(dev, get_neurons(dev, core, first, count, neurons, deadline_ns));
}

static int zero_potentials(struct nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count, int64_t deadline_ns)
{
	struct nmhal_neuron neurons[RESET_CHUNK] = {0};
	int status = dev->ops.get_neurons(dev->self, core, first, count, neurons, deadline_ns);

	if (status)
		return status;
	for (uint32_t i = 0; i < count; i++)
		neurons[i].potential = 0;
	return dev->ops.set_neurons(dev->self, core, first, count, neurons, deadline_ns);
}

/* Apart from its caller, which is short for boards that can do it themselves. */
__attribute__((noinline)) static int zero_all_potentials(struct nmhal_device *dev, int64_t deadline_ns)
{
	uint32_t cols = dev->caps.cols;
	int status = NMHAL_OK;

	if (!dev->ops.set_neurons)
		return nm_unsupported(dev, "reset state", "neurons to reset");
	for (uint32_t core = 0; core < dev->caps.cores; core++) {
		for (uint32_t first = 0; !status && first < cols; first += RESET_CHUNK) {
			uint32_t count = cols - first < RESET_CHUNK ? cols - first : RESET_CHUNK;

			status = zero_potentials(dev, core, first, count, deadline_ns);
		}
	}
	return status;
}

int nmhal_reset_state(nmhal_device *dev, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "reset state", &deadline_ns);

	if (status)
		return status;
	status = dev->ops.reset_state ? dev->ops.reset_state(dev->self, deadline_ns) :
					zero_all_potentials(dev, deadline_ns);
	return nm_device_leave(dev, status);
}
