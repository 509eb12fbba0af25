/* SPDX-License-Identifier: MIT */
/*
 * libftdi SERIAL: libftdi's own calls on a virtual FT2232H, as other people's programs make them; nothing of the
 * library is in here. Prints each call that does not do what it does on the chip, and then exits with 1.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ftdi.h>

#define VENDOR  0x0403
#define PRODUCT 0x6010
#define BULK    60000 /* bytes of a shift */
#define READ_MS 2000

static struct ftdi_context *ftdi;
static unsigned failures;
static unsigned char back[BULK];

#define check(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("line %d: %s: %s\n", __LINE__, #condition, ftdi_get_error_string(ftdi));                \
			failures++;                                                                                    \
		}                                                                                                      \
	} while (0)

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool put(const unsigned char *bytes, int size)
{
	return ftdi_write_data(ftdi, bytes, size) == size;
}
#define PUT(...) put((const unsigned char[]){__VA_ARGS__}, (int)sizeof((const unsigned char[]){__VA_ARGS__}))

/* A read may well return before all is there. */
static int get(int size)
{
	const long end = now_ms() + READ_MS;
	int got = 0;

	while (got < size && now_ms() < end) {
		int part = ftdi_read_data(ftdi, back + got, size - got);

		if (part < 0)
			return part;
		got += part;
	}
	return got;
}

static bool answers(int size, const char *bytes)
{
	return get(size) == size && !memcmp(back, bytes, (size_t)size);
}

static void finding(const char *serial)
{
	char maker[64] = "", product[64] = "", own[64] = "";
	struct ftdi_device_list *list = NULL;

	check(ftdi_usb_find_all(ftdi, &list, VENDOR, PRODUCT) == 1);
	check(list && ftdi_usb_get_strings(ftdi, list->dev, maker, 64, product, 64, own, 64) == 0);
	check(!strcmp(maker, "libnmhal") && !strcmp(product, "NMHAL tinyODIN") && !strcmp(own, serial));
	ftdi_list_free(&list);
	check(ftdi_usb_open_desc(ftdi, VENDOR, PRODUCT, NULL, "no such serial") < 0);
}

static void requests(void)
{
	unsigned char latency = 0, pins = 0;
	unsigned short status = 0;

	check(ftdi->type == TYPE_2232H && ftdi->max_packet_size == 512);
	check(ftdi_usb_reset(ftdi) == 0);
	for (unsigned char ms = 1; ms < 100; ms = (unsigned char)(ms + 49)) {
		check(ftdi_set_latency_timer(ftdi, ms) == 0 && ftdi_get_latency_timer(ftdi, &latency) == 0);
		check(latency == ms);
	}
	/* Of the serial port: taken, and without a meaning here. */
	check(ftdi_set_baudrate(ftdi, 115200) == 0);
	check(ftdi_set_line_property(ftdi, BITS_8, STOP_BIT_1, NONE) == 0);
	check(ftdi_setflowctrl(ftdi, SIO_DISABLE_FLOW_CTRL) == 0);
	check(ftdi_setdtr_rts(ftdi, 1, 1) == 0);
	check(ftdi_set_event_char(ftdi, 0, 0) == 0 && ftdi_set_error_char(ftdi, 0, 0) == 0);
	check(ftdi_poll_modem_status(ftdi, &status) == 0 && status == 0x6032);
	check(ftdi_read_pins(ftdi, &pins) == 0);
}

static void eeprom(void)
{
	unsigned short word = 0;
	int size = 0;

	check(ftdi_read_eeprom_location(ftdi, 1, &word) == 0 && word == VENDOR);
	check(ftdi_read_eeprom(ftdi) == 0);
	check(ftdi_get_eeprom_value(ftdi, CHIP_SIZE, &size) == 0);
	/* Looks at the checksum. */
	check(ftdi_eeprom_decode(ftdi, 0) == 0);
	check(ftdi_get_eeprom_value(ftdi, PRODUCT_ID, &size) == 0 && size == PRODUCT);
}

