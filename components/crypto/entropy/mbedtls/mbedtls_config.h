/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mbedtls_config.h: what of mbedTLS this component compiles. It is found before the library's own file of this name.
 */
#pragma once
#include <stddef.h>

#define MBEDTLS_SHA256_C
#define MBEDTLS_MD_C
#define MBEDTLS_HMAC_DRBG_C

/* The digest's two contexts are made once, in BOOT; nothing is ever given back. */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO crypto_entropy_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO crypto_entropy_free
void *crypto_entropy_calloc(size_t count, size_t size);
void crypto_entropy_free(void *p);
