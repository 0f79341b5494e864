/* folded: its constants. What is the same in all rows of a table stands in
   folded.c as a number. Only folded.c includes this file. */
#include <stdint.h>

/* encoder: a row of weights per output */
static const int8_t encoder_weight[4 * 1] = {
    -7,
    3,
    65,
    115,
};

/* encoder: a row per output */
static const struct encoder_channels_row {
    int32_t bias;
    int16_t multiplier, limit;
} encoder_channels[4] = {
    {-6665, 20466, 1871},
    {-2185, 21492, 1286},
    {42969, 30621, 1442},
    {105614, 23319, 1682},
};

/* layer0.ssm: mode n of channel h is row h * 2 + n */
static const struct layer0_ssm_modes_row {
    int16_t a_re, a_im, c_re, minus_c_im;
} layer0_ssm_modes[8] = {
    {13810, -9627, -2910, -14321}, {-8281, -27505, 18132, -1874},
    {1947, -25122, -8988, -24385}, {-49, 21784, 7406, 2665},
    {5563, -28764, 17877, 8645}, {21257, -1983, 27348, 28681},
    {-23637, 2874, -4764, 2807}, {-18042, 4432, -30173, -9262},
};

/* layer0.ssm: a row per channel */
static const struct layer0_ssm_channels_row {
    int16_t b, d, multiplier, limit;
    int8_t d_shift;
} layer0_ssm_channels[4] = {
    {-26731, 17699, 25912, 1794, 15},
    {-13556, 23110, 24731, 1078, 16},
    {27848, -18688, 27421, 1174, 16},
    {14803, 6091, 24753, 1581, 15},
};

/* layer0.mix: a row of weights per output */
static const int8_t layer0_mix_weight[4 * 4] = {
    -110, 47, 66, 73,
    95, -79, 14, 77,
    -36, -79, -5, -107,
    -71, 91, 43, 92,
};

/* layer0.mix: a row per output */
static const struct layer0_mix_channels_row {
    int32_t bias;
    int16_t multiplier, limit;
} layer0_mix_channels[4] = {
    {149912, 26499, 1684},
    {148267, 20873, 1282},
    {-61533, 31447, 1760},
    {-11837, 16499, 1446},
};

/* read-out: a row of weights per class */
static const int8_t readout_weight[3 * 4] = {
    127, -56, -8, -73,
    49, 36, 88, 78,
    122, 118, 101, -89,
};

/* read-out: a row per class */
static const struct readout_channels_row {
    int8_t bias;
} readout_channels[3] = {
    {60},
    {-16},
    {15},
};
