"""The ranges of σ and the stride that people can choose from. Sliders, links, methods, sweeps and the command line read them here."""

SIGMA_RANGE = (0.01, 100.0)  # output frames
STRIDE_RANGE = (1.0, 8.0)  # input frames per output frame, of one layer
SIGMA_INV2_RANGE = (SIGMA_RANGE[1] ** -2, SIGMA_RANGE[0] ** -2)
LEAST_HEARD = 0.1  # seconds of a clip that a network may be left to hear
RESOLUTION_RANGE = (1.0, 4.0)  # frame shifts over a network's own
