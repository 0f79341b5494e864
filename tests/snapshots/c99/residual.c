/* residual: a function per node, which residual_step runs in order. Numbers of
   equations are those of docs/numerics.md of ns4d. */
#include "residual.h"
#include "residual_constants.h"

typedef int16_t message; /* what nodes send one another */

/* To watch the nodes, define this as a call of your own: (number of the node, its messages, how
   many there are). */
#ifndef RESIDUAL_SENT
#define RESIDUAL_SENT(node, messages, count) ((void)0)
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

/* k * x in 64 bits, where 32 would do: the form that a core with a long multiply adds in one go. */
static inline int64_t product_short(int32_t k, int32_t x)
{
#if defined(NS4D_SPLIT)
    return k * x;
#else
    return (int64_t)k * x;
#endif
}

/* encoder: 2 messages to 3: (5), then (4). */
OWN_FRAME static void run_encoder(const message *u, message *m)
{
    const int8_t *w = encoder_weight;
    for (int o = 0; o < 3; o++, w += 2) {
        const struct encoder_channels_row *const k = &encoder_channels[o];
        int32_t v = k->bias;
        for (int i = 0; i < 2; i++) {
            const int32_t in = u[i];
            v += w[i] * in;
        }
        m[o] = (message)clip((int32_t)shift_floor_64(product(k->multiplier, v) + 131072, 18), 0,
            k->limit);
    }
}

/* layer0.ssm: 3 channels of 2 modes. States provably stay within 1975339377.
   Sums are exact, shifted once, a tie up: (1)-(3), then (4). */
OWN_FRAME static void run_layer0_ssm(residual_complex32 *x, const message *u, message *m)
{
    const struct layer0_ssm_modes_row *mode = layer0_ssm_modes;
    for (int h = 0; h < 3; h++) {
        const struct layer0_ssm_channels_row *const k = &layer0_ssm_channels[h];
        const int32_t in = u[h];
        int64_t y = 0;
        for (int n = 0; n < 2; n++, mode++, x++) {
            const int32_t re = x->re, im = x->im;
            const int64_t sum_re = 16384 + product_short(mode->b_re, in) * 16384
                + product(mode->a_re, re) + product(mode->a_im, -im); /* (1) */
            const int64_t sum_im = 16384 + product_short(mode->b_im, in) * 16384
                + product(mode->a_re, im) + product(mode->a_im, re); /* (2) */
            const int32_t next_re = (int32_t)shift_floor_64(sum_re, 15);
            const int32_t next_im = (int32_t)shift_floor_64(sum_im, 15);
            x->re = next_re;
            x->im = next_im;
            y += product(mode->c_re, next_re);
            y += product(mode->minus_c_im, next_im);
        }
        const int32_t v = (int32_t)shift_floor_64(y
            + product_short(k->d, in) * ((int64_t)1 << k->d_up) + 32768, 16); /* (3) */
        m[h] = (message)clip((int32_t)shift_floor_64(product(k->multiplier, v) + 33554432, 26),
            -k->limit, k->limit);
    }
}

/* layer0.mix: 3 messages to 3: (5), then (4). */
OWN_FRAME static void run_layer0_mix(const message *u, message *m)
{
    const int8_t *w = layer0_mix_weight;
    for (int o = 0; o < 3; o++, w += 3) {
        const struct layer0_mix_channels_row *const k = &layer0_mix_channels[o];
        int32_t v = k->bias;
        for (int i = 0; i < 3; i++) {
            const int32_t in = u[i];
            v += w[i] * in;
        }
        m[o] = (message)clip((int32_t)shift_floor_64(product(k->multiplier, v) + 4194304, 23), 0,
            k->limit);
    }
}

/* layer0.add: 3 messages u, with s of encoder: (10), then (4). */
OWN_FRAME static void run_layer0_add(const message *u, const message *s, message *m)
{
    for (int h = 0; h < 3; h++) {
        const struct layer0_add_channels_row *const k = &layer0_add_channels[h];
        const int32_t in = u[h], aside = s[h];
        const int32_t v = k->weight * in + k->skip * aside;
        m[h] = (message)clip((int32_t)shift_floor_64(product(k->multiplier, v) + 524288, 20), 0,
            k->limit);
    }
}

/* read-out: 3 messages to 3 scores: (6). */
OWN_FRAME static void run_readout(const message *u, int64_t *score)
{
    const int8_t *w = readout_weight;
    for (int o = 0; o < 3; o++, w += 3) {
        const struct readout_channels_row *const k = &readout_channels[o];
        int32_t v = k->bias;
        for (int i = 0; i < 3; i++) {
            const int32_t in = u[i];
            v += w[i] * in;
        }
        score[o] += v;
    }
}

void residual_init(residual_state *state)
{
    unsigned char *byte = (unsigned char *)state;
    unsigned long left = (unsigned long)sizeof *state;
    while (left-- > 0)
        *byte++ = 0;
}

int residual_step(residual_state *state, const int32_t token[2], residual_score scores[3])
{
    message a[3], b[3], c[3];
    for (int i = 0; i < 2; i++)
        if (token[i] < -32767 || token[i] > 32767)
            return 1;
    if (state->tokens >= RESIDUAL_TOKENS_MAX)
        return 2;
    for (int i = 0; i < 2; i++)
        a[i] = (message)token[i];
    run_encoder(a, b);
    RESIDUAL_SENT(0, b, 3);
    run_layer0_ssm(state->x_layer0_ssm, b, a);
    RESIDUAL_SENT(1, a, 3);
    run_layer0_mix(a, c);
    RESIDUAL_SENT(2, c, 3);
    run_layer0_add(c, b, a);
    RESIDUAL_SENT(3, a, 3);
    run_readout(a, state->score);
    state->tokens++;
    for (int o = 0; o < 3; o++)
        scores[o] = state->score[o];
    return 0;
}
