/* SPDX-License-Identifier: MIT */
/* Codes between the caller's arrays and the wire, where they are s8 or s16, little-endian. */
#ifndef LINK_CODES_H
#define LINK_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both: `type` is an enum nmhal_code_type, `bytes` those of a code on the wire, 1 or 2. */
/* Codes that are known to fit; returns where they end. */
uint8_t *link_pack(uint8_t *to, unsigned bytes, const void *codes, uint32_t type, size_t count);
/* True when all codes lie in min..max, which type can hold. */
bool link_unpack(void *codes, uint32_t type, const uint8_t *from, unsigned bytes, size_t count, int32_t min, int32_t max);

#endif
