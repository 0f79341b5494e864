/* folded: a function per node, which folded_step runs in order. Numbers of
   equations are those of docs/numerics.md of ns4d. */
#include "folded.h"
#include "folded_constants.h"

typedef int16_t message; /* what nodes send one another */

/* To watch the nodes, define this as a call of your own: (number of the node, its messages, how
   many there are). */
#ifndef FOLDED_SENT
#define FOLDED_SENT(node, messages, count) ((void)0)
#endif

/* A node has a stack frame of its own, free again before the next node runs. */
#if defined(__GNUC__)
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME
#endif

/* How this core multiplies; the bits are the same whatever is chosen. To choose yourself, define
   one of the two names, or NS4D_PLAIN. */
#if !defined(NS4D_DSP) && !defined(NS4D_SPLIT) && !defined(NS4D_PLAIN)
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)
#define NS4D_DSP /* a 32x32->64 multiply in one cycle: Cortex-M4, M7, M33 */
#elif defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define NS4D_SPLIT /* a 32x32->32 multiply only: Cortex-M0, M0+, M23 */
#endif
#endif

#if defined(NS4D_SPLIT)
/* (a) p / 2^s rounded down. C leaves >> of a negative number to the compiler; ~p is not negative,
   and ~(~p >> s) is the same integer on every machine. Compilers make one shift of it. */
static inline int32_t shift_floor(int32_t p, int s)
{
    return p < 0 ? ~(~p >> s) : p >> s;
}
#endif

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

/* (a) p / 2^s rounded down. C leaves >> of a negative number to the compiler; ~p is not negative,
   and ~(~p >> s) is the same integer on every machine. Compilers make one shift of it. */
static inline int64_t shift_floor_64(int64_t p, int s)
{
    return p < 0 ? ~(~p >> s) : p >> s;
}

