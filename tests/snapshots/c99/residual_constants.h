/* residual: its constants. What is the same in all rows of a table stands in
   residual.c as a number. Only residual.c includes this file. */
#include <stdint.h>

/* encoder: a row of weights per output */
static const int8_t encoder_weight[3 * 2] = {
    86, -61,
    -100, -51,
    -22, 80,
};

/* encoder: a row per output */
static const struct encoder_channels_row {
    int32_t bias;
    int16_t multiplier, limit;
} encoder_channels[3] = {
    {-234720, 26215, 19461},
    {-2019125, 29707, 30805},
    {-551860, 28320, 17286},
};

/* layer0.ssm: mode n of channel h is row h * 2 + n */
static const struct layer0_ssm_modes_row {
    int16_t a_re, a_im, c_re, minus_c_im, b_re, b_im;
} layer0_ssm_modes[6] = {
    {18187, 20160, -1906, 25916, -14747, 18059}, {-25059, 5200, 4548, -30004, 5225, 31234},
    {7692, 17199, 12698, 19535, 725, -11918}, {18235, -14774, 13130, 3336, 12613, 26701},
    {-10504, -25248, -25742, -25195, 25638, 27801}, {13217, -19198, -1511, -1458, 24708, -18102},
};

/* layer0.ssm: a row per channel */
static const struct layer0_ssm_channels_row {
    int16_t d, multiplier, limit;
    int8_t d_up;
} layer0_ssm_channels[3] = {
    {11784, 23044, 26106, 1},
    {-48, 26109, 24111, 1},
    {22887, 24847, 30508, 0},
};

/* layer0.mix: a row of weights per output */
static const int8_t layer0_mix_weight[3 * 3] = {
    -16, -4, 100,
    -15, 29, -108,
    84, -14, 0,
};

/* layer0.mix: a row per output */
static const struct layer0_mix_channels_row {
    int32_t bias;
    int16_t multiplier, limit;
} layer0_mix_channels[3] = {
    {-1437553, 21937, 19925},
    {844322, 28985, 20622},
    {336384, 24949, 18033},
};

/* layer0.add: a row per channel */
static const struct layer0_add_channels_row {
    int16_t multiplier, limit;
    int8_t weight, skip;
} layer0_add_channels[3] = {
    {31092, 22692, -118, 20},
    {21655, 27745, 6, -11},
    {30067, 32336, 51, -59},
};

/* read-out: a row of weights per class */
static const int8_t readout_weight[3 * 3] = {
    23, -100, 68,
    73, -24, -35,
    -77, 123, -84,
};

/* read-out: a row per class */
static const struct readout_channels_row {
    int8_t bias;
} readout_channels[3] = {
    {-24},
    {-81},
    {-45},
};
