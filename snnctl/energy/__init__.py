"""Energy of spiking networks: count every operation on real samples, price it by a cost table, say what it means.

The way of one operation to joules, in the order to read it:

count   `dispatch` sees what torch calls; `operations` says what that is; `signals` and `propagate` what its tensors
        are; `synapses`, by the numbers of `products`, and `neuron_work` how much it does; `ledger` sums it to a row;
        `counts` is what comes of that.
price   `table` reads a cost table of `sections`; `rules` says what a spike is charged, `lemaire` what memory is;
        `joules` multiplies counts by prices; `bill` is what comes of that.
judge   `thresholds` and `neurobench` say what the count means.
show    document, figures and page.

`estimate` does all of it for one trained run.
"""
