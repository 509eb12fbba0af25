/* SPDX-License-Identifier: MIT */
/* Registers of the chip, and the batches in which frames travel. */
#include <inttypes.h>

#include "odin.h"

int odin_begin(struct odin *odin, int64_t deadline_ns)
{
	int status;

	odin->frame_count = 0;
	if (!odin->lost)
		return NMHAL_OK;
	status = odin_rest(odin, deadline_ns);
	return status == NMHAL_OK && odin->marker.placed ? odin_marker_remove(odin, deadline_ns) : status;
}

int odin_begin_memory(struct odin *odin, int64_t deadline_ns)
{
	int status = odin_begin(odin, deadline_ns);

	if (status != NMHAL_OK)
		return status;
	/* A neuron write in closed loop may push the neuron into the event queue (section 2, side effect). */
	odin_put_register(odin, ODIN_GATE, 1);
	odin_put_register(odin, ODIN_OPEN_LOOP, 1);
	return NMHAL_OK;
}

void odin_put_register(struct odin *odin, enum odin_register reg, int value)
{
	if (odin->chip[reg] == value)
		return;
	odin->chip[reg] = value;
	odin_put(odin, odin_config_frame(reg, (unsigned)value));
}

int odin_send(struct odin *odin, bool replies, int64_t deadline_ns)
{
	size_t count = odin->frame_count;
	int status;

	if (!count)
		return NMHAL_OK;
	odin->frame_count = 0;
	nmhal_host_log(odin->host, NMHAL_LOG_WIRE, "spi: %zu frames, 0x%010" PRIx64 " to 0x%010" PRIx64, count,
		odin->frames[0], odin->frames[count - 1]);
	status = odin->bus.ops->spi(odin->bus.self, odin->frames, count, replies ? odin->replies : NULL, deadline_ns);
	if (status != NMHAL_OK)
		odin->lost = true;
	return status;
}

int odin_send_writes(struct odin *odin, int64_t deadline_ns)
{
	/* The core waits in its SPI state until SCK falls once more after a write (section 2). */
	odin_put(odin, odin_config_frame(ODIN_GATE, 1));
	return odin_send(odin, false, deadline_ns);
}

int odin_pulse_reset(struct odin *odin, int64_t deadline_ns)
{
	int status;

	nmhal_host_log(odin->host, NMHAL_LOG_WIRE, "RST pulse");
	status = odin->bus.ops->reset(odin->bus.self, deadline_ns);

	if (status != NMHAL_OK)
		odin->lost = true;
	return status;
}

int odin_rest(struct odin *odin, int64_t deadline_ns)
{
	int status = odin_pulse_reset(odin, deadline_ns);

	if (status != NMHAL_OK)
		return status;
	odin->frame_count = 0;
	for (int reg = 0; reg < ODIN_REGISTERS; reg++)
		odin->chip[reg] = -1;
	odin_put_register(odin, ODIN_GATE, 1);
	odin_put_register(odin, ODIN_OPEN_LOOP, 1);
	odin_put_register(odin, ODIN_AER_SRC, odin->wanted[ODIN_AER_SRC]);
	odin_put_register(odin, ODIN_MAX_NEUR, odin->wanted[ODIN_MAX_NEUR]);
	odin->lost = false;
	return odin_send(odin, false, deadline_ns);
}
