"""Energy of spiking networks: count every operation on real samples, price it by a cost table, say what it means.

`estimate` does all of it for one trained run: `count` (begin in `dispatch`), `price` (in `joules`), `judge`, `show`.
"""
