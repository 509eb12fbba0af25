/* SPDX-License-Identifier: MIT */
/* The bus end of the emulator: the far end is the model of a chip, in the same thread. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#include "sim/tinyodin.h"

#include "ends.h"
#include "via_ftdi.h"

#define SIM_TIMEOUT_MS   60000
#define SIM_MAX_FRAMES   8192u
#define SIM_CLK_HZ       50000000u
#define SIM_CLK_MAX_HZ   1000000000u
#define SIM_WORK         4096u /* queue entries a call of `events` processes: about 0.1 ms */
#define SIM_OUTPUTS      (2u * TINYODIN_MAX_OUT)

struct sim {
	struct nmhal_host *host;
	struct tinyodin *chip;
	uint64_t clock_hz;
	size_t waiting, taken; /* outputs of the model in out, and how many of them the caller has */
	struct tinyodin_out out[SIM_OUTPUTS];
};

/* Outputs are handed on by copying bytes. */
_Static_assert(sizeof(struct tinyodin_out) == sizeof(struct nmhal_bus_out), "layout of outputs");
_Static_assert(offsetof(struct tinyodin_out, index) == offsetof(struct nmhal_bus_out, index), "layout of outputs");
_Static_assert(offsetof(struct tinyodin_out, address) == offsetof(struct nmhal_bus_out, address), "layout of outputs");

static void sim_close(void *self)
{
	struct sim *sim = self;

	tinyodin_free(sim->chip);
	free(sim);
}

static void sim_info(void *self, struct nmhal_bus_info *info)
{
	struct sim *sim = self;

	*info = (struct nmhal_bus_info){
		.flags = NMHAL_BUS_ATTRIBUTES | NMHAL_BUS_WAITS_IDLE,
		.default_timeout_ms = SIM_TIMEOUT_MS,
		.max_frames = SIM_MAX_FRAMES,
		.clock_hz = sim->clock_hz,
		.emulated = 1,
	};
}

static int sim_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct sim *sim = self;

	(void)deadline_ns;
	tinyodin_spi(sim->chip, frames, count, replies);
	return NMHAL_OK;
}

static int sim_reset(void *self, int64_t deadline_ns)
{
	struct sim *sim = self;

	(void)deadline_ns;
	tinyodin_reset(sim->chip);
	sim->waiting = 0;
	sim->taken = 0;
	return NMHAL_OK;
}

/* Moves outputs of the model to the caller; false when it has no more room. */
static bool hand_over(struct sim *sim, struct nmhal_bus_transfer *transfer)
{
	size_t room = transfer->out_capacity - transfer->out_count, left = sim->waiting - sim->taken;
	size_t count = left < room ? left : room;

	if (!left)
		return true;
	memcpy(transfer->out + transfer->out_count, sim->out + sim->taken, count * sizeof(*transfer->out));
	transfer->out_count += count;
	sim->taken += count;
	return count == left;
}

/* Processes one entry of the chip's queue; false when the caller has no room for its outputs. */
static bool step(struct sim *sim, struct nmhal_bus_transfer *transfer)
{
	sim->waiting = tinyodin_step(sim->chip, sim->out);
	sim->taken = 0;
	return hand_over(sim, transfer);
}

static bool input(struct sim *sim, struct nmhal_bus_transfer *transfer, const struct nmhal_bus_in *in)
{
	sim->waiting = tinyodin_input(sim->chip, in->address, in->index, sim->out);
	sim->taken = 0;
	transfer->in_done++;
	return hand_over(sim, transfer);
}

/*
 * Between two events that do not wait for idle a chip processes exactly one queue entry, if there is one (section 9);
 * so each round here is one event, if one may go in, and one entry.
 */
