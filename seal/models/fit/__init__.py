"""Making a model fit: memory told beforehand, quantization, offload, adapters."""
