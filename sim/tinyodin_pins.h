/* SPDX-License-Identifier: MIT */
/*
 * tinyODIN as pins, cycle by cycle (datasheet section 12): SPI slave on the edges of SCK, both 4-phase handshakes, core
 * on the rising edge of CLK. Shares the rules of the neuron with the event model (tinyodin_rules.h), nothing else.
 */
#ifndef TINYODIN_PINS_H
#define TINYODIN_PINS_H

#include <stdbool.h>
#include <stdint.h>

#define TINYODIN_PINS_QUEUE 128u

/* Levels at the inputs. AERIN_ADDR is not synchronised in the chip: stable from REQ high until ACK high. */
struct tinyodin_pins_in {
	bool rst, sck, mosi, aerin_req, aerout_ack;
	uint16_t aerin_addr; /* 10 bits */
};

/* Levels at the outputs. */
struct tinyodin_pins_out {
	bool miso, aerin_ack, aerout_req, sched_full;
	uint8_t aerout_addr;
};

struct tinyodin_pins;

/* A chip after power-up with all bits of memories and registers zero; NULL when out of memory. */
struct tinyodin_pins *tinyodin_pins_new(void);
void tinyodin_pins_free(struct tinyodin_pins *chip);
/* Sets the inputs. What is asynchronous to CLK (RST of the SPI slave, edges of SCK) happens here; a call changes at
 * most one of rst and sck, and a rising edge samples the MOSI of the call before. */
void tinyodin_pins_set(struct tinyodin_pins *chip, const struct tinyodin_pins_in *in);
/* `count` rising edges of CLK with the inputs as they are. Ends early, after the edge that changes an output; returns
 * the number of edges made. Edges in which nothing can happen cost nothing. */
uint64_t tinyodin_pins_clock(struct tinyodin_pins *chip, uint64_t count);
/* Outputs now. */
struct tinyodin_pins_out tinyodin_pins_get(const struct tinyodin_pins *chip);

/* What no pin shows; for tests. */
struct tinyodin_pins_state {
	uint64_t cycles; /* rising edges of CLK since power-up */
	uint8_t fsm;     /* section 12: 0 IDLE ... 11 REQEND */
	bool busy;       /* output port, until the end of its handshake */
	bool settled;    /* with the inputs as they are, further edges change nothing */
	uint16_t queued; /* entries in the event queue */
	uint64_t dropped; /* entries that found the queue full */
};
struct tinyodin_pins_state tinyodin_pins_state(const struct tinyodin_pins *chip);
/* [256] neuron words, [8192] synapse words; owned by the chip. */
const uint32_t *tinyodin_pins_neurons(const struct tinyodin_pins *chip);
const uint32_t *tinyodin_pins_synapses(const struct tinyodin_pins *chip);

#endif
