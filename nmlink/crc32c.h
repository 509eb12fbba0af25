/* SPDX-License-Identifier: MIT */
#ifndef NMLINK_CRC32C_H
#define NMLINK_CRC32C_H

#include "frame.h"

/* The fastest CRC-32C that this machine has; the same results as nmlink_crc32c(). */
nmlink_crc_fn nmlink_crc32c_fast(void);

#endif
