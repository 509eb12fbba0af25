/* SPDX-License-Identifier: MIT */
/* Registers of an imaginary board. Yours come from the headers of your microcontroller or FPGA. */
#ifndef FIRMWARE_HARDWARE_H
#define FIRMWARE_HARDWARE_H

#include <stdint.h>

#define ROWS 32u
#define COLS 32u

#define UART_RECEIVED (1u << 0)
#define UART_CAN_SEND (1u << 1)
#define LINES_ON      (1u << 0) /* control */
#define HIGH_VOLTAGE  (1u << 1)
#define BIT_SERIAL    (1u << 2)
#define BUSY          (1u << 0) /* status */
#define INTERLOCK     (1u << 1)
#define SPIKE_FULL    (1u << 2)
#define SPIKE_OUT     (1u << 3)
#define SPIKE_IDLE    (1u << 4)

struct hardware {
	volatile uint32_t uart_status, uart_data;
	volatile uint32_t ms; /* free-running clock */
	volatile uint32_t control, status;
	volatile uint32_t row, col, side; /* what the registers below are about */
	volatile int32_t weight;          /* code of the cell: reading measures, writing programs */
	volatile int32_t voltage_uv; /* 0 also ends a train */
	volatile uint32_t width_ns, gap_ns;
	volatile uint32_t pulses; /* writing starts a train of so many; reading: how many went out */
	volatile uint32_t conductance_ps;
	volatile int32_t current_na;
	volatile int32_t dac[ROWS], adc[COLS]; /* writing convert starts a product */
	volatile uint32_t convert, clipped;    /* clipped: a bit for each column */
	volatile int32_t threshold, leak, potential;
	volatile uint32_t enabled;
	volatile uint32_t spike_in, spike_out; /* a row or neuron, or what the queue holds */
	volatile int32_t gain;
	volatile int32_t temperature; /* mdegC */
};

extern struct hardware hardware; /* where it lies: the linker's business */

#endif
