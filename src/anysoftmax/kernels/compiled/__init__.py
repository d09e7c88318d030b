"""Fused kernels by Numba: softmax, log_softmax, logsumexp, summary in one visit to each slice.

They serve float32 and float64 work on NumPy arrays and PyTorch's CPU tensors, in any layout and
along any axes, with temperatures, a mask, 16-bit or integer logits, and the highest precision of
float32. Only the ordinary formula of the fold is compiled. A slice with a special value in it
(+inf, NaN, nothing but -inf, a huge peak, T = 0 or inf) is left alone and handed to the reference.

They raise `KernelError` for what they are not able to do:

- weights, long double, and float64 with ``precision="highest"``;
- slices of more than 6 MiB that would have to be copied;
- PyTorch tensors on another device than the CPU, inside of torch.func's transforms, forward-mode
  differentiation or torch.compile, and derivatives by the temperature or in another dtype than
  that of the logits and of the work.

Nothing is compiled before it is used, and what was compiled is kept on disk by Numba's cache.

Modules, from the bottom: `instructions`, `elementary`, `arithmetic`, `rows` and `columns` (the
formulas), `walks` (the compiled entry points), `labels` (derivatives of the surprisals of labels),
`views` and `evaluation` (layout, in NumPy), `numpy_border`, `torch_border` and `gradients`.
"""
