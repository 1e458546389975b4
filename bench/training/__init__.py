"""The figures of training through the codec: `bench/run training`."""
