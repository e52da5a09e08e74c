"""The operations of the network that have a fast form: one file each, its reference beside it."""

from gban_edge.ops.alignment import AlignPoolOutput, align_pool, align_pool_ref, reference

__all__ = ["AlignPoolOutput", "align_pool", "align_pool_ref", "reference"]
