/* The integer primitives of docs/numerics.md. Every block between blank lines is one function; the exporter
   copies those that a model calls. */

/* (a) p / 2^s rounded down. C leaves >> of a negative number to the compiler; ~p is not negative,
   and ~(~p >> s) is the same integer on every machine. Compilers make one shift of it. */
static inline int32_t shift_floor(int32_t p, int s)
{
    return p < 0 ? ~(~p >> s) : p >> s;
}

/* (a) p / 2^s rounded down. C leaves >> of a negative number to the compiler; ~p is not negative,
   and ~(~p >> s) is the same integer on every machine. Compilers make one shift of it. */
static inline int64_t shift_floor_64(int64_t p, int s)
{
    return p < 0 ? ~(~p >> s) : p >> s;
}

/* (b) p / 2^s rounded toward zero: the magnitude is shifted. */
static inline int32_t shift_toward_zero(int32_t p, int s)
{
    return p < 0 ? -(-p >> s) : p >> s;
}

/* (b) p / 2^s rounded toward zero: the magnitude is shifted. */
static inline int64_t shift_toward_zero_64(int64_t p, int s)
{
    return p < 0 ? -(-p >> s) : p >> s;
}

/* (d) and (4): the nearest number from low to high. */
static inline int32_t clip(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* (d) and (4): the nearest number from low to high. */
static inline int32_t clip_64(int64_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : (int32_t)x;
}

/* k * x in 64 bits, for |k| < 2^15. Without a long multiply: x = high * 2^16 + low, and k * high
   and k * low fit 32 bits each. */
static inline int64_t product(int32_t k, int32_t x)
{
#if defined(NS4D_SPLIT)
    return (int64_t)(k * shift_floor(x, 16)) * 65536 + k * (x & 65535);
#else
    return (int64_t)k * x;
#endif
}

/* k * x in 64 bits, where 32 would do: the form that a core with a long multiply adds in one go. */
static inline int64_t product_short(int32_t k, int32_t x)
{
#if defined(NS4D_SPLIT)
    return k * x;
#else
    return (int64_t)k * x;
#endif
}

/* k * x in 64 bits. */
static inline int64_t product_long(int32_t k, int32_t x)
{
    return (int64_t)k * x;
}

/* sum + k * x / 2^32, the quotient rounded toward zero, as C's division rounds. In assembly: the
   upper half of a negative product is its floor, one too low unless the lower half is 0. The sign
   of the upper half, spread over 32 bits, is 2^32 - 1 then; added to the lower half, it carries
   unless that is 0, and the carry is added with the upper half. */
static inline int32_t add_high(int32_t sum, int32_t k, int32_t x)
{
#if defined(NS4D_DSP)
    int32_t low, high, total;
    __asm__("smull %0, %1, %3, %4\n\t"
            "adds %0, %0, %1, asr #31\n\t"
            "adc %2, %1, %5"
            : "=&r"(low), "=&r"(high), "=r"(total)
            : "r"(k), "r"(x), "rI"(sum)
            : "cc");
    return total;
#else
    return sum + (int32_t)((int64_t)k * x / 4294967296);
#endif
}

/* sum + k * x / 2^s, the quotient rounded toward zero; k * x fits 32 bits. */
static inline int32_t add_shifted(int32_t sum, int32_t k, int32_t x, int s)
{
    return sum + shift_toward_zero(k * x, s);
}

/* sum + k * x / 2^s, the quotient rounded toward zero. */
static inline int32_t add_wide(int32_t sum, int32_t k, int32_t x, int s)
{
    return sum + (int32_t)shift_toward_zero_64((int64_t)k * x, s);
}

/* sum + k * x / 2^s, the quotient rounded toward zero. */
static inline int64_t add_wide_64(int64_t sum, int32_t k, int32_t x, int s)
{
    return sum + shift_toward_zero_64((int64_t)k * x, s);
}
