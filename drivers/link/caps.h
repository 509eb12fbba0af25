/* SPDX-License-Identifier: MIT */
/* What a board says it is: its capability records, checked. */
#ifndef LINK_CAPS_H
#define LINK_CAPS_H

#include <nmhal/driver.h>

#include "nmlink/codec.h"

#define LINK_MAX_CAPS    65536u /* bytes of records that are read from a board */
#define LINK_MAX_ENTRIES 256u   /* attributes, sensors, counters: of each */
#define LINK_MAX_CELLS   (1u << 26)

struct link_caps {
	char vendor[NMLINK_IDENTITY_TEXT + 1], model[NMLINK_IDENTITY_TEXT + 1], hardware[NMLINK_IDENTITY_TEXT + 1];
	char firmware[NMLINK_IDENTITY_TEXT + 1], serial[NMLINK_IDENTITY_TEXT + 1];
	uint64_t present;  /* bit per tag below 64 */
	uint64_t ops[2];   /* bit per opcode below 128 */
	struct nmlink_array_cap array;
	struct nmlink_weight_cap weight;
	struct nmlink_input_cap input;
	struct nmlink_output_cap output;
	struct nmlink_neuron_cap neuron;
	struct nmlink_spikes_cap spikes;
	struct nmlink_drive_cap drive;
	struct nmlink_sense_cap sense;
	struct nmlink_safety_cap safety;
	struct nmhal_attr_info *attrs;
	struct nmhal_sensor_info *sensors;
	struct nmhal_counter_info *counters;
	size_t attr_count, sensor_count, counter_count;
	char *texts;       /* of the three lists */
	size_t text_size;
};

/*
 * Reads the records of a board; PROTOCOL names the record and what is wrong with it. Zeroed before; link_caps_free()
 * also after a failure. Nothing of `records` is kept.
 */
int link_caps_parse(struct link_caps *caps, struct nmhal_host *host, const uint8_t *records, uint32_t size);
void link_caps_free(struct link_caps *caps);
/* Bytes at the begin of a text that are UTF-8 without control characters. */
uint32_t link_text_length(const uint8_t *text, uint32_t size);
bool link_caps_has(const struct link_caps *caps, enum nmlink_op op);
/* What the library calls all that; fields that the board does not decide stay as they are. */
void link_caps_tell(const struct link_caps *caps, struct nmhal_device_caps *told);

#endif
