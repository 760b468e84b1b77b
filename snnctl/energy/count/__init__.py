"""Counting: every operation that torch dispatches on real samples becomes a row.

`dispatch` sees what torch calls; `operations` says what that is, `signals` and `propagate` what its tensors are,
`synapses`, by the numbers of `products`, and `neuron_work` how much it does; `ledger` sums it to a row of `counts`.
"""
