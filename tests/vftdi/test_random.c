/* SPDX-License-Identifier: MIT */
/* Random bytes as commands and random control transfers: the device neither crashes nor hangs. */
#include <stdlib.h>
#include <string.h>

#include "tests/vftdi/host.h"

#define SEEDS 16u
#define STEPS 60u

static uint32_t draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*random >> 32);
}

static void control(struct host *host, uint64_t *random)
{
	static const uint8_t requests[] = {0, 5, 6, 9, 10, 11, 12, 0x90, 0x91};
	uint8_t setup[8], data[64];
	int moved;

	for (unsigned i = 0; i < sizeof(setup); i++)
		setup[i] = (uint8_t)draw(random);
	if (draw(random) % 4) {
		setup[0] = draw(random) % 2 ? 0xC0 : 0x80;
		setup[1] = requests[draw(random) % sizeof(requests)];
		setup[4] %= 3;
	}
	moved = vftdi_control(host->dev, setup, data, draw(random) % (sizeof(data) + 1));
	ck_assert_int_ge(moved, VFTDI_STALL);
	ck_assert_int_le(moved, (int)sizeof(data));
}

/* Real commands among the noise, short shifts mostly: otherwise most bytes would be data of one. */
static void commands(struct host *host, uint64_t *random)
{
	static const unsigned endpoints[] = {VFTDI_A_OUT, VFTDI_B_OUT, 0x07};
	uint8_t data[700];
	size_t size = draw(random) % sizeof(data), taken;

	for (size_t i = 0; i < size; i++) {
		uint32_t any = draw(random);

		data[i] = (uint8_t)(any % 3 == 0 ? any >> 8 : any % 3 == 1 ? 0x80 + (any >> 8) % 32 : (any >> 8) % 4);
	}
	taken = vftdi_out(host->dev, endpoints[draw(random) % 3], data, size);
	ck_assert_uint_le(taken, size);
}

static void read_some(struct host *host, uint64_t *random)
{
	static const unsigned endpoints[] = {VFTDI_A_IN, VFTDI_B_IN, 0x87};
	uint8_t packet[VFTDI_PACKET];
	size_t capacity = draw(random) % 4 ? sizeof(packet) : draw(random) % sizeof(packet);
	uint64_t again;

	host->now_us += draw(random) % 3000;
	ck_assert_uint_le(vftdi_in(host->dev, endpoints[draw(random) % 3], packet, capacity, host->now_us, &again),
			  capacity);
	ck_assert_uint_ge(again, host->now_us);
}

START_TEST(noise_is_survived)
{
	uint64_t random = 1;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		static const uint64_t clocks[] = {0, 1000000, 33333333, 250000000};
		struct host host = host_new(clocks[seed % 4]);

		host_bring_up(&host, 1);
		for (unsigned step = 0; step < STEPS; step++) {
			switch (draw(&random) % 8) {
			case 0:
				control(&host, &random);
				break;
			case 1:
			case 2:
			case 3:
				commands(&host, &random);
				break;
			default:
				read_some(&host, &random);
			}
		}
		/* A bit-mode reset always brings it back. */
		host_bring_up(&host, 1);
		host_expect(&host, A, BYTES(0xAA), BYTES(0xFA, 0xAA));
		ck_assert_uint_ge(vftdi_counters(host.dev).controls, 6);
		host_free(&host);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {noise_is_survived};

	return host_main("random", tests, sizeof(tests) / sizeof(tests[0]));
}