static int sim_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct sim *sim = self;
	bool room;

	(void)deadline_ns;
	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	if (tinyodin_gated(sim->chip))
		return nmhal_host_fail(sim->host, NMHAL_E_STATE, "events: gate closed, the chip does not answer");
	room = hand_over(sim, transfer);
	for (unsigned work = 0; room && work < SIM_WORK; work++) {
		bool idle = tinyodin_idle(sim->chip), more = transfer->in_done < transfer->in_count;

		if (!more && idle)
			break;
		if (more && (idle || !transfer->in[transfer->in_done].idle_before))
			room = input(sim, transfer, transfer->in + transfer->in_done);
		if (room && !tinyodin_idle(sim->chip))
			room = step(sim, transfer);
	}
	transfer->idle = room && tinyodin_idle(sim->chip);
	return NMHAL_OK;
}

static int sim_counter(void *self, const char *key, uint64_t *value)
{
	struct sim *sim = self;
	struct tinyodin_counters counters;

	tinyodin_counters(sim->chip, &counters);
	if (!strcmp(key, "cycles"))
		*value = counters.cycles;
	else if (!strcmp(key, "sops"))
		*value = counters.sops;
	else if (!strcmp(key, "queue_dropped"))
		*value = counters.queue_dropped;
	else if (!strcmp(key, "spi_frames"))
		*value = counters.spi_frames;
	else
		return NMHAL_E_UNSUPPORTED;
	return NMHAL_OK;
}

static const struct nmhal_bus_ops sim_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = sim_close,
	.info = sim_info,
	.spi = sim_spi,
	.events = sim_events,
	.reset = sim_reset,
	.counter = sim_counter,
};

/* Which of `names` the key has; 0 (the first) when it is not there. */
static int choice(struct nmhal_host *host, const struct nmhal_uri *uri, const char *key, const char *const names[],
	const char *list, unsigned *out)
{
	const char *value = nmhal_uri_value(uri, key);

	*out = 0;
	for (unsigned n = 0; value && names[n]; n++)
		if (!strcmp(value, names[n])) {
			*out = n;
			return NMHAL_OK;
		}
	if (!value)
		return NMHAL_OK;
	return nmhal_host_fail(host, NMHAL_E_INVALID, "open: %s=%s: not one of %s", key, value, list);
}

static int new_chip(struct nmhal_host *host, enum tinyodin_simd simd, bool raw_zero, struct tinyodin **out)
{
	struct tinyodin *plain;

	*out = tinyodin_new(simd, raw_zero);
	if (*out)
		return NMHAL_OK;
	plain = tinyodin_new(TINYODIN_SIMD_OFF, raw_zero);
	if (!plain)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the chip model");
	tinyodin_free(plain);
	return nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
		"open: simd= or $NMHAL_SIMD names no vector unit of this machine; use off");
}

int sim_open_bus(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus)
{
	static const char *const inits[] = {"off", "zero", NULL};
	static const char *const vias[] = {"model", "ftdi", NULL};
	static const char *const simds[] = {"auto", "off", "avx2", NULL}; /* order of enum tinyodin_simd */
	unsigned init = 0, via = 0, simd = 0;
	uint64_t clock_hz = 0;
	struct sim *sim;
	int status;

	status = choice(host, uri, "init", inits, "off, zero", &init);
	if (status == NMHAL_OK)
		status = choice(host, uri, "via", vias, "model, ftdi", &via);
	if (status == NMHAL_OK)
		status = choice(host, uri, "simd", simds, "auto, off, avx2", &simd);
	if (status == NMHAL_OK)
		status = nmhal_uri_number(host, uri, "clk_hz", SIM_CLK_HZ, 1, SIM_CLK_MAX_HZ, &clock_hz);
	if (status != NMHAL_OK)
		return status;
	if (via == 1)
		return sim_open_via_ftdi(host, clock_hz, init == 1, deadline_ns, bus);
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the bus");
	status = new_chip(host, (enum tinyodin_simd)simd, init == 1, &sim->chip);
	if (status != NMHAL_OK) {
		free(sim);
		return status;
	}
	sim->host = host;
	sim->clock_hz = clock_hz;
	*bus = (struct nmhal_bus){&sim_ops, sim};
	return NMHAL_OK;
}
