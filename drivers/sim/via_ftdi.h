/* SPDX-License-Identifier: MIT */
/* sim:tinyodin,via=ftdi: the bus of drivers/ftdi/ over a virtual FT2232H with the cycle-exact chip on its pins. */
#ifndef SIM_VIA_FTDI_H
#define SIM_VIA_FTDI_H

#include <stdbool.h>

#include <nmhal/driver.h>

/* all_zero: the memories as the chip model powers up; else all neurons are disabled, as with the event model. */
int sim_open_via_ftdi(struct nmhal_host *host, uint64_t clk_hz, bool all_zero, int64_t deadline_ns, struct nmhal_bus *bus);

#endif
