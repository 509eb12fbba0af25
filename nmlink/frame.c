/* SPDX-License-Identifier: MIT */
/* Frames, their CRC, and COBS for streams of bytes. */
#include "frame.h"

/* Reflected polynomial 0x82F63B78, four bits at a time. */
static const uint32_t crc_table[16] = {
	0x00000000u, 0x105EC76Fu, 0x20BD8EDEu, 0x30E349B1u, 0x417B1DBCu, 0x5125DAD3u, 0x61C69362u, 0x7198540Du,
	0x82F63B78u, 0x92A8FC17u, 0xA24BB5A6u, 0xB21572C9u, 0xC38D26C4u, 0xD3D3E1ABu, 0xE330A81Au, 0xF36E6F75u,
};

uint32_t nmlink_crc32c(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ crc_table[crc & 15u];
		crc = crc >> 4 ^ crc_table[crc & 15u];
	}
	return ~crc;
}

uint32_t nmlink_frame_seal(uint8_t *frame, const struct nmlink_header *header, nmlink_crc_fn crc)
{
	uint32_t size = NMLINK_HEADER_SIZE + header->size;

	nmlink_put_header(frame, header);
	nmlink_store_u32(frame + size, crc(0, frame, size));
	return size + NMLINK_CRC_SIZE;
}

enum nmlink_status nmlink_frame_open(const uint8_t *frame, size_t size, struct nmlink_header *header, nmlink_crc_fn crc)
{
	if (size < NMLINK_OVERHEAD || !nmlink_get_header(header, frame, NMLINK_HEADER_SIZE))
		return NMLINK_ELEN;
	if (header->size != size - NMLINK_OVERHEAD)
		return NMLINK_ELEN;
	if (crc(0, frame, size - NMLINK_CRC_SIZE) != nmlink_load_u32(frame + size - NMLINK_CRC_SIZE))
		return NMLINK_ECRC;
	return header->version == NMLINK_VERSION_MAJOR ? NMLINK_OK : NMLINK_EVERSION;
}

size_t nmlink_cobs_encode(uint8_t *out, const uint8_t *in, size_t size)
{
	uint8_t *code = out, *p = out + 1;

	for (size_t i = 0; i < size; i++) {
		if (in[i])
			*p++ = in[i];
		if (!in[i] || p - code == 255) {
			*code = (uint8_t)(p - code);
			code = p++;
		}
	}
	*code = (uint8_t)(p - code);
	*p++ = 0;
	return (size_t)(p - out);
}

static void cobs_byte(struct nmlink_cobs *cobs, uint8_t byte)
{
	if (cobs->size == cobs->capacity)
		cobs->bad = 1;
	else
		cobs->buffer[cobs->size++] = byte;
}

/* A zero byte: the end of a frame. True when it was whole. */
static bool cobs_end(struct nmlink_cobs *cobs)
{
	const bool whole = !cobs->bad && !cobs->left;

	if (!whole)
		cobs->dropped++;
	cobs->left = 0;
	cobs->zero = 0;
	cobs->bad = 0;
	return whole;
}

bool nmlink_cobs_take(struct nmlink_cobs *cobs, const uint8_t *bytes, size_t count, size_t *used)
{
	if (cobs->whole)
		cobs->size = 0;
	cobs->whole = 0;
	for (*used = 0; *used < count;) {
		uint8_t byte = bytes[(*used)++];

		if (!byte) {
			cobs->whole = cobs_end(cobs) && cobs->size;
			if (cobs->whole)
				return true;
			cobs->size = 0;
		} else if (cobs->bad) {
			continue;
		} else if (cobs->left) {
			cobs_byte(cobs, byte);
			cobs->left--;
		} else {
			if (cobs->zero)
				cobs_byte(cobs, 0);
			cobs->left = (uint8_t)(byte - 1);
			cobs->zero = byte != 255;
		}
	}
	return false;
}
