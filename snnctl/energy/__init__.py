"""Energy of spiking networks: count every operation on real samples, price it by a cost table, say what it means."""
