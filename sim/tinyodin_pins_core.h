/* SPDX-License-Identifier: MIT */
/* Inside of the tinyODIN pin model: the registers of both clock domains (datasheet sections 2 and 12). */
#ifndef TINYODIN_PINS_CORE_H
#define TINYODIN_PINS_CORE_H

#include "sim/tinyodin_pins.h"

#define TINYODIN_PINS_NEURONS 256u
#define TINYODIN_PINS_SYNAPSES 8192u

enum fsm {
	FSM_IDLE, FSM_W_NEUR, FSM_R_NEUR, FSM_W_SYN, FSM_R_SYN, FSM_LEAK, FSM_PUSH, FSM_SPIKE, FSM_VIRT, FSM_POPWAIT,
	FSM_SPIEND, FSM_REQEND
};

/* What is done to a neuron in a write cycle. */
enum kind { KIND_NONE, KIND_LEAK, KIND_SYNAPSE };

enum op { OP_REGISTER, OP_NEURON, OP_SYNAPSE, OP_NOTHING };

/* Levels that reach the core through two flip-flops. */
#define LEVEL_REQ 1u
#define LEVEL_GATE 2u
#define LEVEL_OPEN_LOOP 4u
#define LEVEL_READ 8u
#define LEVEL_WRITE 16u

/* The SCK domain. */
struct spi {
	uint32_t shift;         /* MOSI, 20 bits */
	uint32_t miso;          /* 20 bits; bit 19 is the pin */
	uint32_t field;         /* address field of the frame */
	uint8_t falls;          /* of SCK since the frame began, 0..39 */
	uint16_t address, data; /* latched for the memory port */
	uint8_t op;             /* likewise */
	bool read, write;       /* triggers */
	bool gate, open_loop, source;
	uint8_t max_neuron;
};

/* The CLK domain without the memories; no padding, so that equal states have equal bytes. */
struct core {
	uint32_t cnt;
	uint32_t qn, qs; /* output registers of the memories */
	uint8_t fsm, ncnt;
	uint8_t head, entries; /* of the queue */
	uint8_t level1, level2; /* after one and two flip-flops */
	bool ack1, ack2, ack3, rst1, rst2;
	bool busy, out_req;
	uint8_t out_addr;
	uint8_t reserved[2];
};

struct tinyodin_pins {
	struct tinyodin_pins_in in;
	struct spi spi;
	struct core core;
	bool settled; /* one more edge would change nothing */
	uint64_t cycles, dropped;
	uint16_t queue[TINYODIN_PINS_QUEUE]; /* {virt[3:0], addr[7:0]} */
	uint32_t neuron[TINYODIN_PINS_NEURONS];
	uint32_t synapse[TINYODIN_PINS_SYNAPSES];
};

/* SCK domain. */
void tinyodin_pins_spi_reset(struct tinyodin_pins *chip);
void tinyodin_pins_sck_rise(struct tinyodin_pins *chip);
void tinyodin_pins_sck_fall(struct tinyodin_pins *chip);

#endif
