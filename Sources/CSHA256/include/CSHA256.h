#ifndef CSHA256_H
#define CSHA256_H

#include <stddef.h>
#include <stdint.h>

/// Whether the processor has instructions for SHA-256 that `csha256_compress` uses. Looked up once.
int csha256_is_supported(void);

/// SHA-256's compression function (FIPS 180-4, section 6.2.2) over `count` blocks of 64 bytes. Only where it is supported.
void csha256_compress(uint32_t state[8], const uint8_t *blocks, size_t count);

#endif
