"""The figures of the data plane: `bench/run dataplane`."""
