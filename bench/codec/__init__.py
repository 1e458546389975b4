"""The figures of the codec: `bench/run codec`."""
