/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mbedtls_config.h: what of mbedTLS this component compiles. It is found before the library's own file of this name.
 */
#pragma once
#define MBEDTLS_SHA256_C
