"""What all tests share: one thread for torch, which a busy machine of two cores likes best, and hypothesis settings."""

import torch
from hypothesis import settings

settings.register_profile("adastride", deadline=None, max_examples=60)
settings.load_profile("adastride")
torch.set_num_threads(1)
