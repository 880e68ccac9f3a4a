#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# tcp-many.sh: 70,000 connections one after another: TIME_WAIT must not hold a bounded pool, accept must not hang.
# timeout: 600
# cost: serial
SERIAL=70000 exec "$CAPOS_TOP/test/smoke/tcp-echo.sh"
