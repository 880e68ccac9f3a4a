/* SPDX-License-Identifier: MIT OR Apache-2.0
 * banned-heap.c: a bad sample.
 */
void f(void)
{
    char *a = malloc(3);
}
/* expect: 6: malloc() is banned; instead: a pool */