/* Bad commands, pins, loopback, purges, the latency timer. */
static void engine(void)
{
	long began;

	check(ftdi_set_bitmode(ftdi, 0, BITMODE_RESET) == 0 && ftdi_set_bitmode(ftdi, 0, BITMODE_MPSSE) == 0);
	check(ftdi_tcioflush(ftdi) == 0);
	check(PUT(0xAA, 0x87) && answers(2, "\xFA\xAA"));
	check(PUT(0xAB, 0x87) && answers(2, "\xFA\xAB"));
	check(PUT(0x84, 0x31, 3, 0, 0xDE, 0xAD, 0xBE, 0xEF, 0x85, 0x87) && answers(4, "\xDE\xAD\xBE\xEF"));
	check(PUT(0x80, 0x08, 0xDB, 0x82, 0x5A, 0xFF, 0x81, 0x83, 0x87) && get(2) == 2);
	check((back[0] & 0x1B) == 0x08 && back[1] == 0x5A);

	/* Without SEND_IMMEDIATE a short answer waits for the timer. */
	check(ftdi_set_latency_timer(ftdi, 50) == 0 && ftdi_read_data(ftdi, back, 1) == 0);
	began = now_ms();
	check(PUT(0x81) && get(1) == 1);
	check(now_ms() - began >= 30);
	check(ftdi_set_latency_timer(ftdi, 1) == 0);

	/* With nothing to say it sends status bytes alone, which libftdi calls 0. */
	check(ftdi_read_data(ftdi, back, 1) == 0);
	check(PUT(0x83, 0x83) && ftdi_tciflush(ftdi) == 0 && ftdi_read_data(ftdi, back, 2) == 0);
	check(PUT(0x83, 0x87) && ftdi_tcoflush(ftdi) == 0 && get(1) == 1);
}

static void bulk(void)
{
	static unsigned char out[BULK + 5];
	struct ftdi_transfer_control *reading, *writing;

	memcpy(out, (const unsigned char[]){0x84, 0x31, (BULK - 1) & 0xFF, (BULK - 1) >> 8}, 4);
	for (int n = 0; n < BULK; n++)
		out[4 + n] = (unsigned char)(n * 7 + n / 511);
	out[BULK + 4] = 0x87;
	for (unsigned chunk = 512; chunk <= 65536; chunk *= 16) {
		check(ftdi_write_data_set_chunksize(ftdi, chunk) == 0);
		check(ftdi_read_data_set_chunksize(ftdi, chunk) == 0);
		reading = ftdi_read_data_submit(ftdi, back, BULK);
		writing = ftdi_write_data_submit(ftdi, out, BULK + 5);
		check(reading && writing);
		check(ftdi_transfer_data_done(writing) == BULK + 5 && ftdi_transfer_data_done(reading) == BULK);
		check(!memcmp(back, out + 4, BULK));
	}
	/* One after the other: more than the chip's buffers hold is read while it is written, so no more than 4 KiB. */
	check(PUT(0x31, 0xFF, 0x07) && put(out + 4, 2048) && PUT(0x87) && get(2048) == 2048);
	check(!memcmp(back, out + 4, 2048));
	check(PUT(0x85));
}

/* Gate on, a byte into synapse word 5, lane 2, and back: frames of the datasheet, 15 MHz. */
static void chip(void)
{
	static const unsigned char open[] = {0x00, 0x00, 0x00, 0x00, 0x01}, close[5] = {0};
	static const unsigned char write[] = {0x64, 0x00, 0x50, 0x00, 0xC7}, read[] = {0xA4, 0x00, 0x50, 0x00, 0x00};

	check(PUT(0x8A, 0x97, 0x8D, 0x85, 0x86, 1, 0, 0x80, 0x08, 0xDB, 0x82, 0, 0xFF, 0x80, 0x00, 0xDB));
	check(PUT(0x11, 9, 0) && put(open, 5) && put(write, 5));
	check(PUT(0x31, 4, 0) && put(read, 5) && PUT(0x87) && get(5) == 5);
	check(back[4] == 0xC7);
	check(PUT(0x11, 4, 0) && put(close, 5));
	check(PUT(0xAA, 0x87) && answers(2, "\xFA\xAA"));
}

int main(int argc, char **argv)
{
	if (argc != 2 || !(ftdi = ftdi_new())) {
		fputs("usage: libftdi SERIAL\n", stderr);
		return 2;
	}
	finding(argv[1]);
	ftdi->module_detach_mode = AUTO_DETACH_REATACH_SIO_MODULE;
	check(ftdi_set_interface(ftdi, INTERFACE_A) == 0);
	check(ftdi_usb_open_desc(ftdi, VENDOR, PRODUCT, NULL, argv[1]) == 0);
	if (!failures) {
		requests();
		eeprom();
		engine();
		bulk();
		chip();
		check(ftdi_set_bitmode(ftdi, 0, BITMODE_RESET) == 0);
		check(ftdi_usb_close(ftdi) == 0);
	}
	ftdi_free(ftdi);
	return failures ? 1 : 0;
}
