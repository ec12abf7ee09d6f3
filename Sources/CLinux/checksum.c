#include "clinux.h"

#include <string.h>

static uint32_t crc32c_table[256];

__attribute__((constructor)) static void crc32c_fill(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        crc32c_table[i] = c;
    }
}

static uint32_t crc32c_software(uint32_t crc, const uint8_t *p, size_t n) {
    while (n--) crc = crc32c_table[(crc ^ *p++) & 0xFF] ^ (crc >> 8);
    return crc;
}

static void checksum_software(uint32_t lanes[4], const uint8_t *p, size_t blocks) {
    for (; blocks; blocks--, p += 32)
        for (int i = 0; i < 4; i++) lanes[i] = crc32c_software(lanes[i], p + 8 * i, 8);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t c = crc, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    while (n--) c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
    return (uint32_t)c;
}

__attribute__((target("sse4.2"))) static void checksum_hardware(uint32_t lanes[4], const uint8_t *p, size_t blocks) {
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3], w[4];
    for (; blocks; blocks--, p += 32) {
        memcpy(w, p, 32);
        a = __builtin_ia32_crc32di(a, w[0]);
        b = __builtin_ia32_crc32di(b, w[1]);
        c = __builtin_ia32_crc32di(c, w[2]);
        d = __builtin_ia32_crc32di(d, w[3]);
    }
    lanes[0] = (uint32_t)a, lanes[1] = (uint32_t)b, lanes[2] = (uint32_t)c, lanes[3] = (uint32_t)d;
}

static int has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }
#else
#define crc32c_hardware crc32c_software
#define checksum_hardware checksum_software
static int has_crc32c(void) { return 0; }
#endif

uint32_t clinux_crc32c(uint32_t crc, const void *bytes, size_t n) {
    return ~(has_crc32c() ? crc32c_hardware(~crc, bytes, n) : crc32c_software(~crc, bytes, n));
}

uint64_t clinux_checksum(const void *bytes, size_t n) {
    uint32_t lanes[4] = {1, 2, 3, 4};
    const uint8_t *p = bytes;
    size_t blocks = n / 32;
    if (has_crc32c()) checksum_hardware(lanes, p, blocks);
    else checksum_software(lanes, p, blocks);
    /* The rest, and the length, go into the first lane; the lanes are then folded in order. */
    lanes[0] = clinux_crc32c(lanes[0], p + blocks * 32, n % 32);
    uint64_t length = n;
    uint32_t low = clinux_crc32c(clinux_crc32c(0, lanes, sizeof lanes), &length, sizeof length);
    uint32_t high = clinux_crc32c(clinux_crc32c(low, &length, sizeof length), lanes, sizeof lanes);
    return (uint64_t)high << 32 | low;
}
