"""The convolution in compiled code: a sequence per lane of the processor's vectors."""

from ns4d.ssm.vectorized.channels import convolve, gradients, serves

__all__ = ["convolve", "gradients", "serves"]
