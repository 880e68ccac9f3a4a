/* SPDX-License-Identifier: MIT OR Apache-2.0
 * void-status.c: a bad sample.
 */
status_t device_reset(int a);
void f(void)
{
    (void)device_reset(1);
}
/* expect: 7: a status is cast away */
