/* SPDX-License-Identifier: MIT OR Apache-2.0
 * banned.c: a bad sample.
 */
void f(char *a)
{
    strcpy(a, "x");
}
/* expect: 6: strcpy() is banned; instead: fmt_text */