/* (d) and (4): the nearest number from low to high. */
static inline int32_t clip(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

#if !defined(NS4D_SPLIT)
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
#endif

/* sum + k * x / 2^15, the quotient rounded toward zero.
   Without a long multiply: k * x = high * 2^i + low; as |k| < 2^15, both fit 32 bits. A shift
   rounds down; a negative product gets 2^s - 1 more before it, so that it rounds up. */
static inline int32_t add_high_15_1(int32_t sum, int32_t k, int32_t x)
{
#if defined(NS4D_SPLIT)
    const int32_t sign = shift_floor(k ^ x, 31);
    const int32_t high = k * shift_floor(x, 15), low = k * (x & 32767);
    return sum + (high + shift_floor(low + (sign & 32767), 15));
#else
    return add_high(sum, k * 65536, x * 2);
#endif
}

/* sum + k * x / 2^16, the quotient rounded toward zero.
   Without a long multiply: k * x = high * 2^i + low; as |k| < 2^15, both fit 32 bits. A shift
   rounds down; a negative product gets 2^s - 1 more before it, so that it rounds up. */
static inline int32_t add_high_16(int32_t sum, int32_t k, int32_t x)
{
#if defined(NS4D_SPLIT)
    const int32_t sign = shift_floor(k ^ x, 31);
    const int32_t high = k * shift_floor(x, 16), low = k * (x & 65535);
    return sum + (high + shift_floor(low + (sign & 65535), 16));
#else
    return add_high(sum, k * 65536, x);
#endif
}

/* (b) p / 2^s rounded toward zero: the magnitude is shifted. */
static inline int32_t shift_toward_zero(int32_t p, int s)
{
    return p < 0 ? -(-p >> s) : p >> s;
}

/* encoder: 1 messages to 4: (5), then (4). */
OWN_FRAME static void run_encoder(const message *u, message *m)
{
    const int8_t *w = encoder_weight;
    for (int o = 0; o < 4; o += 4, w += 4) {
        const struct encoder_channels_row *const k = &encoder_channels[o];
        int32_t v0 = k[0].bias;
        int32_t v1 = k[1].bias;
        int32_t v2 = k[2].bias;
        int32_t v3 = k[3].bias;
        for (int i = 0; i < 1; i++) {
            const int32_t in = u[i];
            v0 += w[i] * in;
            v1 += w[1 + i] * in;
            v2 += w[2 + i] * in;
            v3 += w[3 + i] * in;
        }
        m[o] = (message)clip((int32_t)shift_floor_64(product(k[0].multiplier, v0), 21), 0,
            k[0].limit);
        m[o + 1] = (message)clip((int32_t)shift_floor_64(product(k[1].multiplier, v1), 21), 0,
            k[1].limit);
        m[o + 2] = (message)clip((int32_t)shift_floor_64(product(k[2].multiplier, v2), 21), 0,
            k[2].limit);
        m[o + 3] = (message)clip((int32_t)shift_floor_64(product(k[3].multiplier, v3), 21), 0,
            k[3].limit);
    }
}

/* layer0.ssm: 4 channels of 2 modes. States may saturate at 8388607.
   Each product is shifted toward zero: (1)-(3), then (4). */
OWN_FRAME static void run_layer0_ssm(folded_complex32 *x, const message *u, message *m)
{
    const struct layer0_ssm_modes_row *mode = layer0_ssm_modes;
    for (int h = 0; h < 4; h++) {
        const struct layer0_ssm_channels_row *const k = &layer0_ssm_channels[h];
        const int32_t in = u[h];
        /* b is real and the same for every mode. */
        const int32_t drive = shift_toward_zero(k->b * in, 4);
        int32_t v = shift_toward_zero(k->d * in, k->d_shift); /* (3) */
        for (int n = 0; n < 2; n++, mode++, x++) {
            const int32_t re = x->re, im = x->im;
            int32_t next_re = add_high_15_1(drive, mode->a_re, re); /* (1) */
            int32_t next_im = add_high_15_1(0, mode->a_re, im); /* (2) */
            next_re = add_high_15_1(next_re, mode->a_im, -im);
            next_im = add_high_15_1(next_im, mode->a_im, re);
            /* (d) One test for both. Where it holds without need, the clips change nothing. */
            if ((((uint32_t)next_re + 8388607u) | ((uint32_t)next_im + 8388607u)) > 16777214u) {
                next_re = clip(next_re, -8388607, 8388607);
                next_im = clip(next_im, -8388607, 8388607);
            }
            x->re = next_re;
            x->im = next_im;
            v = add_high_16(v, mode->c_re, next_re);
            v = add_high_16(v, mode->minus_c_im, next_im);
        }
        m[h] = (message)clip((int32_t)shift_floor_64(product(k->multiplier, v), 22), 0, k->limit);
    }
}

/* layer0.mix: 4 messages to 4: (5), then (4). */
OWN_FRAME static void run_layer0_mix(const message *u, message *m)
{
    const int8_t *w = layer0_mix_weight;
    for (int o = 0; o < 4; o += 4, w += 16) {
        const struct layer0_mix_channels_row *const k = &layer0_mix_channels[o];
        int32_t v0 = k[0].bias;
        int32_t v1 = k[1].bias;
        int32_t v2 = k[2].bias;
        int32_t v3 = k[3].bias;
        for (int i = 0; i < 4; i++) {
            const int32_t in = u[i];
            v0 += w[i] * in;
            v1 += w[4 + i] * in;
            v2 += w[8 + i] * in;
            v3 += w[12 + i] * in;
        }
        m[o] = (message)clip((int32_t)shift_floor_64(product(k[0].multiplier, v0), 18), 0,
            k[0].limit);
        m[o + 1] = (message)clip((int32_t)shift_floor_64(product(k[1].multiplier, v1), 18), 0,
            k[1].limit);
        m[o + 2] = (message)clip((int32_t)shift_floor_64(product(k[2].multiplier, v2), 18), 0,
            k[2].limit);
        m[o + 3] = (message)clip((int32_t)shift_floor_64(product(k[3].multiplier, v3), 18), 0,
            k[3].limit);
    }
}

/* read-out: 4 messages to 3 scores: (6). */
OWN_FRAME static void run_readout(const message *u, int64_t *score)
{
    const int8_t *w = readout_weight;
    for (int o = 0; o < 3; o++, w += 4) {
        const struct readout_channels_row *const k = &readout_channels[o];
        int32_t v = k->bias;
        for (int i = 0; i < 4; i++) {
            const int32_t in = u[i];
            v += w[i] * in;
        }
        score[o] += v;
    }
}

void folded_init(folded_state *state)
{
    unsigned char *byte = (unsigned char *)state;
    unsigned long left = (unsigned long)sizeof *state;
    while (left-- > 0)
        *byte++ = 0;
}

int folded_step(folded_state *state, const int32_t token[1], folded_score scores[3])
{
    message a[4], b[4];
    for (int i = 0; i < 1; i++)
        if (token[i] < -2047 || token[i] > 2047)
            return 1;
    if (state->tokens >= FOLDED_TOKENS_MAX)
        return 2;
    for (int i = 0; i < 1; i++)
        a[i] = (message)token[i];
    run_encoder(a, b);
    FOLDED_SENT(0, b, 4);
    run_layer0_ssm(state->x_layer0_ssm, b, a);
    FOLDED_SENT(1, a, 4);
    run_layer0_mix(a, b);
    FOLDED_SENT(2, b, 4);
    run_readout(b, state->score);
    state->tokens++;
    for (int o = 0; o < 3; o++)
        scores[o] = state->score[o];
    return 0;
}
